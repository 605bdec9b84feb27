"""Names that programs far from each other agree on: files in a session folder, simulated boxes; light to import."""

from __future__ import annotations

REPORT_NAME = "report.html"
#: "SIM" in ASCII, as the box writes its number. The first byte of a chip's own number is never odd (it would be a group
#: of chips), so no box that somebody built can be taken for a simulated one.
SIMULATED_BOX = "53494d"


def report_name(language: str, own: str = "en", *, stem: str = "report", ending: str = ".html") -> str:
    """Name of a report: one in another language than its session's own says which, so that none replaces another.

    >>> report_name("nl", "nl"), report_name("nl", stem="P-014"), report_name("en", "nl", ending=".pdf")
    ('report.html', 'P-014.nl.html', 'report.en.pdf')
    """
    return f"{stem}{'' if language == own else f'.{language}'}{ending}"


def is_simulated(box_id: str) -> bool:
    """True for the number of a simulated box, as its Hello gives it."""
    return box_id.startswith(SIMULATED_BOX)
