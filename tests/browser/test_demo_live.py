"""`hbc demo --live`: what is laid down for it, and what it refuses."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hbc_hil.demo_live import demo_protocol, demo_scenario, prepare
from hbc_host.app.process import start_page
from hbc_host.clinic.plan import breaches, plan_session
from hbc_host.clinic.signing import open_points, signature_state
from hbc_host.clinic.visit import load_visit
from hbc_host.errors import InputError


def test_the_demonstration_has_a_signed_protocol_that_keeps_its_own_caps():
    protocol = demo_protocol()
    assert signature_state(protocol) == "signed"
    assert open_points(protocol) == ()
    plan = plan_session(protocol, patient="demo-live")
    assert breaches(protocol, plan) == ()
    timetable = demo_scenario(1).timetable()
    assert [run.site.name for run in timetable] == [run.site for run in plan.runs]
    assert [len(run.trains) for run in timetable] == [len(run.trains) for run in plan.runs]


def test_an_earlier_demonstration_makes_room_and_nothing_else_does(tmp_path):
    folder, visit = prepare(tmp_path, "nl")
    assert visit.practice
    assert prepare(tmp_path, "en")[0] == folder
    assert load_visit(folder).language == "en"
    (folder / "visit.json").unlink()
    with pytest.raises(InputError, match="is not an earlier demonstration; nothing was touched"):
        prepare(tmp_path, "en")


@pytest.mark.parametrize(
    ("option", "says"),
    [(("--ecg", "toy"), "--live plays the simulated patient only"), (("--lang", "fr"), "--lang fr is none of en, nl")],
)
def test_an_option_that_does_not_fit_is_said_in_one_line(tmp_path, option, says):
    command = [sys.executable, "-m", "hbc_host.cli", "demo", "--live", *option, "--out", str(tmp_path / "x")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert found.returncode == 2
    assert found.stderr.startswith(f"error: {says}")
    assert not (tmp_path / "x").exists()


def test_a_page_is_started_that_answers_and_a_taken_port_is_said_before_anything_begins(tmp_path):
    page = start_page(tmp_path, language="en")
    try:
        port = int(page.address.partition("/?")[0].rpartition(":")[2])
        with pytest.raises(InputError, match=f"port {port} cannot be used"):
            start_page(tmp_path, language="en", http_port=port)
    finally:
        page.process.terminate()
        assert page.process.stdin is not None
        page.process.stdin.close()
        assert page.process.wait(timeout=300) in (0, -15)
