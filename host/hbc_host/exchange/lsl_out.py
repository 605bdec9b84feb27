"""LSL outlets: ECG, beats, triggers, coupling, and what the time stamps are worth.

Fed with the messages of a session's feed (:mod:`hbc_host.live.feed`), so it can neither slow nor stop a recording.
Nothing that names a person is sent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from hbc_host import __version__
from hbc_host.exchange.lsl import LslClock

ECG, BEATS, TRIGGERS, COUPLING, CLOCK = "HBC ECG", "HBC beats", "HBC triggers", "HBC coupling", "HBC clock"
TRIGGER_TEXT = "TMS"
BACK_S = 1.0  # device time that falls by more has begun anew
_COLUMNS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    ECG: ("ECG", (("ECG", "millivolts"),)),
    BEATS: ("RR", (("rr", "milliseconds"), ("quality", "0..255"))),
    TRIGGERS: ("Markers", (("trigger", "text"),)),
    COUPLING: (
        "HBC",
        (
            ("effect", "bpm"),
            ("ci90_low", "bpm"),
            ("ci90_high", "bpm"),
            ("p_value", "1"),
            ("trains", "count"),
            ("site", "number"),
        ),
    ),
    CLOCK: ("ClockError", (("max_error", "microseconds"), ("drift", "ppm"), ("drift_error", "ppm"))),
}
LATENCY = {
    ECG: "sent in blocks, some 0.1 s after the samples; stamps are those of the samples, good to one sample",
    BEATS: "sent some 0.3 s after the R-peak, which takes that long to be sure; stamps are those of the peak",
    TRIGGERS: "stamps are those of the edge in the box's hardware, not of its arrival",
    COUPLING: "stamped when it was computed, after each train",
    CLOCK: "stamped when it was computed, every few seconds",
}


class Outlets:
    """The five streams. They appear when the clocks are related: a stamp must be right from the first one on.

    Parameters
    ----------
    lsl : module
        As :func:`hbc_host.exchange.lsl.load_lsl` gives it.

    Attributes
    ----------
    sent_n : dict of stream to int
        Samples that were handed to LSL.
    left_out_n : int
        Messages whose time could not be told.
    """

    def __init__(self, lsl: Any) -> None:
        self._lsl = lsl
        self.clock = LslClock(lsl)
        self._hello: dict[str, Any] | None = None
        self._outlets: dict[str, Any] = {}
        self._newest_s = -math.inf
        self.sent_n = dict.fromkeys(_COLUMNS, 0)
        self.left_out_n = 0

    @property
    def are_open(self) -> bool:
        """True when other programs can find the streams."""
        return bool(self._outlets)

    def close(self) -> None:
        """Let go of the streams."""
        self._outlets.clear()

    def take(self, message: dict[str, Any]) -> None:
        """One message of the feed; kinds that are no stream are ignored."""
        kind = message["kind"]
        if kind == "hello":
            self._hello = message
        elif kind == "state":
            if self.clock.update(message.get("clock")):
                self._tell_clock()
        elif kind == "ecg":
            self._ecg(message)
        elif kind == "beat":
            rr_ms = message["rr_ms"]
            self._push_at(BEATS, message["at_s"], [math.nan if rr_ms is None else rr_ms, message["quality"]])
        elif kind == "pulse":
            self._push_at(TRIGGERS, message["at_s"], [TRIGGER_TEXT])
        elif kind == "coupling":
            values = [*coupling_values(message), float(self._site_n(message["site"]))]
            self._push(COUPLING, values, float(self._lsl.local_clock()))

    def _site_n(self, name: str) -> int:
        """Number of a site in the order of the session, from 1; 0 for one that was not planned."""
        names = site_names(self._hello or {})
        return names.index(name) + 1 if name in names else 0

    def _ecg(self, message: dict[str, Any]) -> None:
        first_s, values = float(message["first_s"]), message["mv"]
        if first_s < self._newest_s - BACK_S:
            self.clock.forget()
        self._newest_s = first_s
        if not self._ready():
            self.left_out_n += 1
            return
        last_s = self.clock.at(first_s + (len(values) - 1) / message["rate_hz"])
        self._outlets[ECG].push_chunk([[value] for value in values], last_s)
        self.sent_n[ECG] += len(values)

    def _push_at(self, stream: str, device_s: float, values: list[Any]) -> None:
        if self._ready():
            self._push(stream, values, self.clock.at(device_s))
        else:
            self.left_out_n += 1

    def _push(self, stream: str, values: list[Any], lsl_s: float) -> None:
        if self._outlets:
            self._outlets[stream].push_sample(values, lsl_s)
            self.sent_n[stream] += 1
        else:
            self.left_out_n += 1

    def _ready(self) -> bool:
        if self.clock.fit is None or self._hello is None:
            return False
        if not self._outlets:
            self._outlets = {stream: self._open(stream, self._hello) for stream in _COLUMNS}
            self._tell_clock()
        return True

    def _tell_clock(self) -> None:
        fit = self.clock.fit
        if fit is not None and self._outlets:
            drift_error_ppm = fit.drift_error_ppm if math.isfinite(fit.drift_error_ppm) else math.nan
            values = [self.clock.error_us, fit.drift_ppm, drift_error_ppm]
            self._push(CLOCK, values, float(self._lsl.local_clock()))

    def _open(self, stream: str, hello: dict[str, Any]) -> Any:
        kind, columns = _COLUMNS[stream]
        is_ecg, is_text = stream == ECG, stream == TRIGGERS
        who = sha256(str(hello["box"]["unique_id"]).encode()).hexdigest()[:12]
        info = self._lsl.StreamInfo(
            stream,
            kind,
            len(columns),
            float(hello["rate_hz"]) if is_ecg else self._lsl.IRREGULAR_RATE,
            self._lsl.cf_string if is_text else self._lsl.cf_double64,
            f"hbc-{who}-{stream.split()[1].lower()}",
        )
        describe(info.desc(), stream, columns, self.clock)
        if stream == COUPLING:
            sites = info.desc().append_child("sites")
            for name in site_names(hello):
                sites.append_child_value("site", name)
        return self._lsl.StreamOutlet(info)


def describe(desc: Any, stream: str, columns: Iterable[tuple[str, str]], clock: LslClock) -> None:
    """Write channels, origin and clock uncertainty into the description of a stream."""
    desc.append_child_value("manufacturer", "hbc-box")
    desc.append_child_value("version", __version__)
    channels = desc.append_child("channels")
    for label, unit in columns:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    about = desc.append_child("clock")
    about.append_child_value("source", "clock of the box, related to LSL's by pings")
    about.append_child_value("max_error_us", f"{clock.error_us:.1f}")
    about.append_child_value("max_error_later", f"see the stream {CLOCK}")
    about.append_child_value("latency", LATENCY[stream])


def site_names(hello: dict[str, Any]) -> list[str]:
    """The sites of a session in the planned order; none for a box alone."""
    return [str(site["name"]) for site in hello.get("session", {}).get("sites", [])]


def coupling_values(message: dict[str, Any]) -> list[float]:
    """Effect, 90 % interval, p and number of trains of the feed's ``coupling``; NaN where it has none."""
    low_bpm, high_bpm = message["ci90_bpm"] or (None, None)
    values = (message["effect_bpm"], low_bpm, high_bpm, message["p_value"], message["trains_n"])
    return [math.nan if value is None else float(value) for value in values]


@contextmanager
def outlets(lsl: Any) -> Iterator[Outlets]:
    """Outlets that end with the block."""
    streams = Outlets(lsl)
    try:
        yield streams
    finally:
        streams.close()
