"""Names of files in a session folder that programs far from each other agree on; light, for each of them to import."""

from __future__ import annotations

REPORT_NAME = "report.html"
