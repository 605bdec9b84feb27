"""Compile the language catalogues: ``python -m tests.catalogues`` writes each ``.mo`` beside its ``.po``."""

from __future__ import annotations

import io
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hbc_host.i18n import LOCALE


def compiled(po: Path) -> bytes:
    """Content of the ``.mo`` that belongs to a ``.po``."""
    target = io.BytesIO()
    with po.open("rb") as file:
        write_mo(target, read_po(file, locale=po.parents[1].name))
    return target.getvalue()


if __name__ == "__main__":
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        path.with_suffix(".mo").write_bytes(compiled(path))
