"""What a box says of itself, in words and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hbc_native import SIGNAL_STATES

from hbc_host.box.guide import off_words
from hbc_host.box.info import BoxInfo
from hbc_host.even import has_own_clock
from hbc_host.report.results_json import plain
from hbc_host.requests import BoxSetting

# machine.reset_cause() of MicroPython's ESP32 port; a brown-out is told as a power-on there.
RESET_CAUSES = {1: "power on", 2: "reset by the program or the button", 3: "watchdog", 4: "deep sleep", 5: "soft reset"}
SETTING_WORDS = {
    "blank_ms": "ms of ECG after a trigger edge that the detector does not look at",
    "trigger_rising": "1: a pulse begins with a rising edge at the box's pin; 0: with a falling one",
    "trigger_pull_up": "1: the pin's own pull-up is on",
    "trigger_min_width_us": "us; shorter pulses are not reported (0 = off)",
    "trigger_hold_off_us": "us after an edge in which none is reported (0 = off)",
    "battery_wired": "1: a battery divider is connected",
    "front_end": "0: AD8232; 1: ADS1292R (docs/build-the-box.md); a change restarts the box",
}


def info_facts(info: BoxInfo) -> list[tuple[str, str]]:
    """Rows of the table, most important first."""
    hello = info.hello
    rows = [
        ("box", hello.unique_id),
        ("board", hello.board),
        ("firmware", f"{hello.firmware}, wire version {hello.wire_version}"),
        ("boot", f"{hello.boot_n}, after: {RESET_CAUSES.get(hello.reset_cause, f'cause {hello.reset_cause}')}"),
        ("front end", front_end_words(hello.board)),
        ("samples", f"{hello.rate_hz} Hz, {hello.adc_lsb_nv / 1e3:.0f} uV a count at the ADC, gain {hello.gain}"),
        ("trigger capture", f"{hello.capture}, within +-{hello.bracket_half_ns / 1e3:.1f} us of the sample clock"),
    ]
    return [*rows, *_state(info.status), *_health(info.health), *_line(info)]


def front_end_words(board: str) -> str:
    """The front end that a board's name ends in, in words."""
    if has_own_clock(board):
        return "ADS1292R: 24 bits, samples by its own clock, each timed in hardware"
    return "AD8232, read by the chip's converter"


def _state(status: Any) -> list[tuple[str, str]]:
    if status is None:
        return []
    return [
        ("up since", f"{status.status_us * 1e-6:.0f} s"),
        ("electrodes", off_words(status.leads)),
        ("seen so far", f"{status.peaks_n} beats, {status.edges_n} trigger edges, {status.samples_n} samples"),
        ("free memory", f"{status.mem_free_bytes / 1024:.0f} KiB"),
    ]


def _health(health: Any) -> list[tuple[str, str]]:
    if health is None:
        return [("health", "not reported by this firmware; `hbc box flash` brings it up to date")]
    state = SIGNAL_STATES[health.signal_state] if health.signal_state < len(SIGNAL_STATES) else "unknown"
    return [
        ("signal", f"{state}, hum {health.hum_lsb} counts, R wave {_upward(health.polarity)}"),
        ("battery", f"{health.battery_mv} mV" if health.battery_mv else "not wired"),
        ("slowest loop turn", f"{health.loop_max_us / 1e3:.1f} ms"),
        ("edge clock", f"{health.anchor_error_ns / 1e3:+.1f} us off, jitter {health.jitter_ns / 1e3:.1f} us"),
        ("edges not reported", f"{health.runts_n} too short, {health.held_off_n} in the hold-off"),
        ("faults at boot", str(health.boot_faults_n)),
    ]


def _upward(polarity: int) -> str:
    return {1: "up", -1: "down"}.get(polarity, "not known yet")


def _line(info: BoxInfo) -> list[tuple[str, str]]:
    rows = [("this connection", f"{info.frames_n} frames, {info.frames_lost_n} lost, {info.frames_bad_n} damaged")]
    if info.lost is not None:
        lost = info.lost
        rows.append(("lost in the box", f"{lost.edges_n} edges, {lost.samples_n} samples, {lost.peaks_n} beats"))
    if info.clock is not None and info.rtt_ms is not None:
        rows.append(
            ("clock", f"related within {info.clock.max_error_us / 1e3:.1f} ms, answers after {info.rtt_ms:.1f} ms")
        )
    else:
        rows.append(("clock", "no ping was answered"))
    return rows


def settings_facts(settings: Sequence[BoxSetting]) -> list[tuple[str, str]]:
    """Rows of the table of settings."""
    return [
        (f"  {row.name}", f"{row.value}  ({row.lowest} to {row.highest}) {SETTING_WORDS.get(row.name, '')}".rstrip())
        for row in settings
    ]


def info_document(info: BoxInfo) -> dict[str, Any]:
    """The JSON of ``hbc box info``."""

    def fields(message: Any) -> dict[str, Any] | None:
        return None if message is None else dict(message._asdict())

    return {
        "hello": fields(info.hello), "status": fields(info.status),
        "health": fields(info.health), "lost": fields(info.lost),
        "settings": None if info.settings is None else [asdict(row) for row in info.settings],
        "frames_n": info.frames_n, "frames_lost_n": info.frames_lost_n, "frames_bad_n": info.frames_bad_n,
        "clock": plain(info.clock), "rtt_ms": info.rtt_ms,
    }  # fmt: skip
