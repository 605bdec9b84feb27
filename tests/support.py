"""A realistic source of bytes without firmware: streams of frames as a box would send them.

Heart, coil and loss are given as plain numbers, so that a test knows the truth it compares with.
"""

from __future__ import annotations

import os
import pty
import select
import threading
import time
import tty
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from hbc_host.protocol import frame
from hbc_host.session import SessionMeta
from hbc_host.transport import SerialTransport
from hbc_wire import messages

RATE_HZ = 500
BLOCK_N = 25
BLOCK_US = BLOCK_N * 1_000_000 // RATE_HZ
BEAT_PERIOD_US = 800_000
EDGE_PERIOD_US = 100_000
FIRST_US = 100_000
HELLO_VALUES: dict[str, Any] = {
    "wire_version": messages.WIRE_VERSION,
    "boot_n": 7,
    "rate_hz": RATE_HZ,
    "adc_lsb_nv": 732,
    "gain": 1100,
    "capture_tick_ps": 12500,
    "bracket_half_ns": 1500,
    "blank_us": 12000,
    "lookback_us": 4000,
    "reset_cause": 1,
    "unique_id": "a1b2c3d4e5f6",
    "board": "ESP32 generic",
    "firmware": "0.1.0",
    "capture": "hardware 12.5 ns",
}


def values_of(message: Any, **known: Any) -> list[Any]:
    """Values for each field of a message: what is given by name, else zero or empty."""
    unknown = set(known) - set(message.names)
    assert not unknown, f"{message.name} has no {unknown}"
    empty = {"s": "", "a": ()}
    return [known.get(name, empty.get(code, 0)) for name, code in zip(message.names, message.codes, strict=True)]


def hello_values(**changed: Any) -> list[Any]:
    """A plausible Hello, with some fields changed."""
    known = {name: value for name, value in HELLO_VALUES.items() if name in messages.Hello.names}
    return values_of(messages.Hello, **(known | changed))


@dataclass(frozen=True)
class Sent:
    """One frame: its message, its bytes, and when the box sent it."""

    at_us: int
    message: Any
    data: bytes


def box_frames(
    duration_s: float, *, boot_n: int = 7, start_us: int = FIRST_US, seq: int = 0, seed: int = 1
) -> list[Sent]:
    """What a healthy box sends for a while: Hello, Status and Lost each second, ECG blocks, a beat every 800 ms, and
    5 s of edges at 10 Hz out of every 16 s.
    """
    rng = np.random.default_rng(seed)
    events = [*_reports(duration_s, boot_n, start_us), *_beats(duration_s, start_us), *_edges(duration_s, start_us)]
    events += _ecg(duration_s, start_us, rng)
    sent = []
    for at_us, _, message, values in sorted(events, key=lambda event: event[:2]):
        sent.append(Sent(at_us, message, frame(message, seq, *values)))
        seq += 1
    return sent


def beat_times_us(duration_s: float, start_us: int = FIRST_US) -> list[int]:
    """R-peaks that are reported within the duration (a report takes 300 ms)."""
    return list(range(start_us + 400_000, start_us + int(duration_s * 1e6) - 300_000, BEAT_PERIOD_US))


def edge_times_us(duration_s: float, start_us: int = FIRST_US) -> list[int]:
    """Trigger edges within the duration."""
    times = range(start_us + 7_000_013, start_us + int(duration_s * 1e6), EDGE_PERIOD_US)
    return [at_us for at_us in times if (at_us - start_us - 7_000_013) % 16_000_000 < 5_000_000]


Event = tuple[int, int, Any, list[Any]]  # time, priority, message, values


def _reports(duration_s: float, boot_n: int, start_us: int) -> Iterator[Event]:
    beats, edges = beat_times_us(duration_s, start_us), edge_times_us(duration_s, start_us)
    for second in range(int(np.ceil(duration_s))):
        at_us = start_us + second * 1_000_000
        status = values_of(
            messages.Status,
            status_us=at_us,
            samples_n=second * RATE_HZ,
            edges_n=sum(edge_us <= at_us for edge_us in edges),
            peaks_n=sum(beat_us + 300_000 <= at_us for beat_us in beats),
        )
        yield at_us, 2, messages.Hello, hello_values(boot_n=boot_n)
        yield at_us, 3, messages.Status, status
        yield at_us, 4, messages.Lost, values_of(messages.Lost, lost_us=at_us)


def _beats(duration_s: float, start_us: int) -> Iterator[Event]:
    for n, at_us in enumerate(beat_times_us(duration_s, start_us)):
        idx = (at_us - start_us) * RATE_HZ // 1_000_000
        values = values_of(messages.RPeak, peak_n=n, peak_us=at_us, sample_idx=idx, quality=200)
        yield at_us + 300_000, 1, messages.RPeak, values


