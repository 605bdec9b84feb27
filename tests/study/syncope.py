"""How soon a syncope is said in a guided session, by its page's feed, its terminal and its log.

    python tests/study/syncope.py [--repeats 3]

80 bpm, then down to 60 within 20 s, then 38 bpm and a pause of 4 s; the real firmware in the simulated chip at its own
pace, ``hbc session run``'s own functions, limits as in the demonstration. Prints each alarm and the worst.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from hbc_hil.demo_live import demo_visit
from hbc_hil.rig import RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_host.alarms import PAUSE, SLOW, Alarm
from hbc_host.app.terminal_lines import TerminalLines
from hbc_host.chunks import Chunk
from hbc_host.cli_live import tell
from hbc_host.cli_run import alarm_line
from hbc_host.clinic.visit import write_visit
from hbc_host.clocksync import fit_clock
from hbc_host.live.conduct import conduct
from hbc_host.live.feed_client import FeedClient, NoFeedError
from hbc_host.live.teller import Teller
from hbc_host.parts import note_of
from hbc_host.recorder import LogWriter
from hbc_host.session import load_session
from hbc_host.transport import SerialTransport

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script: the tests' own helpers
from study.alarm_latency import ecg_of
from support_rig import HandWorld, other_firmware

LIMIT_S = 0.5
BEFORE_S, FALL_S, AT_60_S, AT_38_S = 40.0, 20.0, 8.0, 18.0
WAYS = ("feed", "terminal", "log")


@dataclass
class Heard:
    """Host seconds at which each alarm was there, by the way it took."""

    alarms: list[Alarm] = field(default_factory=list)
    at_s: dict[tuple[str, str], float] = field(default_factory=dict)  # way, text of the alarm

    def note(self, way: str, text: str) -> None:
        """The first time counts."""
        self.at_s.setdefault((way, text), time.monotonic())


def syncope() -> tuple[list[float], float]:
    """Its beats, and how long it lasts."""
    beats = [0.5]
    end_s = BEFORE_S + FALL_S + AT_60_S
    while beats[-1] < end_s:
        share = min(1.0, max(0.0, (beats[-1] - BEFORE_S) / FALL_S))
        beats.append(beats[-1] + 60.0 / (80.0 - 20.0 * share))
    beats += list(np.arange(beats[-1] + 60 / 38, end_s + AT_38_S, 60 / 38))
    beats += list(np.arange(beats[-1] + 4.0, beats[-1] + 12.0, 1.0))
    return beats, beats[-1]


@contextmanager
def listening(folder: Path, heard: Heard) -> Iterator[None]:
    """A page's place at the feed, and a look at each note once the log has it."""
    over = threading.Event()

    def follow() -> None:
        with contextlib.suppress(NoFeedError), FeedClient(folder, wait_s=60.0) as client:
            while not over.is_set():
                message = client.receive(0.5) or {}
                for alarm in message.get("alarms") or ():
                    heard.note("feed", alarm["text"])

    append = LogWriter.append

    def looked(log: LogWriter, chunk: Chunk) -> None:
        append(log, chunk)
        fields: dict[str, Any] = note_of(chunk)
        if fields.get("event") == "alarm" and fields.get("began"):
            heard.note("log", fields["text"])

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        with mock.patch.object(LogWriter, "append", looked):
            yield
    finally:
        over.set()
        thread.join()


def latencies(folder: Path) -> list[tuple[Alarm, dict[str, float], float]]:
    """Of one session: each alarm that began, seconds from its criterion to each way, and the clock fit's bound."""
    beats, seconds = syncope()
    heard, visit = Heard(), demo_visit("en")
    write_visit(folder, visit)

    def printed(line: str) -> None:
        with contextlib.redirect_stderr(io.StringIO()) as terminal:
            tell(line)
        for text in {alarm.text for alarm in heard.alarms} & {line.partition("ALARM ")[2]}:
            if terminal.getvalue():
                heard.note("terminal", text)

    def on_alarm(alarm: Alarm) -> None:
        if alarm.began:
            heard.alarms.append(alarm)
        teller.say(alarm_line(alarm, TerminalLines("en")))

    with (
        Teller(printed) as teller,
        other_firmware(world=HandWorld(seconds + 30.0, ecg_of(beats))),
        rig(Scenario(seed=1, duration_s=1.0), RigOptions(paced=True)) as box,
        listening(folder, heard),
    ):
        conduct(
            folder, visit, SerialTransport(box.port), stop=lambda: box.bridge.virtual_s > seconds,
            on_alarm=on_alarm, hello_timeout_s=30.0,
        )  # fmt: skip
    fit = fit_clock(load_session(folder).pings)
    found = []
    for alarm in heard.alarms:
        met_s = fit.to_host_s(alarm.met_us)
        late_s = {way: heard.at_s.get((way, alarm.text), float("inf")) - met_s for way in WAYS}
        found.append((alarm, late_s, fit.max_error_us * 1e-6))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=3)
    worst_s = dict.fromkeys(WAYS, 0.0)
    wrong_n = 0
    for n in range(parser.parse_args().repeats):
        with tempfile.TemporaryDirectory(prefix="hbc-syncope-") as name:
            found = latencies(Path(name) / "s")
        for alarm, late_s, error_s in found:
            worst_s = {way: max(worst_s[way], late_s[way]) for way in WAYS}
            ways = ", ".join(f"{way} {late_s[way]:.3f} s" for way in WAYS)
            print(f"run {n}: {alarm.text.partition(':')[0]}: {ways} (± {error_s:.3f})")
        if [alarm.kind for alarm, _, _ in found] != [SLOW, SLOW, PAUSE]:
            print(f"run {n}: fall, limit and pause expected, came: {[alarm.kind for alarm, _, _ in found]}")
            wrong_n += 1
    print(f"worst: {', '.join(f'{way} {worst_s[way]:.3f} s' for way in WAYS)}; limit {LIMIT_S} s")
    return 0 if max(worst_s.values()) <= LIMIT_S and not wrong_n else 1


if __name__ == "__main__":
    sys.exit(main())
