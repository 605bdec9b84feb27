"""A guided session on the simulated box: live numbers are the report's, pages cannot harm it, a killed one goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import support_live
from hbc_hil.rig import rig
from hbc_hil.scenario import Scenario, SiteScenario
from hbc_hil.stimulator import PATTERNS
from hbc_host.analysis import Analysis, analyze_session
from hbc_host.chunks import FROM_BOX
from hbc_host.clinic.visit import Visit, write_visit
from hbc_host.guided import guided_run, guided_sites
from hbc_host.live.address import LIVE_NAME
from hbc_host.live.conduct import conduct
from hbc_host.live.coupling_worker import result_message
from hbc_host.live.feed_client import FeedClient, NoFeedError
from hbc_host.live.follow import Follow
from hbc_host.live.gate import StoreGate
from hbc_host.live.rebuild import rebuild
from hbc_host.live.state_now import state_of
from hbc_host.live.wrap_up import wrap_up
from hbc_host.parts import read_parts
from hbc_host.protocol import StreamDecoder, frame, is_a
from hbc_host.record import RecordSummary
from hbc_host.replay import replay_session
from hbc_host.report.language import language
from hbc_host.report.of_folder import read_folder
from hbc_host.report.words import overall_sentence
from hbc_host.session import load_session
from hbc_host.trains import parse_protocol
from hbc_host.transport import SerialTransport
from hbc_wire import messages
from support import PtyBox, hello_values, pty_box, values_of
from support_live import PULSES_N, BoxSays, a_visit

WALL_S = 300.0  # this computer may be busy with other tests
SITES = ("BF3-L", "5CM-L", "BF3-R", "5CM-R")
STEPS = (45.0, 50.0, 55.0, 60.0, 62.0)
REST_S, BETWEEN_S = 20.0, 12.0
REST_FIRST_S = support_live.REST_S


def four_site_visit() -> Visit:
    return a_visit(
        trains={"kind": "custom", "train_s": 2.0, "pause_s": 8.0, "pulses_n": 30, "trains_n": len(STEPS)},
        intensity={"unit": "%MSO", "steps": list(STEPS)},
        sites={"names": list(SITES), "order": "fixed"},
        rest={"first_s": REST_S, "between_s": BETWEEN_S},
        caps={"pulses_a_session": 1000, "pulses_a_day": 3000, "train_s": 3.0, "source": "a test"},
    )


def four_site_scenario() -> Scenario:
    sites = (SiteScenario("BF3-L", threshold_pct=30.0, plateau_bpm=6.0), *(SiteScenario(name) for name in SITES[1:]))
    return Scenario(
        seed=11,
        sites=sites,
        pattern=PATTERNS["itbs"],
        intensities_pct=STEPS,
        rest_first_s=REST_S + 5.0,
        rest_between_s=BETWEEN_S + 5.0,
        rest_cycles_n=0,
        duration_s=290.0,
    )


@dataclass
class Operator:
    """Says "ready" whenever the next site may begin, and keeps what the feed said."""

    folder: Path
    coupling: dict[str, dict[str, Any]] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    phases: list[str] = field(default_factory=list)
    looks_n: int = 0

    def __enter__(self) -> Operator:
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.join(timeout=WALL_S)

    def _work(self) -> None:
        with suppress(NoFeedError), FeedClient(self.folder, wait_s=WALL_S) as client:
            for message in client:
                self._hear(client, message)

    def _hear(self, client: FeedClient, message: dict[str, Any]) -> None:
        if message["kind"] == "coupling":
            self.looks_n += not message["final"]
            if message["final"]:
                self.coupling[message["site"]] = message
        elif message["kind"] == "result":
            self.result = message
        elif message["kind"] == "state" and message["phase"] not in self.phases[-1:]:
            self.phases.append(message["phase"])
            if message["phase"] in ("waiting", "move_coil"):
                client.send("ready")


def conduct_fast(folder: Path, visit: Visit, scenario: Scenario) -> RecordSummary:
    """A session on the rig that runs as fast as it can, and is only listened to: equal seeds give equal bytes."""
    write_visit(folder, visit)
    with rig(scenario) as box:
        summary = conduct(
            folder,
            visit,
            SerialTransport(box.port),
            clock=lambda: box.bridge.virtual_s,
            stop=lambda: box.finished,
            hello_timeout_s=600.0,
            ping=False,
        )
    assert summary.ended == "stopped"
    return summary


def bytes_of(folder: Path) -> bytes:
    return b"".join(chunk.data for chunk in read_parts(folder).chunks if chunk.kind == FROM_BOX)


def analysis_of(session: Any) -> Analysis:
    return analyze_session(session, protocol=parse_protocol(session.meta.protocol))


@dataclass(frozen=True)
class Conducted:
    folder: Path
    operator: Operator
    summary: RecordSummary


@pytest.fixture(scope="module")
def conducted(tmp_path_factory: pytest.TempPathFactory) -> Conducted:
    """Four sites of five trains, with an operator at the feed."""
    folder = tmp_path_factory.mktemp("live") / "P-1"
    with Operator(folder) as operator:
        summary = conduct_fast(folder, four_site_visit(), four_site_scenario())
    return Conducted(folder, operator, summary)


def test_four_sites_have_the_same_numbers_live_on_replay_and_in_the_report(conducted: Conducted) -> None:
    recorded = load_session(conducted.folder)
    report = result_message(analysis_of(recorded))
    replay = result_message(analysis_of(replay_session(conducted.folder)))
    live = conducted.operator.result
    assert [site["site"] for site in live["sites"]] == list(SITES)
    as_json = json.loads(json.dumps(report))
    assert live == as_json
    assert json.loads(json.dumps(replay)) == as_json
    for site in live["sites"]:
        final = conducted.operator.coupling[site["site"]]
        assert {name: final[name] for name in ("effect_bpm", "p_value", "p_holm")} == {
            name: site[name] for name in ("effect_bpm", "p_value", "p_holm")
        }
        assert final["trains_n"] == len(STEPS)


def test_the_feed_told_the_session_as_it_went(conducted: Conducted) -> None:
    operator = conducted.operator
    assert operator.looks_n >= 1, "estimates came while it went on"
    assert operator.phases[-1] == "finished"
    assert operator.phases.count("move_coil") <= 3
    notes = load_session(conducted.folder).host_notes
    sites = guided_sites(notes)
    assert [site.site for site in sites] == list(SITES)
    assert [note.fields["trains_n"] for note in notes if note.event == "site_ends"] == [len(STEPS)] * 4


def test_a_session_is_rebuilt_from_its_bytes_as_it_stood(conducted: Conducted) -> None:
    follow = rebuild(conducted.folder, four_site_visit())
    now = state_of(follow)
    assert (now["phase"], now["pulses_delivered_n"], now["pulses_planned_n"]) == ("finished", 600, 600)
    assert [len(follow.sites[k].trains) for k in range(4)] == [len(STEPS)] * 4
    assert not [one for one in follow.noted if one.event in ("site_begins", "site_ends")], "they were in the log"


def test_what_is_left_after_a_session_is_its_report_in_the_language_of_its_page(
    conducted: Conducted, tmp_path: Path
) -> None:
    gate = StoreGate(str(tmp_path / "none.sqlite"))
    done = wrap_up(conducted.summary, four_site_visit(), gate, "nl")
    report = conducted.folder / "report.nl.html"  # the visit is English
    assert done.report == report
    assert done.failed == ""
    sentence = overall_sentence(read_folder(conducted.folder).analysis, language("nl"))
    assert done.lines == [sentence, f"report: {report}"]
    assert report.stat().st_mode & 0o777 == 0o600
    assert 'lang="nl"' in report.read_text("utf-8")


def test_clients_that_never_read_change_no_byte_of_the_recording(conducted: Conducted, tmp_path: Path) -> None:
    folder = tmp_path / "P-1"
    stop = threading.Event()

    def freeze() -> None:
        clients: list[FeedClient] = []
        while not stop.is_set():
            with suppress(NoFeedError):
                if len(clients) < 12:
                    clients.append(FeedClient(folder))
            time.sleep(0.05)
        for client in clients:
            client.close()

    thread = threading.Thread(target=freeze, daemon=True)
    thread.start()
    try:
        conduct_fast(folder, four_site_visit(), four_site_scenario())
    finally:
        stop.set()
        thread.join(timeout=WALL_S)
    assert bytes_of(folder) == bytes_of(conducted.folder)


# -- as a command, on a port, killed --------------------------------------------------------------------------------


def quick_visit() -> Visit:
    return a_visit(
        trains={"kind": "custom", "train_s": 1.0, "pause_s": 3.0, "pulses_n": PULSES_N, "trains_n": 6},
        intensity={"unit": "%MSO", "steps": [50.0]},
        sites={"names": ["BF3-L"], "order": "fixed"},
    )


class ScriptedBox(BoxSays):
    """A box at the far end of a pty: says what the test wants when it wants, and gives events again that are asked for.

    Its time runs as fast as the host reads, so that nothing here depends on how busy this computer is.
    """

    def __init__(self, port: PtyBox) -> None:
        self._port = port
        self._requests = StreamDecoder()
        self._edges_us: dict[int, int] = {}
        self._unheard = False
        os.set_blocking(port.master, False)
        super().__init__(Follow(quick_visit()))

    def say(self, message: Any, *values: Any) -> None:
        if message is messages.TriggerEdge:
            self._edges_us[values[0]] = values[1]
        self._seq += 1
        if self._unheard:
            return
        data = memoryview(frame(message, self._seq, *values))
        limit_s = time.monotonic() + WALL_S
        while data:
            assert time.monotonic() < limit_s, "the host does not read"
            try:
                data = data[os.write(self._port.master, data) :]
            except BlockingIOError:
                time.sleep(0.005)

    def introduce(self) -> None:
        """What a box says each second."""
        self.say(messages.Hello, *hello_values(boot_n=self.boot_n))
        status = values_of(messages.Status, status_us=self.now_us, edges_n=self.edge_n)
        self.say(messages.Status, *status)

    def unheard_train(self) -> None:
        """A train while no program listens; ECG is lost, edges stay in the box."""
        self._unheard = True
        onset_us = self.train()
        self.until(onset_us + 4_000_000)
        self._unheard = False

    def answer(self) -> None:
        """Give again what the host asks for."""
        with suppress(BlockingIOError):
            for _, request in self._requests.feed(os.read(self._port.master, 65536)):
                if is_a(request, messages.FetchEvents) and request.kind == messages.FETCH_EDGES:
                    for n in range(request.first_n, request.first_n + request.count_n):
                        again = values_of(messages.TriggerEdge, edge_n=n, edge_us=self._edges_us[n], level=1)
                        self.say(messages.TriggerEdge, *again)


def command(word: str, folder: Path, port: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "hbc_host.cli", "session", word, str(folder), "--port", port]
    environment = {**os.environ, "HBC_STORE": str(folder.parent / "store.sqlite")}
    return subprocess.Popen(
        [*words, "--no-page", "--unsigned"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
    )  # fmt: skip


def wait_for_state(box: ScriptedBox, client: FeedClient, what: Callable[[dict[str, Any]], bool]) -> None:
    """The box goes on, and answers, until the session stands as wanted."""
    limit_s = time.monotonic() + WALL_S
    state: dict[str, Any] = {}
    while time.monotonic() < limit_s:
        box.introduce()
        box.wait(0.05)
        box.answer()
        while (message := client.receive(0.02)) is not None:
            if message["kind"] == "state":
                state = message
                if what(message):
                    return
    raise AssertionError(f"it does not come to that: {state}")


def give_trains(box: ScriptedBox, trains_n: int) -> None:
    for _ in range(trains_n):
        onset_us = box.train()
        box.until(onset_us + 4_000_000)


def test_a_session_killed_in_mid_run_is_resumed_and_no_train_is_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "P-1"
    write_visit(folder, quick_visit())
    with pty_box() as port:
        box = ScriptedBox(port)
        running = command("run", folder, port.path)
        with FeedClient(folder, wait_s=WALL_S) as client:
            wait_for_state(box, client, lambda state: state["phase"] == "waiting")
            client.send("ready")
            wait_for_state(box, client, lambda state: state["phase"] == "rest")
            box.wait(REST_FIRST_S)
            give_trains(box, 2)
            wait_for_state(box, client, lambda state: state["trains_counted_n"] == 2)
        running.send_signal(signal.SIGKILL)
        first_words, _ = running.communicate(timeout=WALL_S)
        box.unheard_train()
        (folder / LIVE_NAME).unlink()  # that of the dead one
        resumed = command("resume", folder, port.path)
        with FeedClient(folder, wait_s=WALL_S) as client:
            wait_for_state(box, client, lambda state: state["phase"] == "pause" and state["trains_counted_n"] == 3)
            give_trains(box, 3)
            wait_for_state(box, client, lambda state: state["phase"] == "finished")
        words, _ = resumed.communicate(timeout=WALL_S)
    assert resumed.returncode == 0, words
    session = load_session(folder)
    [site] = guided_sites(session.host_notes)
    found = guided_run(site, session.edges_s)
    assert (len(found.trains), found.notes) == (6, ()), "those of the time without a program were asked for"
    assert [note.event for note in session.host_notes].count("site_begins") == 1
    assert "problem: Nobody signed this protocol" in first_words, "without a page the terminal says what is wrong"
    assert "no result: " in words, "this box sends no heart beat, and that is said"
