"""The folder of a session, however somebody names it: by its path, or as a visit of the store."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hbc_host.errors import InputError, StoreError

#: ``P-014/3``, ``P-014`` for the latest, or the id of a visit; a name with a dot and no number is a file.
_VISIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}/\d{1,6}|[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_UID = re.compile("[0-9a-f]{32}")


def may_be_visit(words: str | Path) -> bool:
    """True for what is no path here (a WFDB record goes by its header), and could be the name of a visit."""
    is_path = Path(words).exists() or Path(f"{words}.hea").exists()
    return not is_path and _VISIT.fullmatch(str(words)) is not None


def can_only_be_visit(words: str | Path) -> bool:
    """True for the form ``P-014/3`` and for the id of a visit; a mere word may just as well be a file misspelt."""
    return may_be_visit(words) and ("/" in str(words) or _UID.fullmatch(str(words)) is not None)


def session_folder(words: str | Path, given: str | None = None, *, only_folders: bool = False) -> Path:
    """The folder that somebody means by a path, or by a visit as ``hbc session list`` prints it.

    Parameters
    ----------
    words : str or Path
        What is a path is one, even where a visit has the same name. What is neither comes back as the path that it may
        have been meant to be, for whoever opens it to say what is wrong.
    given : str, optional
        Store; else HBC_STORE, else the user's. Looking changes nothing in it.
    only_folders : bool
        Nothing else will do: what is neither is an error, too.

    Raises
    ------
    InputError
        It has the form of a visit, such as ``P-014/3``, and the store has none, it was not recorded, or its folder is
        gone.
    StoreError
        It has that form, and the store cannot be opened, or this login may not see patients.
    """
    if Path(words).is_dir() or not (only_folders or may_be_visit(words)):
        return Path(words)
    try:
        kept = visit_folder(str(words), given)
    except (InputError, StoreError) as error:
        if "/" not in str(words) and not only_folders:
            return Path(words)
        raise type(error)(f"{words} is no folder, and no visit of the store ({error})") from error
    folder = Path(kept)
    if not kept:  # a path of no words is the folder that one stands in: somebody else's session
        raise InputError(f"the store knows no folder of visit {words}: it was not recorded yet; give the folder")
    if not folder.is_absolute():
        raise InputError(f"the store has {kept} as folder of visit {words}, which is not absolute; give the folder")
    if not folder.is_dir():
        raise InputError(f"visit {words} was recorded in {folder}, which is not there; was it moved? give the folder")
    return folder


def store_option(given: str | None) -> list[str]:
    """``--store PLACE`` for a command in another terminal, without any password; empty for the usual store.

    None is named for a store from HBC_STORE: other terminals of the same user have that, with its password, and an
    option would go before it.
    """
    from hbc_host.store.database import STORE_VARIABLE, store_url, usual_place, without_password

    if not given:
        return []
    url = store_url(given)
    is_usual = url == store_url(usual_place()) and not os.environ.get(STORE_VARIABLE)
    return [] if is_usual else ["--store", without_password(url)]


def visit_folder(words: str, given: str | None) -> str:
    """The folder of a visit as the store has it, there or not; raises InputError for no visit, StoreError."""
    from hbc_host.store.database import open_store, shown_url, sqlite_file, store_url
    from hbc_host.store.roles import require
    from hbc_host.store.sessions import find_visit

    file = sqlite_file(store_url(given))
    if file is not None and not file.exists():  # looking for something makes no store
        raise InputError(f"there is no store {shown_url(store_url(given))}; another one: --store or HBC_STORE")
    with open_store(given, upgrade=False) as session:
        require(session, "read")
        return find_visit(session, words).folder
