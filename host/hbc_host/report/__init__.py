"""The report: one HTML file that a clinician can read and print."""

from hbc_host.report.html import write_report

__all__ = ["write_report"]
