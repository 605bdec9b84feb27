"""A clinic's signed protocol, a screened patient and a visit, for tests of what surrounds a session."""

from __future__ import annotations

import functools
import os
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from hbc_host.clinic.protocol_file import ProtocolFile, load_protocol
from hbc_host.clinic.screening import TOPICS, Screening, screen
from hbc_host.clinic.signing import sign
from hbc_host.clinic.visit import MotorThreshold, Visit, visit_for
from hbc_host.store.database import open_store

STEPS = tuple(range(60, 120, 4))
PROTOCOL = f"""
format = 1
name = "ramp"
[trains]
kind = "dash"
[intensity]
unit = "%MT"
steps = {list(STEPS)}
[sites]
names = ["5CM-L", "BF3-L", "5CM-R", "BF3-R"]
order = "random"
control = "5CM-R"
[caps]
intensity_mt_pct = 120
train_s = 5.0
pulses_a_session = 3000
pulses_a_day = 4500
source = "the guideline of our clinic"
[alarms]
fall_bpm = 15
lowest_bpm = 40
pause_s = 3.0
"""
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def signed_protocol(folder: Path, text: str = PROTOCOL) -> Path:
    """A protocol file that a clinic signed."""
    path = folder / "ramp.toml"
    path.write_text(text, "utf-8")
    sign(path, "A. Jansen", date(2026, 3, 1))
    return path


def protocol(folder: Path) -> ProtocolFile:
    return load_protocol(signed_protocol(folder))


def all_no(**yes: bool) -> Screening:
    """A screening with a no to everything but what is named."""
    return screen(dict.fromkeys(TOPICS, False) | yes, date(2026, 3, 1))


def a_visit(folder: Path, **changed: Any) -> Visit:
    """A visit of P-1 by the protocol above."""
    facts: dict[str, Any] = {
        "pseudonym": "P-1", "created": NOW, "operator": "AJ", "supervisor": "BdV", "second_person": "CM",
        "screening": all_no(),
        "motor_threshold": MotorThreshold(mso_pct=50.0, method="visible twitch", on=date(2026, 3, 2), by="AJ"),
    }  # fmt: skip
    return visit_for(protocol(folder), **(facts | changed))


@functools.cache
def _empty_store() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        with open_store(str(path)):
            pass
        return path.read_bytes()


def put_store(path: Path) -> None:
    """An empty store, as a first command makes it, in a fraction of the time."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(_empty_store())
    os.chmod(path, 0o600)
