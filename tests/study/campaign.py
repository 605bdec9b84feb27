"""Recordings under faults, each judged against the simulated truth: what was lost must be what was counted.

One function a fault, all through the real firmware, a real pseudo-terminal and the recorder of ``hbc record``;
``soak.py`` draws seeds and prints the table. Virtual time, so that a session of a minute takes about a second.
"""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
from hbc_hil.faults import ChunkFaults, FaultyTransport, Injector
from hbc_hil.rig import Rig, RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_host.errors import HbcError, NoHelloError, TransportError
from hbc_host.protocol import frame
from hbc_host.reconnect import Found, OpenLink, Tell
from hbc_host.record import RecordSummary, record
from hbc_host.recorder import LOG_NAME
from hbc_host.replay import verify_replay
from hbc_host.session import load_session
from hbc_host.session_model import Session, SessionMeta
from hbc_host.transport import SerialTransport, Transport
from hbc_wire import messages

HELLO_S = 600.0  # virtual: the rig runs far ahead of the reader
WALL_S = 600.0
MATCH_BEAT_S = 0.1
EDGE_SLACK_S = 20e-6


@dataclass
class Outcome:
    """One recording under one fault, against the truth. ``problem`` is empty when it is as it must be."""

    fault: str
    seed: int
    loaded: bool = True
    wrong_n: int = 0
    silent_n: int = 0
    frames_lost_n: int = 0
    beats_lost_n: int = 0
    edges_lost_n: int = 0
    samples_lost_n: int = 0
    problem: str = ""


@dataclass
class Case:
    """What a fault gets: where to record, which patient, and the beats of the same patient without fault."""

    seed: int
    folder: Path
    scenario: Scenario
    reference_s: npt.NDArray[np.float64]  # seconds of world time
    draw: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)


class TooSlowError(RuntimeError):
    """Half a session would be judged against a whole truth."""


Judged = tuple[Rig, Session] | str
Fault = Callable[[Case], Judged]


def labels(port: str) -> SessionMeta:
    return SessionMeta(datetime.now(UTC), "campaign", "dash", (), None, "campaign", port)


def scenario_of(seed: int) -> Scenario:
    """60 to 90 s with trains from the tenth second on."""
    draw = random.Random(seed)
    return Scenario.short(seed, draw.uniform(60.0, 90.0), protocol=draw.choice(["dash", "itbs"]), rest_s=10.0)


def clean_beats_s(scenario: Scenario, folder: Path) -> npt.NDArray[np.float64]:
    """Beats that the box finds in this patient without any fault, seconds of world time."""
    with rig(scenario) as box:
        run(box, SerialTransport(box.port), folder, fetch=False)
    return load_session(folder).beats_s - box.boot_s


def run(box: Rig, transport: Transport, folder: Path, **more: Any) -> RecordSummary:
    """Record to the end of the world on its virtual clock."""
    give_up_s = time.monotonic() + WALL_S

    def stop() -> bool:
        return box.finished or time.monotonic() > give_up_s

    options: dict[str, Any] = {"stop": stop, "clock": lambda: box.bridge.virtual_s, "fetch": True, "ping": True}
    summary = record(
        transport, folder, meta=labels(box.port), hello_timeout_s=HELLO_S, on_event=lambda _: None,
        **(options | more),
    )  # fmt: skip
    if time.monotonic() > give_up_s and "stop" not in more:
        raise TooSlowError(f"the world did not end within {WALL_S:g} s: this computer is too busy for the campaign")
    return summary


# -- the faults -------------------------------------------------------------------------------------------------------


def flips(case: Case) -> Judged:
    with rig(case.scenario) as box:
        rate = 10.0 ** case.draw.uniform(-6.0, -3.0)
        run(box, FaultyTransport(SerialTransport(box.port), flip_per_byte=rate, seed=case.seed), case.folder)
    return box, load_session(case.folder)


def chunks(case: Case) -> Judged:
    with rig(case.scenario) as box:
        drop, repeat = case.draw.uniform(0.0, 0.05), case.draw.uniform(0.0, 0.05)
        run(box, ChunkFaults(SerialTransport(box.port), drop=drop, repeat=repeat, seed=case.seed), case.folder)
    return box, load_session(case.folder)


