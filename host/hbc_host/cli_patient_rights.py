"""``hbc patient role`` and ``hbc patient encrypt``: who may do what, and who can read the file at all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hbc_host.cli_store import ByOption, StoreOption, opened_store, who_changes
from hbc_host.errors import InputError


def role(
    login: Annotated[
        str | None, typer.Argument(metavar="LOGIN", help="As the computer knows the person.", show_default=False)
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(metavar="ROLE", help="operator, supervisor, analyst or none.", show_default=False),
    ] = None,
    store: StoreOption = None,
    by: ByOption = None,
) -> None:
    """Give a login a role, or list the roles. Without any role everybody may do everything.

    Example: hbc patient role ajansen supervisor
    """
    from hbc_host.store.roles import ACTIONS, all_roles, give_role

    if login is not None and name is None:
        raise InputError(f"which role? hbc patient role {login} operator|supervisor|analyst|none")
    with opened_store(store, "read" if login is None else "roles") as session:
        if login is not None and name is not None:
            give_role(session, login, name, by=who_changes(by))
        known = all_roles(session)
    for who, what in known.items():
        print(f"{who}: {what}")
    if not known:
        print("no roles: everybody may do everything; begin with: hbc patient role LOGIN supervisor")
    for words, others in ACTIONS.values() if login is None else ():
        print(f"  {words}: {', '.join((*others, 'supervisor'))}")


def encrypt(
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", metavar="FILE", help="File with the key; made when it is new.", show_default=False),
    ] = None,
    change: Annotated[bool, typer.Option("--change", help="Encrypted already: give it another key.")] = False,
    store: StoreOption = None,
    by: ByOption = None,
) -> None:
    """Encrypt the store (SQLCipher, AES-256). Whoever loses the key loses the data.

    Example: hbc patient encrypt --key-file /media/key/hbc.key
    """
    from contextlib import nullcontext

    from hbc_host.store.audit import note_change
    from hbc_host.store.encrypt import change_key, encrypt_store, require_file
    from hbc_host.store.keys import KEY_FILE_VARIABLE, as_if_no_key, given_key, is_plain, remember_key

    path = require_file(store)
    with as_if_no_key() if is_plain(path) else nullcontext(), opened_store(store, "encrypt"):
        pass  # its role may do this, and the present key opens it
    key = _key_in(key_file) if key_file else (None if change else given_key()) or _asked_key()
    if change:
        change_key(store, key)
    else:
        encrypt_store(store, key)
    remember_key(key)
    with opened_store(store, "encrypt") as session:
        note_change(session, who_changes(by), "store has another key" if change else "store encrypted")
    print(f"{path} is encrypted; keep a copy of the key elsewhere: without it the data are lost")
    if key_file is not None:
        print(f"from now on: export {KEY_FILE_VARIABLE}={key_file.resolve()}")
    print("older backups of the store are as they were; delete them if they were plain")


def _key_in(path: Path) -> str:
    from hbc_host.store.keys import new_key_file, read_key_file

    return read_key_file(path) if path.exists() else new_key_file(path)


def _asked_key() -> str:
    from hbc_host.store.keys import checked_key

    if not sys.stdin.isatty():
        raise InputError("give --key-file FILE; a key can be typed on a terminal only")
    return checked_key(str(typer.prompt("new key", hide_input=True, confirmation_prompt=True)))


COMMANDS = (role, encrypt)
