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
OTHER_ID = bytes.fromhex("24dcc3a1b2ff")


def by_id(tmp_path: Path, name: str = "usb-box") -> Path:
    folder = tmp_path / "by-id"
    folder.mkdir(exist_ok=True)
    return folder / name


def record_paced(
    link: Path, out: Path, meta: SessionMeta, seconds: float, told: list[tuple[float, str]]
) -> RecordSummary:
    until_s = time.monotonic() + seconds
    return record(
        SerialTransport(str(link)), out, meta=meta, stop=lambda: time.monotonic() > until_s, ping=True, fetch=True,
        reconnect=BoxFinder(PortFinder(str(link)).transports), hello_timeout_s=20.0,
        on_event=lambda text: told.append((time.monotonic(), text)),
    )  # fmt: skip


def wait_for(box: Rig, virtual_s: float) -> None:
    give_up_s = time.monotonic() + 60.0
    while box.bridge.virtual_s < virtual_s:
        assert time.monotonic() < give_up_s, "the paced box does not run"
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
    # The first train lies in the time without cable.
    scenario = Scenario.short(21, 60.0, protocol="itbs", rest_s=3.5)
    with (
        rig(scenario, RigOptions(paced=True)) as box,
        rig(Scenario.short(23, 60.0), RigOptions(paced=True, unique_id=OTHER_ID)) as other,
    ):
        box.bridge.publish(link)

        def hands() -> None:
            wait_for(box, 2.5)
            box.bridge.unplug()
            other.bridge.publish(link)
            time.sleep(3.0)
            box.bridge.publish(by_id(tmp_path, "usb-box-2"))
            box.bridge.plug()
            replugged_s.append(time.monotonic())

        thread = threading.Thread(target=hands)
        thread.start()
        told: list[tuple[float, str]] = []
        summary = record_paced(link, tmp_path / "s", labels(str(link)), 9.0, told)
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
