"""Faults of cable, box and clocks for the campaign, in virtual time: a minute takes about a second."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from campaign_world import Case, Judged, labels, run
from hbc_hil.bridge import BUFFER_N
from hbc_hil.faults import ChunkFaults, FaultyTransport, Injector
from hbc_hil.rig import Rig, RigOptions, rig
from hbc_host.errors import HbcError, NoHelloError, TransportError
from hbc_host.protocol import frame
from hbc_host.reconnect import Found, OpenLink, Tell
from hbc_host.record import record
from hbc_host.replay import verify_replay
from hbc_host.session import load_session
from hbc_host.transport import SerialTransport
from hbc_wire import messages


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
    """The host's clock leaps by half a minute or an hour, as one that goes on while the computer sleeps."""
    at_s, step_s = case.draw.uniform(10.0, 50.0), case.draw.choice([3600.0, 30.0])
    with rig(case.scenario) as box:

        def clock() -> float:
            now_s = box.bridge.virtual_s
            return now_s + (step_s if now_s > at_s else 0.0)

        run(box, SerialTransport(box.port), case.folder, clock=clock)
    return box, load_session(case.folder)


class Asleep:
    """What a computer reads that sleeps for a while: what fits the USB chip, and then what comes after it woke.

    Its clock stands still meanwhile, as the monotonic clock of Linux does.
    """

    def __init__(self, inner: SerialTransport, now_s: Callable[[], float], at_s: float, sleep_s: float) -> None:
        self._inner, self._now_s, self._at_s, self._sleep_s = inner, now_s, at_s, sleep_s
        self._held = b""
        self.lost_n = 0

    def clock(self) -> float:
        now_s = self._now_s()
        return max(min(now_s, self._at_s), now_s - self._sleep_s)

    def open(self) -> None:
        self._inner.open()

    def read(self) -> bytes:
        data = self._held + self._inner.read()
        if self._at_s <= self._now_s() < self._at_s + self._sleep_s:
            self._held = data[:BUFFER_N]
            self.lost_n += len(data) - len(self._held)
            return b""
        self._held = b""
        return data

    def write(self, data: bytes) -> None:
        self._inner.write(data)

    def close(self) -> None:
        self._inner.close()


def suspend(case: Case) -> Judged:
    """The computer sleeps for some time, the box does not."""
    at_s, sleep_s = case.draw.uniform(10.0, 40.0), case.draw.uniform(3.0, 20.0)
    with rig(case.scenario) as box:
        pipe = Asleep(SerialTransport(box.port), lambda: box.bridge.virtual_s, at_s, sleep_s)
        run(box, pipe, case.folder, clock=pipe.clock)
    session = load_session(case.folder)
    return (box, session) if pipe.lost_n else "nothing was lost: the computer did not sleep"


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
