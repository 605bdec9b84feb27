"""When a session is over: what its page still does, what it says, and how long its server stays."""

from __future__ import annotations

import re
import time

import pytest
from browser.scene import SITES, Scene, coupling
from hbc_host.live.over import closed_words
from hbc_host.names import REPORT_NAME
from support_live import a_visit

WAIT_MS = 120_000  # the machine may be busy
OFFICE = {"width": 1400, "height": 950}
OVER = closed_words(a_visit().model_copy(update={"practice": False}))
COMMAND = OVER.partition(": ")[2].partition(": ")[2]
KEYS = "ravnoise07x"
RESULT = {
    "kind": "result", "best_site": SITES[1], "probability": 0.87,
    "sites": [{"site": SITES[0], "verdict": "coupled"}, {"site": SITES[1], "verdict": "not_shown"}],
    "threshold": {"found": "found", "threshold_pct": 38.0, "ci95_pct": [33.0, 44.0]},
}  # fmt: skip
#: Each value lies within the window, within all boxes that clip it, and nothing of it is scrolled away.
IS_SEEN = """(id) => { const box = document.getElementById(id).getBoundingClientRect();
  const clips = [document.documentElement.getBoundingClientRect()];
  for (let one = document.getElementById(id); one; one = one.parentElement)
    if (getComputedStyle(one).overflow !== 'visible') clips.push(one.getBoundingClientRect());
  return box.height > 0 && clips.every((clip) => box.left >= clip.left - 1 && box.top >= clip.top - 1
    && box.right <= Math.min(clip.right, innerWidth) + 1 && box.bottom <= Math.min(clip.bottom, innerHeight) + 1)
    && document.getElementById(id).scrollWidth <= document.getElementById(id).clientWidth + 1; }"""


def shows(page, place, text):
    from playwright.sync_api import expect

    expect(page.locator(place)).to_contain_text(re.compile(text), timeout=WAIT_MS)


def end(scene):
    """As the engine tells it: ended, and the recording is being closed."""
    scene.state.update(phase="finished", over_why=OVER, ends_in_s=None)


@pytest.mark.parametrize(("language", "opening"), [("en", "The session is over"), ("nl", "De sessie is afgelopen")])
def test_after_the_end_no_form_opens_the_page_says_what_to_do_instead_and_the_whole_path_of_the_report_is_seen(
    tmp_path, serve, visit, language, opening
):
    folder = tmp_path / "/".join(["a-long-folder-name-of-a-clinic"] * 5)
    folder.mkdir(parents=True)
    server = serve(language, folder)
    page = visit(server.address)
    page.set_viewport_size(OFFICE)
    with Scene(folder, language) as scene:
        shows(page, "#pseudonym", scene.name)
        for site in SITES:
            scene.feed.publish(coupling(site, 5, final=True))
        page.keyboard.press("n")
        page.keyboard.type("half a sentence")
        end(scene)
        scene.feed.publish(RESULT)
        shows(page, "#note .fault", opening)
        page.keyboard.press("Enter")
        assert page.locator("#note-text").input_value() == "half a sentence", "it can still be copied"
        assert page.locator("#note").is_visible()
        page.keyboard.press("Escape")
        refused_everywhere(page, opening)
    shows(page, "#feed", "session over|sessie afgelopen")
    (folder / REPORT_NAME).write_text("a report")
    shows(page, "#report", re.escape(str(folder / REPORT_NAME)))
    refused_everywhere(page, opening)
    for place in ("over-why", "report", "result"):
        assert page.evaluate(IS_SEEN, place), place
    copied = "getSelection().selectAllChildren(document.getElementById('report')) || String(getSelection())"
    assert str(folder / REPORT_NAME) in page.evaluate(copied)
    page.keyboard.press("c")
    assert page.locator("#cards").is_visible()
    page.keyboard.press("Escape")
    theme = page.evaluate("document.documentElement.dataset.theme")
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") != theme
    assert scene.done == []


def refused_everywhere(page, opening):
    for key in KEYS:
        page.evaluate("document.getElementById('over-why').dataset.asked = ''")
        page.keyboard.press(key)
        assert page.locator("dialog[open]").count() == 0, key
        assert page.locator("#over-why").get_attribute("data-asked") == "yes", key
    shows(page, "#over-why", f"{opening}.*{re.escape(COMMAND)}")


