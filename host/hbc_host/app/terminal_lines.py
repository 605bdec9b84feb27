"""Lines of ``hbc session run`` in its terminal, in the language of the session.

Errors, and what concerns port, wire and disk, stay English: whoever mends these looks for the words in the docs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hbc_host.alarms import NOT_VISIBLE
from hbc_host.app import words
from hbc_host.app.details import said
from hbc_host.app.view import problem_text
from hbc_host.app.words import Words
from hbc_host.i18n import mark

if TYPE_CHECKING:
    from hbc_host.alarms import Alarm

LINES = (
    mark("practice: five minutes, two sites, a simulated patient; press R on the page when the coil is in place"),
    mark("live page: {address}"),
    mark("recording to {folder}; Ctrl-C ends it. Follow and operate it from another terminal: {command}"),
    mark("all sites are done: press E to end the session, or it ends by itself in {time}"),
    mark("all sites are done: the session waits for the end of the observation (O)"),
    mark("{error}; the recording waits for the box to come back"),
    mark("the box is back on {port}; the recording goes on"),
    mark("the session is over; its live page can be read for {n} min more"),
    mark("no result: {error}"),
    mark("kept in the store: visit {n} of {patient}"),
    mark("report: {path}"),
    mark("{n} s recorded: {beats} beats, {edges} trigger edges, {frames} frames ({lost} lost, {bad} damaged)"),
    mark("connection lost and found {n} times, box restarted {boots} times"),
    mark("session: {path}"),
    mark("next: open {path} in a browser; on paper: {command}"),
    mark("next: {command}"),
    mark("no trigger edges: nothing to analyse yet; check the trigger cable if trains were given"),
)
#: What a problem is called when it is over: its sentence of before tells to do something, which is not to be done now.
PROBLEM_NAMES = {
    "no_box": mark("no connection to the box"),
    "no_triggers": mark("no triggers"),
    "wrong_train_length": mark("train of another length"),
    "missing_pulses": mark("missing pulses"),
    "extra_pulses": mark("pulses too many"),
    "wrong_order": mark("sites in another order"),
    "over_cap": mark("cap of the clinic passed"),
    "heart_not_visible": mark("heart not visible"),
    "lead_off": mark("electrode off"),
    "early_train": mark("train too early"),
    "extra_trains": mark("trains too many"),
    "missed_train": mark("a train was missed"),
    "wrong_intensity": mark("another intensity than planned"),
    "box_restarted": mark("the box started anew"),
    "missing_edges": mark("lost triggers"),
    "disk": mark("little space on the disk"),
    "disk_unknown": mark("the disk's free space could not be seen"),
    "unsigned_protocol": mark("protocol not signed"),
}
PROBLEM = mark("problem: {what}")
OVER = mark("over: {what}")
ALARM_OVER = mark("alarm over: {what}")


class TerminalLines:
    """Says them.

    Parameters
    ----------
    language : str
        Of the session.
    """

    def __init__(self, language: str) -> None:
        self._words = Words(language)

    def line(self, text: str) -> str:
        """A line that this program says in English; one that is not known here stays as it is."""
        return said(text, self._words, LINES)

    def alarm(self, alarm: Alarm) -> str:
        """An alarm that began or ended; in English as the log has it."""
        if self._words.language == "en":
            return f"{'ALARM' if alarm.began else 'alarm'} {alarm.text}"
        if alarm.began:
            what = self._words.say(words.NOT_VISIBLE) if alarm.kind == NOT_VISIBLE else self._words.alarm(vars(alarm))
            return f"ALARM {what}"
        name = words.NOT_VISIBLE_NAME if alarm.kind == NOT_VISIBLE else words.ALARM_NAMES.get(alarm.kind, alarm.kind)
        return self._words.say(ALARM_OVER, what=self._words.say(name))

    def problem(self, problem: Mapping[str, Any]) -> str:
        """A problem that began, in the words of the page, which say what to do; by its name alone when it is over."""
        if problem["began"]:
            return self._words.say(PROBLEM, what=problem_text(problem, self._words))
        return self._words.say(OVER, what=self._words.of(PROBLEM_NAMES, str(problem["code"])))
