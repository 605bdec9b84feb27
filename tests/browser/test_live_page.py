"""The live page in a real browser: by keyboard alone, in both languages, whatever happens to page and feed."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import time
from contextlib import closing
from typing import Any

import pytest
from browser.scene import SITES, Scene, coupling

WAIT_MS = 120_000  # the machine may be busy; nothing here depends on speed


def shows(page: Any, place: str, text: str) -> None:
    """Wait until a place of the page shows a text."""
    from playwright.sync_api import expect

    expect(page.locator(place)).to_contain_text(re.compile(text), timeout=WAIT_MS)


def wait_for(what: Any) -> None:
    until_s = time.monotonic() + WAIT_MS / 1000
    while not what():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def follow(visit: Any, server: Any, scene: Scene) -> Any:
    """Open a page and wait until it shows this scene and no earlier one."""
    page = visit(server.address)
    shows(page, "#pseudonym", scene.name)
    return page


def type_initials(page: Any, initials: str = "AB") -> None:
    page.wait_for_timeout(1100)  # an alarm takes no keys in its first second
    page.keyboard.type(initials)
    page.keyboard.press("Enter")


@pytest.mark.parametrize(
    ("language", "connected", "slower", "alarm", "placing"),
    [
        ("en", "connected", "2.1 bpm slower", "Stop the stimulator now", "Place the coil"),
        ("nl", "verbonden", "2,1 slagen/min trager", "Stop nu de stimulator", "Plaats de spoel"),
    ],
)
def test_a_session_is_conducted_by_keyboard_alone(shared, visit, language, connected, slower, alarm, placing):
    folder, server = shared(language)
    with Scene(folder, language) as scene:
        page = follow(visit, server, scene)
        shows(page, "#box", connected)
        shows(page, "#rate", "66")
        scene.state["phase"] = "move_coil"
        shows(page, "#phase", placing)
        for key in ("r", "4", "x"):
            page.keyboard.press(key)
        keys = page.locator("#keys").inner_text()
        assert re.search({"en": "0-9 X\\s+discomfort, X is 10", "nl": "0-9 X\\s+ongemak, X is 10"}[language], keys), (
            keys
        )
        for key in ("s", "y", "Enter"):
            page.keyboard.press(key)
        page.keyboard.press("n")
        page.keyboard.type("coil moved")
        page.keyboard.press("Enter")
        page.keyboard.press("i")
        page.keyboard.type("33")
        page.keyboard.press("Tab")
        page.keyboard.type("AB")
        page.keyboard.press("Enter")
        scene.state.update(phase="pause", next_train_s=8.0, step_k=3, train_k=3)
        scene.feed.publish(coupling(SITES[0], 3))
        shows(page, "#effect", slower)
        shows(page, "#map", "1[.,]2")
        scene.alarm()
        page.locator("#alarm").wait_for(state="visible", timeout=WAIT_MS)
        assert alarm in page.locator("#alarm-title").inner_text()
        assert page.evaluate("document.body.dataset.sound") == "alarm"
        type_initials(page)
        page.locator("#alarm").wait_for(state="hidden", timeout=WAIT_MS)
        assert page.evaluate("document.body.dataset.sound") == ""
        page.keyboard.press("v")
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.type("pale")
        page.keyboard.press("Tab")
        page.keyboard.type("AB")
        page.keyboard.press("Enter")
        page.keyboard.press("e")
        page.keyboard.type("all done")
        page.keyboard.press("Tab")
        page.keyboard.type("AB")
        page.keyboard.press("Enter")
        wait_for(lambda: any(do == "end" for do, _ in scene.done))
    assert scene.done == [
        ("ready", {}),
        ("rating", {"site": "", "value": 4}),
        ("rating", {"site": "", "value": 10}),
        ("skip_site", {}),
        ("remark", {"text": "coil moved"}),
        ("intensity", {"mso_pct": 33.0, "by": "AB"}),
        ("acknowledge", {"alarm": "slow-0", "by": "AB"}),
        ("adverse_event", {"what": "headache", "severity": "moderate", "text": "pale", "by": "AB"}),
        ("end", {"why": "all done", "by": "AB"}),
    ]


def test_enter_on_a_list_asks_for_what_is_missing_and_chooses_in_one_that_is_unfolded(shared, visit):
    folder, server = shared("en")
    with Scene(folder, "en") as scene:
        page = follow(visit, server, scene)
        page.keyboard.press("v")
        page.locator("#event").wait_for(state="visible", timeout=WAIT_MS)
        for key in ("ArrowDown", "Tab", "Alt+ArrowDown", "ArrowDown", "Enter"):
            page.keyboard.press(key)
        assert page.evaluate("document.activeElement.value") == "moderate", "Enter chose"
        page.keyboard.press("Enter")
        page.locator("#event-by:focus").wait_for(timeout=WAIT_MS)
        page.keyboard.type("AB")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        wait_for(lambda: scene.done)
    assert scene.done == [("adverse_event", {"what": "scalp_pain", "severity": "moderate", "text": "", "by": "AB"})]


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_form_has_the_side_effects_of_rtms_in_the_language_of_the_page_and_each_can_be_written(
    shared, visit, language
):
    folder, server = shared(language)
    wanted = {
        "en": ["headache", "pain of scalp or face", "nausea", "dizziness", "tingling", "muscle twitching",
               "change of hearing", "psychotic symptoms", "seizure", "syncope (fainting)", "other"],
        "nl": ["hoofdpijn", "pijn aan hoofdhuid of gezicht", "misselijkheid", "duizeligheid", "tintelingen",
               "spiertrekkingen", "verandering van het gehoor", "psychotische verschijnselen", "epileptisch insult",
               "syncope (flauwvallen)", "anders"],
    }  # fmt: skip
    with Scene(folder, language) as scene:
        page = follow(visit, server, scene)
        page.keyboard.press("v")
        page.locator("#event").wait_for(state="visible", timeout=WAIT_MS)
        assert page.locator("#event-what option").all_inner_texts() == wanted[language]
        for key in ("ArrowDown", "ArrowDown", "Tab", "Tab", "Tab"):
            page.keyboard.press(key)
        page.keyboard.type("AB")
        page.keyboard.press("Enter")
        wait_for(lambda: scene.done)
    assert scene.done == [("adverse_event", {"what": "nausea", "severity": "mild", "text": "", "by": "AB"})]


def test_a_page_that_is_closed_reloaded_or_frozen_changes_nothing_and_two_pages_show_the_same(shared, visit):
    folder, server = shared()
    with Scene(folder) as scene:
        first, second = follow(visit, server, scene), follow(visit, server, scene)
        scene.alarm()
        for page in (first, second):
            page.locator("#alarm").wait_for(state="visible", timeout=WAIT_MS)
        first.close()
        second.reload()
        second.locator("#alarm").wait_for(state="visible", timeout=WAIT_MS)
        third = visit(server.address)
        third.locator("#alarm").wait_for(state="visible", timeout=WAIT_MS)
        third.keyboard.press("Escape")
        third.keyboard.press("Escape")
        type_initials(third)
        second.locator("#alarm").wait_for(state="hidden", timeout=WAIT_MS)
        shows(second, "#problems", "acknowledged by AB")
        second.evaluate("const until = Date.now() + 1500; while (Date.now() < until);")  # frozen
        shows(second, "#feed", "live")
        told_n = len(scene.told_s)
        wait_for(lambda: len(scene.told_s) > told_n)
        scene.alarm("pause", None, 3.0)
        second.locator("#alarm").wait_for(state="visible", timeout=WAIT_MS)
    shows(second, "#feed", "FEED LOST")
    type_initials(second)  # nobody is there to write it down, but the screen is free
    second.locator("#alarm").wait_for(state="hidden", timeout=WAIT_MS)
    assert [do for do, _ in scene.done] == ["acknowledge"]


def test_an_alarm_cannot_be_acknowledged_by_accident(shared, visit):
    folder, server = shared()
    with Scene(folder) as scene:
        page = follow(visit, server, scene)
        page.keyboard.press("n")
        page.keyboard.type("the coil was")
        scene.alarm()
        page.locator("#alarm").wait_for(state="visible", timeout=WAIT_MS)
        for keys in ("Enter", "Escape", "Escape", "Escape"):
            page.keyboard.press(keys)
        page.keyboard.type("7")
        page.keyboard.press("Enter")
        page.wait_for_timeout(1200)
        page.keyboard.press("Enter")
        page.keyboard.type("x")
        page.keyboard.press("Enter")
        assert page.locator("#note-text").input_value() == "the coil was"
        # A browser may take dialogs away by itself and tells the page later: the keys in between do nothing either.
        page.evaluate(
            """() => {
                for (const name of ["note", "alarm"]) document.getElementById(name).close();
                const seven = { key: "7", bubbles: true, cancelable: true };
                document.body.dispatchEvent(new KeyboardEvent("keydown", seven));
            }"""
        )
        page.wait_for_timeout(300)
        assert page.locator("#alarm").is_visible()
        assert scene.done == []


def test_a_server_without_a_session_then_without_a_box_says_so_and_shows_no_old_heart(tmp_path, serve, visit):
    page = visit(serve().address)
    shows(page, "#feed", "waiting for the session")
    with Scene(tmp_path, has_box=False) as scene:
        scene.state.update(phase="no_box", problems=[{"code": "no_box", "text": "", "since_s": 0.0}])
        shows(page, "#box", "no box")
        shows(page, "#problems", "No box: nothing is measured")
        shows(page, "#rate", "^\N{EN DASH}$")
    shows(page, "#feed", "FEED LOST")


def test_a_heart_that_is_not_visible_and_a_cap_that_is_passed_are_states_of_their_own(shared, visit):
    folder, server = shared()
    with Scene(folder) as scene:
        page = follow(visit, server, scene)
        shows(page, "#rate", "66")
        scene.state["problems"] = [
            {"code": "no_triggers", "text": "no pulses 9 s after a train was due: stimulator, cable", "since_s": 1.0},
            {"code": "over_cap", "text": "more than 3000 pulses today, which the clinic allows", "since_s": 1.0},
            {"code": "heart_not_visible", "text": "", "since_s": 1.0},
        ]
        shows(page, "#problems", "OVER THE CLINIC'S CAP.*3000")
        assert page.locator("#problems p").nth(1).get_attribute("data-level") == "stop"
        assert page.locator("#problems p").nth(2).get_attribute("data-level") == "warn"
        shows(page, "#rate_note", "heart not visible")
        shows(page, "#rate", "^\N{EN DASH}$")
        page.keyboard.press("a")
        page.keyboard.type("AB")
        page.keyboard.press("Enter")
        wait_for(lambda: scene.done)
        assert scene.done == [("acknowledge", {"alarm": "no_triggers", "by": "AB"})]


def test_a_page_whose_server_dies_says_that_it_is_old(tmp_path, serve, visit):
    with Scene(tmp_path):
        server = serve()
        page = visit(server.address)
        shows(page, "#rate", "66")
        server.process.kill()
        server.process.wait()
        page.locator("#cut").wait_for(state="visible", timeout=WAIT_MS)


def test_the_alarm_sounds_as_soon_as_the_browser_lets_it_and_is_one_steady_chord(shared, visit):
    folder, server = shared()
    with Scene(folder) as scene:
        page = follow(visit, server, scene)
        shows(page, "#sound", "press a key")
        page.keyboard.press("Shift")
        shows(page, "#sound", "on")
        page.evaluate(
            """() => {
              const start = OscillatorNode.prototype.start;
              window.tones = [];
              OscillatorNode.prototype.start = function () {
                window.tones.push(this.frequency.value);
                start.call(this);
              };
            }"""
        )
        scene.alarm("pause", None, 3.0)
        shows(page, "#alarm-text", "No heartbeat for 3.0 s")
        wait_for(lambda: page.evaluate("window.tones.length") >= 3)
        page.wait_for_timeout(500)
        tones_hz = page.evaluate("window.tones")
        assert len(tones_hz) == 3  # started once: no repetition that could be taken for a rhythm
        assert min(tones_hz) > 300.0
        assert page.locator("#alarm .fault").inner_text() == ""
        type_initials(page, "7")
        shows(page, "#alarm .fault", "at least two letters")
        assert page.locator("#alarm").is_visible()
        type_initials(page)
        page.locator("#alarm").wait_for(state="hidden", timeout=WAIT_MS)


def test_the_ecg_moves_and_beats_reach_the_screen(shared, visit):
    folder, server = shared()
    with Scene(folder) as scene:
        page = follow(visit, server, scene)
        page.evaluate(
            "() => { window.frames_n = 0; window.drawn = [];"
            " document.addEventListener('hbc:frame', () => { window.frames_n++; });"
            " document.addEventListener('hbc:mark', (event) => { if (event.detail.kind === 'beat')"
            "   window.drawn.push([event.detail.at_s, performance.timeOrigin + performance.now()]); }); }"
        )
        began_s = time.time()

        def late_ms() -> list[float]:
            live = [(at_s, at_ms) for at_s, at_ms in page.evaluate("window.drawn") if scene.told_s[at_s] > began_s]
            return sorted(at_ms - 1000 * scene.told_s[at_s] for at_s, at_ms in live)

        # Two at least within a second, in two minutes of a busy machine; on a quiet one: docs/howto/live-page.md.
        wait_for(lambda: len(late_ms()) >= 4 and late_ms()[1] < 1000.0 and page.evaluate("window.frames_n") > 40)
        assert late_ms()[0] > 0.0, "no beat is drawn before it is told"


def test_wrong_token_host_and_origin_are_refused_and_the_headers_shut_the_page(shared):
    _, server = shared()
    port = int(server.origin.rpartition(":")[2])

    def ask(path: str, **headers: str) -> tuple[int, dict[str, str]]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=300)) as connection:
            connection.request("GET", path, headers=headers)
            with connection.getresponse() as answer:
                if answer.status != 101:
                    answer.read()
                return answer.status, dict(answer.getheaders())

    right = server.address.removeprefix(server.origin)
    status, headers = ask(right)
    assert status == 303
    cookie = headers["set-cookie"].partition(";")[0]
    assert "HttpOnly" in headers["set-cookie"]
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "x" * 22 + "==",
    }
    assert ask("/", Cookie=cookie)[0] == 200
    assert ask("/", Cookie=cookie, Host=f"evil.example:{port}")[0] == 403
    assert ask("/", Cookie=cookie, Origin="http://evil.example")[0] == 403
    assert ask("/")[0] == 403
    assert ask(right[:-1])[0] == 403
    assert ask("/static/live.js")[0] == 403
    assert ask("/?token=")[0] == 403
    assert ask("/static/../page.py", Cookie=cookie)[0] == 404
    assert ask("/socket", Cookie=cookie, **upgrade)[0] == 403
    assert ask("/socket", Cookie=cookie, Origin=f"http://127.0.0.1:{port + 1}", **upgrade)[0] == 403
    assert ask("/socket", Origin=server.origin, **upgrade)[0] == 403
    assert ask("/socket", Cookie=cookie, Origin=server.origin, **upgrade)[0] == 101
    _, headers = ask("/", Cookie=cookie)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_nonsense_from_a_page_reaches_no_session(shared, visit):
    folder, server = shared()
    with Scene(folder) as scene:
        page = follow(visit, server, scene)
        shows(page, "#rate", "66")
        answers = page.evaluate(
            """async () => {
              const socket = new WebSocket(`ws://${location.host}/socket`);
              const answers = [];
              socket.onmessage = (event) => {
                const message = JSON.parse(event.data);
                if (message.kind === "done") answers.push(message.ok);
              };
              await new Promise((go) => { socket.onopen = go; });
              for (const line of ["", "[]", "{", '{"do":"format_disk"}', '{"do":"rating","value":99}',
                '{"do":"rating","value":"4"}', '{"do":"end","by":"","why":"x"}', '{"do":"ready","more":1}']) {
                socket.send(line);
              }
              while (answers.length < 8) await new Promise((go) => setTimeout(go, 50));
              await new Promise((go) => setTimeout(go, 300));  // for one too many
              return answers;
            }"""
        )
        assert answers == [False] * 8
        assert scene.done == []


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path, shared):
    _, server = shared()
    port = server.origin.rpartition(":")[2]
    command = [sys.executable, "-m", "hbc_host.app.page", "--live", str(tmp_path), "--http-port", port]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert found.returncode == 2
    assert found.stderr.startswith(f"error: port {port} cannot be used")
    assert found.stderr.count("\n") == 1
