"""How the terminal shows a session: the same places as the page, in rows of text."""

from __future__ import annotations

from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hbc_host.app import results, view, words
from hbc_host.app.cell import Cell
from hbc_host.app.desk import READING_KEYS, Desk
from hbc_host.app.state import LiveState
from hbc_host.app.words import Words
from hbc_host.i18n import mark

STYLES = {"ok": "green", "warn": "bold yellow", "stop": "bold white on red", "none": ""}
SHAPES = {"ok": "● ", "warn": "▲ ", "stop": "■ ", "none": ""}
BARS = "▁▂▃▄▅▆▇█"
LABELS = {
    "feed": mark("Feed"), "box": mark("Box"), "leads": mark("Leads"), "signal": mark("Signal"), "lost": mark("Lost"),
    "drift": mark("Drift"), "trigger": mark("Last trigger"), "disk": mark("Disk"),
}  # fmt: skip
NOW = {"site": mark("Site"), "step": mark("Step"), "train": mark("Train"), "pulses": mark("Pulses")}


class Screen:
    """Draws in one language.

    Parameters
    ----------
    say : Words
    """

    def __init__(self, say: Words) -> None:
        self._say = say

    def render(self, live: LiveState, feed: str, desk: Desk, size: Any) -> RenderableType:
        """The whole terminal; an alarm that waits takes all of it."""
        desk.look(live)
        alarm = view.alarm_prompt(live, self._say, feed)
        prompt = Text(desk.prompt, style="bold")
        if alarm is not None:
            return Group(self._alarm(live, alarm, size), prompt)
        if desk.shows_cards:
            return Group(self._cards(), prompt)
        cells = view.cells(live, self._say, feed) | results.coupling_cells(live, self._say)
        parts: list[RenderableType] = [self._strip(cells)]
        parts += [
            Text(SHAPES[line.level] + line.text, style=STYLES[line.level])
            for line in view.problem_lines(live, self._say, feed)
        ]
        parts += [self._heart(cells, live, size), self._now(cells), self._coupling(cells), self._map(live)]
        parts += [Text(line, style="bold") for line in results.result_lines(live, self._say)]
        over = view.over_words(live, self._say, feed)
        if over:
            parts.append(Text(over, style="bold"))
        return Group(*parts, prompt, self._keys(READING_KEYS if over else ""))

    def _cell(self, cell: Cell) -> Text:
        return Text(SHAPES[cell.level] + cell.text, style=STYLES[cell.level])

    def _strip(self, cells: dict[str, Cell]) -> RenderableType:
        line = Text()
        for name, label in LABELS.items():
            line.append(self._say.say(label) + " ", style="dim").append_text(self._cell(cells[name])).append("  ")
        return line

    def _heart(self, cells: dict[str, Cell], live: LiveState, size: Any) -> RenderableType:
        rate_text = cells["rate"].text + " " + self._say.say(mark("bpm"))
        line = Text().append(rate_text, style="bold " + STYLES[cells["rate"].level])
        line.append(f"   RR {cells['rr'].text} ms   ").append(cells["rate_note"].text, style="dim").append("\n")
        line.append(sparkline([beat["rr_ms"] for beat in live.beats if beat.get("counted", True)], size.width - 6))
        return Panel(line, title=self._say.say(mark("Heart rate")), title_align="left")

    def _now(self, cells: dict[str, Cell]) -> RenderableType:
        line = (
            Text()
            .append_text(self._cell(cells["phase"]))
            .append("   ")
            .append_text(self._cell(cells["next"]))
            .append("\n")
        )
        for name, label in NOW.items():
            cell = self._cell(cells[name])
            cell.stylize("bold")
            line.append(self._say.say(label) + " ", style="dim").append_text(cell).append("   ")
        if cells["observation"].text:
            line.append("\n").append_text(self._cell(cells["observation"]))
        return Panel(line, title=self._say.say(mark("Now")), title_align="left")

    def _coupling(self, cells: dict[str, Cell]) -> RenderableType:
        line = Text()
        for name in ("coupling_site", "effect", "interval", "verdict", "adjusted"):
            if cells[name].text:
                line.append_text(self._cell(cells[name])).append("   ")
        return Panel(line, title=self._say.say(mark("Coupling so far")), title_align="left")

    def _map(self, live: LiveState) -> RenderableType:
        found = results.site_map(live, self._say)
        table = Table(box=None, padding=(0, 1, 0, 0))
        table.add_column(self._say.say(mark("Site")))
        for column in found["columns"]:
            table.add_column(column, justify="right")
        for row in found["rows"]:
            marks = [Text(cell["mark"] + cell["text"], style=STYLES[cell["level"]]) for cell in row["cells"]]
            table.add_row(Text(row["site"], style="bold underline" if row["now"] else ""), *marks)
        return table

    def _alarm(self, live: LiveState, alarm: dict[str, Any], size: Any) -> RenderableType:
        rate = view.heart(live, self._say)["rate"].text
        rate_text = f"{rate} " + self._say.say(mark("bpm"))
        lines = [self._say.say(words.STOP_NOW).upper(), "", alarm["text"], rate_text, alarm["over"], alarm["more"]]
        text = Text("\n".join(lines), style="bold white on red", justify="center")
        return Panel(text, title="STOP", style="bold white on red", height=max(8, size.height - 2), padding=(2, 2))

    def _cards(self) -> RenderableType:
        parts: list[RenderableType] = []
        for title, card in (
            (mark("Syncope: pale, dizzy, slow heart, fainting"), words.SYNCOPE),
            (mark("Seizure: stiffening, jerking, not responding"), words.SEIZURE),
        ):
            lines = "\n".join(f"{n}. {self._say.say(line)}" for n, line in enumerate(card, 1))
            parts.append(Panel(lines, title=self._say.say(title), title_align="left"))
        return Group(*parts)

    def _keys(self, only: str) -> RenderableType:
        """Hints for the keys; for some of them when ``only`` names those."""
        hints = [
            Text().append(f" {key} ", style="reverse").append(f" {self._say.say(what)}")
            for key, what in (*words.KEYS, ("Q", mark("leave this view")))
            if key not in "TM" and (not only or key.lower() in only)
        ]
        return Columns(hints, padding=(0, 2))  # a hint is never torn at the end of a line


def sparkline(values: list[float | None], width: int) -> str:
    """The last values as a row of bars, from the smallest to the largest; empty without values."""
    known = [value for value in values if value is not None][-max(1, width) :]
    if not known:
        return ""
    low, high = min(known), max(known)
    span = max(high - low, 1e-9)
    return "".join(BARS[round((value - low) / span * (len(BARS) - 1))] for value in known)