def _edges(duration_s: float, start_us: int) -> Iterator[Event]:
    for n, at_us in enumerate(edge_times_us(duration_s, start_us)):
        values = values_of(messages.TriggerEdge, edge_n=n, edge_us=at_us, edge_sub_tick=n % 80, level=1)
        yield at_us, 0, messages.TriggerEdge, values


def _ecg(duration_s: float, start_us: int, rng: np.random.Generator) -> Iterator[Event]:
    for block in range(int(duration_s * 1e6) // BLOCK_US):
        at_us = start_us + block * BLOCK_US
        ecg_lsb = rng.integers(-600, 600, BLOCK_N).tolist()
        residual_us = rng.integers(-40, 41, BLOCK_N).tolist()
        values = values_of(
            messages.EcgBlock, first_idx=block * BLOCK_N, first_us=at_us, ecg_lsb=ecg_lsb, residual_us=residual_us
        )
        yield at_us + BLOCK_US, 5, messages.EcgBlock, values


def stream_of(sent: Iterable[Sent]) -> bytes:
    """The bytes of some frames."""
    return b"".join(one.data for one in sent)


def with_flips(data: bytes, per_byte: float, seed: int) -> tuple[bytes, list[int]]:
    """Bytes with single bits flipped at random, and the places of the flips."""
    rng = np.random.default_rng(seed)
    places = np.flatnonzero(rng.random(len(data)) < per_byte)
    spoiled = np.frombuffer(data, np.uint8).copy()
    spoiled[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
    return spoiled.tobytes(), places.tolist()


def a_meta(title: str = "test") -> SessionMeta:
    """Labels for a recording in a test."""
    created = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return SessionMeta(created, title, "dash", ("5cmL", "beamF3L"), (10.0, 20.0), "0.1.0", "test")


def clock_from(ready: Callable[[], bool], step_s: float = 0.05) -> Callable[[], float]:
    """A clock that stands still until something is so, then moves on at each look of the calling thread.

    A limit of time that is read from it never passes because this computer is busy.
    """
    now_s, owner = 100.0, threading.current_thread()

    def clock() -> float:
        nonlocal now_s
        if threading.current_thread() is owner and ready():
            now_s += step_s
        return now_s

    return clock


class FakeTransport:
    """A Transport that hands out given chunks, then silence, or fails like a lost port."""

    def __init__(self, chunks: Iterable[bytes], *, error: Exception | None = None) -> None:
        self._chunks = list(chunks)[::-1]
        self._error = error
        self.written: list[bytes] = []
        self.is_open = False

    @property
    def at_end(self) -> bool:
        return not self._chunks

    def put(self, data: bytes) -> None:
        """One more chunk, after all others."""
        self._chunks.insert(0, data)

    def open(self) -> None:
        self.is_open = True

    def read(self) -> bytes:
        if self._chunks:
            return self._chunks.pop()
        if self._error is not None:
            raise self._error
        time.sleep(0.001)
        return b""

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.is_open = False


class OpenedSerial(SerialTransport):
    """A serial port that tells when it is open: opening throws away what came before."""

    def __init__(self, path: str, on_open: Callable[[], object]) -> None:
        super().__init__(path)
        self._on_open = on_open

    def open(self) -> None:
        super().open()
        self._on_open()


class PtyBox:
    """A box at the far end of a real pty: ``path`` is the port, ``send`` what the box says."""

    def __init__(self) -> None:
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self.sends_n = 0

    def send(self, data: bytes) -> None:
        """Write all; blocks while the reader is behind, as a full pty does."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.master, view[:1024]) :]

    def send_later(self, data: bytes, then: Callable[[], None] | None = None) -> threading.Thread:
        """Send from a thread, so that the test can read meanwhile; then call something."""

        def work() -> None:
            self.send(data)
            if then is not None:
                then()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def drained(self) -> bool:
        """True when the host has read all that was sent.

        FIONREAD would not do: it knows nothing of bytes on their way. Asking for readiness waits until they are there.
        """
        return not select.select([self._slave], [], [], 0.0)[0]

    def wait_for_a_word(self, timeout_s: float = 30.0) -> None:
        """Return when the host has said something: then its port is open, and what comes now is not thrown away."""
        assert select.select([self.master], [], [], timeout_s)[0], "the host said nothing"

    def unplug(self) -> None:
        """Pull the cable: both ends of ours are closed."""
        for number in (self.master, self._slave):
            if number >= 0:
                os.close(number)
        self.master = self._slave = -1


@contextmanager
def pty_box() -> Iterator[PtyBox]:
    """A PtyBox that is closed at the end of a test."""
    box = PtyBox()
    try:
        yield box
    finally:
        box.unplug()
