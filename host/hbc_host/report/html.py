"""One self-contained HTML file from an analysis: page 1 decides, the pages after it show why."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hbc_host import __version__
from hbc_host.errors import InputError
from hbc_host.report import comparing, words

if TYPE_CHECKING:
    from markupsafe import Markup

    from hbc_host.analysis import Analysis, SiteResult, StepEffect

HERE = Path(__file__).parent
MAP_COLUMNS_N = 20  # more columns than this cannot be read on A4; longer maps continue below

# Fixed limits, not the range of this recording: a colour means the same effect in every report.
MAP_LIMITS_BPM = (0.5, 1.5, 3.0, 5.0)
# A step known no better than this could be nothing or the strongest class; a colour would claim more than is known.
MAP_UNCERTAIN_BPM = 5.0


@dataclass(frozen=True)
class Cell:
    """One site at one step: what the map shows and what it says on hover."""

    text: str
    shade: str
    hint: str


@dataclass(frozen=True)
class MapBlock:
    """A stretch of steps that fits the page: column heads and one row of cells per site."""

    steps: tuple[str, ...]
    intensities: tuple[str, ...]
    rows: tuple[tuple[SiteResult, tuple[Cell, ...]], ...]


@dataclass(frozen=True)
class Bar:
    """Place of an interval on the scale that all sites share, in percent of its width."""

    low: float
    high: float
    middle: float
    zero: float


def write_report(
    analysis: Analysis,
    path: str | Path,
    *,
    command: str,
    session_info: Mapping[str, str] | None = None,
    made: datetime | None = None,
    drawn_from: str = "",
) -> Path:
    """Write the report of `analysis` and return where it is.

    Parameters
    ----------
    analysis : Analysis
        What :mod:`hbc_host.analysis` found.
    path : str or Path
        The HTML file; missing folders are made, an older report of that name is replaced.
    command : str
        The command line that gives these numbers again.
    session_info : mapping of str to str, optional
        Facts for the head of page 1 in the order given, such as ``{"Recorded": "2026-05-04 10:31", "Box": "esp32"}``.
    made : datetime, optional
        When the report was made; now, unless told otherwise.
    drawn_from : str
        Name of the saved result that the page is drawn from; empty when the numbers were computed just now.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    target = Path(path)
    when = made or datetime.now().astimezone()
    page = render(analysis, command=command, session_info=session_info or {}, made=when, drawn_from=drawn_from)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page, encoding="utf-8")
    except OSError as fault:
        raise InputError(f"cannot write the report {target}: {fault.strerror}; choose another place") from None
    return target


