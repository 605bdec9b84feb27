"""What a finished recording consists of: files, sizes, hashes, versions, and the hash of its result."""

from __future__ import annotations

import json
import os
import platform
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from hbc_host import __version__
from hbc_host.errors import HbcError, SessionError
from hbc_host.folder import sync_folder, why_not_made, write_synced
from hbc_host.parts import log_parts
from hbc_host.session import META_NAME, load_session, session_hash

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 1
FINISHED = ("stopped", "interrupted", "repaired")  # ended as somebody wished; anything else may be continued
READ_N = 1 << 20


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; raises OSError."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(READ_N):
            digest.update(block)
    return digest.hexdigest()


def earlier_manifest_name(number: int) -> str:
    """Name that the manifest of an earlier ending gets when the recording is continued, counted from 1."""
    return f"manifest.{number}.json"


def recorded_files(folder: Path) -> list[Path]:
    """Labels, logs and earlier manifests of a recording, as far as they are there."""
    earlier = sorted(folder.glob(earlier_manifest_name(0).replace("0", "[0-9]*")))
    return [path for path in (folder / META_NAME, *log_parts(folder), *earlier) if path.is_file()]


def write_manifest(folder: Path, *, ended: str, reason: str, extra: dict[str, Any] | None = None) -> None:
    """Write the manifest of a recording whose files are closed; an earlier one keeps its content under another name.

    Parameters
    ----------
    folder : Path
    ended, reason : str
        As in :class:`hbc_host.record.RecordSummary`.
    extra : dict, optional
        Further fields, such as where a repaired recording comes from.

    Raises
    ------
    SessionError
        It cannot be written; the recording itself is not touched.
    """
    document = {
        "format": MANIFEST_VERSION,
        "ended": ended,
        "reason": reason,
        "written": datetime.now().astimezone().isoformat(),
        "host": {"system": platform.platform(), "python": platform.python_version()},
        "versions": {"hbc-box": __version__, "numpy": np.__version__},
        **_result(folder),
        **(extra or {}),
    }
    new = folder / f".{MANIFEST_NAME}"
    try:
        _keep_earlier(folder)
        files = [
            {"name": path.name, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
            for path in recorded_files(folder)
        ]
        new.unlink(missing_ok=True)
        write_synced(new, json.dumps({**document, "files": files}, indent=2, ensure_ascii=False) + "\n")
        os.rename(new, folder / MANIFEST_NAME)
        sync_folder(folder)
    except OSError as error:
        raise SessionError(
            f"no {MANIFEST_NAME}: {why_not_made(folder, error)}; what was recorded is not touched"
        ) from error


def _keep_earlier(folder: Path) -> None:
    if (folder / MANIFEST_NAME).is_file():
        number = 1
        while (folder / earlier_manifest_name(number)).exists():
            number += 1
        os.rename(folder / MANIFEST_NAME, folder / earlier_manifest_name(number))


def _result(folder: Path) -> dict[str, Any]:
    try:
        session = load_session(folder)
    except HbcError as error:
        return {"result_sha256": None, "result_error": str(error)}
    return {
        "result_sha256": session_hash(session),
        "box": {name: getattr(session.hello, name) for name in ("unique_id", "board", "firmware", "boot_n")},
        "duration_s": session.duration_s,
        "counts": {
            name: getattr(session, name)
            for name in ("boots_n", "frames_n", "frames_lost_n", "beats_lost_n", "edges_lost_n", "samples_lost_n")
        },
        "notes": session.notes,
    }


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest; None when there is none. Raises SessionError when it cannot be understood."""
    path = folder / MANIFEST_NAME
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise SessionError(
            f"{path} cannot be read ({type(error).__name__}); run `hbc session repair {folder}`"
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get("files"), list):
        raise SessionError(f"{path} is no manifest of hbc; run `hbc session repair {folder}`")
    return document


def may_continue(folder: Path) -> bool:
    """True for a recording that did not end as somebody wished: a crash, a lost cable, a full disk."""
    if not log_parts(folder)[0].is_file():
        return False
    manifest = read_manifest(folder)
    return manifest is None or manifest.get("ended") not in FINISHED
