"""The cable is pulled in mid-recording and comes back on another port: beats and edges are all there in the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from hbc_hil.rig import Rig, RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_host.ports import PortFinder
from hbc_host.reconnect import BoxFinder
from hbc_host.record import RecordSummary, record
from hbc_host.replay import verify_replay
from hbc_host.session import load_session
from hbc_host.session_model import Session, SessionMeta
from hbc_host.transport import SerialTransport

Labels = Callable[[str], SessionMeta]
WAIT_S = 240.0  # other work may hold this computer up
REST_S, CYCLE_S, TRAIN_S = 3.5, 10.0, 2.2
OTHER_ID = bytes.fromhex("24dcc3a1b2ff")


def by_id(tmp_path: Path, name: str = "usb-box") -> Path:
    folder = tmp_path / "by-id"
    folder.mkdir(exist_ok=True)
    return folder / name


def record_paced(box: Rig, link: Path, out: Path, meta: SessionMeta, told: list[tuple[float, str]]) -> RecordSummary:
    """Record until 2 s of the box's time after it came back."""
    back_s: list[float] = []
    give_up_s = time.monotonic() + WAIT_S

    def tell(text: str) -> None:
        told.append((time.monotonic(), text))
        if "the recording goes on" in text:
            back_s.append(box.bridge.virtual_s)

    def stop() -> bool:
        return bool(back_s and box.bridge.virtual_s > back_s[0] + 2.0) or time.monotonic() > give_up_s

    return record(
        SerialTransport(str(link)), out, meta=meta, stop=stop, ping=True, fetch=True, hello_timeout_s=WAIT_S,
        reconnect=BoxFinder(PortFinder(str(link)).transports), on_event=tell,
    )  # fmt: skip


def wait_for(what: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < give_up_s, "it does not come to that"
        time.sleep(0.01)


def all_numbers(session: Session) -> None:
    """No beat and no edge is missing between the first and the last."""
    assert np.all(np.diff(session.beat_n) == 1)
    assert np.all(np.diff(session.edge_n) == 1)
    assert (session.beats_lost_n, session.edges_lost_n) == (0, 0)


def test_the_cable_comes_back_on_another_port_and_nothing_but_samples_is_missing(
    tmp_path: Path, labels: Labels
) -> None:
    """Meanwhile another box hangs on the old port: it is refused."""
    link = by_id(tmp_path)
    replugged_s: list[float] = []
    # A train lies in the time without cable, the first when this computer is not busy.
    scenario = Scenario.short(21, 300.0, protocol="itbs", rest_s=REST_S)
    with (
        rig(scenario, RigOptions(paced=True, buffer_n=1 << 16)) as box,
        rig(Scenario.short(23, 300.0), RigOptions(paced=True, unique_id=OTHER_ID)) as other,
    ):
        box.bridge.publish(link)

        def hands() -> None:
            wait_for(lambda: box.bridge.virtual_s > 2.5 and (tmp_path / "s").exists())
            box.bridge.unplug()
            until_s = REST_S + np.ceil((box.bridge.virtual_s + 0.5 - REST_S) / CYCLE_S) * CYCLE_S + TRAIN_S
            other.bridge.publish(link)
            wait_for(lambda: box.bridge.virtual_s > until_s and any("is another box" in text for _, text in told))
            box.bridge.publish(by_id(tmp_path, "usb-box-2"))
            box.bridge.plug()
            replugged_s.append(time.monotonic())

        told: list[tuple[float, str]] = []
        thread = threading.Thread(target=hands, daemon=True)
        thread.start()
        summary = record_paced(box, link, tmp_path / "s", labels(str(link)), told)
        thread.join()
        truth = box.world.truth
    assert (summary.ended, summary.reconnects_n, summary.events_lost_n) == ("stopped", 1, 0)
    words = [text for _, text in told]
    assert "waits for the box to come back" in words[0]
    assert sum("is another box" in text and OTHER_ID.hex() in text for text in words) == 1
    assert "usb-box-2; the recording goes on" in words[-1]
    print(f"recording went on {told[-1][0] - replugged_s[0]:.2f} s after the cable came back (stated: 2 without load)")
    session = load_session(tmp_path / "s")
    assert session.hello.unique_id == RigOptions().unique_id.hex()
    check_gap(session, truth.edges_ns * 1e-9 + box.boot_s)
    assert verify_replay(tmp_path / "s").same


def check_gap(session: Session, true_edges_s: npt.NDArray[np.float64]) -> None:
    """One gap, an object of its own and in the gaps that analysis leaves out; the events in it were fetched."""
    all_numbers(session)
    [gap] = session.link_gaps
    assert "disappeared" in gap.reason
    assert gap.end_s - gap.start_s > 2.5
    assert any(start <= gap.start_s and gap.end_s <= end for start, end in session.gaps_s)
    assert session.samples_lost_n >= 2.5 * session.rate_hz
    away = (session.edges_s > gap.start_s) & (session.edges_s < gap.end_s)
    assert np.count_nonzero(away) > 10, "edges of the time without cable were fetched"
    within = (true_edges_s > session.edges_s[0] - 1e-4) & (true_edges_s < session.edges_s[-1] + 1e-4)
    np.testing.assert_allclose(session.edges_s, true_edges_s[within], atol=1e-4)
