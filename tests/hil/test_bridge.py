"""The USB-serial chip of the rig: it holds little, drops what a host does not fetch, and counts that."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from hbc_hil.bridge import BUFFER_N, Bridge
from hbc_hil.rig import RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.recorder import Log
from hbc_host.session import decode_log
from hbc_host.session_model import SessionMeta
from support_rig import opened_with_all, read_all

WAIT_S = 60.0  # other work may hold this computer up; whoever gets what he waits for waits no longer


class Pipes:
    """The two pipes of an interpreter, with the test at their other ends."""

    def __init__(self, *, paced: bool, buffer_n: int = BUFFER_N) -> None:
        out_read, out_write = os.pipe()
        in_read, in_write = os.pipe()
        self.box_out = os.fdopen(out_write, "wb", buffering=0)
        self.box_in = os.fdopen(in_read, "rb", buffering=0)
        self._to_box = os.fdopen(in_write, "wb")
        self._from_box = os.fdopen(out_read, "rb")
        self.bridge = Bridge(self._from_box, self._to_box, paced=paced, buffer_n=buffer_n)
        self.bridge.start()

    def send(self, data: bytes, t_ns: int = 0) -> None:
        self.box_out.write(struct.pack("<QH", t_ns, len(data)) + data)

    def close(self) -> None:
        self.box_out.close()
        self.bridge.close()
        for file in (self._to_box, self._from_box, self.box_in):
            file.close()


@pytest.fixture(params=[True, False], ids=["paced", "free-running"])
def pipes(request: pytest.FixtureRequest) -> Iterator[Pipes]:
    both = Pipes(paced=request.param)
    yield both
    both.close()


def wait_until(true: object) -> None:
    give_up_s = time.monotonic() + WAIT_S
    while not true():  # type: ignore[operator]
        assert time.monotonic() < give_up_s, "the bridge does not come to it"
        time.sleep(0.005)


def test_bytes_pass_both_ways_unchanged(pipes: Pipes) -> None:
    every = bytes(range(256))
    with serial.Serial(pipes.bridge.port, 115200, timeout=WAIT_S) as host:
        pipes.send(every * 2, t_ns=1_500_000_000)
        assert host.read(512) == every * 2
        host.write(every)
        assert pipes.box_in.read(256) == every
    assert pipes.bridge.virtual_s == 1.5
    assert (pipes.bridge.carried_bytes_n, pipes.bridge.dropped_bytes_n) == (512, 0)


def test_the_bridge_is_finished_only_when_the_host_has_read_everything(pipes: Pipes) -> None:
    with serial.Serial(pipes.bridge.port, 115200, timeout=WAIT_S) as host:
        pipes.send(b"x" * 100)
        pipes.box_out.close()
        time.sleep(0.1)
        assert not pipes.bridge.finished.is_set()
        assert host.read(100) == b"x" * 100
        assert pipes.bridge.finished.wait(WAIT_S)


def test_paced_what_does_not_fit_is_dropped_and_counted() -> None:
    pipes = Pipes(paced=True, buffer_n=1000)
    try:
        with serial.Serial(pipes.bridge.port, 115200, timeout=WAIT_S) as host:
            blocks = [bytes([k]) * 100 for k in range(50)]
            for k, block in enumerate(blocks):
                pipes.send(block)
                wanted_n = min(1000, 100 * k + 100)
                wait_until(lambda n=wanted_n: host.in_waiting == n)
            wait_until(lambda: pipes.bridge.dropped_bytes_n == 4000)
            assert pipes.bridge.carried_bytes_n == 1000
            assert host.read(1000) == b"".join(blocks[:10]), "the oldest bytes are kept, in order"
            pipes.send(b"after")
            assert host.read(5) == b"after", "the bridge lives on"
    finally:
        pipes.close()


def test_free_running_a_slow_host_loses_nothing() -> None:
    pipes = Pipes(paced=False, buffer_n=1000)
    try:
        with serial.Serial(pipes.bridge.port, 115200, timeout=WAIT_S) as host:
            for k in range(40):
                pipes.send(bytes([k]) * 1000)
            pipes.box_out.close()  # the bridge passes on what waits when more comes, or the end
            time.sleep(0.1)
            assert host.read(40_000) == b"".join(bytes([k]) * 1000 for k in range(40))
            assert pipes.bridge.dropped_bytes_n == 0
    finally:
        pipes.close()


def test_pulling_the_plug_loses_what_follows_and_is_counted(pipes: Pipes) -> None:
    host = serial.Serial(pipes.bridge.port, 115200, timeout=WAIT_S)
    pipes.send(b"before")
    assert host.read(6) == b"before"
    pipes.bridge.unplug()
    pipes.send(b"lost")
    wait_until(lambda: pipes.bridge.dropped_bytes_n == 4)
    with pytest.raises((serial.SerialException, OSError)):
        host.read(1)
    host.close()
    assert not Path(pipes.bridge.port).exists()
    pipes.bridge.unplug()


def test_a_host_that_does_not_read_for_5_s_loses_frames_and_both_sides_know() -> None:
    """Paced, by the box's clock: 2 s of reading, 5 s of not reading (14 kB against a buffer of 4 KiB), then reading."""
    with rig(Scenario(seed=5, duration_s=9.0), RigOptions(paced=True)) as box:
        data = b""
        with opened_with_all(box.port) as host:
            while box.bridge.virtual_s < 2.0:
                data += host.read(host.in_waiting or 1)
            wait_until(lambda: box.bridge.virtual_s >= 7.0)
        data += read_all(box)
    dropped_n = box.bridge.dropped_bytes_n
    assert dropped_n > 5_000
    assert box.report["sent_bytes_n"] == len(data) + dropped_n, "bytes vanished without being counted"
    meta = SessionMeta.from_json(
        '{"created": "2026-01-01T00:00:00+00:00", "title": "", "protocol": "dash", "sites": [],'
        ' "intensities_pct": null, "host_version": "", "port": ""}'
    )
    session = decode_log(Log((Chunk(FROM_BOX, 0.0, data),), 0, 0, False), Path("stalled"), meta)
    assert session.boots_n == 1
    assert session.frames_lost_n >= dropped_n // 150, "an ECG frame has about 125 bytes"
    assert session.samples_lost_n >= 0.8 * 500 * dropped_n / 2700
    holes_s = [end_s - start_s for start_s, end_s in session.gaps_s]
    # A hole reaches to the neighbouring beats. There is one, unless this computer made the box catch up later in haste.
    lost_s = dropped_n / 2700
    assert lost_s - 0.3 * len(holes_s) <= sum(holes_s) <= lost_s + 2.5 * len(holes_s)
