"""The host's end of the generator's line: JSON lines, one request and one answer at a time, and a log that streams in.

Works on any byte pipe (a pseudo-terminal of the simulated generator, the serial port of a real one).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hbc_hil.errors import GeneratorError
from hbc_hil.faults import BytePipe
from hbc_hil.generator import programme as device

IntArray = npt.NDArray[np.int64]
ANSWER_S = 10.0
STOP_S = 1.0
FILL_N = 200  # bytes of ECG a line: the line stays below the board's receive buffer


@dataclass(frozen=True)
class PlayedList:
    """One list of pulses as the generator logged it, microseconds of the generator's clock.

    Attributes
    ----------
    train_n : int
        Train that it belongs to, from 0.
    start_us : int
        Its first pulse after the train's start, as commanded.
    before_us, after_us : int
        The pulse unit was started between these two.
    pulses_n : int
    """

    train_n: int
    start_us: int
    before_us: int
    after_us: int
    pulses_n: int


@dataclass(frozen=True)
class GeneratorLog:
    """All that a generator commanded in one run; `leads` holds (us, bits of Status.leads) of each change."""

    programme: dict[str, Any]
    lists: tuple[PlayedList, ...]
    ecg_turns_us: tuple[int, ...]
    ecg_late_max_us: int
    leads: tuple[tuple[int, int], ...]
    done: bool

    def edges_us(self) -> tuple[IntArray, IntArray]:
        """Commanded active-going edges: (list number, microseconds after the list's first edge), both (n,)."""
        list_n: list[int] = []
        after_us: list[int] = []
        for k, played in enumerate(self.lists):
            pulses = [at for at, _ in device.train_pulses(self.programme, played.train_n)]
            first = int(np.searchsorted(pulses, played.start_us))
            inside = pulses[first : first + played.pulses_n]
            list_n += [k] * len(inside)
            after_us += [at - played.start_us for at in inside]
        return np.array(list_n, np.int64), np.array(after_us, np.int64)


class GeneratorLink:
    """A generator at the other end of a byte pipe.

    Parameters
    ----------
    pipe : BytePipe
        Opened and closed here.
    clock : callable
        Host seconds, for time-outs.
    answer_s : float
        How long an answer may take; a simulated generator may first have to be started on a busy computer.

    Raises
    ------
    GeneratorError
        From every method: silence, an answer that is no answer, or the generator's own refusal in its words.
    """

    def __init__(
        self, pipe: BytePipe, *, clock: Callable[[], float] = time.monotonic, answer_s: float = ANSWER_S
    ) -> None:
        self._pipe = pipe
        self._clock = clock
        self._answer_s = answer_s
        self._rest = b""
        self._programme: dict[str, Any] = device.complete({"trains_n": 0})
        self._lists: list[PlayedList] = []
        self._turns_us: list[int] = []
        self._ecg_late_max_us = 0
        self._leads: list[tuple[int, int]] = []
        self.done = False

    def __enter__(self) -> GeneratorLink:
        self._pipe.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()

    def hello(self) -> dict[str, Any]:
        """Who is there: version, chip, pins, its clock."""
        self._pipe.write(b"\n")  # ends whatever half line is left of an earlier program
        return self.ask({"cmd": "hello"})

    def load(self, programme: dict[str, Any]) -> dict[str, Any]:
        """Send a programme (`hbc_hil.generator.programme`); the answer holds trains_n and pulses_n."""
        try:
            self._programme = device.complete(programme)
        except device.ProgrammeError as error:
            raise GeneratorError(f"this programme cannot be played: {error}") from error
        return self.ask({"cmd": "load", "programme": programme})

    def load_ecg(self, table: bytes, rate_hz: int) -> None:
        """Send an ECG, one byte a sample (0..255 is 0..3.3 V), to be played round and round from ``start`` on."""
        self.ask({"cmd": "table", "n": len(table), "rate_hz": rate_hz})
        for at in range(0, len(table), FILL_N):
            self.ask({"cmd": "fill", "at": at, "hex": table[at : at + FILL_N].hex()})

    def start(self, in_s: float, leads: Sequence[tuple[float, int]] = ()) -> int:
        """Begin; returns when the first train is due, microseconds of the generator's clock.

        Parameters
        ----------
        in_s : float
            From now to the first train, seconds.
        leads : sequence of (float, int)
            Seconds from now, and which electrodes are off from then on, as bits of Status.leads.
        """
        self._leads.clear()
        self._lists.clear()
        self._turns_us.clear()
        self.done = False
        changes = [[round(after_s * 1e6), bits] for after_s, bits in leads]
        return int(self.ask({"cmd": "start", "in_us": round(in_s * 1e6), "leads": changes})["at_us"])

    def stop(self) -> None:
        """Fall silent now; a generator that is gone is silent already."""
        self.ask({"cmd": "stop"}, wait_s=STOP_S)

    def poll(self) -> None:
        """Take in what the generator has logged since; call it now and then while it plays."""
        for message in self._messages():
            self._file(message)

    def log(self) -> GeneratorLog:
        """Everything logged since ``start``."""
        return GeneratorLog(
            self._programme,
            tuple(self._lists),
            tuple(self._turns_us),
            self._ecg_late_max_us,
            tuple(self._leads),
            self.done,
        )

    def ask(self, request: dict[str, Any], *, wait_s: float | None = None) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        wait_s = self._answer_s if wait_s is None else wait_s
        self._pipe.write(json.dumps(request, separators=(",", ":")).encode() + b"\n")
        until_s = self._clock() + wait_s
        while self._clock() < until_s:
            for message in self._messages():
                if "error" in message:
                    raise GeneratorError(f"the generator refuses {request['cmd']}: {message['error']}")
                if message.get("ok") == request["cmd"]:
                    return message
                self._file(message)
        raise GeneratorError(
            f"no answer from the generator to {request['cmd']} within {wait_s:g} s; check its port and its "
            f"firmware (docs/howto/hil.md), press its reset button and start again"
        )

    def _messages(self) -> Sequence[dict[str, Any]]:
        self._rest += self._pipe.read()
        *lines, self._rest = self._rest.split(b"\n")
        found = []
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:  # the boot messages of the chip, or half a line from before
                continue
            if isinstance(message, dict):
                found.append(message)
        return found

    def _file(self, message: dict[str, Any]) -> None:
        if "list" in message:
            if message["list"] != len(self._lists):
                raise GeneratorError(
                    f"list {message['list']} of the generator's log came where {len(self._lists)} was expected: its "
                    f"line lost something; check the cable and start again"
                )
            self._lists.append(
                PlayedList(
                    message["train"], message["start_us"], message["before_us"], message["after_us"],
                    message["pulses_n"],
                )
            )  # fmt: skip
        elif "ecg_us" in message:
            self._turns_us.append(message["ecg_us"])
            self._ecg_late_max_us = max(self._ecg_late_max_us, message["late_max_us"])
        elif "leads" in message:
            self._leads.append((message["us"], message["leads"]))
        elif "done" in message:
            self.done = True
        elif "error" in message:
            raise GeneratorError(f"the generator says: {message['error']}")