def render(
    analysis: Analysis, *, command: str, session_info: Mapping[str, str], made: datetime, drawn_from: str = ""
) -> str:
    """The whole page as text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from hbc_host.report.figures import dose_figure, response_figure

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=words, comparing=comparing, bar=lambda site: interval_bar(analysis.sites, site))
    environment.filters.update(unbroken=unbroken, threshold_notes=comparing.threshold_notes)
    response, dose = response_figure(analysis), dose_figure(analysis)
    return environment.get_template("report.html.j2").render(
        analysis=analysis,
        # Our own style sheet and figures are markup; everything else is escaped.
        style=Markup((HERE / "report.css").read_text(encoding="utf-8")),
        response=Markup(response) if response else None,
        dose=Markup(dose) if dose else None,
        source=re.sub(r"[^\s,]*[/\\](?=[^\s,/\\])", "", analysis.source),  # page 1 names files, provenance their paths
        map_blocks=map_blocks(analysis.sites),
        legend=legend(),
        quality=[(quality_label(key), quality_text(key, value)) for key, value in analysis.quality.items()],
        session_info=session_info,
        command=command,
        made=made,
        drawn_from=drawn_from,
        version=__version__,
    )


def unbroken(text: str) -> Markup:
    """Escaped text in which a name such as ``BF3-L`` is never broken at its hyphen."""
    from markupsafe import Markup

    whole = Markup('<span class="nb">{}</span>')
    return Markup(" ").join(whole.format(word) if "-" in word and len(word) < 24 else word for word in text.split(" "))


def map_blocks(sites: Sequence[SiteResult]) -> list[MapBlock]:
    """The site x intensity map, cut into stretches of at most :data:`MAP_COLUMNS_N` steps."""
    numbers = sorted({step.step_n for site in sites for step in site.steps})
    by_number = [{step.step_n: step for step in site.steps} for site in sites]
    blocks = []
    for start in range(0, len(numbers), MAP_COLUMNS_N):
        chosen = numbers[start : start + MAP_COLUMNS_N]
        rows = tuple(
            (site, tuple(map_cell(site, steps.get(n), n) for n in chosen))
            for site, steps in zip(sites, by_number, strict=True)
        )
        levels = [{steps[n].intensity_pct for steps in by_number if n in steps} for n in chosen]
        # One head for all sites is only true if all sites had the same intensity in that step.
        same = all(len(level) == 1 and None not in level for level in levels)
        intensities = tuple(f"{next(iter(level)):g}" for level in levels) if same else ()
        blocks.append(MapBlock(tuple(map(str, chosen)), intensities, rows))
    return blocks


def map_cell(site: SiteResult, step: StepEffect | None, step_n: int) -> Cell:
    """Number, shade and hint of one cell; a missing or unusable step is hatched, never zero."""
    where = f"{site.site}, step {step_n}"
    if step is None or not step.usable or step.effect_bpm != step.effect_bpm:
        return Cell("", "none", f"{where}: not usable")
    if step.intensity_pct is not None:
        where += f" ({step.intensity_pct:g} %)"
    text = words.number(step.effect_bpm)
    span = words.interval(step.low_bpm, step.high_bpm)
    return Cell(text, _shade(step), f"{where}: slowing {text} bpm, {words.STEP_INTERVAL} {span}")


def _shade(step: StepEffect) -> str:
    if not step.high_bpm - step.low_bpm <= 2 * MAP_UNCERTAIN_BPM:
        return "wide"
    level = sum(abs(step.effect_bpm) >= limit for limit in MAP_LIMITS_BPM)
    return "level0" if level == 0 else f"{'slow' if step.effect_bpm > 0 else 'fast'}{level}"


def legend() -> list[tuple[str, str]]:
    """Shade and meaning, strongest speeding to strongest slowing."""
    limits = [f"{limit:g}" for limit in MAP_LIMITS_BPM]
    ranges = [f"{low} to {high}" for low, high in itertools.pairwise(limits)] + [f"over {limits[-1]}"]
    fast = [(f"fast{n}", text) for n, text in enumerate(ranges, 1)]
    slow = [(f"slow{n}", text) for n, text in enumerate(ranges, 1)]
    return [*reversed(fast), ("level0", f"under {limits[0]}"), *slow]


def interval_bar(sites: Sequence[SiteResult], site: SiteResult) -> Bar | None:
    """Where the interval of `site` lies on a scale that holds the intervals of all `sites` and zero."""
    ends = [end for each in sites for end in each.coupling.ci90_bpm if abs(end) != float("inf") and end == end]
    low, high = site.coupling.ci90_bpm
    if words.interval(low, high) == words.NONE:
        return None
    left, right = min([*ends, -1.0]), max([*ends, 1.0])

    def place(value: float) -> float:
        return round(100 * (value - left) / (right - left), 2)

    return Bar(place(low), place(high), place(site.coupling.effect_bpm), place(0.0))


QUALITY_LABELS = {
    "beats_n": "beats",
    "edges_n": "trigger edges",
    "trains_n": "trains",
    "excluded_share": "beats excluded or corrected",
    "frames_n": "frames received",
    "frames_lost_n": "frames lost",
    "frames_bad_n": "frames damaged",
    "edges_lost_n": "trigger edges lost",
    "samples_lost_n": "ECG samples lost",
    "boots_n": "starts of the box",
    "gaps_n": "gaps",
    "gaps_s": "time in gaps (s)",
    "bytes_n": "bytes received",
    "duration_s": "duration (s)",
}
UNITS = {"s": "(s)", "ms": "(ms)", "us": "(µs)", "hz": "(Hz)", "bpm": "(bpm)", "pct": "(%)", "ppm": "(ppm)"}


def quality_label(key: str) -> str:
    """``rr_median_ms`` -> ``rr median (ms)``; the commonest keys have words of their own."""
    if key in QUALITY_LABELS:
        return QUALITY_LABELS[key]
    stem, _, unit = key.rpartition("_")
    if stem and unit in UNITS:
        return f"{stem.replace('_', ' ')} {UNITS[unit]}"
    return key.removesuffix("_n").removesuffix("_share").replace("_", " ")


def quality_text(key: str, value: str | int | float) -> str:
    """A quality figure as text: shares in percent, whole numbers grouped by thin spaces, others with four digits."""
    if isinstance(value, str):
        return value
    if key.endswith("_share"):
        return words.percent(value)
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}".replace(",", "\u202f").replace("-", words.MINUS)
    return f"{value:.4g}".replace("-", words.MINUS) if value == value else words.NONE
