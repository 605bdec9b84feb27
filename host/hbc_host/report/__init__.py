"""The report: an HTML file or a PDF that a clinician can read and print, in English or Dutch."""

from hbc_host.report.writing import write_report

__all__ = ["write_report"]
