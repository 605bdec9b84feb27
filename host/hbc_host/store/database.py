"""Opening the store: SQLite in the user's data folder, or any database that SQLAlchemy can reach by URL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from platformdirs import user_data_path
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session

from hbc_host.errors import StoreError

#: Environment variable with a file name or a database URL.
STORE_VARIABLE = "HBC_STORE"
MIGRATIONS = Path(__file__).parent / "migrations"


def store_url(given: str | None = None) -> str:
    """URL of the store: as given, else from HBC_STORE, else a file in the user's data folder."""
    place = given or os.environ.get(STORE_VARIABLE) or str(user_data_path("hbc") / "store.sqlite")
    return place if "://" in place else f"sqlite:///{Path(place).expanduser().resolve()}"


@contextmanager
def open_store(given: str | None = None) -> Iterator[Session]:
    """Open the store, bring its tables up to date, and commit what was done unless something fails.

    Parameters
    ----------
    given : str, optional
        File name or database URL.

    Raises
    ------
    StoreError
        It cannot be opened, is not a store, or was made by a later version.
    """
    url = store_url(given)
    engine = _engine(url)
    try:
        _bring_up_to_date(engine, url)
        with Session(engine) as session, session.begin():
            yield session
    except DBAPIError as error:
        raise StoreError(
            f"the store {_shown(url)} does not work: {error.orig}; check the place and its rights"
        ) from error
    finally:
        engine.dispose()


def back_up(given: str | None, target: Path) -> None:
    """Copy an SQLite store, whole even while others write to it, to a new file that only the user may read.

    Raises
    ------
    StoreError
        The store is no SQLite file (its server has backups of its own), is absent, or the target cannot be written.
    """
    url = store_url(given)
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        raise StoreError(f"{_shown(url)} is no SQLite file; use the backup of its database server")
    if not Path(address.database).is_file():
        raise StoreError(f"there is no store at {address.database} yet")
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(address.database)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except FileExistsError:
        raise StoreError(f"{target} exists already; choose another name, nothing is ever overwritten") from None
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"cannot back up {address.database} to {target}: {error}; check place and free space"
        ) from error


def _engine(url: str) -> Engine:
    try:
        address = make_url(url)
        if address.get_backend_name() == "sqlite" and address.database:
            _make_private(Path(address.database))
        engine = create_engine(address)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(f"{_shown(url)} is no database that this program can reach ({error})") from error
    except OSError as error:
        raise StoreError(f"the store {_shown(url)} cannot be made ({error.strerror}); give another --store") from error
    if address.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _make_private(file: Path) -> None:
    """Nobody but the user may read it: mode 0600, in a folder of mode 0700 when it is made here."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))


def _set_up_sqlite(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's own connection
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, too
    cursor.close()


def _bring_up_to_date(engine: Engine, url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            newest = ScriptDirectory.from_config(config).get_current_head()
            raise StoreError(
                f"the store {_shown(url)} was made by a later version, this one knows it up to {newest}; update hbc-box"
            ) from error


def _shown(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True).removeprefix("sqlite:///")
    except ArgumentError:
        return "given"