def unplug(case: Case) -> Judged:
    """The cable goes once or twice and comes back 1 to 15 s later under another name.

    Found by a link, as below ``/dev/serial/by-id``, and with an id of its own: meanwhile another simulated box on this
    computer may get the terminal's old name.
    """
    with rig(case.scenario, RigOptions(unique_id=case.seed.to_bytes(6, "big"))) as box:
        times_n = case.draw.randint(1, 2)
        starts_s = sorted(case.draw.uniform(5.0, case.scenario.duration_s - 25.0) for _ in range(times_n))
        over = threading.Event()
        port = case.folder.with_name(case.folder.name + "-port")
        box.bridge.publish(port)
        hands = threading.Thread(target=_hands, args=(box, starts_s, case.draw, over), daemon=True)
        hands.start()

        def back(open_link: OpenLink, hello: Any, keep_on: Callable[[], bool], tell: Tell) -> Found | None:
            while keep_on():
                link = open_link(SerialTransport(str(port)))
                try:
                    link.__enter__()
                    found = link.wait_hello(30.0)
                except (TransportError, NoHelloError):
                    link.__exit__(None, None, None)
                    time.sleep(0.001)
                    continue
                assert link.hello.unique_id == hello.unique_id
                return Found(link, found, str(port))
            return None

        run(box, SerialTransport(str(port)), case.folder, reconnect=back)
        over.set()
        hands.join()
    return box, load_session(case.folder)


def _hands(box: Rig, starts_s: list[float], draw: random.Random, over: threading.Event) -> None:
    for start_s in starts_s:
        while box.bridge.virtual_s < start_s and not over.is_set():
            time.sleep(0.0005)
        box.bridge.unplug()
        end_s = box.bridge.virtual_s + draw.uniform(1.0, 15.0)
        while box.bridge.virtual_s < end_s and not over.wait(0.0005) and not box.bridge.finished.is_set():
            pass
        box.bridge.plug()


def brownout(case: Case) -> Judged:
    at_s = case.draw.uniform(15.0, case.scenario.duration_s - 15.0)
    with rig(case.scenario, RigOptions(brownouts_s=(at_s,))) as box:
        summary = run(box, SerialTransport(box.port), case.folder)
    session = load_session(case.folder)
    if summary.boots_n != 2 or session.boots_n != 2 or not any("restarted" in note for note in session.notes):
        return f"{summary.boots_n} boots seen, {session.boots_n} loaded, notes {session.notes}"
    return box, session


CHILD = """
import os, resource, signal, sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
from campaign import labels
from hbc_host.record import record
from hbc_host.transport import SerialTransport
limit_n = int(sys.argv[4])
if limit_n:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_n, limit_n))
heard_s = time.monotonic()
def hear(_):
    global heard_s
    heard_s = time.monotonic()
summary = record(SerialTransport(sys.argv[1]), Path(sys.argv[2]), meta=labels("x"), resume=sys.argv[3] == "resume",
    ping=True, fetch=True, on_event=lambda _: None, on_message=hear, hello_timeout_s=30.0,
    stop=lambda: time.monotonic() - heard_s > 1.0)
print(summary.ended)
"""


