"""What goes wrong in a session, seen and answered by keyboard on its page; the simulated box and all behind it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
from browser.scene import Scene
from hbc_hil.demo_live import demo_protocol
from hbc_hil.rig import RigOptions, rig
from hbc_hil.scenario import Scenario, SiteScenario
from hbc_hil.stimulator import PulsePattern
from hbc_hil.world import World
from hbc_host.clinic.protocol_file import parse
from hbc_host.clinic.visit import visit_for, write_visit
from hbc_host.live.address import LIVE_NAME
from hbc_host.live.conduct import conduct
from hbc_host.session import load_session
from hbc_host.transport import SerialTransport

WAIT_MS = 120_000  # nothing here depends on speed
PULSES_N, TRAIN_S, PAUSE_S = 5, 0.5, 1.5
TRAIN = PulsePattern("short", TRAIN_S, PAUSE_S)
REST_S = 2.0


def short_visit(sites, steps_pct):
    """Short trains at each site, signed by nobody: practice. The clinic allows 80 % of output."""
    tables = demo_protocol().model_dump(mode="json", exclude={"signature", "practice"}, exclude_none=True) | {
        "trains": {"kind": "custom", "train_s": TRAIN_S, "pause_s": PAUSE_S, "pulses_n": PULSES_N,
                   "trains_n": len(steps_pct)},
        "intensity": {"unit": "%MSO", "steps": steps_pct},
        "sites": {"names": sites, "order": "fixed"},
        "rest": {"first_s": REST_S, "between_s": REST_S},
    }  # fmt: skip
    known = {"operator": "AB", "supervisor": "CD", "second_person": "EF", "practice": True}
    return visit_for(parse(tables, "test"), pseudonym="P-014", created=datetime.now(UTC), **known)


def world(sites, steps_pct, place_s):
    return Scenario(
        seed=5, sites=tuple(SiteScenario(name) for name in sites), pattern=TRAIN, intensities_pct=tuple(steps_pct),
        rest_first_s=place_s + REST_S, rest_between_s=place_s + REST_S, rest_cycles_n=0, duration_s=600.0,
    )  # fmt: skip


@contextmanager
def box_for(folder, scenario):
    """A simulated box whose world begins when the session in this folder waits for it, however long that takes."""

    def held():
        until_s = time.monotonic() + WAIT_MS / 1000
        while not (folder / LIVE_NAME).exists() and time.monotonic() < until_s:
            time.sleep(0.02)
        yield from World(scenario).chunks()

    with rig(scenario, RigOptions(paced=True, world_source=held())) as box:
        yield box


def shows(page, place, text):
    from playwright.sync_api import expect

    expect(page.locator(place)).to_contain_text(re.compile(text), timeout=WAIT_MS)


def fill(page, key, *fields):
    """A dialog by its key, its fields, Enter."""
    page.keyboard.press(key)
    for n, words in enumerate(fields):
        if n:
            page.keyboard.press("Tab")
        page.keyboard.type(words)
    page.keyboard.press("Enter")


def acknowledge(page, title):
    """The problem of this title, once it is the first that nobody has acknowledged."""
    until_s = time.monotonic() + WAIT_MS / 1000
    while True:
        page.keyboard.press("a")
        page.locator("#acknowledge").wait_for(state="visible", timeout=WAIT_MS)
        if title in page.locator("#acknowledge-list").inner_text():
            break
        assert time.monotonic() < until_s
        page.keyboard.press("Escape")
        page.wait_for_timeout(200)
    page.keyboard.type("AB")
    page.keyboard.press("Enter")


def noted(folder, event):
    return [note.fields for note in load_session(folder).host_notes if note.event == event]


def test_another_intensity_than_planned_is_shown_and_one_over_the_cap_lets_no_site_begin_until_it_is_acknowledged(
    tmp_path, serve, visit
):
    folder, sites, steps_pct = tmp_path / "session", ["BF3-L", "5CM-L"], [40.0, 50.0]
    planned = short_visit(sites, steps_pct)
    write_visit(folder, planned)
    page = visit(serve("en", folder).address)
    over = threading.Event()
    with box_for(folder, world(sites, steps_pct, 4.0)) as box:
        session = threading.Thread(
            target=lambda: conduct(folder, planned, SerialTransport(box.port), stop=over.is_set, hello_timeout_s=60.0)
        )
        session.start()
        shows(page, "#phase", "Place the coil at BF3-L")
        page.keyboard.press("r")
        shows(page, "#said", "rest begins at BF3-L")
        fill(page, "i", "50", "AB")
        shows(page, "#problems", r"Another intensity than planned.*50 %MSO, planned 40")
        fill(page, "i", "90", "AB")
        shows(page, "#problems", r"OVER THE CLINIC'S CAP.*above 80 %MSO")
        shows(page, "#phase", "Place the coil at 5CM-L")
        page.keyboard.press("r")
        shows(page, "#said", "a cap of the clinic was passed")
        for title in ("Nobody signed", "OVER THE CLINIC'S CAP"):
            acknowledge(page, title)
        page.keyboard.press("r")
        shows(page, "#said", "rest begins at 5CM-L")
        over.set()
        session.join(timeout=WAIT_MS / 1000)
    assert [note["mso_pct"] for note in noted(folder, "intensity")] == [50.0, 90.0]
    begun = [note["code"] for note in noted(folder, "problem") if note["began"]]
    assert [code for code in begun if code in ("wrong_intensity", "over_cap")][:1] == ["wrong_intensity"]
    assert "over_cap" in begun
    assert [note["site"] for note in noted(folder, "site_begins")] == sites


@contextmanager
def command(word, folder, port, store):
    """``hbc session run`` or ``resume`` as a program; its process, and the address of its page."""
    words = [sys.executable, "-m", "hbc_host.cli", "session", word, str(folder), "--port", port, "--unsigned"]
    said = folder.parent / f"{word}.stderr"
    with said.open("w") as errors:
        process = subprocess.Popen(
            [*words, "--no-browser"],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=os.environ | {"HBC_STORE": str(store)},
        )
    try:
        until_s = time.monotonic() + WAIT_MS / 1000
        while (found := re.search(r"^live page: (\S+)\n", said.read_text(), re.MULTILINE)) is None:
            assert time.monotonic() < until_s, said.read_text()
            assert process.poll() is None, said.read_text()
            time.sleep(0.02)
        yield process, found[1]
    finally:
        process.kill()
        process.wait()


def test_a_session_that_is_killed_is_seen_to_be_and_goes_on_where_it_stood_to_its_report(tmp_path, visit):
    folder, sites, steps_pct = tmp_path / "session", ["BF3-L"], [40.0, 45.0, 50.0]
    store = tmp_path / "store.sqlite"
    write_visit(folder, short_visit(sites, steps_pct))
    with box_for(folder, world(sites, steps_pct, 0.0)) as box:
        with command("run", folder, box.port, store) as (killed, address):
            page = visit(address)
            shows(page, "#pulses", "[1-9][0-9]* of 15")
            killed.send_signal(signal.SIGKILL)
            shows(page, "#feed", "FEED LOST")
        with command("resume", folder, box.port, store) as (resumed, address):
            again = visit(address)
            for one in (again, page):
                shows(one, "#pulses", "15 of 15")
                shows(one, "#phase", "The session is finished")
            fill(again, "e", "over", "AB")
            shows(again, "#feed", "session over")
            shows(again, "#report", "report.html")
            resumed.wait(timeout=WAIT_MS / 1000)
    assert "problem: Nobody signed this protocol" in (tmp_path / "resume.stderr").read_text(), "it stood at the crash"
    session = load_session(folder)
    assert np.diff(session.edge_n).tolist() == [1] * (session.edge_n.size - 1), (
        "those of the time without a program, too"
    )
    assert [note.event for note in session.host_notes].count("site_begins") == 1
    assert (folder / "report.html").exists()


def test_an_alarm_on_a_page_without_server_is_closed_by_initials_and_the_page_says_that_it_gets_no_data(
    tmp_path, serve, visit
):
    with Scene(tmp_path) as scene:
        server = serve("en", tmp_path)
        page = visit(server.address)
        shows(page, "#pseudonym", scene.name)
        scene.alarm()
        page.locator("#alarm").wait_for(state="visible", timeout=WAIT_MS)
        server.process.kill()
        page.locator("body[data-link=cut]").wait_for(timeout=WAIT_MS)
        page.keyboard.type("AB")
        page.keyboard.press("Enter")
        page.locator("#alarm").wait_for(state="hidden", timeout=WAIT_MS)
        page.locator("#cut").wait_for(state="visible", timeout=WAIT_MS)
        assert page.evaluate("document.body.dataset.sound") == ""


def test_the_page_of_a_session_that_is_killed_ends_by_itself(tmp_path):
    parent = "; ".join(
        [
            "import sys, time",
            "from pathlib import Path",
            "from hbc_host.app import process",
            "page = process.start_page(Path(sys.argv[1]), language='en', orphan_s=0.5)",
            "print(page.process.pid, flush=True)",
            "time.sleep(600)",
        ]
    )
    session = subprocess.Popen([sys.executable, "-c", parent, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        pid = int(session.stdout.readline())
        os.kill(pid, 0)
    finally:
        session.kill()
        session.communicate()
    until_s = time.monotonic() + WAIT_MS / 1000
    while is_running(pid):
        assert time.monotonic() < until_s
        time.sleep(0.05)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"  # nobody may be there to fetch its exit code
    except OSError:
        return False
