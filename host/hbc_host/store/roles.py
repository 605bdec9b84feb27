"""Who may do what: a login of the computer has one of three roles, and the commands ask here first.

Without any role, everybody may do everything: a store of one person. This keeps honest people within their task and
leaves a trace; it cannot stop the owner of a file from opening it with another program. Encryption can, for those who
do not have the key; the rights of the database server can, for those who have no login there.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from hbc_host.errors import InputError, StoreError
from hbc_host.store.audit import note_change
from hbc_host.store.models import RoleRow

Role = Literal["operator", "supervisor", "analyst"]
ROLES: tuple[Role, ...] = ("operator", "supervisor", "analyst")
#: What each action is called in an error, and who may do it besides the supervisor, who may do everything.
ACTIONS: Mapping[str, tuple[str, tuple[Role, ...]]] = {
    "read": ("see patients", ("operator",)),
    "write": ("add to patients and make sessions", ("operator",)),
    "pseudonymised": ("export pseudonymised data", ("analyst",)),
    "audit": ("read the audit", ("operator",)),
    "backup": ("copy the store", ("operator",)),
    "export": ("export a patient's data", ()),
    "correct": ("correct a score", ()),
    "override": ("override a stop of screening", ()),
    "delete": ("delete a patient", ()),
    "retain": ("set until when data are kept", ()),
    "roles": ("give roles", ()),
    "encrypt": ("encrypt the store or change its key", ()),
}


def login() -> str:
    """The login of whoever runs this program; where there is one, that of the process and not of a variable."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # Windows; a container without names
        return getpass.getuser()


def role_of(session: Session, who: str) -> Role | None:
    """Role of a login; None when it has none."""
    row = session.get(RoleRow, who)
    return None if row is None else next(role for role in ROLES if role == row.role)


def all_roles(session: Session) -> dict[str, str]:
    """Roles by login."""
    return {row.login: row.role for row in session.scalars(select(RoleRow).order_by(RoleRow.login))}


def require(session: Session, action: str, who: str | None = None) -> None:
    """Do nothing when a login may do this, and raise StoreError when not.

    Parameters
    ----------
    session : Session
    action : str
        One of :data:`ACTIONS`.
    who : str, optional
        Login; else that of the running program.
    """
    words, others = ACTIONS[action]
    known = all_roles(session)
    if not known:
        return
    who = who or login()
    role = known.get(who)
    if role == "supervisor" or role in others:
        return
    allowed = " or ".join((*others, "supervisor"))
    supervisors = ", ".join(name for name, its in known.items() if its == "supervisor")
    raise StoreError(
        f"login {who} is {role or 'without a role'} and may not {words}: needs {allowed}; ask {supervisors}"
    )


def give_role(session: Session, who: str, role: str, *, by: str) -> None:
    """Give a login its role, in place of another; ``none`` takes it away. Raises InputError.

    The first role is a supervisor's, and one supervisor always stays.
    """
    if role not in (*ROLES, "none"):
        raise InputError(f"role {role!r} is unknown; use {', '.join(ROLES)} or none")
    if not 0 < len(who.strip()) <= 80:
        raise InputError("give the login of a person, as the computer knows it")
    known = all_roles(session)
    after = {**known, who: role}
    if after != {who: "none"} and "supervisor" not in after.values():
        raise InputError("somebody must be supervisor; give that role first")
    row = session.get(RoleRow, who)
    if row is not None and role == "none":
        session.delete(row)
    elif row is not None:
        row.role = role
    elif role != "none":
        session.add(RoleRow(login=who, role=role))
    session.flush()
    note_change(session, by, f"role of login {who} is {role}"[:200])
