"""What ``hbc box check`` judges: functions of a recording and of what the guide saw.

The limits and where they come from: docs/howto/box-check.md.
"""

from __future__ import annotations

import math

import numpy as np
from hbc_wire import messages

from hbc_host.box.app_files import firmware_here
from hbc_host.box.check_heart import heart_rows
from hbc_host.box.guide import DONE, NOT_TRIED, Guide, off_words
from hbc_host.box.verdicts import FAIL, NOTE, SKIP, Row, judged
from hbc_host.clocksync import fit_clock
from hbc_host.errors import InputError
from hbc_host.even import has_own_clock
from hbc_host.session_model import FloatArray, Session

SATURATED_SHARE_MAX = 0.01
BRACKET_MAX_NS = 10_000
SOFT_JITTER_MAX_NS = 1_000_000  # 1 ms is 0.02 degrees of the train rhythm; hardware is a thousand times better
LATE_P99_MAX_US = 1000
LOOP_MAX_US = 20_000  # the capture latch is one deep, iTBS pulses come 20 ms apart
MEM_MIN_BYTES = 16 * 1024
DRIFT_MAX_PPM = 100.0
DRIFT_PINGS_MIN_N = 3  # one is kept of each 10 s; two lie on a line whatever delayed them
CLOCK_ERROR_MAX_MS = 50.0
BATTERY_MIN_MV = 3400
OWN_CLOCK_MAX_PCT = 2.0  # of an ADS1292R over its range of temperature; 0.5 % at 25 degrees


def judge(session: Session, guide: Guide) -> list[Row]:
    """All rows of a check, in the order in which a technician would mend things.

    Parameters
    ----------
    session : Session
        The recording that was made while the guide led through its steps.
    guide : Guide
        With all steps over.
    """
    rows = [_firmware(session), *_boots(session, guide), *_line(session), *_capture(session, guide)]
    rows += [_clock(session), *_load(session, guide), *_battery(guide)]
    rows += [_electrodes(guide), *_lifted(guide), _saturation(session, guide)]
    rows += heart_rows(session, guide)
    return [*rows, *_trigger(session, guide)]


def _firmware(session: Session) -> Row:
    hello, here = session.hello, firmware_here()
    return judged(
        "firmware", f"{here}, wire {messages.WIRE_VERSION}", f"{hello.firmware}, wire {hello.wire_version}",
        hello.firmware == here, "bring the box to this release: hbc box flash",
    )  # fmt: skip


def _boots(session: Session, guide: Guide) -> list[Row]:
    crashes = [note for note in guide.watch.notes if "fault" in note]
    faults_n = max((health.boot_faults_n for health in guide.watch.healths), default=0)
    measured = f"{session.boots_n - 1} restarts during the check"
    if crashes or faults_n:
        measured += f"; {crashes[-1] if crashes else f'{faults_n} faults at boot'}"
    good = session.boots_n == 1 and not crashes and not faults_n
    return [judged("runs without restart", "0 restarts, no fault", measured, good,
                   "power or cable if it restarts; after a fault: hbc box recover")]  # fmt: skip


def _line(session: Session) -> list[Row]:
    span_s = max(session.duration_s, 1e-9)
    rate_bytes_s = session.bytes_n / span_s
    lost = judged(
        "line to the computer", "0 frames lost, 0 damaged",
        f"{session.frames_lost_n} lost, {session.frames_bad_n} damaged of {session.frames_n}; "
        f"{rate_bytes_s:.0f} bytes/s",
        session.frames_lost_n == 0 and session.frames_bad_n == 0,
        "another USB cable, no hub, other programs off the port; keep it away from the coil's cable",
    )  # fmt: skip
    residual_us = np.abs(session.ecg_us - _grid_us(session))
    late_us = float(np.percentile(residual_us, 99)) if residual_us.size else math.nan
    samples = judged(
        "samples", f"0 lost, 99 % within {LATE_P99_MAX_US} us of their time",
        f"{session.samples_lost_n} lost of {session.ecg_lsb.size}; 99 % within {late_us:.0f} us",
        session.samples_lost_n == 0 and late_us <= LATE_P99_MAX_US,
        "flash the box again; if it stays, report this file",
    )  # fmt: skip
    return [lost, samples, *_own_clock(session)]


