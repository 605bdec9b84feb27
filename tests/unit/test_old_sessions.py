"""Recordings of every released version stay readable, and give the result that their own version gave."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbc_host.repair import verify_session
from hbc_host.replay import verify_replay
from hbc_host.session import load_session, session_hash

DATA = Path(__file__).resolve().parents[1] / "data"
# Written and hashed by the version in the name (20 s of the simulated box, iTBS); never made anew.
RELEASED = {
    "session-0.1.0": "cb04df68dfc8fc4b4180710d35259dd3a6b554efeeffb73495727ed7c5ec92db",
}


@pytest.mark.parametrize("name", sorted(RELEASED))
def test_a_recording_of_a_released_version_gives_the_result_it_gave_then(name: str) -> None:
    session = load_session(DATA / name)
    assert session_hash(session) == RELEASED[name]
    assert session.notes == ()
    assert verify_replay(DATA / name).same
    assert verify_session(DATA / name).problems == ("no manifest.json: the recording was interrupted",)
