"""Words for the quality figures of a recording."""

from __future__ import annotations

from hbc_host.i18n import mark
from hbc_host.report.language import ENGLISH, NONE, Language

QUALITY_LABELS = {
    "beats_recorded_n": mark("beats recorded"),
    "beats_n": mark("beats in rests and runs"),
    "edges_n": mark("trigger edges"),
    "trains_n": mark("trains"),
    "excluded_share": mark("beats excluded or corrected"),
    "ectopic_intervals_n": mark("ectopic intervals"),
    "missed_beats_n": mark("missed beats"),
    "extra_beats_n": mark("extra beats"),
    "frames_n": mark("frames received"),
    "frames_lost_n": mark("frames lost"),
    "frames_bad_n": mark("frames damaged"),
    "edges_lost_n": mark("trigger edges lost"),
    "samples_lost_n": mark("ECG samples lost"),
    "boots_n": mark("starts of the box"),
    "gaps_n": mark("gaps"),
    "gaps_s": mark("time in gaps"),
    "bytes_n": mark("bytes received"),
    "duration_s": mark("duration"),
    "blanked_share": mark("ECG blanked around pulses"),
    "polarity": mark("direction of the R wave"),
    "good_s": mark("signal good"),
    "noisy_s": mark("signal noisy"),
    "hum_s": mark("mains hum"),
    "saturated_s": mark("amplifier saturated"),
    "flat_s": mark("signal flat"),
    "lead_off_s": mark("electrode off"),
}
QUALITY_WORDS = {"up": mark("up"), "down": mark("down (electrodes swapped?)"), "both": mark("changes")}
UNITS = {"s": "(s)", "ms": "(ms)", "us": "(µs)", "hz": "(Hz)", "bpm": "(bpm)", "pct": "(%)", "ppm": "(ppm)"}


def quality_label(key: str, lang: Language = ENGLISH) -> str:
    """``rr_median_ms`` -> ``rr median (ms)``; the common keys have words of their own."""
    if key in QUALITY_LABELS:
        return lang.say(QUALITY_LABELS[key])
    stem, _, unit = key.rpartition("_")
    if stem and unit in UNITS:
        return f"{stem.replace('_', ' ')} {UNITS[unit]}"
    return key.removesuffix("_n").removesuffix("_share").replace("_", " ")


def quality_text(key: str, value: str | int | float, lang: Language = ENGLISH) -> str:
    """A quality figure as text: shares in percent, times in minutes, whole numbers grouped, others with four digits."""
    if isinstance(value, str):
        return lang.say(QUALITY_WORDS[value]) if value in QUALITY_WORDS else value
    if key.endswith("_share"):
        return lang.percent(value)
    if key in QUALITY_LABELS and key.endswith("_s"):
        return lang.duration(value)
    if isinstance(value, int) or float(value).is_integer():
        return lang.count(int(value))
    return lang.marked(f"{value:.4g}") if value == value else NONE
