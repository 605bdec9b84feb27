"""A whole session by keyboard alone: simulated box, firmware, recorder, engine, page, and the report at the end."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime

from hbc_hil.demo_live import demo_protocol, run_live_demo
from hbc_hil.scenario import Scenario, SiteScenario
from hbc_hil.stimulator import PulsePattern
from hbc_host.clinic.protocol_file import parse
from hbc_host.clinic.visit import visit_for, write_visit
from hbc_host.report.of_folder import report_of_folder
from hbc_host.session import load_session

WAIT_MS = 240_000  # the machine may be busy
REST_S, PLACE_S, TRAINS_N = 2.0, 20.0, 3  # time to press R: on a quiet machine it takes two seconds
TRAIN = PulsePattern("short", 0.5, 1.5)


def short_visit():
    """One site of three short trains, signed by nobody: practice."""
    tables = demo_protocol().model_dump(mode="json", exclude={"signature"}, exclude_none=True) | {
        "trains": {"kind": "custom", "train_s": 0.5, "pause_s": 1.5, "pulses_n": 5, "trains_n": TRAINS_N},
        "intensity": {"unit": "%MSO", "steps": [40.0, 50.0, 60.0]},
        "sites": {"names": ["BF3-L"], "order": "fixed"},
        "rest": {"first_s": REST_S, "between_s": REST_S},
    }
    known = {"operator": "AB", "supervisor": "CD", "second_person": "EF", "practice": True, "language": "nl"}
    return visit_for(parse(tables, "test"), pseudonym="P-014", created=datetime.now(UTC), **known)


def test_a_session_goes_from_the_first_key_to_the_report_and_the_page_that_closes_does_not_matter(
    tmp_path, serve, visit
):
    from playwright.sync_api import expect

    folder = tmp_path / "session"
    planned = short_visit()
    write_visit(folder, planned)
    world = Scenario(
        seed=5, sites=(SiteScenario("BF3-L", plateau_bpm=6.0),), pattern=TRAIN, intensities_pct=(40.0, 50.0, 60.0),
        rest_first_s=PLACE_S + REST_S, rest_cycles_n=0, duration_s=400.0,
    )  # fmt: skip
    ended = []
    session = threading.Thread(target=lambda: ended.append(run_live_demo(folder, planned, 5, scenario=world)))
    server = serve("nl", folder)
    page = visit(server.address)
    expect(page.locator("#phase")).to_contain_text("Wacht op de sessie", timeout=WAIT_MS)
    session.start()
    expect(page.locator("#phase")).to_contain_text("Plaats de spoel op BF3-L", timeout=WAIT_MS)
    page.keyboard.press("r")
    expect(page.locator("#said")).to_contain_text("rust begint op BF3-L", timeout=WAIT_MS)
    page.keyboard.press("3")
    expect(page.locator("#said")).to_contain_text("Ongemak genoteerd", timeout=WAIT_MS)
    page.close()
    page = visit(server.address)
    expect(page.locator("#phase")).to_contain_text("De sessie is klaar", timeout=WAIT_MS)
    expect(page.locator("#pulses")).to_contain_text("15 van 15", timeout=WAIT_MS)
    page.keyboard.press("e")
    page.keyboard.type("klaar")
    page.keyboard.press("Tab")
    page.keyboard.type("AB")
    page.keyboard.press("Enter")
    session.join(timeout=WAIT_MS / 1000)
    assert [summary.ended for summary in ended] == ["stopped"]
    expect(page.locator("#feed")).to_contain_text("sessie afgelopen", timeout=WAIT_MS)
    recording = load_session(folder)
    assert recording.edges_tick.size == 15
    events = [note.event for note in recording.host_notes]
    assert {"site_begins", "rating", "site_ends", "stopped"} <= set(events)
    text = report_of_folder(folder, command="hbc report", lang="nl").read_text("utf-8")
    assert re.search(r"P-014", text)
    assert not (folder / "live.json").exists()
    assert json.loads((folder / "visit.json").read_text("utf-8"))["language"] == "nl"
