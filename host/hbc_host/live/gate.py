"""What stands between a visit and its session: signatures, stops, caps, and the pulses of the day in the store."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from hbc_host.clinic.plan import breaches
from hbc_host.clinic.visit import VISIT_NAME, Visit, load_visit
from hbc_host.errors import InputError, SessionError, StoreError
from hbc_host.folder import is_visit_only
from hbc_host.manifest import may_continue
from hbc_host.names import is_simulated
from hbc_host.store.endings import VisitEnd

OPERATOR = "hbc session run"


class StoreGate:
    """The store as a session needs it; a visit that the store does not know runs without.

    Parameters
    ----------
    given : str or None
        File or URL; else the usual store.
    """

    def __init__(self, given: str | None) -> None:
        self.given = given
        self._known = False

    def pulses_today(self, visit: Visit) -> int:
        """Pulses of today before this visit, as the store knows; 0 when it does not know the visit.

        Raises StoreError for a login whose role may not make sessions.
        """
        from hbc_host.store.database import open_store, sqlite_file, store_url
        from hbc_host.store.models import Patient
        from hbc_host.store.roles import require
        from hbc_host.store.sessions import find_visit, pulses_today

        file = sqlite_file(store_url(self.given))
        if file is not None and not file.exists():  # nobody keeps patients here: practice, or another computer's visit
            return 0
        with open_store(self.given) as session:
            require(session, "write")  # here and not at the end: a result that was recorded is kept, whoever did it
            try:
                row = find_visit(session, visit.uid)
            except InputError:
                return 0
            self._known = True
            patient = session.get(Patient, row.patient_id)
            assert patient is not None
            return pulses_today(patient, datetime.now().astimezone(), without_uid=visit.uid)

    def closed_words(self, visit: Visit) -> str:
        """What pages are told when the session is over; to be asked once the pulses of the day are known."""
        from hbc_host.live.over import closed_words
        from hbc_host.store.whereabouts import store_option

        return closed_words(visit, store_option(self.given), is_kept=self._known)

    def begin(self, visit: Visit) -> None:
        """Its planned pulses count for the day from now on; raises InputError for a visit that has ended."""
        if not self._known:
            return
        from hbc_host.store.database import open_store
        from hbc_host.store.sessions import begin_visit

        with open_store(self.given) as session:
            begin_visit(session, visit.uid, who=visit.operator or OPERATOR)

    def finish(self, visit: Visit, end: VisitEnd) -> bool:
        """Keep how it went; False when the store does not know the visit."""
        if not self._known:
            return False
        from hbc_host.store.database import open_store
        from hbc_host.store.endings import finish_visit

        with open_store(self.given) as session:
            finish_visit(session, visit.uid, end, who=visit.operator or OPERATOR)
        return True


def find_folder(words: str, gate: StoreGate) -> Path:
    """The session folder that somebody means: a path, or the id of a visit in the store.

    Raises
    ------
    SessionError
        There is neither.
    """
    from hbc_host.store.whereabouts import session_folder

    try:
        return session_folder(words, gate.given, only_folders=True)
    except (InputError, StoreError) as error:
        raise SessionError(f"{error}; make a visit with: hbc session new") from error


def load_to_run(folder: Path, gate: StoreGate) -> Visit:
    """The visit of a folder, with the pulses of the day as they are known now.

    Raises
    ------
    SessionError
        There is no visit, or it says what cannot be, such as a stop of the screening without an override.
    """
    visit = load_visit(folder)
    before_n = max(visit.pulses_before_n, gate.pulses_today(visit))
    return visit.model_copy(update={"pulses_before_n": before_n})


def check_before(folder: Path, visit: Visit, *, unsigned: bool, resume: bool) -> None:
    """Raise when this session must not be run as it stands.

    Raises
    ------
    SessionError
        The protocol is not signed, a cap would be passed, or the folder is not in the state for it.
    """
    if visit.signature_state != "signed" and not unsigned and not visit.protocol.practice:
        raise SessionError(
            f"the protocol of {folder / VISIT_NAME} is {visit.signature_state}; have it signed "
            f"(hbc protocol sign), or practise with --unsigned, which is recorded"
        )
    caps = breaches(visit.protocol, visit.plan, mt_mso_pct=visit.mt_mso_pct, pulses_today_n=visit.pulses_before_n)
    if caps:
        raise SessionError(f"over the clinic's caps: {'; '.join(caps)}; nothing was begun")
    if resume and not may_continue(folder):
        raise SessionError(
            f"{folder} holds no interrupted session; begin it with: hbc session run {folder}"
            if is_visit_only(folder)
            else f"the session in {folder} is over; its report: hbc report {folder}"
        )
    if not resume and not is_visit_only(folder):
        interrupted = may_continue(folder)
        how = f"take it up with: hbc session resume {folder}" if interrupted else "make another with: hbc session new"
        raise SessionError(f"{folder} holds a recording already; {how}")


def check_box(visit: Visit, box_id: str) -> None:
    """Raise SessionError when this box must not be used for this visit: a real one, by a protocol for practice."""
    if visit.protocol.practice and not is_simulated(box_id):
        raise SessionError(
            f"box {box_id} is a real one, and the protocol {visit.protocol.name} holds values for the simulated "
            f"patient only; nothing was begun. Take the clinic's own signed protocol, or practise with hbc sim"
        )
