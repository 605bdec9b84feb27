"""Trigger times from a channel of levels, from numbered codes, or from named marks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.limits import EVENTS_MAX_N

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Names that say what a channel, a column or a mark is for.
TRIGGER_WORDS = re.compile(r"trig|ttl|stim|\btms\b|pulse|\bsync|\bsti\b|\bedge|status", re.IGNORECASE)
NO_TRIGGER_WORDS = re.compile(r"\b(start|begin|end|stop|rest|block|baseline|off)\b", re.IGNORECASE)
ECG_WORDS = re.compile(r"\b(ecg|ekg|mlii|cardiac|lead ?(i{1,3}|1|2|3))\b|ecg|ekg", re.IGNORECASE)
BEAT_WORDS = re.compile(r"^(beats?|r-?peaks?|r peaks?|qrs|r-?wave|n)$", re.IGNORECASE)

#: A channel of two levels spends little of its time between them; noise spends most of it there.
BETWEEN_SHARE_MAX = 0.2
CODES_MAX_N = 300


def rising_edges(levels: FloatArray, where: str) -> tuple[IntArray, tuple[str, ...]]:
    """Where a channel of two levels, or of whole-number codes, goes from rest to active.

    Parameters
    ----------
    levels : (n,) float64
        In any unit; nan where there is no sample.
    where : str
        For notes and error text.

    Returns
    -------
    (k,) int64, tuple of str
        Index of the first active sample of each trigger; notes.

    Raises
    ------
    InputError
        If the channel has no levels: noise, or a signal.
    """
    known = np.isfinite(levels)
    if not known.any():
        raise InputError(f"{where}: has no valid sample; choose another trigger with --map trigger=NAME")
    values = np.where(known, levels, levels[np.argmax(known)])
    codes, counts = np.unique(values[: 2 * EVENTS_MAX_N], return_counts=True)
    if codes.size == 1:
        return np.empty(0, np.int64), (f"{where} never changes: 0 triggers",)
    if codes.size <= CODES_MAX_N and np.array_equal(codes, np.rint(codes)) and counts.max() >= 0.5 * counts.sum():
        rest = codes[np.argmax(counts)]
        active = values != rest
        # From one code straight to another is a new trigger, too.
        begins = active & np.concatenate(([True], values[1:] != values[:-1]))
        begins[0] = False  # active from the start: nobody knows since when
        notes = () if rest == codes[0] else (f"{where} rests at {rest:g}, its other values are triggers",)
        return np.flatnonzero(begins), notes
    return _analogue(values, where)


def _analogue(values: FloatArray, where: str) -> tuple[IntArray, tuple[str, ...]]:
    low, high = float(values.min()), float(values.max())
    span = high - low
    upper, lower = low + 0.75 * span, low + 0.25 * span
    between = float(((values > lower) & (values < upper)).mean())
    if between > BETWEEN_SHARE_MAX:
        raise InputError(
            f"{where}: {between:.0%} of its samples lie between its levels ({low:g} and {high:g}), at most "
            f"{BETWEEN_SHARE_MAX:.0%} may; it is no trigger channel, choose another with --map trigger=NAME"
        )
    inverted = float((values > (low + high) / 2).mean()) > 0.5
    if inverted:
        values, upper, lower = -values, -lower, -upper
    state = np.where(values >= upper, 1, np.where(values <= lower, 0, -1))
    held = np.maximum.accumulate(np.where(state >= 0, np.arange(state.size), 0))
    is_high = state[held] == 1
    edges_idx = np.flatnonzero(is_high[1:] & ~is_high[:-1]) + 1
    notes = (f"{where}: threshold at half way between {low:g} and {high:g}",)
    return edges_idx, (*notes, f"{where} rests high; falling edges are the triggers") if inverted else notes


def marks_that_trigger(
    times_s: Sequence[float], texts: Sequence[str], chosen: str, where: str
) -> tuple[FloatArray | None, str, tuple[str, ...]]:
    """Times of the marks that mean a TMS pulse.

    Parameters
    ----------
    times_s, texts : (n,)
        Marks of a file.
    chosen : str
        Text that a person named; ``*`` at its end matches any ending; empty when nobody did.
    where : str
        Such as ``annotations``.

    Returns
    -------
    (k,) float64 or None, str, tuple of str
        Times in order without repeats, None when no mark may be a trigger; the source in words; notes.

    Raises
    ------
    InputError
        If nothing has the chosen text.
    """
    counted = Counter(text.strip() for text in texts)
    if chosen:
        stem = chosen[:-1].lower() if chosen.endswith("*") else ""
        wanted = {
            text for text in counted if text.lower() == chosen.lower() or (stem and text.lower().startswith(stem))
        }
        notes: tuple[str, ...] = ()
    else:
        wanted = {text for text in counted if TRIGGER_WORDS.search(text) and not NO_TRIGGER_WORDS.search(text)}
        notes = ()
    if not wanted:
        return None, "", ()
    named = ", ".join(repr(text[:30]) for text in sorted(wanted)[:3])
    source = f"{where} {named}" + (f" and {len(wanted) - 3} more" if len(wanted) > 3 else "")
    found = [time_s for time_s, text in zip(times_s, texts, strict=True) if text.strip() in wanted]
    if len(found) > EVENTS_MAX_N:
        raise InputError(f"{where}: {len(found)} triggers, at most {EVENTS_MAX_N} are read; export a shorter part")
    unique = np.unique(np.asarray(found, np.float64))
    if unique.size < len(found):
        notes = (f"{len(found) - unique.size} triggers at the instant of another are left out",)
    if not chosen:
        notes = (*notes, f"{source} are taken as triggers, by their name ({unique.size})")
    return unique, source, notes


def pick(names: Sequence[str], words: re.Pattern[str], *, first_exact: Sequence[str] = ()) -> int | None:
    """Index of the first name that one of the words is in; names that are exactly ``first_exact`` come first."""
    lower = [name.strip().lower() for name in names]
    for exact in first_exact:
        if exact in lower:
            return lower.index(exact)
    return next((at for at, name in enumerate(lower) if words.search(name)), None)


def find_name(names: Sequence[str], wanted: str, path: object) -> int:
    """Index of a channel that a person named, by its name or its number from 1; raises InputError if none is."""
    lower = [name.strip().lower() for name in names]
    key = wanted.strip().lower()
    if key in lower:
        return lower.index(key)
    if key.isascii() and key.isdigit() and 1 <= int(key[:6]) <= len(names):
        return int(key) - 1
    known = ", ".join(name.strip() or "(no name)" for name in names)[:300]
    raise InputError(f"{path}: has no channel {wanted!r}; its channels are {known}")
