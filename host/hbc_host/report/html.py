"""One self-contained HTML file from a report in words: page 1 decides, the pages after it show why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hbc_host.report.drawing import themed
from hbc_host.report.page import Drawing, Page

if TYPE_CHECKING:
    from markupsafe import Markup

HERE = Path(__file__).parent


def render(page: Page) -> str:
    """The whole page as text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(unbroken=unbroken, drawn=_drawn)
    # Our own style sheet and figures are markup; everything else is escaped.
    style = Markup((HERE / "report.css").read_text(encoding="utf-8"))
    return environment.get_template("report.html.j2").render(page=page, style=style).lstrip()


def _drawn(drawing: Drawing) -> Markup:
    from markupsafe import Markup

    return Markup(themed(drawing))


def unbroken(text: str) -> Markup:
    """Escaped text in which a name such as ``BF3-L`` is never broken at its hyphen."""
    from markupsafe import Markup

    whole = Markup('<span class="nb">{}</span>')
    return Markup(" ").join(whole.format(word) if "-" in word and len(word) < 24 else word for word in text.split(" "))