def _own_clock(session: Session) -> list[Row]:
    """The rate of a converter with a clock of its own: what one that fits badly, or is another chip's, gives away."""
    if not has_own_clock(session.hello.board) or session.ecg_idx.size < 2:
        return []
    period_us = float(session.ecg_us[-1] - session.ecg_us[0]) / float(session.ecg_idx[-1] - session.ecg_idx[0])
    off_pct = 100 * (1e6 / period_us / session.rate_hz - 1)
    return [judged("converter's clock", f"within {OWN_CLOCK_MAX_PCT:g} % of {session.rate_hz:g} Hz",
                   f"{1e6 / period_us:.2f} Hz, {off_pct:+.2f} %", abs(off_pct) <= OWN_CLOCK_MAX_PCT,
                   "CLKSEL of the ADS1292R to 3.3 V; sample times do not depend on it")]  # fmt: skip


def _grid_us(session: Session) -> FloatArray:
    """Where the samples should lie: the straight line of their indices.

    At the nominal rate, or at the one that is there where the converter has a clock of its own.
    """
    if not session.ecg_idx.size:
        return np.empty(0)
    period_us = 1e6 / session.rate_hz
    if has_own_clock(session.hello.board) and session.ecg_idx.size > 1:
        period_us = float(session.ecg_us[-1] - session.ecg_us[0]) / float(session.ecg_idx[-1] - session.ecg_idx[0])
    offset_us = session.ecg_us - session.ecg_idx * period_us
    return np.asarray(session.ecg_idx * period_us + np.median(offset_us), np.float64)


def _capture(session: Session, guide: Guide) -> list[Row]:
    hello, healths = session.hello, guide.watch.healths
    # A box that stamps by software adds its jitter to the bracket that it reports (Hello, docs/wire-protocol.md).
    jitter_ns = max((health.jitter_ns for health in healths), default=0)
    limit_ns = BRACKET_MAX_NS + jitter_ns
    bracket = judged(
        "edge clock against sample clock", f"within {limit_ns / 1e3:.1f} us",
        f"+-{hello.bracket_half_ns / 1e3:.1f} us ({hello.capture})", hello.bracket_half_ns <= limit_ns,
        "press EN (RESET); if it stays, report this file",
    )  # fmt: skip
    if not healths:
        return [bracket, Row("edge jitter", "", "not reported by this firmware", SKIP, "hbc box flash")]
    latched = f"none: latched in steps of {hello.capture_tick_ps / 1000:g} ns"
    measured = f"{jitter_ns / 1e3:.1f} us, measured by the box" if jitter_ns else latched
    jitter = judged("edge jitter", f"<= {SOFT_JITTER_MAX_NS / 1e3:g} us", measured, jitter_ns <= SOFT_JITTER_MAX_NS,
                    "a board with capture hardware (ESP32, S3, C6) has none")  # fmt: skip
    anchor_ns = max(abs(health.anchor_error_ns) for health in healths)
    # Two brackets are compared, each off by half of itself at most.
    held_ns = 2 * BRACKET_MAX_NS
    held = judged("edge clock holds", f"within {held_ns / 1e3:g} us", f"{anchor_ns / 1e3:.1f} us at most",
                  anchor_ns <= held_ns, "press EN (RESET); if it stays, report this file")  # fmt: skip
    return [bracket, jitter, held]


def _clock(session: Session) -> Row:
    name, limit = "clock against the computer's", f"drift <= {DRIFT_MAX_PPM:g} ppm, error <= {CLOCK_ERROR_MAX_MS:g} ms"
    try:
        fit = fit_clock(session.pings)
    except InputError as error:
        return Row(name, limit, str(error), FAIL, "another USB cable; the box does not answer pings")
    doubt_ppm, error_ms = fit.drift_error_ppm, fit.max_error_us / 1e3
    measured = f"{fit.drift_ppm:+.0f} ppm (+-{doubt_ppm:.0f}), error {error_ms:.1f} ms, {fit.pings_n} pings"
    near = error_ms <= CLOCK_ERROR_MAX_MS
    if near and (fit.pings_n < DRIFT_PINGS_MIN_N or doubt_ppm > DRIFT_MAX_PPM):
        return Row(name, limit, measured, NOTE, "too short to tell the drift; it takes half a minute, or more beats")
    good = near and abs(fit.drift_ppm) - doubt_ppm <= DRIFT_MAX_PPM
    return judged(name, limit, measured, good,
                  "no hub, a computer that is not busy; recorded times do not depend on it")  # fmt: skip


