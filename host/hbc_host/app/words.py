"""What the live page and the terminal say, in the language of the clinic; English stands here, Dutch in the catalogue.

Tables hold whole sentences with :func:`hbc_host.i18n.mark`, so that a test can hold each against the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hbc_host.i18n import counter, mark, translator

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"

STOP_NOW = mark("Stop the stimulator now - the software cannot")
NOT_VISIBLE = mark("Heart not visible: nobody watches the beats now. Check electrodes and cable.")
NOT_VISIBLE_NAME = mark("Heart not visible")
NOT_ENOUGH = mark("not enough data")
NOT_ADJUSTED = mark("not adjusted yet")
INTERVAL = mark("{low} to {high}")
UNKNOWN_ALARM = mark("Alarm: {what}")

ALARMS = {
    "slow": mark("Slow heart: {measured} bpm, limit {limit} bpm"),
    "fast": mark("Fast heart: {measured} bpm, limit {limit} bpm"),
    "pause": mark("No heartbeat for {limit} s"),
}
ALARM_NAMES = {
    "slow": mark("Slow heart"),
    "fast": mark("Fast heart"),
    "pause": mark("No heartbeat"),
}
PROBLEMS = {
    "no_box": mark("No box: nothing is measured. Plug it in; in a terminal, hbc doctor says what is wrong."),
    "no_triggers": mark("No triggers arrive: check the trigger cable and that the stimulator is on."),
    "wrong_train_length": mark("Wrong train length: check the stimulator's settings."),
    "missing_pulses": mark("Too few pulses: check the stimulator's settings and the trigger cable."),
    "extra_pulses": mark("Too many pulses: check the stimulator's settings."),
    "wrong_order": mark("Not the planned order: compare with what is asked for here."),
    "over_cap": mark("OVER THE CLINIC'S CAP: stop the stimulator and compare with the signed protocol."),
    "heart_not_visible": NOT_VISIBLE,
    "lead_off": mark("An electrode is off: press it on, or replace it."),
    "early_train": mark("Too early: wait for the end of the rest."),
    "extra_trains": mark("More trains than planned: stop the stimulator."),
    "missed_train": mark("A train seems to be missing."),
    "wrong_intensity": mark("Another intensity than planned."),
    "box_restarted": mark("The box started anew: what it measured in between is missing."),
    "missing_edges": mark("The box lost trigger edges: check the trigger cable."),
    "disk": mark("The disk is nearly full: make room now, or the recording ends."),
    "disk_unknown": mark("The free space of the disk cannot be seen: is it still there?"),
    "unsigned_protocol": mark("Nobody signed this protocol: its limits are proposals, for practice only."),
}
#: Problems for which the operator must act at once; the others ask for attention.
URGENT = ("no_box", "over_cap", "heart_not_visible", "disk")

#: Problems whose text holds measured numbers that the sentence above lacks.
MEASURED = (
    "wrong_train_length", "missing_pulses", "extra_pulses", "extra_trains", "missed_train", "early_train",
    "wrong_order", "wrong_intensity", "over_cap", "missing_edges", "no_triggers",
)  # fmt: skip

PHASES = {
    "waiting": mark("Place the coil at {site}, then press R"),
    "rest": mark("Rest - do not stimulate"),
    "connecting": mark("Waiting for the session"),
    "stimulating": mark("Train is running"),
    "pause": mark("Pause between trains"),
    "move_coil": mark("Place the coil at {site}, then press R"),
    "finished": mark("The session is finished"),
    "no_box": mark("No box"),
    "ended": mark("The recording has ended"),
}
SIGNALS = {
    "good": mark("good"),
    "noisy": mark("noise"),
    "hum": mark("mains hum"),
    "saturated": mark("overdriven"),
    "flat": mark("flat line"),
    "lead_off": mark("electrode off"),
}
VERDICTS = {
    "coupled": mark("coupled"),
    "not_shown": mark("not shown"),
    "cannot_tell": mark("cannot be told from another rhythm"),
    "unusable": mark("no usable answer"),
    "not_enough_data": NOT_ENOUGH,
}
EVENTS = {
    "headache": mark("headache"),
    "scalp_pain": mark("pain of scalp or face"),
    "nausea": mark("nausea"),
    "dizziness": mark("dizziness"),
    "tingling": mark("tingling"),
    "twitching": mark("muscle twitching"),
    "hearing_change": mark("change of hearing"),
    "psychotic_symptoms": mark("psychotic symptoms"),
    "seizure": mark("seizure"),
    "syncope": mark("syncope (fainting)"),
    "other": mark("other"),
}
SEVERITIES = {"mild": mark("mild"), "moderate": mark("moderate"), "severe": mark("severe")}

SYNCOPE = (
    mark("Stop the stimulator. Take the coil away."),
    mark("Lay the patient flat, raise the legs, loosen tight clothing."),
    mark("Watch breathing and pulse. Not breathing normally: call the emergency number, start resuscitation."),
    mark("Not awake within a minute: call the emergency number."),
    mark("Call the supervisor. Keep the patient lying until fully recovered."),
    mark("Write it down (V): this starts the observation timer. The supervising clinician decides whether to go on."),
)
SEIZURE = (
    mark("Stop the stimulator. Take the coil away. Note the time."),
    mark("Protect the head, move hard things away. Do not hold the patient down; nothing into the mouth."),
    mark("Call the supervisor at once. Follow the clinic's own plan for seizures."),
    mark("Longer than five minutes, or a second one: call the emergency number."),
    mark("When it ends: recovery position, keep the airway free, stay with the patient."),
    mark("Write it down (V): this starts the observation timer. The session is over."),
)

KEYS = (
    ("R", mark("coil in place")),
    ("0-9 X", mark("discomfort, X is 10 (silent)")),
    ("A", mark("acknowledge")),
    ("V", mark("adverse event")),
    ("N", mark("note")),
    ("C", mark("syncope and seizure cards")),
    ("O", mark("end the observation")),
    ("I", mark("note the intensity")),
    ("S", mark("skip site")),
    ("E", mark("end")),
    ("T", mark("light or dark")),
    ("M", mark("test the sound")),
)

READING_KEYS = ("C", "T", "M")  # they write nothing down, and go on working when a session is over


class Words:
    """Sentences and numbers in one language.

    Parameters
    ----------
    language : str
        ``"en"`` or ``"nl"``. Raises InputError for another one.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._translate = translator("live", language)
        self._count = counter("live", language)

    def say(self, text: str, **values: Any) -> str:
        """A marked sentence in this language, with its values in place."""
        said = self._translate(text) if text else ""
        return said.format(**values) if values else said

    def several(self, forms: tuple[str, str], n: int, **values: Any) -> str:
        """A marked sentence with a number before a noun, in the form that this language has for the number."""
        return self._count(*forms, n).format(n=n, **values)

    def number(self, value: float | None, digits: int = 0) -> str:
        """A number as people here write it; a dash when there is none."""
        if value is None or value != value:
            return DASH
        text = f"{value:.{digits}f}".replace("-", MINUS)
        if not text.strip(f"{MINUS}0."):
            text = text.removeprefix(MINUS)
        return text.replace(".", ",") if self.language == "nl" else text

    def interval(self, pair: Sequence[float] | None, digits: int = 1) -> str:
        """Both ends of an interval."""
        if not pair or None in pair:
            return DASH
        return self.say(INTERVAL, low=self.number(pair[0], digits), high=self.number(pair[1], digits))

    def of(self, table: Mapping[str, str], code: str, fallback: str = "", **values: Any) -> str:
        """The sentence for a code, or, for a code that this program does not know, what came with it."""
        if code not in table:
            return fallback or code.replace("_", " ")
        return self.say(table[code], **values)

    def alarm(self, alarm: Mapping[str, Any]) -> str:
        """One line for an alarm of the feed: what, measured against which limit."""
        kind, measured, limit = str(alarm.get("kind", "")), alarm.get("measured"), alarm.get("limit")
        if kind not in ALARMS:
            return self.say(UNKNOWN_ALARM, what=alarm.get("text") or kind)
        wanted = [value for name, value in (("measured", measured), ("limit", limit)) if f"{{{name}}}" in ALARMS[kind]]
        if any(value is None for value in wanted):
            return self.say(ALARM_NAMES[kind])
        digits = 1 if kind == "pause" else 0
        return self.say(ALARMS[kind], measured=self.number(measured, digits), limit=self.number(limit, digits))
