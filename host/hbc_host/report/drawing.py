"""Drawing as SVG: for print as it is, for the page with the colours of the page.

matplotlib draws with one hexadecimal colour per role; :func:`themed` then swaps each for a CSS variable, so that the
same figure reads in light, dark and print. Text stays text (searchable, in the font of the page).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hbc_host.report.language import ENGLISH, Language
from hbc_host.report.page import Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Role -> colour while drawing. The values are the light theme; report.css owns both themes under the same names.
ROLES = {
    "ink": "#1b2430",
    "muted": "#5b6672",
    "grid": "#dde2e8",
    "series": "#0b61a4",
    "train": "#e0a526",
    "warn": "#b4540a",
}
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hbc",  # the same numbers give the same bytes
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.edgecolor": ROLES["muted"],
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": ROLES["muted"],
    "ytick.color": ROLES["muted"],
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "grid.color": ROLES["grid"],
    "grid.linewidth": 0.6,
}
PAGE_WIDTH_IN = 7.3  # the printable width of A4 with 12 mm margins, so that 8 pt in a figure is 8 pt on paper
COLUMNS_N = 4
LEFT_IN, TOP_IN, BOTTOM_IN = 0.52, 0.26, 0.44


@contextmanager
def panels(panels_n: int, *, height_in: float, shared: bool = True) -> Iterator[tuple[Figure, list[Axes]]]:
    """A grid of panels, by default with shared axes, drawn without pyplot's global state."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    columns_n = min(panels_n, COLUMNS_N)
    rows_n = -(-panels_n // columns_n)
    # One or two panels would be stretched over the page; a panel keeps about the width it has among four.
    width_in = PAGE_WIDTH_IN * (0.5 if columns_n == 1 else 0.75 if columns_n == 2 else 1.0)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width_in, height_in * rows_n + BOTTOM_IN))
        # Margins in inches rather than a layout engine: the panels are alike, and the page is drawn in half the time.
        grid = figure.subplots(
            rows_n,
            columns_n,
            sharex=shared,
            sharey=shared,
            squeeze=False,
            gridspec_kw={
                "left": LEFT_IN / width_in,
                "right": 1.0 - 0.05 / width_in,
                "bottom": BOTTOM_IN / figure.get_figheight(),
                "top": 1.0 - TOP_IN / figure.get_figheight(),
                "wspace": 0.1 if shared else 0.25,
                "hspace": 0.35,
            },
        )
        axes = list(grid.flat)
        for spare in axes[panels_n:]:
            spare.set_visible(False)
        for ax in axes[:panels_n]:
            ax.grid(axis="y")
            ax.set_axisbelow(True)
        yield figure, axes[:panels_n]


def draw(figure: Figure, name: str, description: str, lang: Language = ENGLISH) -> Drawing:
    """A figure as SVG of its own: no metadata, own ids, the numbers of its axes as the language writes them."""
    for ax in figure.axes if lang.code != ENGLISH.code else ():
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(lambda value, _: lang.short(round(float(value), 10)))
    buffer = io.StringIO()
    metadata: dict[str, Any] = {"Date": None}  # a date would make every report differ
    figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Figures on a page use the same ids inside; a prefix keeps their references apart.
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\g<1>#{name}-", svg)
    return Drawing(name, description, svg, figure.get_figwidth() / PAGE_WIDTH_IN)


def themed(drawing: Drawing) -> str:
    """SVG to stand inside the page: no prolog, the page's colours and fonts."""
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", drawing.svg)
    svg = svg.replace("xlink:href", "href")
    for role, colour in ROLES.items():
        svg = svg.replace(colour, f"var(--{role})")
    svg = re.sub(r"'DejaVu Sans'(, sans-serif)?", "var(--font)", svg)
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', "", svg, count=1)
    label = f'role="img" aria-label="{drawing.description}" class="figure" style="max-width: {drawing.share:.0%}"'
    return svg.replace("<svg", f"<svg {label}", 1)


def inline(figure: Figure, name: str, description: str) -> str:
    """A figure at once as SVG to stand inside a page."""
    return themed(draw(figure, name, description))
