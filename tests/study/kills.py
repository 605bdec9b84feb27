"""kill -9 of a program that records, at random instants: what is lost, does it load, may the next start go on.

    python tests/study/kills.py [--kills 200] [--seed 1]

The far end of a real pseudo-terminal sends a box's stream four times as fast as a box. Prints the longest stretch of
device time that had been read and is not in the log; exit code 1 when that exceeds a second or anything does not load.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script: the tests' own helpers
from hbc_host.chunks import FROM_BOX
from hbc_host.manifest import may_continue
from hbc_host.parts import read_parts
from hbc_host.record import record
from hbc_host.session import load_session
from support import OpenedSerial, PtyBox, Sent, a_meta, box_frames, pty_box

SPEED = 4.0
KILL_MAX_S = 1.2


def recording_child(path: str, folder: Path, ready: int) -> int:
    """Start recording in a forked process; a byte on ``ready`` says that the port is open."""
    child = os.fork()
    if child == 0:
        try:
            port = OpenedSerial(path, lambda: os.write(ready, b"x"))
            record(port, folder, meta=a_meta(), stop=lambda: False, hello_timeout_s=10.0)
        finally:
            os._exit(1)
    return child


def feed(box: PtyBox, sent: list[Sent], seconds: float) -> int:
    """Send for so long; how many frames were sent."""
    began_s = time.monotonic()
    n = 0
    while n < len(sent) and time.monotonic() - began_s < seconds:
        due_us = sent[0].at_us + (time.monotonic() - began_s) * SPEED * 1e6
        while n < len(sent) and sent[n].at_us <= due_us:
            box.send(sent[n].data)
            n += 1
        time.sleep(0.001)
    return n


def killed_once(sent: list[Sent], folder: Path, seconds: float) -> tuple[str, float]:
    """("", device seconds that were read and are not on disk), or what went wrong."""
    ready, opened = os.pipe()
    with pty_box() as box:
        child = recording_child(box.path, folder, opened)
        os.read(ready, 1)
        n = feed(box, sent, seconds)
        while n and not box.drained():  # what is lost is what the program had read
            time.sleep(0.0005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    os.close(ready)
    os.close(opened)
    if not folder.exists():
        return "", (sent[n - 1].at_us - sent[0].at_us) * 1e-6 if n else 0.0
    log = read_parts(folder)
    on_disk_n = sum(len(chunk.data) for chunk in log.chunks if chunk.kind == FROM_BOX)
    frames_n = total_n = 0
    while frames_n < n and total_n + len(sent[frames_n].data) <= on_disk_n:
        total_n += len(sent[frames_n].data)
        frames_n += 1
    session = load_session(folder)
    if session.frames_lost_n or session.frames_bad_n:
        return f"{session.frames_lost_n} frames lost, {session.frames_bad_n} bad", 0.0
    if not may_continue(folder):
        return "the next start does not offer to go on", 0.0
    last = min(max(n - 1, 0), len(sent) - 1)
    return "", max(0.0, (sent[last].at_us - sent[max(frames_n - 1, 0)].at_us) * 1e-6)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    sent = box_frames(KILL_MAX_S * SPEED + 2.0)
    worst_s, begun_n, bad_n = 0.0, 0, 0
    with tempfile.TemporaryDirectory(prefix="hbc-kills-") as place:
        for n in range(options.kills):
            folder = Path(place) / f"s{n}"
            problem, lost_s = killed_once(sent, folder, draw.uniform(0.0, KILL_MAX_S))
            begun_n += folder.exists()
            bad_n += bool(problem)
            if folder.exists():
                worst_s = max(worst_s, lost_s)
            if problem:
                print(f"kill {n}: {problem}")
    print(
        f"{options.kills} kills, {begun_n} after the recording had begun: all but {bad_n} load without loss and may be "
        f"continued; at most {worst_s:.3f} s of device time were read and are not on disk (limit 1)"
    )
    return 1 if bad_n or worst_s > 1.0 else 0


if __name__ == "__main__":
    sys.exit(main())
