"""A plain store becomes an encrypted one, an encrypted one gets another key, and either is copied whole."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from hbc_host.errors import StoreError
from hbc_host.store.database import shown_url, sqlite_file, store_url
from hbc_host.store.keys import cipher, connect_encrypted, given_key, is_plain, quoted


def encrypt_store(given: str | None, key: str) -> Path:
    """Encrypt the store with this key, in place; the plain file is overwritten and removed.

    Parameters
    ----------
    given : str, optional
        File name of the store; else HBC_STORE, else the user's data folder.
    key : str

    Returns
    -------
    Path
        The store, encrypted, its content compared with the plain one before that went.

    Raises
    ------
    StoreError
        There is no SQLite store, it is encrypted already, or it cannot be written.
    """
    path = require_file(given)
    if not is_plain(path):
        raise StoreError(f"{path} is encrypted already; another key for it: hbc patient encrypt --change")
    made = path.with_name(path.name + ".encrypted")
    _new_file(made)
    try:
        with _nobody_writes(path), closing(cipher().connect(str(path))) as plain:
            _export(plain, made, quoted(key))
            with closing(connect_encrypted(made, key)) as copy:
                _compare(plain, copy, path)
            with path.open("r+b") as old:
                os.replace(made, path)
                _overwrite(old)  # the file that has no name any more
    except (cipher().Error, sqlite3.Error) as error:
        raise StoreError(f"cannot encrypt {path}: {error}; is it in use, or the disk full? nothing changed") from error
    finally:
        made.unlink(missing_ok=True)
    return path


def change_key(given: str | None, new_key: str) -> Path:
    """Give an encrypted store another key; the old one comes from where it always does. Raises StoreError."""
    path = require_file(given)
    old_key = given_key()
    if is_plain(path) or old_key is None:
        raise StoreError(f"{path} is not encrypted, or its present key is not given; nothing changed")
    with closing(connect_encrypted(path, old_key)) as connection:
        connection.execute(f"PRAGMA rekey = {quoted(new_key)}")
    with closing(connect_encrypted(path, new_key)):
        return path


def back_up(given: str | None, target: Path) -> None:
    """Copy an SQLite store, whole even while others write to it, to a new file that only the user may read.

    The copy of an encrypted store is encrypted with the same key.

    Raises
    ------
    StoreError
        The store is no SQLite file (its server has backups of its own), is absent, or the target cannot be written.
    """
    path = require_file(given)
    _new_file(target)
    try:
        if is_plain(path):
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
            return
        key = given_key()
        if key is None:
            raise StoreError(f"{path} is encrypted; give its key")
        with closing(connect_encrypted(path, key)) as source:
            _export(source, target, quoted(key))
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"cannot back up {path} to {target}: {error}; check place and free space") from error


def require_file(given: str | None) -> Path:
    """File of an SQLite store that is there; raises StoreError."""
    url = store_url(given)
    path = sqlite_file(url)
    if path is None:
        raise StoreError(f"{shown_url(url)} is no SQLite file; its database server has backup and encryption")
    if not path.is_file() or not path.stat().st_size:
        raise StoreError(f"there is no store at {path} yet")
    return path


@contextmanager
def _nobody_writes(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as guard:
        guard.execute("BEGIN IMMEDIATE")
        yield


def _new_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise StoreError(f"{path} exists already; choose another name, nothing is ever overwritten") from None
    except OSError as error:
        raise StoreError(f"cannot write {path} ({error.strerror}); check place and free space") from error


def _export(source: object, target: Path, key_sql: str) -> None:
    execute = source.execute  # type: ignore[attr-defined]  # SQLCipher's own connection
    execute(f"ATTACH DATABASE ? AS copy KEY {key_sql}", (str(target),))
    execute("SELECT sqlcipher_export('copy')").fetchall()
    execute("DETACH DATABASE copy")


def _compare(plain: object, copy: object, path: Path) -> None:
    """Every table has the same rows in both, or the plain file stays."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    names = [name for (name,) in plain.execute(tables).fetchall()]  # type: ignore[attr-defined]
    for name in names:
        rows = [
            sorted(map(repr, one.execute(f'SELECT * FROM "{name}"').fetchall()))  # type: ignore[attr-defined]
            for one in (plain, copy)
        ]
        if rows[0] != rows[1]:
            raise StoreError(f"the encrypted copy of {path} differs in table {name}; nothing changed")


def _overwrite(file: BinaryIO) -> None:
    """Zeros over the plain text. Backups, and disks that move blocks, may still have it: docs say so."""
    size_n = file.seek(0, os.SEEK_END)
    file.seek(0)
    file.write(bytes(size_n))
    file.flush()
    os.fsync(file.fileno())
