"""Pulse trains from trigger edges, runs from trains, and the protocols that name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError

FloatArray = npt.NDArray[np.float64]

#: A pause this long ends a train. iTBS bursts are 0.2 s apart and 10 Hz pulses 0.1 s, so 1 s splits neither.
TRAIN_GAP_S = 1.0
#: A pause this long between the end of one train and the next onset ends a run; the longest known pause is 26 s.
RUN_PAUSE_S = 40.0


@dataclass(frozen=True)
class Train:
    """One pulse train: first and last edge (float seconds of device time) and how many edges."""

    onset_s: float
    end_s: float
    pulses_n: int


@dataclass(frozen=True)
class Protocol:
    """How long a train and the pause after it last, and what is known of a whole run.

    ``trains_n`` is the usual number of trains in a run (None = any); ``rising`` says that each train is stronger
    than the one before; ``rest_cycles_n`` is how many cycles without a train a run by convention starts with (None = no
    convention).
    """

    name: str
    train_s: float
    pause_s: float
    trains_n: int | None = None
    rising: bool = False
    rest_cycles_n: int | None = None

    @property
    def cycle_s(self) -> float:
        """Seconds from one train onset to the next."""
        return self.train_s + self.pause_s


PROTOCOLS = {
    "dash": Protocol("dash", 5.0, 11.0, trains_n=15, rising=True, rest_cycles_n=1),
    "itbs": Protocol("itbs", 2.0, 8.0, trains_n=20),
    "10hz": Protocol("10hz", 4.0, 26.0),
}


def parse_protocol(text: str) -> Protocol:
    """Protocol from its name (``dash``, ``itbs``, ``10hz``) or from ``ON/OFF`` in seconds.

    Raises
    ------
    InputError
        If the text is neither, or a duration is not within 0.05 to 600 s.
    """
    name = text.strip().lower()
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    known = ", ".join(PROTOCOLS)
    on_text, slash, off_text = name.partition("/")
    try:
        train_s, pause_s = float(on_text), float(off_text)
    except ValueError:
        train_s = pause_s = float("nan")
    if not slash or np.isnan(train_s) or np.isnan(pause_s):
        raise InputError(f"protocol {text!r} is unknown; use one of {known}, or ON/OFF in seconds such as 5/11")
    for what, value_s in (("train", train_s), ("pause", pause_s)):
        if not 0.05 <= value_s <= 600.0:
            raise InputError(f"protocol {text!r}: {what} of {value_s:g} s is outside 0.05 to 600 s; check ON/OFF")
    if pause_s < TRAIN_GAP_S:
        raise InputError(
            f"protocol {text!r}: pause of {pause_s:g} s is below {TRAIN_GAP_S:g} s, so trains cannot be told apart"
        )
    return Protocol(name, train_s, pause_s)


def find_trains(edges_s: npt.ArrayLike, *, gap_s: float = TRAIN_GAP_S) -> list[Train]:
    """Group trigger edges into trains; a train starts at the first edge after a pause of ``gap_s`` or more.

    Parameters
    ----------
    edges_s : array (n,), seconds of device time
        Edge times in any order.
    gap_s : float, seconds

    Returns
    -------
    list of Train
        In order of time; empty when there is no edge.

    Raises
    ------
    InputError
        If an edge time is not finite.
    """
    edges = np.sort(np.asarray(edges_s, dtype=np.float64).ravel())
    if edges.size == 0:
        return []
    if not np.isfinite(edges).all():
        raise InputError("a trigger time is not a finite number of seconds; check the trigger file")
    first_idx = np.concatenate(([0], np.flatnonzero(np.diff(edges) >= gap_s) + 1))
    end_idx = np.concatenate((first_idx[1:], [edges.size]))
    return [
        Train(float(edges[first]), float(edges[end - 1]), int(end - first))
        for first, end in zip(first_idx, end_idx, strict=True)
    ]


def median_train_s(trains: Sequence[Train]) -> float:
    """How long these trains last, seconds: the median, each from its first pulse to one interval after its last.

    nan when no train has two pulses.
    """
    lengths_s = [
        (train.end_s - train.onset_s) * train.pulses_n / (train.pulses_n - 1) for train in trains if train.pulses_n > 1
    ]
    return float(np.median(lengths_s)) if lengths_s else float("nan")


def find_runs(trains: Sequence[Train], *, pause_s: float = RUN_PAUSE_S) -> list[list[Train]]:
    """Group trains into runs (one recording at one site); a pause of ``pause_s`` or more separates two runs."""
    runs: list[list[Train]] = []
    for train in sorted(trains, key=lambda item: item.onset_s):
        if runs and train.onset_s - runs[-1][-1].end_s < pause_s:
            runs[-1].append(train)
        else:
            runs.append([train])
    return runs


def nominal_onsets(protocol: Protocol, first_train_s: float, end_s: float) -> FloatArray:
    """Train onsets that the protocol predicts when there is no trigger channel, shape (n,), seconds.

    Only trains that end before ``end_s`` are listed, and no more than the protocol has: what the recording does not
    contain cannot be judged.
    """
    trains_n = int(np.floor((end_s - protocol.train_s - first_train_s) / protocol.cycle_s + 1e-9)) + 1
    if protocol.trains_n is not None:
        trains_n = min(trains_n, protocol.trains_n)
    return first_train_s + protocol.cycle_s * np.arange(max(trains_n, 0), dtype=np.float64)
