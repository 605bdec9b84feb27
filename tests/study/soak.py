"""A long recording and many faulty ones through the real rig: what was lost must be what was counted.

    python tests/study/soak.py [--hours 1] [--sessions 20] [--seed 1]

Prints one line a check and a table at the end; exit code 1 when a session does not load, a loss is silent, or an event
is wrong.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from hbc_hil.demo import score_session
from hbc_hil.faults import FaultyTransport
from hbc_hil.rig import Rig, rig
from hbc_hil.scenario import Scenario
from hbc_host.record import record
from hbc_host.session import load_session
from hbc_host.session_model import Session, SessionMeta
from hbc_host.transport import SerialTransport, Transport

HELLO_S = 600.0


def labels(port: str) -> SessionMeta:
    return SessionMeta(datetime.now(UTC), "soak", "dash", (), None, "soak", port)


def run(scenario: Scenario, folder: Path, *, flip_per_byte: float, unplug_at_s: float | None) -> tuple[Rig, Session]:
    """Record one session under faults and load it."""
    with rig(scenario) as box:
        transport: Transport = SerialTransport(box.port)
        if flip_per_byte:
            transport = FaultyTransport(transport, flip_per_byte=flip_per_byte, seed=scenario.seed)

        def stop() -> bool:
            if unplug_at_s is not None and box.bridge.virtual_s > unplug_at_s:
                box.bridge.unplug()
            return box.finished

        record(
            transport, folder, meta=labels(box.port), stop=stop, clock=lambda: box.bridge.virtual_s,
            hello_timeout_s=HELLO_S,
        )  # fmt: skip
    return box, load_session(folder)


def wrong_edges_n(box: Rig, session: Session) -> int:
    """Edges in the recording that the stimulator never fired (one tick of slack beside the clock bracket)."""
    if session.edges_tick.size == 0:
        return 0
    true_tick = (box.world.truth.edges_ns + box.boot_s * 1e9) / 12.5
    nearest = np.abs(session.edges_tick[:, None] - true_tick[None, :]).min(axis=1)
    return int((nearest > 80 * session.hello.bracket_half_ns / 1000 + 1).sum())


def silent_n(box: Rig, session: Session, *, whole: bool) -> int:
    """Edges that are neither in the recording nor in its counts; an unplugged one is judged up to its end."""
    truth_ns = box.world.truth.edges_ns
    if not whole:
        truth_ns = truth_ns[truth_ns * 1e-9 + box.boot_s < session.end_s - 1.0]
        return max(0, truth_ns.size - session.edges_lost_n - session.edges_tick.size)
    return abs(truth_ns.size - session.edges_lost_n - session.edges_tick.size)


def long_recording(hours: float, seed: int, folder: Path) -> bool:
    scenario = replace(Scenario.short(seed, 3600.0 * hours), intensities_pct=(50.0,) * int(3560.0 * hours // 16))
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began_s = time.monotonic()
    box, session = run(scenario, folder, flip_per_byte=0.0, unplug_at_s=None)
    wall_s = time.monotonic() - began_s
    beats = score_session(box, session)
    lost_n = session.frames_lost_n + session.frames_bad_n + session.edges_lost_n + session.samples_lost_n
    print(
        f"{hours:g} h virtual in {wall_s:.0f} s: lost {lost_n}, edges {session.edges_tick.size} of "
        f"{box.world.truth.edges_ns.size}, Se {100 * beats.se:.2f} %, PPV {100 * beats.ppv:.2f} %, R-peaks "
        f"{beats.rms_ms:.2f} ms rms, {session.bytes_n / 1e6:.1f} MB, peak memory +"
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before_mb:.0f} MB (loading included)"
    )
    return lost_n == 0 and session.edges_tick.size == box.world.truth.edges_ns.size and beats.se > 0.999


def faulty_sessions(sessions_n: int, seed: int, folder: Path) -> bool:
    good = True
    draw = np.random.default_rng(seed)
    for n in range(sessions_n):
        rate = float(10.0 ** draw.uniform(-6.0, -3.0))
        unplug_at_s = float(draw.uniform(10.0, 110.0)) if draw.random() < 0.5 else None
        scenario = Scenario.short(seed + n, protocol="itbs" if n % 2 else "dash")
        box, session = run(scenario, folder / f"s{n}", flip_per_byte=rate, unplug_at_s=unplug_at_s)
        wrong_n, hidden_n = wrong_edges_n(box, session), silent_n(box, session, whole=unplug_at_s is None)
        good &= wrong_n == 0 and hidden_n == 0
        print(
            f"session {n}: flips {rate:.1e} a byte, unplugged {unplug_at_s and round(unplug_at_s)} s: "
            f"frames lost {session.frames_lost_n}, edges lost {session.edges_lost_n}, "
            f"wrong {wrong_n}, silent {hidden_n}"
        )
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hbc-soak-") as name:
        good = faulty_sessions(options.sessions, options.seed, Path(name))
        if options.hours:
            good &= long_recording(options.hours, options.seed, Path(name) / "long")
    print("soak: " + ("everything lost was counted" if good else "FAILED"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