def test_a_form_that_lacks_something_says_so_in_the_language_of_the_page_and_not_of_the_browser(shared, visit):
    folder, server = shared("nl")
    with Scene(folder, "nl") as scene:
        page = visit(server.address)
        shows(page, "#pseudonym", scene.name)
        forms = "[...document.querySelectorAll('dialog:not(#alarm) form')].filter((form) => !form.noValidate).length"
        assert page.evaluate(forms) == 0, "the browser says nothing"
        page.keyboard.press("i")
        page.keyboard.press("Enter")
        shows(page, "#intensity .fault", "Vul dit in")
        page.keyboard.type("180")
        page.keyboard.press("Enter")
        shows(page, "#intensity .fault", "Een heel getal van 1 tot 100")
        page.locator("#intensity-value").fill("55")
        page.keyboard.press("Enter")
        shows(page, "#intensity .fault", "Vul dit in")
        assert page.evaluate("document.activeElement.id") == "intensity-by"
        page.keyboard.type("  ")
        page.keyboard.press("Enter")
        shows(page, "#intensity .fault", "Vul dit in")
        page.keyboard.type("AB")
        page.keyboard.press("Enter")
        page.keyboard.press("s")
        page.keyboard.type("x")
        page.keyboard.press("Enter")
        shows(page, "#skip .fault", "Typ J om te bevestigen")
        page.keyboard.press("Escape")
        page.keyboard.press("s")
        assert page.locator("#skip .fault").inner_text() == "", "a new form knows nothing of the one before"
        limit_s = time.monotonic() + WAIT_MS / 1000
        while not scene.done:
            assert time.monotonic() < limit_s
            time.sleep(0.02)
    assert scene.done == [("intensity", {"mso_pct": 55.0, "by": "AB"})]


def test_a_session_that_waits_for_its_end_says_how_long_it_will(shared, visit):
    folder, server = shared("en")
    with Scene(folder) as scene:
        page = visit(server.address)
        page.set_viewport_size(OFFICE)
        scene.state.update(phase="finished", ends_in_s=125.0)
        shows(page, "#next", "Press E to end it; it ends by itself in 2 min 05 s")
        assert page.locator("#next").is_visible()
        scene.state.update(ends_in_s=None, observation={"what": "syncope", "elapsed_s": 3.0})
        shows(page, "#next", "waits for the end of the observation")
        problems = [{"code": code, "text": "", "acknowledged_by": ""} for code in ("unsigned_protocol", "lead_off")]
        scene.state.update(phase="move_coil", observation=None, problems=problems)
        scene.feed.publish({"kind": "practice", "site": SITES[0], "ready_in_s": 7.4})
        shows(page, "#next", "R is pressed by the demonstration in 7 s")
        shows(page, "#problems", "An electrode is off")
        for box in ("now", "heart"):
            cut_n = page.evaluate(
                "(id) => { const box = document.getElementById(id); return box.scrollHeight - box.clientHeight; }", box
            )
            assert cut_n <= 0, f"{box}: {cut_n} pixels are cut off, though there are bars above"
        scene.state.update(phase="rest")
        shows(page, "#next", "rest: 42 s more")


def test_in_dutch_in_an_office_neither_the_time_since_an_event_nor_not_adjusted_is_cut_off(shared, visit):
    folder, server = shared("nl")
    with Scene(folder, "nl") as scene:
        page = visit(server.address)
        page.set_viewport_size(OFFICE)
        shows(page, "#pseudonym", scene.name)
        scene.state.update(
            phase="pause",
            next_train_s=8.0,
            step_k=3,
            train_k=3,
            observation={"what": "hearing_change", "elapsed_s": 65.0},
        )
        scene.feed.publish(coupling(SITES[0], 3))
        shows(page, "#observation", "1 min 05 s")
        shows(page, "#adjusted", "nog niet gecorrigeerd")
        for place in ("observation", "adjusted"):
            assert page.evaluate(IS_SEEN, place), place


def test_the_server_of_a_session_that_is_over_ends_in_the_time_that_its_page_names_and_the_page_keeps_what_it_shows(
    tmp_path, serve, visit
):
    server = serve("en", tmp_path, "--stay-s", "2")
    page = visit(server.address)
    with Scene(tmp_path) as scene:
        shows(page, "#pseudonym", scene.name)
        end(scene)
        shows(page, "#over-why", re.escape(COMMAND))
        assert server.process.poll() is None
    shows(page, "#stays", r"This page can be read until \d\d:\d\d\.")
    assert server.process.wait(timeout=WAIT_MS / 1000) == 0, "though a browser is there"
    page.wait_for_timeout(4000)  # longer than a page is silent before it says that it gets no data
    assert not page.locator("#cut").is_visible()
    assert COMMAND in page.locator("#over-why").inner_text()


def test_a_session_that_is_over_without_any_page_leaves_no_server_behind(tmp_path, serve):
    server = serve("en", tmp_path, "--stay-s", "1")
    with Scene(tmp_path) as scene:
        end(scene)
        limit_s = time.monotonic() + WAIT_MS / 1000
        while scene.feed.clients_n == 0:
            assert time.monotonic() < limit_s
            time.sleep(0.02)
        time.sleep(1.0)
        assert server.process.poll() is None
    assert server.process.wait(timeout=WAIT_MS / 1000) == 0
