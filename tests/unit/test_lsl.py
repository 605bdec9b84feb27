"""LSL streams through the real liblsl, from an outlet to an inlet on this computer."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hbc_host.chunks import FROM_BOX, TO_BOX, Chunk
from hbc_host.cli import app
from hbc_host.clocksync import ClockFit
from hbc_host.errors import InputError
from hbc_host.exchange import lsl as lsl_module
from hbc_host.exchange import lsl_in
from hbc_host.exchange.box_feed import BoxFeed
from hbc_host.exchange.lsl import LslClock, load_lsl
from hbc_host.exchange.lsl_in import Marker, find_markers, listen_markers, place_markers, read_markers, write_markers
from hbc_host.exchange.lsl_out import BEATS, CLOCK, COUPLING, ECG, TRIGGERS, Outlets, coupling_values, outlets
from hbc_host.live.feed import Feed
from hbc_host.protocol import frame
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.session import META_NAME, load_session
from hbc_wire import messages
from support import Sent, a_meta, box_frames, values_of
from typer.testing import CliRunner

WAIT_S = 180.0  # other work may hold this computer up
DRIFT_PPM = 250.0


@pytest.fixture(scope="module")
def pylsl() -> Any:
    """pylsl, when a stream can be found on this computer: that takes multicast on the loop-back interface."""
    module = load_lsl()
    name = f"probe {uuid4().hex}"
    outlet = module.StreamOutlet(module.StreamInfo(name, "probe", 1, 0.0, module.cf_float32, name))
    found = module.resolve_byprop("name", name, 1, 20.0)
    del outlet
    if not found:
        pytest.skip("LSL finds no stream on this computer: multicast does not work here")
    return module


def hello(who: str) -> dict[str, Any]:
    return {
        "kind": "hello", "rate_hz": 500,
        "session": {"pseudonym": "P-JANE", "operator": "Doe", "sites": [{"name": "BF3-L"}, {"name": "5cmL"}]},
        "box": {"unique_id": who, "board": "esp32", "firmware": "1"},
    }  # fmt: skip


def clock(origin_s: float) -> dict[str, Any]:
    return {
        "origin_us": 2_000_000, "origin_s": origin_s, "drift_ppm": DRIFT_PPM, "max_error_us": 1234.0,
        "drift_error_ppm": None,
    }  # fmt: skip


COUPLED = {
    "kind": "coupling", "site": "5cmL", "trains_n": 6, "effect_bpm": 3.5, "ci90_bpm": [1.0, 6.0], "p_value": 0.01,
    "verdict": "coupled",
}  # fmt: skip


def inlet_of(pylsl: Any, outlet_of: str, stream: str) -> Any:
    """An open inlet of the stream of one box, whatever other streams there are on this computer."""
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s:
        for info in pylsl.resolve_byprop("name", stream, 1, 5.0):
            if info.source_id().startswith(f"hbc-{outlet_of}"):
                inlet = pylsl.StreamInlet(info)
                inlet.open_stream(timeout=WAIT_S)
                return inlet
    pytest.fail(f"no stream {stream}")


def code_of(who: str) -> str:
    from hashlib import sha256

    return sha256(who.encode()).hexdigest()[:12]


@pytest.fixture(scope="module")
def opened(pylsl: Any) -> Iterator[tuple[Outlets, dict[str, Any], float]]:
    """Outlets, an inlet of each, and the host time of device second 2; each test takes out what it put in."""
    who, origin_s = uuid4().hex, time.monotonic() - 5.0
    with outlets(pylsl) as streams:
        streams.take(hello(who))
        streams.take({"kind": "state", "clock": clock(origin_s)})
        streams.take({"kind": "pulse", "at_s": 2.0})  # opens them; nobody listens yet
        names = (ECG, BEATS, TRIGGERS, COUPLING, CLOCK)
        yield streams, {name: inlet_of(pylsl, code_of(who), name) for name in names}, origin_s


def pull(inlet: Any) -> tuple[list[Any], float]:
    values, stamp = inlet.pull_sample(timeout=WAIT_S)
    assert values is not None
    return values, stamp


def test_stamps_are_the_instants_of_the_box_on_lsls_clock(
    pylsl: Any, opened: tuple[Outlets, dict[str, Any], float]
) -> None:
    streams, inlets, origin_s = opened
    offset_s = LslClock(pylsl).offset_s  # from the closest of many readings: a busy computer spoils most
    streams.take({"kind": "pulse", "at_s": 6.25})
    streams.take({"kind": "beat", "at_s": 6.5, "rr_ms": 812.5, "rate_bpm": 73.8, "quality": 240, "counted": True})
    streams.take({"kind": "beat", "at_s": 7.5, "rr_ms": None, "rate_bpm": None, "quality": 90, "counted": False})
    mv = [round(0.01 * k, 2) for k in range(25)]
    streams.take({"kind": "ecg", "first_s": 6.0, "rate_hz": 500, "mv": mv, "blanked": [0] * 25})
    streams.take(COUPLED)

    def expected_s(device_s: float) -> float:
        return origin_s + (device_s - 2.0) * (1 + DRIFT_PPM * 1e-6) + offset_s

    values, stamp = pull(inlets[TRIGGERS])
    assert values == ["TMS"]
    assert stamp == pytest.approx(expected_s(6.25), abs=1e-4)
    values, stamp = pull(inlets[BEATS])
    assert values == [812.5, 240.0]
    assert stamp == pytest.approx(expected_s(6.5), abs=1e-4)
    values, stamp = pull(inlets[BEATS])
    assert math.isnan(values[0])
    assert values[1] == 90.0
    ecg = [pull(inlets[ECG]) for _ in mv]
    assert [value for (value,), _ in ecg] == pytest.approx(mv)
    stamps_s = [stamp for _, stamp in ecg]
    np.testing.assert_allclose(stamps_s, [expected_s(6.0 + k / 500) for k in range(25)], atol=1e-4)
    assert pull(inlets[COUPLING])[0] == [3.5, 1.0, 6.0, 0.01, 6.0, 2.0]


def test_a_stream_says_what_its_stamps_are_worth_and_names_nobody(
    opened: tuple[Outlets, dict[str, Any], float],
) -> None:
    streams, inlets, origin_s = opened
    for name, inlet in inlets.items():
        text = inlet.info(WAIT_S).as_xml()
        about = inlet.info(WAIT_S).desc().child("clock")
        assert float(about.child_value("max_error_us")) == pytest.approx(1234.0, abs=50.0)
        assert about.child_value("latency")
        for secret in ("P-JANE", "Doe"):
            assert secret not in text, name
    sites = inlets[COUPLING].info(WAIT_S).desc().child("sites")
    assert [sites.child_value("site"), sites.child("site").next_sibling().child_value()] == ["BF3-L", "5cmL"]
    streams.take({"kind": "state", "clock": clock(origin_s) | {"max_error_us": 900.0, "drift_error_ppm": 3.0}})
    values, _ = pull(inlets[CLOCK])
    assert values[0] == pytest.approx(900.0, abs=50.0)
    assert values[1:] == [DRIFT_PPM, 3.0]


class _Recorder:
    """In place of pylsl where nothing is looked for on the network."""

    IRREGULAR_RATE, cf_string, cf_double64 = 0.0, 3, 2

    def __init__(self) -> None:
        self.outlets: list[Any] = []

    def local_clock(self) -> float:
        return time.monotonic() + 100.0


def test_nothing_is_sent_while_the_clocks_are_not_related() -> None:
    streams = Outlets(_Recorder())
    streams.take(hello("a"))
    streams.take({"kind": "state", "clock": None})
    streams.take({"kind": "pulse", "at_s": 6.25})
    streams.take({"kind": "ecg", "first_s": 6.0, "rate_hz": 500, "mv": [0.0], "blanked": [0]})
    streams.take(COUPLED)
    assert not streams.are_open
    assert streams.left_out_n == 3
    assert sum(streams.sent_n.values()) == 0


def test_a_box_that_restarts_is_silent_until_its_new_clock_is_known(
    opened: tuple[Outlets, dict[str, Any], float],
) -> None:
    streams, inlets, origin_s = opened
    streams.take({"kind": "ecg", "first_s": 60.0, "rate_hz": 500, "mv": [0.5], "blanked": [0]})
    sent = dict(streams.sent_n)
    streams.take({"kind": "ecg", "first_s": 0.3, "rate_hz": 500, "mv": [0.6], "blanked": [0]})
    streams.take({"kind": "pulse", "at_s": 0.31})
    assert streams.sent_n == sent
    assert streams.left_out_n == 2
    streams.take({"kind": "state", "clock": clock(origin_s + 60.0)})
    streams.take({"kind": "pulse", "at_s": 0.9})
    assert streams.sent_n[TRIGGERS] == sent[TRIGGERS] + 1
    _, stamp = pull(inlets[TRIGGERS])
    expected_s = ClockFit(2_000_000, origin_s + 60.0, DRIFT_PPM, 0.0, 1).to_host_s(900_000)
    assert stamp == pytest.approx(expected_s + streams.clock.offset_s, abs=1e-4)


def test_the_offset_between_host_and_lsl_clock_is_found() -> None:
    found = LslClock(_Recorder())
    assert found.offset_s == pytest.approx(100.0, abs=1e-3)
    assert 0 <= found.offset_error_s < 1e-3
    with pytest.raises(InputError, match="wait for the first answered ping"):
        found.at(1.0)


def test_values_that_are_not_known_yet_are_nan() -> None:
    values = coupling_values({**COUPLED, "ci90_bpm": None, "effect_bpm": None, "p_value": None})
    assert [math.isnan(value) for value in values] == [True, True, True, True, False]


def test_a_box_alone_gives_the_messages_of_a_feed() -> None:
    feed, said = BoxFeed(), []
    for n, one in enumerate(_with_pongs(box_frames(20.0))):
        said += feed.take(Chunk(one[0], 50.0 + 0.01 * n, one[1]))
    kinds = {
        kind: [message for message in said if message["kind"] == kind] for kind in ("hello", "ecg", "beat", "pulse")
    }
    assert len(kinds["hello"]) == 1
    assert len(kinds["ecg"]) == 400
    assert kinds["beat"][5]["rr_ms"] == 800.0
    assert len(kinds["pulse"]) == 50
    relations = [message["clock"] for message in said if message["kind"] == "state"]
    assert relations[0] is None
    assert relations[-1]["max_error_us"] < 20_000


def _with_pongs(sent: list[Sent]) -> list[tuple[int, bytes]]:
    chunks = []
    for n, one in enumerate(sent):
        if n % 40 == 20:
            chunks.append((TO_BOX, frame(messages.ClockPing, n, n)))
            pong = values_of(messages.ClockPong, token=n, received_us=one.at_us, sent_us=one.at_us + 100)
            chunks.append((FROM_BOX, frame(messages.ClockPong, n, *pong)))
        chunks.append((FROM_BOX, one.data))
    return chunks


def test_the_command_follows_a_session_under_way_and_ends_with_it(pylsl: Any, tmp_path: Path) -> None:
    who = uuid4().hex
    command = [sys.executable, "-m", "hbc_host.cli", "stream", "lsl", "--live", str(tmp_path), "--json", "-"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with Feed(tmp_path) as feed:
        feed.publish(hello(who))
        feed.publish({"kind": "state", "clock": clock(time.monotonic())})
        sender = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        try:
            until_s = time.monotonic() + WAIT_S
            while feed.clients_n == 0 and time.monotonic() < until_s:
                time.sleep(0.05)
            feed.publish({"kind": "pulse", "at_s": 2.0})
            inlet = inlet_of(pylsl, code_of(who), TRIGGERS)
            feed.publish({"kind": "pulse", "at_s": 3.0})
            assert pull(inlet)[0] == ["TMS"]
        finally:
            if sender.poll() is None and feed.clients_n == 0:
                sender.kill()
    told, errors = sender.communicate(timeout=WAIT_S)
    assert sender.returncode == 0, errors
    assert json.loads(told)["sent_n"][TRIGGERS] == 2
    assert json.loads(told)["clock_max_error_us"] == pytest.approx(1234.0, abs=50.0)


@pytest.fixture
def marked(tmp_path: Path) -> tuple[Path, float]:
    """A recording with pings, and the host time of device second 0."""
    writer_folder = tmp_path / "s"
    writer_folder.mkdir()
    (writer_folder / META_NAME).write_text(a_meta().to_json(), "utf-8")
    writer, origin_s = LogWriter(writer_folder / LOG_NAME), 7000.0
    for one in box_frames(30.0):
        at_s = origin_s + one.at_us * 1e-6
        if one.message is messages.Status:
            writer.append(Chunk(TO_BOX, at_s - 0.003, frame(messages.ClockPing, 0, one.at_us & 0xFFFF)))
            pong = values_of(
                messages.ClockPong, token=one.at_us & 0xFFFF, received_us=one.at_us, sent_us=one.at_us + 100
            )
            writer.append(Chunk(FROM_BOX, at_s + 0.0031, frame(messages.ClockPong, 0, *pong)))
        writer.append(Chunk(FROM_BOX, at_s, one.data))
    writer.close()
    return writer_folder, origin_s


def test_markers_are_placed_on_the_clock_of_the_recording(marked: tuple[Path, float], tmp_path: Path) -> None:
    folder, origin_s = marked
    texts = ["TMS", "TMS", "rest", "TMS"]
    heard = [Marker(origin_s + at_s, 0.001, text) for at_s, text in zip((7.0, 7.1, 9.0, 99.0), texts, strict=True)]
    file = tmp_path / "markers.csv"
    assert write_markers(file, iter(heard), lambda marker: None) == 4
    assert read_markers(file) == heard
    words = [
        "stream",
        "place",
        str(file),
        str(folder),
        "--match",
        "TMS",
        "--out",
        str(tmp_path / "t.csv"),
        "--json",
        "-",
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["placed_n"], told["outside_n"]) == (2, 1)
    assert 4.0 <= told["error_ms"] <= 6.0  # half a round trip of 6 ms, and the millisecond of the marker
    found_s = np.loadtxt(tmp_path / "t.csv", skiprows=1)
    np.testing.assert_allclose(found_s, [7.0, 7.1], atol=1e-3 * told["error_ms"])
    with pytest.raises(InputError, match="0 of 1 markers lie within"):
        place_markers([Marker(5.0, 0.0, "TMS")], load_session(folder))


def test_markers_of_another_program_are_heard_at_the_time_they_were_sent(
    pylsl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lsl_in, "FIND_S", WAIT_S)
    name = f"stimulator {uuid4().hex}"
    info = pylsl.StreamInfo(name, "Markers", 1, 0.0, pylsl.cf_string, name)
    outlet, heard, sent_s = pylsl.StreamOutlet(info), [], []
    found = find_markers(pylsl, name)
    listener = threading.Thread(
        target=lambda: heard.extend(listen_markers(pylsl, found, lambda: len(heard) > 2)), daemon=True
    )
    listener.start()
    assert outlet.wait_for_consumers(WAIT_S)
    for _ in range(3):
        time.sleep(0.3)
        before_s = time.monotonic()
        outlet.push_sample(["TMS"])
        sent_s.append((before_s, time.monotonic()))
    listener.join(WAIT_S)
    assert len(heard) >= 2
    for marker, (before_s, after_s) in zip(heard, sent_s, strict=False):
        assert marker.text == "TMS"
        assert marker.error_s >= 0
        assert before_s - marker.error_s - 0.02 < marker.host_s < after_s + marker.error_s + 0.02
    assert min(marker.error_s for marker in heard) < 0.05
    monkeypatch.setattr(lsl_in, "FIND_S", 0.3)
    with pytest.raises(InputError, match="no marker stream; start the other program"):
        find_markers(pylsl, "nobody")


BAD_MARKERS = {
    "a,b\n": "does not begin with host_s,error_ms,marker",
    "host_s,error_ms,marker\n1,2\n": "line 2 is not a time",
    "host_s,error_ms,marker\n1,2,x\n,2,x\n": "line 3 is not a time",
    "host_s,error_ms,marker\nnan,2,x\n": "line 2 holds no finite time",
    "\x00\xff": "does not begin with",
}


@pytest.mark.parametrize(("text", "told"), BAD_MARKERS.items(), ids=BAD_MARKERS.values())
def test_a_file_that_holds_no_markers_is_refused_with_its_line(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        read_markers(tmp_path / "m.csv")


def test_without_pylsl_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(InputError, match=r"pip install 'hbc-box\[lsl\]'"):
        load_lsl()


def test_the_scope_of_lsl_cannot_change_within_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lsl_module, "_configured", {"scope": "machine"})
    with pytest.raises(InputError, match="start it again"):
        load_lsl(network=True)


@pytest.mark.parametrize("words", [[], ["--live", ".", "--port", "x"]])
def test_one_source_must_be_named(words: list[str]) -> None:
    result = CliRunner().invoke(app, ["stream", "lsl", *words])
    assert result.exit_code == 2
    assert "give one of --live FOLDER" in result.output
