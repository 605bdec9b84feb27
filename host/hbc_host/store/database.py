"""Opening the store: SQLite in the user's data folder, or any database that SQLAlchemy can reach by URL."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_data_path
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session

from hbc_host.errors import StoreError
from hbc_host.store import session_models  # noqa: F401 - its tables belong to the store
from hbc_host.store.keys import KEY_FILE_VARIABLE, cipher, connect_encrypted, given_key, is_plain

#: Environment variable with a file name or a database URL.
STORE_VARIABLE = "HBC_STORE"
MIGRATIONS = Path(__file__).parent / "migrations"
UPGRADE_KEY = 0x68626373  # "hbcs": the lock of whoever changes tables
_upgrading = threading.Lock()


def store_url(given: str | None = None) -> str:
    """URL of the store: as given, else from HBC_STORE, else a file in the user's data folder."""
    place = given or os.environ.get(STORE_VARIABLE) or usual_place()
    for scheme in ("postgresql://", "postgres://"):  # the driver that the extra `postgres` brings
        place = place.replace(scheme, "postgresql+psycopg://", 1) if place.startswith(scheme) else place
    return place if "://" in place else f"sqlite:///{Path(place).expanduser().resolve()}"


def usual_place() -> str:
    """The file that is the store where nobody says another."""
    return str(user_data_path("hbc") / "store.sqlite")


def sqlite_file(url: str) -> Path | None:
    """File of an SQLite store; None for any other database. Raises StoreError for what is no URL."""
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"the given store is no file and no database URL ({error})") from error
    return Path(address.database) if address.get_backend_name() == "sqlite" and address.database else None


@contextmanager
def open_store(given: str | None = None, *, upgrade: bool = True) -> Iterator[Session]:
    """Open the store, bring its tables up to date, and commit what was done unless something fails.

    Parameters
    ----------
    given : str, optional
        File name or database URL.
    upgrade : bool
        False reads older tables as they are: a look must not change a store that others share.

    Raises
    ------
    StoreError
        It cannot be opened, is not a store, or was made by a later version; or its tables are too old to be read.
    """
    url, found = store_url(given), None
    engine = _engine(url)
    try:
        if upgrade:
            _bring_up_to_date(engine, url)
        else:
            with engine.connect() as connection:
                found = _revision_of(connection)
        with Session(engine) as session, session.begin():
            yield session
    except DBAPIError as error:
        if found and found != newest_revision():
            raise StoreError(
                f"the tables of the store {shown_url(url)} are of another version ({found}, this one has "
                f"{newest_revision()}); older ones are brought up to date by: hbc session list"
            ) from error
        raise StoreError(
            f"the store {shown_url(url)} does not work: {error.orig}; check the place and its rights"
        ) from error
    finally:
        engine.dispose()


def _engine(url: str) -> Engine:
    try:
        path = sqlite_file(url)
        if path is None:
            return create_engine(url)
        _make_private(path)
        key = given_key()
        engine = create_engine(url) if key is None and is_plain(path) else _encrypted(path, key)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(f"{shown_url(url)} is no database that this program can reach ({error})") from error
    except OSError as error:
        raise StoreError(
            f"the store {shown_url(url)} cannot be made ({error.strerror}); give another --store"
        ) from error
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _encrypted(path: Path, key: str | None) -> Engine:
    if key is None:
        raise StoreError(
            f"{path} is encrypted, or is not a database; its key comes from a file named by {KEY_FILE_VARIABLE}, "
            "from HBC_STORE_KEY, or is asked for on a terminal"
        )
    if is_plain(path) and path.stat().st_size:
        raise StoreError(f"a key is given, and {path} is not encrypted; encrypt it with: hbc patient encrypt")
    # One connection for as long as the store is open: stretching a typed key takes a while, on purpose.
    return create_engine("sqlite://", creator=lambda: connect_encrypted(path, key), module=cipher())


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
    """Alembic keeps its state in a module: one thread at a time, and only when there is something to do."""
    newest = newest_revision()
    with _upgrading, engine.begin() as connection:
        if _revision_of(connection) == newest:
            return
        from alembic import command  # half a second and 15 MB, which a session would keep for an hour
        from alembic.config import Config
        from alembic.util.exc import CommandError

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        # Another program may be at it just now; and a failure in the middle must leave the tables as they were.
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_KEY})
        elif engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(
                f"the store {shown_url(url)} was made by a later version, this one knows it up to {newest}; "
                "update hbc-box"
            ) from error


def newest_revision() -> str:
    """The revision that this program knows; files of migrations begin with theirs."""
    return max(path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def shown_url(url: str) -> str:
    """A URL as it may be printed: with ``***`` for its password."""
    try:
        return _unasked(make_url(url)).render_as_string(hide_password=True).removeprefix("sqlite:///")
    except ArgumentError:
        return "given"


def without_password(url: str) -> str:
    """A URL that works where the password comes from elsewhere, such as PGPASSWORD or a file of passwords."""
    address = _unasked(make_url(url))
    address = URL.create(**(address._asdict() | {"password": None}))
    return address.render_as_string(hide_password=False).removeprefix("sqlite:///")


def _unasked(address: URL) -> URL:
    """Without the passwords that may stand among its options."""
    return address.difference_update_query(["password", "sslpassword"])
