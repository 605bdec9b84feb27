"""A check as a terminal table."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from hbc_host.box.verdicts import FAIL, NOTE, PASS, SKIP, Row

STYLES = {PASS: "green", FAIL: "bold red", NOTE: "blue", SKIP: "dim"}


def row_table(rows: Iterable[Row]) -> Table:
    """One line per requirement."""
    table = Table(header_style="bold")
    for heading in ("", "requirement", "limit", "measured", "what to do"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        cells = [Text(text) for text in (row.name, row.limit, row.measured, row.what_to_do)]
        table.add_row(Text(row.status, style=STYLES[row.status]), *cells)
    return table
