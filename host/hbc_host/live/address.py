"""Where the feed of a session is found: ``live.json`` in its folder, address and token, for this user alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from hbc_host.errors import HbcError, SessionError

LIVE_NAME = "live.json"
LIVE_FORMAT = 1


class NoFeedError(HbcError):
    """No session under way in this folder, or it ended."""


class Address(NamedTuple):
    """Of a feed."""

    host: str
    port: int
    token: str


def write_address(folder: Path, port: int, token: str) -> None:
    """Write ``live.json``, whole or not at all; raises SessionError."""
    new = folder / f".{LIVE_NAME}.new"
    text = json.dumps({"format": LIVE_FORMAT, "host": "127.0.0.1", "port": port, "token": token, "pid": os.getpid()})
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text + "\n")
        os.rename(new, folder / LIVE_NAME)
    except OSError as error:
        raise SessionError(f"cannot write {folder / LIVE_NAME} ({error.strerror}); check the folder") from error


def read_address(folder: Path) -> Address:
    """The address of the feed in a folder; raises NoFeedError when there is none."""
    path = folder / LIVE_NAME
    try:
        found = json.loads(path.read_text("utf-8"))
        return Address(str(found["host"]), int(found["port"]), str(found["token"]))
    except FileNotFoundError:
        raise NoFeedError(f"no session is under way in {folder}; begin one with: hbc session run {folder}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoFeedError(f"{path} cannot be used ({type(error).__name__}); start the session again") from error
