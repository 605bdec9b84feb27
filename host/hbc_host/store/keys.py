"""The key of an encrypted store: from a file, from the environment, or as typed. It is never written down."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from hbc_host.errors import StoreError

#: Environment variables with the key itself, and with the name of a file that holds it in its first line.
KEY_VARIABLE = "HBC_STORE_KEY"
KEY_FILE_VARIABLE = "HBC_STORE_KEY_FILE"
PLAIN_HEADER = b"SQLite format 3\0"
KEY_MIN_N = 12  # characters; SQLCipher stretches it (PBKDF2), but a short word is tried in no time
RANDOM_KEY = re.compile("[0-9a-f]{64}")
_typed: list[str] = []  # for this process only
_ignored: list[bool] = []


def remember_key(key: str) -> None:
    """Use this key for the rest of the process, before any other source."""
    _typed[:] = [key]


def given_key() -> str | None:
    """The key that was typed, or that a file or the environment gives; None when nobody gave one.

    Raises
    ------
    StoreError
        The key file cannot be read, is empty, or may be read by others.
    """
    if _ignored:
        return None
    if _typed:
        return _typed[0]
    file = os.environ.get(KEY_FILE_VARIABLE)
    if file:
        return read_key_file(Path(file))
    return os.environ.get(KEY_VARIABLE) or None


@contextmanager
def as_if_no_key() -> Iterator[None]:
    """Open stores as if nobody had given a key, for the one command that encrypts a plain one."""
    _ignored.append(True)
    try:
        yield
    finally:
        _ignored.pop()


def read_key_file(path: Path) -> str:
    """First line of a key file; raises StoreError."""
    try:
        mode = path.stat().st_mode & 0o777
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read the key file {path} ({error}); is its disk there?") from error
    if mode & 0o077:
        raise StoreError(f"the key file {path} may be read by others (mode {mode:o}); first: chmod 600 {path}")
    if not lines or not lines[0].strip():
        raise StoreError(f"the key file {path} is empty; the key stands in its first line")
    return checked_key(lines[0].strip())


def new_key_file(path: Path) -> str:
    """Make a file with a fresh random key of 256 bits, readable by the user alone; raises StoreError."""
    key = secrets.token_hex(32)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(f"cannot make the key file {path} ({error.strerror}); choose another place") from error
    return key


def checked_key(key: str) -> str:
    """Return the key; raises StoreError for one that is too short or has characters that no shell would keep."""
    if len(key) < KEY_MIN_N or not key.isprintable():
        raise StoreError(f"a key needs at least {KEY_MIN_N} printable characters, this has {len(key)}")
    return key


def is_plain(path: Path) -> bool:
    """True for a file that anybody can read as SQLite; an absent or empty one is plain, too."""
    try:
        with path.open("rb") as file:
            return file.read(len(PLAIN_HEADER)) in (b"", PLAIN_HEADER)
    except FileNotFoundError:
        return True


def cipher() -> ModuleType:
    """The driver that encrypts; raises StoreError when it is not installed."""
    try:
        import sqlcipher3.dbapi2
    except ModuleNotFoundError as error:
        raise StoreError("encryption is not installed; install it with: pip install 'hbc-box[encryption]'") from error
    return sqlcipher3.dbapi2  # type: ignore[no-any-return]  # the package has no types


def connect_encrypted(path: Path, key: str) -> Any:
    """A connection of SQLCipher to a file, new or with this key; raises StoreError for a wrong key."""
    driver = cipher()
    connection = driver.connect(str(path))
    try:
        connection.execute(f"PRAGMA key = {quoted(key)}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except driver.DatabaseError as error:
        connection.close()
        raise StoreError(
            f"the key does not open {path}: another key, or the file is not a database; "
            f"the key comes from {source_of_key()}"
        ) from error
    return connection


def quoted(key: str) -> str:
    """The key as SQL: PRAGMA and ATTACH take no parameters. 256 random bits are the key itself; words are stretched."""
    if RANDOM_KEY.fullmatch(key):
        return f"\"x'{key}'\""
    return "'" + key.replace("'", "''") + "'"


def source_of_key() -> str:
    """Where the key in use comes from, for an error."""
    if _typed:
        return "what was typed"
    if os.environ.get(KEY_FILE_VARIABLE):
        return f"the file {os.environ[KEY_FILE_VARIABLE]} ({KEY_FILE_VARIABLE})"
    return f"the environment ({KEY_VARIABLE})" if os.environ.get(KEY_VARIABLE) else "this command"
