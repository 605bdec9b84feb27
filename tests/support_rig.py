"""The rig in tests: other firmware in the simulated chip, worlds written by hand, and a host that just reads."""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import serial
from hbc_hil import rig as rig_module
from hbc_hil.afe import VOLT_PER_LSB
from hbc_hil.rig import Rig, RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_hil.world import CHUNK, EVENT, HEADER
from hbc_host.protocol import StreamDecoder

RATE_HZ = 4000
WALL_LIMIT_S = 300.0  # a busy computer is slow
RESULT_NAME = "result.json"

Volts = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


class HandWorld:
    """A world written by hand: a voltage over time, and level changes (t_ns, wire, level) in order of time."""

    def __init__(self, duration_s: float, volts: Volts | float = 1.65, events: Sequence[tuple[int, int, int]] = ()):
        self.duration_s = duration_s
        self._volts = volts
        self._events = list(events)

    def chunks(self, chunk_s: float = 0.5) -> Iterator[bytes]:
        """The stream of hbc_hil.world."""
        yield HEADER.pack(b"HBCW", 1, RATE_HZ, 0)
        step_n, total_n = round(chunk_s * RATE_HZ), round(self.duration_s * RATE_HZ)
        for first in range(0, total_n, step_n):
            last = min(first + step_n, total_n)
            time_s = np.arange(first, last + 1) / RATE_HZ
            volts = self._volts(time_s) if callable(self._volts) else np.full(time_s.size, self._volts)
            start_ns, end_ns = (idx * 1_000_000_000 // RATE_HZ for idx in (first, last))
            events = np.zeros(len(rows := [e for e in self._events if start_ns <= e[0] < end_ns]), EVENT)
            for k, row in enumerate(rows):
                events[k]["t_ns"], events[k]["wire"], events[k]["level"] = row
            samples = np.rint(volts / VOLT_PER_LSB).astype("<u2")
            yield CHUNK.pack(start_ns, samples.size, len(rows)) + samples.tobytes() + events.tobytes()
        yield CHUNK.pack(total_n * 1_000_000_000 // RATE_HZ, 0, 0)


@contextmanager
def other_firmware(main: str | None = None, world: HandWorld | None = None) -> Iterator[None]:
    """Within, the rig flashes this text as main.py and lives in this world."""
    flash = rig_module.flash_folder

    def flash_folder(target: Path, board: str) -> None:
        flash(target, board)
        if main is not None:
            (target / "main.py").write_text(main)

    with mock.patch.object(rig_module, "flash_folder", flash_folder):
        if world is None:
            yield
        else:
            with mock.patch.object(rig_module, "World", return_value=world):
                yield


class _Unflushed(serial.Serial):
    def _reset_input_buffer(self) -> None:
        """Nothing: what the box has sent before the port was open is part of what it sent."""


def opened_with_all(port: str) -> serial.Serial:
    """The port as pyserial opens it, without throwing away what came before: a busy computer opens it late."""
    return _Unflushed(port, 115200, timeout=0.05)


def read_all(box: Rig) -> bytes:
    """Everything the box sends, until its world has ended."""
    data = bytearray()
    number = os.open(box.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    until_s = time.monotonic() + WALL_LIMIT_S
    try:
        finished = False
        while True:
            assert time.monotonic() < until_s, "the rig does not come to an end"
            if select.select([number], [], [], 0.05)[0]:
                with suppress(BlockingIOError):  # a terminal may wake its reader for nothing
                    data += os.read(number, 65536)
            elif finished:  # and silent since then
                break
            else:
                finished = box.finished
    finally:
        os.close(number)
    return bytes(data)


def messages_of(data: bytes) -> list[Any]:
    """The messages in these bytes; none of them may be damaged."""
    decoder = StreamDecoder()
    found = [received.message for received in decoder.feed(data)]
    assert decoder.bad_n == 0
    return found


def run_scenario(scenario: Scenario, options: RigOptions | None = None, flash: Path | None = None) -> tuple[Rig, bytes]:
    """Run a scenario to its end; the rig (switched off) and what it sent."""
    with rig(scenario, options, flash=flash) as box:
        data = read_all(box)
    return box, data


def run_on_chip(
    main: Path, name: str, world: HandWorld, flash: Path, options: RigOptions | None = None
) -> tuple[dict[str, Any], Rig, bytes]:
    """Run a device-side script instead of the firmware; its result, the rig, and what it sent.

    The script sees the variable ``CHECK`` set to ``name`` and writes result.json.
    """
    with other_firmware(f"CHECK = {name!r}\n{main.read_text()}", world):
        box, data = run_scenario(Scenario(seed=3, duration_s=1.0), options, flash)
    result: dict[str, Any] = json.loads((flash / RESULT_NAME).read_text())
    return result, box, data
