"""The rows of a check that look at the ECG itself: clean signal, hum, beats, which way the R wave points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hbc_host.box.guide import DONE, Guide
from hbc_host.box.verdicts import FAIL, NOTE, PASS, SKIP, Row, judged
from hbc_host.detection import Beats, Signal, StateSpan, find_beats, matched, state_durations
from hbc_host.errors import InputError
from hbc_host.io.ecg_signal import session_signal
from hbc_host.session_model import Session

GOOD_SHARE_MIN = 0.8
HUM_SHARE_MAX = 0.1
UPWARD_SHARE_MIN = 0.9
RATE_MIN_BPM, RATE_MAX_BPM = 30.0, 200.0
LEARN_S = 5.0  # the host's detector begins with the recording, the box's began before
AGAIN_S = 0.004  # two samples at 500 Hz
AGAIN_SHARE_MIN = 0.95
HEIGHT_MIN_MV, HEIGHT_MAX_MV = 0.3, 1.2  # docs/build-the-box.md: below noise counts, above the ADC and amplifier end
AROUND_S, NEAR_S = 0.3, 0.04  # what a beat is measured against, and how far its highest point may be from its place
STILL = "lie or sit still, relax arms and shoulders; electrodes on the trunk instead of the arms"


def heart_rows(session: Session, guide: Guide) -> list[Row]:
    """Rows about signal and beats, from the samples themselves; one failing row when there are none."""
    try:
        signal = session_signal(session)
        beats = find_beats(signal)
    except InputError as error:
        return [Row("heart beats", "", str(error), FAIL, "flash the box again")]
    return [
        *_signal(beats, guide),
        _count(beats, guide),
        _same(session, beats),
        _polarity(beats),
        height(signal, beats),
    ]


def _signal(beats: Beats, guide: Guide) -> list[Row]:
    seconds = state_durations(replace(beats, states=_quiet(beats.states, guide)))
    total_s = max(sum(seconds.values()), 1e-9)
    good, hum = seconds.get("good", 0.0) / total_s, seconds.get("hum", 0.0) / total_s
    flat = seconds.get("flat", 0.0) / total_s
    told = ", ".join(f"{state} {value:.0f} s" for state, value in seconds.items()) or "no sample"
    mains = [health.hum_lsb for health in guide.watch.healths]
    measured = f"{100 * hum:.0f} % of the time" + (f", at most {max(mains)} counts" if mains else "")
    return [
        judged("ECG is clean", f"good for >= {100 * GOOD_SHARE_MIN:.0f} %", f"{100 * good:.0f} % ({told})",
               good >= GOOD_SHARE_MIN, "cable, plug, amplifier's OUT wire" if flat > 0.5 else STILL),
        judged("mains hum", f"<= {100 * HUM_SHARE_MAX:.0f} % of the time", measured, hum <= HUM_SHARE_MAX,
               "laptop on battery, RL electrode on, twist the electrode cables, away from mains cables"),
    ]  # fmt: skip


def _quiet(states: tuple[StateSpan, ...], guide: Guide) -> tuple[StateSpan, ...]:
    """The states of the time in which nobody was to touch anything, after the detector has learned."""
    if not states:
        return ()
    told_s = [status.status_us * 1e-6 for status in guide.quiet_statuses()]
    from_s = states[0].start_s + LEARN_S
    begin_s, end_s = max(min(told_s, default=from_s), from_s), max(told_s, default=states[-1].end_s)
    cut = (replace(span, start_s=max(span.start_s, begin_s), end_s=min(span.end_s, end_s)) for span in states)
    return tuple(span for span in cut if span.end_s > span.start_s)


def _count(beats: Beats, guide: Guide) -> Row:
    watch, rate_bpm = guide.watch, beats.mean_hr_bpm
    in_range = RATE_MIN_BPM <= rate_bpm <= RATE_MAX_BPM  # false for NaN
    rate = f"{rate_bpm:.0f} bpm" if np.isfinite(rate_bpm) else "no rate"
    return judged(
        "heart beats", f"as many as asked for, {RATE_MIN_BPM:g} to {RATE_MAX_BPM:g} bpm",
        f"{watch.good_beats_n} good of {watch.beats_n}, {rate}; counting {guide.state_of('beats')}",
        guide.state_of("beats") == DONE and in_range, STILL,
    )  # fmt: skip


def _same(session: Session, beats: Beats) -> Row:
    """The chip's detector against the same detector here, after both have learned."""
    name = "box and computer agree"
    limit = f"{100 * AGAIN_SHARE_MIN:.0f} % of beats, or all but one, within {1e3 * AGAIN_S:g} ms"
    from_s = session.start_s + LEARN_S
    here_s, box_s = (times[times >= from_s] for times in (beats.time_s, session.beats_s))
    box_s = box_s[box_s <= beats.time_s.max(initial=0.0)]  # the newest ones are reported late
    if not box_s.size or session.gaps_s:
        return Row(name, limit, "not compared: no beats, or samples are missing", SKIP, "see the rows above")
    again_n = matched(box_s, here_s, AGAIN_S)[0].size
    # One beat near a threshold is no broken detector: each has learned from other beats.
    needed_n = min(AGAIN_SHARE_MIN * box_s.size, box_s.size - 1)
    return judged(name, limit, f"{again_n} of {box_s.size}", again_n >= needed_n,
                  "flash the box again: hbc box flash")  # fmt: skip


def _polarity(beats: Beats) -> Row:
    name = "R wave points up"
    clear = beats.polarity[~beats.low]
    if not clear.size:
        return Row(name, "", "no clear beat", SKIP, "see the rows above")
    up_n = int((clear > 0).sum())
    good = up_n >= UPWARD_SHARE_MIN * clear.size
    return Row(
        name, f"{100 * UPWARD_SHARE_MIN:.0f} % of clear beats", f"{up_n} of {clear.size}",
        PASS if good else NOTE, "" if good else "RA and LA may be swapped; beats are found either way",
    )  # fmt: skip


def height(signal: Signal, beats: Beats) -> Row:
    """How tall the R wave is at the electrodes: the middle of all clear beats, against what lies around each.

    Parameters
    ----------
    signal : Signal
    beats : Beats
        Of this signal.
    """
    name = "R wave is tall enough, not too tall"
    limit = f"{HEIGHT_MIN_MV:g} to {HEIGHT_MAX_MV:g} mV"
    around, near = round(AROUND_S * signal.rate_hz), round(NEAR_S * signal.rate_hz)
    heights_mv = []
    for idx in np.rint(beats.position_idx[~beats.low]).astype(int):
        window = signal.ecg_mv[max(0, idx - around) : idx + around + 1]
        peak = signal.ecg_mv[max(0, idx - near) : idx + near + 1]
        if np.isfinite(window).all():
            heights_mv.append(float(np.abs(peak - np.median(window)).max()))
    if not heights_mv:
        return Row(name, limit, "no clear beat", SKIP, "see the rows above")
    middle_mv = float(np.median(heights_mv))
    if HEIGHT_MIN_MV <= middle_mv <= HEIGHT_MAX_MV:
        return Row(name, limit, f"{middle_mv:.2f} mV", PASS)
    small = (
        "fresh electrodes, LA further down" if middle_mv < HEIGHT_MIN_MV else "LA nearer to RA, below the collar bone"
    )
    return Row(name, limit, f"{middle_mv:.2f} mV", NOTE, small)