def _load(session: Session, guide: Guide) -> list[Row]:
    watch = guide.watch
    rows = []
    if watch.healths:
        loop_us = max(health.loop_max_us for health in watch.healths)
        rows.append(judged("slowest turn of its loop", f"<= {LOOP_MAX_US / 1000:g} ms", f"{loop_us / 1000:.1f} ms",
                           loop_us <= LOOP_MAX_US, "flash the box again; if it stays, report this file"))  # fmt: skip
    if watch.statuses:
        free = watch.statuses[-1].mem_free_bytes
        rows.append(judged("free memory", f">= {MEM_MIN_BYTES // 1024} KiB", f"{free / 1024:.0f} KiB",
                           free >= MEM_MIN_BYTES, "flash the stock interpreter of the chip"))  # fmt: skip
    return rows


def _battery(guide: Guide) -> list[Row]:
    battery_mv = guide.watch.healths[-1].battery_mv if guide.watch.healths else 0
    if not battery_mv:
        return []
    enough = battery_mv >= BATTERY_MIN_MV
    return [judged("battery", f">= {BATTERY_MIN_MV} mV", f"{battery_mv} mV", enough, "charge the battery")]


def _electrodes(guide: Guide) -> Row:
    on = guide.state_of("electrodes on") == DONE
    return judged("electrodes", "RA and LA on", off_words(guide.watch.leads if not on else 0), on,
                  "fresh electrodes on clean skin; check plugs and the jack of the amplifier")  # fmt: skip


# Which wire tells of an electrode: of the AD8232 one of its own, of the ADS1292R the electrode's.
_LEAD_PINS = {"LA": "LO+ of the AD8232, or IN2P of the ADS1292R", "RA": "LO- of the AD8232, or IN2N of the ADS1292R"}


def _lifted(guide: Guide) -> list[Row]:
    rows = []
    for name in ("LA", "RA"):
        off, back = guide.state_of(f"{name} off"), guide.state_of(f"{name} back")
        title, limit = f"electrode {name} off is seen", "reported off, then on again"
        if off == NOT_TRIED:
            rows.append(Row(title, limit, "not tried", SKIP, "run it without --yes, with somebody at the electrodes"))
        else:
            rows.append(judged(title, limit, f"off: {off}, back: {back}", off == back == DONE,
                               f"wire from {_LEAD_PINS[name]}; are RA and LA swapped?"))  # fmt: skip
    return rows


def _saturation(session: Session, guide: Guide) -> Row:
    quiet = guide.quiet_statuses()
    samples_n = max(len(quiet) * session.rate_hz, 1.0)
    share = sum(status.saturated_n for status in quiet) / samples_n
    return judged(
        "amplifier not at its end", f"<= {100 * SATURATED_SHARE_MAX:g} % of samples", f"{100 * share:.1f} %",
        share <= SATURATED_SHARE_MAX and bool(quiet), "fresh electrodes; 3.3 V and GND of the amplifier",
    )  # fmt: skip


def _trigger(session: Session, guide: Guide) -> list[Row]:
    watch = guide.watch
    name, limit = "trigger edge", ">= 1 edge, none lost"
    if guide.state_of("trigger") == NOT_TRIED and not watch.edges_n:
        return [Row(name, limit, "not tried", SKIP, "run it without --no-trigger, with the stimulator connected")]
    seen = judged(
        name, limit, f"{watch.edges_n} edges, {session.edges_lost_n} lost",
        watch.edges_n > 0 and session.edges_lost_n == 0,
        "cable from the stimulator's trigger OUT; hbc box set trigger_rising (0 or 1); docs/build-the-box.md",
    )  # fmt: skip
    return [seen, *_polarity_of_trigger(watch.edge_levels)]


def _polarity_of_trigger(levels: list[int]) -> list[Row]:
    if not levels:
        return []
    rising_n = sum(levels)
    measured = f"{rising_n} rising, {len(levels) - rising_n} falling at the pin"
    return [Row("trigger polarity", "the edge with which a pulse begins", measured, NOTE,
                "an optocoupler turns the signal over: see the table in docs/build-the-box.md; the wrong edge "
                "times the end of each pulse")]  # fmt: skip
