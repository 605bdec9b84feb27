"""What ``hbc cohort check`` and ``fit`` say in the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hbc_host.counting import counted

if TYPE_CHECKING:
    from hbc_host.cli_common import Output
    from hbc_host.cohort.audit import Audit, Finding

LEVELS_SHOWN = ("refused", "left out", "warning")


def show_audit(out: Output, audit: Audit) -> None:
    """Refusals and warnings as a table, a line for each kind of note, and the counts."""
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold")
    for heading in ("", "about", "reason"):
        table.add_column(heading, overflow="fold")
    shown = [one for one in audit.findings if one.level in LEVELS_SHOWN]
    for one in shown:
        table.add_row(*(Text(cell) for cell in (one.level, one.about, one.text)))
    if shown:
        out.console.print(table)
    for note in notes_together([one for one in audit.findings if one.level not in LEVELS_SHOWN]):
        out.say(note)
    if audit.left_out_n:
        out.say(f"{counted(audit.left_out_n, 'recording')} left out as practice (--with-practice takes them in)")
    sites = ", ".join(f"{site} {patients_n}" for site, patients_n in audit.sites)
    out.say(
        f"{audit.loaded_n} of {counted(audit.recordings_n, 'recording')} can be read, with "
        f"{counted(len(audit.runs), 'run')}; patients at each site: {sites or 'none'}"
    )
    out.say(
        f"patients: {audit.patients_n} with recordings, {audit.outcomes_n} in the table of outcomes, "
        f"{audit.analysable_n} with both a run and an outcome"
    )


def notes_together(notes: Sequence[Finding]) -> list[str]:
    """A line for each kind of note; those that differ in their numbers only stand together, the first as an example."""
    kinds: dict[str, list[Finding]] = {}
    for one in notes:
        kinds.setdefault(re.sub(r"\d+(\.\d+)?", "0", one.text), []).append(one)
    lines = []
    for alike in kinds.values():
        about = "" if alike[0].about == "outcomes" else f"{alike[0].about}: "
        more = f" (and {len(alike) - 1} more like this: --json FILE writes all)" if len(alike) > 1 else ""
        lines.append(f"note: {about}{alike[0].text}{more}")
    return lines


def estimated(new_n: int, all_n: int) -> str:
    """How many recordings were estimated by this command, and how many an earlier one knew."""
    if new_n == all_n:
        return "all estimated now"
    known = counted(all_n - new_n, "is known", "are known") + " from an earlier fit"
    return f"{new_n} estimated now, {known}" if new_n else "all known from an earlier fit"


def show_fit(out: Output, document: dict[str, Any]) -> None:
    """The answer, what stands beside it, and the notes."""
    from hbc_host.cohort.ratio_words import num, ratio
    from hbc_host.cohort.report import pval, sentence

    out.say(sentence(document))
    prediction, seen = document["prediction"], document["validation"]
    if prediction:
        out.say(f"uncorrected, as measured: {ratio(prediction['as_measured_per_sd'])}")
        out.say(f"permutation p {pval(prediction['permutation_p'])}, {prediction['patients_n']} patients analysed")
    if seen:
        out.say(
            f"in patients left out of the fit: AUC {num(seen['auc']['auc'])} (0.5 is a coin), gain by coupling "
            f"{num(seen['gain']['auc'])}"
        )
    for text in document["limits"]:
        out.say(text)
    for note in document["notes"]:
        out.say(f"note: {note}")
