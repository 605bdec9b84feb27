"""What a clinic does to a cable and a laptop: the recording loads, and what is missing is counted."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hbc_hil.faults import FaultyTransport
from hbc_hil.rig import rig
from hbc_hil.scenario import Scenario
from hbc_host.record import record
from hbc_host.recorder import LOG_NAME
from hbc_host.session import load_session
from hbc_host.session_model import SessionMeta
from hbc_host.transport import SerialTransport

Labels = Callable[[str], SessionMeta]
WAIT_S = 300.0  # other work may hold this computer up
HELLO_S = 600.0  # virtual: the rig runs far ahead of the reader


def test_a_flipped_bit_costs_a_frame_that_is_counted_and_invents_nothing(tmp_path: Path, labels: Labels) -> None:
    with rig(Scenario.short(11)) as box:
        noisy = FaultyTransport(SerialTransport(box.port), flip_per_byte=1e-4, seed=11)
        record(noisy, tmp_path / "s", meta=labels(box.port), stop=lambda: box.finished,
               clock=lambda: box.bridge.virtual_s, hello_timeout_s=HELLO_S)  # fmt: skip
        truth = box.world.truth
    session = load_session(tmp_path / "s")
    assert noisy.flips_n > 10
    # Two flips may fall into one frame, and one may fall on a delimiter beside another, which harms nothing.
    assert 0 < session.frames_lost_n <= noisy.flips_n
    assert session.frames_lost_n >= noisy.flips_n // 2
    assert session.edges_lost_n + session.edges_tick.size == truth.edges_ns.size
    true_tick = np.round((truth.edges_ns + box.boot_s * 1e9) / 12.5)
    for tick in session.edges_tick:
        assert np.abs(true_tick - tick).min() <= 80 * session.hello.bracket_half_ns / 1000 + 1


def test_pulling_the_cable_leaves_a_session_that_loads(tmp_path: Path, labels: Labels) -> None:
    with rig(Scenario.short(12)) as box:

        def pull() -> bool:
            if box.bridge.virtual_s > 60.0:
                box.bridge.unplug()
            return False

        summary = record(SerialTransport(box.port), tmp_path / "s", meta=labels(box.port), stop=pull,
                         clock=lambda: box.bridge.virtual_s, hello_timeout_s=HELLO_S)  # fmt: skip
    assert summary.ended == "port_lost"
    assert "disappeared" in summary.reason
    session = load_session(tmp_path / "s")
    assert 30.0 < session.duration_s < 120.0
    assert session.beats_us.size > 30
    assert session.edges_lost_n == 0


@pytest.mark.parametrize("kill_after_n", [2_000, 6_500])  # bytes of the log: some 0.7 s and 2.3 s of the box
def test_killing_the_host_leaves_a_session_that_loads(hbc: str, tmp_path: Path, kill_after_n: int) -> None:
    sim = subprocess.Popen([hbc, "sim", "--minutes", "15"], stdout=subprocess.PIPE, text=True)
    try:
        assert sim.stdout is not None
        port = next(line for line in sim.stdout if line.startswith("port:")).split()[1]
        host = subprocess.Popen([hbc, "record", "--port", port, "--out", str(tmp_path / "s")])
        log = tmp_path / "s" / LOG_NAME
        give_up_s = time.monotonic() + WAIT_S
        while not log.exists() or log.stat().st_size < kill_after_n:
            assert time.monotonic() < give_up_s, "the log does not grow"
            time.sleep(0.01)
        host.send_signal(signal.SIGKILL)
        host.wait()
    finally:
        sim.send_signal(signal.SIGINT)
        sim.wait(timeout=WAIT_S)
        if sim.stdout is not None:
            sim.stdout.close()
    session = load_session(tmp_path / "s")
    # A killed program loses none that it has written: of 500 samples a second a second takes at most 3000 bytes.
    assert session.duration_s >= kill_after_n / 3000 - 0.3
    assert session.frames_bad_n <= 1