def _child(box: Rig, folder: Path, *, resume: bool = False, limit_n: int = 0) -> subprocess.Popen[str]:
    code = CHILD.format(here=str(Path(__file__).parent))
    command = [sys.executable, "-c", code, box.bridge.port, str(folder), "resume" if resume else "new", str(limit_n)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _finish(child: subprocess.Popen[str]) -> str:
    said, _ = child.communicate(timeout=WALL_S)
    return said.strip() if child.returncode == 0 else f"exit code {child.returncode}"


def kill(case: Case) -> Judged:
    """kill -9 of the program that records, at any instant; a second one goes on."""
    with rig(case.scenario) as box:
        child = _child(box, case.folder)
        give_up_s = time.monotonic() + WALL_S
        while not case.folder.exists() and time.monotonic() < give_up_s:
            time.sleep(0.001)
        time.sleep(case.draw.uniform(0.0, 0.25))
        child.send_signal(signal.SIGKILL)
        _finish(child)
        load_session(case.folder)  # as it is now, too
        ended = _finish(_child(box, case.folder, resume=True))
    return (box, load_session(case.folder)) if ended == "stopped" else f"continuing: {ended}"


def disk(case: Case) -> Judged:
    """No file may grow beyond a limit, as on a full disk; room is made, and a second program goes on."""
    with rig(case.scenario) as box:
        ended = _finish(_child(box, case.folder, limit_n=case.draw.randint(20_000, 150_000)))
        if ended != "disk":
            return f"disk full: {ended}"
        load_session(case.folder)
        ended = _finish(_child(box, case.folder, resume=True))
    return (box, load_session(case.folder)) if ended == "stopped" else f"continuing: {ended}"


def slow_disk(case: Case) -> Judged:
    real = os.fsync

    def slow(number: int) -> None:
        time.sleep(0.1)
        real(number)

    with rig(case.scenario) as box, mock.patch.object(os, "fsync", slow):
        summary = run(box, SerialTransport(box.port), case.folder)
    session = load_session(case.folder)
    return (box, session) if summary.frames_lost_n == 0 else f"{summary.frames_lost_n} frames lost"


def damaged_file(case: Case) -> Judged:
    """Afterwards the file loses its tail, and bytes within it change."""
    with rig(case.scenario) as box:
        run(box, SerialTransport(box.port), case.folder)
    path = case.folder / LOG_NAME
    data = bytearray(path.read_bytes())
    del data[len(data) - case.draw.randint(0, 5000) :]
    for _ in range(case.draw.randint(0, 20)):
        place = case.draw.randrange(4000, len(data))  # the first Hello stays
        data[place : place + case.draw.choice([1, 30])] = case.draw.randbytes(1)
    path.write_bytes(data)
    return box, load_session(case.folder)


def two_hosts(case: Case) -> Judged:
    refused: list[str] = []
    with rig(case.scenario) as box:

        def try_too(_: Any) -> None:
            if not refused:
                try:
                    SerialTransport(box.port).open()
                    refused.append("")
                except TransportError as error:
                    refused.append(str(error))

        run(box, SerialTransport(box.port), case.folder, on_message=try_too)
    if "is busy" not in refused[0]:
        return f"a second program was not refused: {refused[0]!r}"
    return box, load_session(case.folder)


def clock_step(case: Case) -> Judged:
    """The host's clock leaps by an hour, as after a suspend that it counts."""
    at_s, step_s = case.draw.uniform(10.0, 50.0), case.draw.choice([3600.0, 30.0])
    with rig(case.scenario) as box:

        def clock() -> float:
            now_s = box.bridge.virtual_s
            return now_s + (step_s if now_s > at_s else 0.0)

        run(box, SerialTransport(box.port), case.folder, clock=clock)
    return box, load_session(case.folder)


def wraps(case: Case) -> Judged:
    """``ticks_us`` wraps within the recording."""
    start_us = (1 << 30) - int(case.draw.uniform(5.0, 50.0) * 1e6)
    with rig(case.scenario, RigOptions(ticks_at_boot_us=start_us)) as box:
        run(box, SerialTransport(box.port), case.folder)
    return box, load_session(case.folder)


def garbage(case: Case) -> Judged:
    """Another device on the port: it is refused, and nothing is written."""
    master, slave = os.openpty()
    noise = random.Random(case.seed)
    over = threading.Event()

    def babble() -> None:
        while not over.wait(0.002):
            os.write(master, noise.randbytes(noise.randint(1, 200)))

    thread = threading.Thread(target=babble, daemon=True)
    thread.start()
    try:
        meta = labels("noise")
        record(SerialTransport(os.ttyname(slave)), case.folder, meta=meta, stop=lambda: True, hello_timeout_s=0.3)
    except NoHelloError:
        return "" if not case.folder.exists() else "noise left a folder"
    finally:
        over.set()
        thread.join()
        os.close(master)
        os.close(slave)
    return "noise was taken for a box"


def hostile(case: Case) -> Judged:
    """Well-formed frames with any values between the real ones: it loads, and its replay is the same."""
    with rig(case.scenario) as box:
        payloads = [hostile_frame(case.draw) for _ in range(40)]
        try:
            run(box, Injector(SerialTransport(box.port), payloads), case.folder)
        except HbcError as error:  # a Hello of another version is refused; what was recorded stays
            if "wire version" not in str(error):
                return str(error)
    if not case.folder.exists():  # such a Hello came before the real one: refused, nothing written
        return ""
    load_session(case.folder)
    return "" if verify_replay(case.folder).same else "the replay differs"


LIMITS = {"B": 0xFF, "b": 0x7F, "H": 0xFFFF, "h": 0x7FFF, "I": 0xFFFFFFFF, "i": 0x7FFFFFFF, "Q": 0xFFFFFFFFFFFFFFFF}


def hostile_frame(draw: random.Random) -> bytes:
    """A frame of any kind with random or extreme values."""
    message: Any = draw.choice(list(messages.BY_ID.values()))
    values: list[Any] = []
    for code in message.codes:
        if code == "s":
            values.append("x" * draw.randint(0, 20))
        elif code == "a":
            values.append([draw.randint(-99, 99) for _ in range(draw.randint(0, 40))])
        else:
            values.append(draw.choice([0, 1, LIMITS[code], draw.randint(0, LIMITS[code])]))
    return frame(message, draw.randrange(65536), *values)


FAULTS: dict[str, Fault] = {
    "bit flips 1e-6..1e-3": flips,
    "chunks dropped and repeated": chunks,
    "unplugged, replugged elsewhere": unplug,
    "box resets (brown-out)": brownout,
    "kill -9, continued": kill,
    "disk full, continued": disk,
    "fsync takes 100 ms": slow_disk,
    "file damaged and cut": damaged_file,
    "two hosts at once": two_hosts,
    "host clock steps": clock_step,
    "ticks_us wraps": wraps,
    "another device (noise)": garbage,
    "hostile messages": hostile,
}


SLOW = ("kill -9, continued", "disk full, continued")  # several programs each


# -- the oracle -------------------------------------------------------------------------------------------------------


def one_session(name: str, seed: int, folder: Path, reference_s: npt.NDArray[np.float64]) -> Outcome:
    """One recording under a fault, judged."""
    out = Outcome(name, seed)
    try:
        judged = FAULTS[name](Case(seed, folder, scenario_of(seed), reference_s))
    except HbcError as error:
        return replace(out, loaded=False, problem=f"{type(error).__name__}: {error}")
    if isinstance(judged, str):
        return replace(out, problem=judged)
    return judge(out, *judged, reference_s)


def judge(out: Outcome, box: Rig, session: Session, reference_s: npt.NDArray[np.float64]) -> Outcome:
    """Every true edge is recorded or inside a gap; every beat's number, too; nothing else is there."""
    start_s = first_world_s(box, session)
    silent_n, wrong_n = edges_against_truth(box, session, start_s)
    silent_n += numbers_without_gap(session.beat_n, session.beats_s, session)
    silent_n += numbers_without_gap(session.edge_n, session.edges_s, session)
    silent_n += numbers_without_gap(session.ecg_idx, session.ecg_s, session)
    # A box that restarted learns anew, and times samples a little differently: only beats far from all are wrong.
    if len(session.beats_s) and len(reference_s):
        distance_s = np.abs((session.beats_s - start_s)[:, None] - reference_s[None, :]).min(axis=1)
        wrong_n += int(np.count_nonzero(distance_s > MATCH_BEAT_S)) if session.boots_n == 1 else 0
    return replace(
        out,
        silent_n=silent_n,
        wrong_n=wrong_n,
        frames_lost_n=session.frames_lost_n,
        beats_lost_n=session.beats_lost_n,
        edges_lost_n=session.edges_lost_n,
        samples_lost_n=session.samples_lost_n,
        problem=f"{silent_n} silent, {wrong_n} wrong" if silent_n or wrong_n else "",
    )


def first_world_s(box: Rig, session: Session) -> float:
    """Device time at world time 0 in the boot that was loaded: from the first edge when the box was restarted."""
    boot = session.hello.boot_n - 1
    if boot == 0:
        return box.boot_s
    return box.boot_s - box.boots[boot][0]


def edges_against_truth(box: Rig, session: Session, start_s: float) -> tuple[int, int]:
    """(true edges that are neither recorded nor in a gap, recorded edges that never were)."""
    true_s = box.world.truth.edges_ns * 1e-9 + start_s
    inside = true_s[(true_s > session.start_s) & (true_s < session.end_s - 0.5)]
    slack_s = session.hello.bracket_half_ns * 1e-9 + EDGE_SLACK_S
    found = session.edges_s
    recorded = np.zeros(len(inside), bool)
    if len(found):
        recorded = np.abs(inside[:, None] - found[None, :]).min(axis=1) < slack_s
    silent_n = sum(not in_gap(session, at_s) for at_s in inside[~recorded])
    wrong_n = 0
    if len(found):
        nearest = np.abs(found[:, None] - true_s[None, :]).min(axis=1) if len(true_s) else np.full(len(found), math.inf)
        wrong_n = int(np.count_nonzero(nearest >= slack_s))
    return silent_n, wrong_n


def in_gap(session: Session, at_s: float) -> bool:
    return any(start_s - 1e-3 <= at_s <= end_s + 1e-3 for start_s, end_s in session.gaps_s)


def numbers_without_gap(numbers: npt.NDArray[np.int64], times_s: npt.NDArray[np.float64], session: Session) -> int:
    """Holes in running numbers that no gap covers or touches."""
    silent_n = 0
    for k in np.flatnonzero(np.diff(numbers) > 1):
        first_s, last_s = times_s[k] - 1e-3, times_s[k + 1] + 1e-3
        silent_n += not any(start_s <= last_s and end_s >= first_s for start_s, end_s in session.gaps_s)
    return silent_n
