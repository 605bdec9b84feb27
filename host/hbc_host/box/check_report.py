"""The paper that a check leaves: one HTML file to sign, one JSON file for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from hbc_host import __version__
from hbc_host.box.verdicts import FAIL, Row, passed
from hbc_host.errors import InputError

HERE = Path(__file__).parent
HTML_NAME, JSON_NAME = "check.html", "check.json"


def check_document(rows: Sequence[Row], hello: Any, when: datetime, port: str) -> dict[str, Any]:
    """All of a check as plain values.

    Parameters
    ----------
    rows : sequence of Row
    hello : namedtuple Hello
    when : datetime
        With time zone.
    port : str
    """
    return {
        "result": "PASS" if passed(rows) else "FAIL",
        "failed_n": sum(row.status == FAIL for row in rows),
        "when": when.isoformat(timespec="seconds"),
        "port": port,
        "host_version": __version__,
        "box": {name: getattr(hello, name) for name in ("unique_id", "board", "firmware", "wire_version", "capture",
                                                        "boot_n", "rate_hz", "bracket_half_ns")},
        "rows": [asdict(row) for row in rows],
    }  # fmt: skip


def write_check(document: dict[str, Any], folder: Path) -> Path:
    """Write both files; return the HTML one. Raises InputError when the folder cannot be written."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("check.html.j2").render(document)
    try:
        (folder / JSON_NAME).write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        (folder / HTML_NAME).write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another --out") from None
    return folder / HTML_NAME
