"""A guided session with a simulated patient, in real time: the real firmware, recorder, engine, feed and page.

The simulated stimulator goes by a timetable and waits for nobody, so whoever practises has to press R in time, as with
a colleague at a real one. When nobody does, the demonstration presses R itself just before it is too late.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hbc_host.clinic.protocol_file import ProtocolFile, Signature, parse
from hbc_host.clinic.visit import Visit, has_visit, load_visit, visit_for, write_visit
from hbc_host.errors import HbcError, InputError
from hbc_host.live.conduct import conduct
from hbc_host.live.feed_client import FeedClient
from hbc_host.record import RecordSummary
from hbc_host.transport import SerialTransport

from hbc_hil.rig import Rig, RigOptions, rig
from hbc_hil.scenario import Scenario, SiteScenario

PSEUDONYM = "demo-live"
STEPS_PCT = (35.0, 40.0, 45.0, 50.0, 55.0, 60.0)
REST_S = 20.0
PLACE_S = 25.0  # to put the coil down and press R
TAIL_S = 60.0  # after the last train, to look at the result
LAST_CALL_S = 3.0  # before R would come too late


def demo_protocol() -> ProtocolFile:
    """Two sites of six Dash trains: short, signed for practice, with alarms as proposed."""
    protocol = parse(
        {
            "format": 1,
            "name": "demonstration",
            "trains": {"kind": "dash", "trains_n": len(STEPS_PCT)},
            "intensity": {"unit": "%MSO", "steps": list(STEPS_PCT)},
            "sites": {"names": ["BF3-L", "5CM-L"], "order": "fixed", "control": "5CM-L"},
            "rest": {"first_s": REST_S, "between_s": REST_S},
            "caps": {
                "intensity_mso_pct": 80.0,
                "train_s": 6.0,
                "pulses_a_session": 700,
                "pulses_a_day": 3000,
                "source": "demonstration: nobody is stimulated",
            },
            "alarms": {"fall_bpm": 15.0, "fall_pct": 20.0, "lowest_bpm": 40.0, "pause_s": 3.0},
        },
        "the demonstration's protocol",
    )
    signature = Signature(by="demonstration", on=datetime.now(UTC).date(), sha256=protocol.content_sha256())
    return protocol.model_copy(update={"signature": signature})


def demo_visit(language: str) -> Visit:
    """A visit of the simulated patient: practice, nobody is stimulated."""
    return visit_for(
        demo_protocol(),
        pseudonym=PSEUDONYM,
        created=datetime.now(UTC),
        operator="you",
        supervisor="nobody: simulated patient",
        second_person="nobody: simulated patient",
        practice=True,
        language=language,
    )


def demo_scenario(seed: int) -> Scenario:
    """A patient who couples at the first site and not at the second, and a stimulator with a timetable."""
    return Scenario(
        seed=seed,
        sites=(SiteScenario("BF3-L", threshold_pct=42.0, plateau_bpm=7.0), SiteScenario("5CM-L")),
        intensities_pct=STEPS_PCT,
        rest_first_s=PLACE_S + REST_S,
        rest_between_s=PLACE_S + REST_S,
        rest_cycles_n=0,
        duration_s=2.0 * (PLACE_S + REST_S + 16.0 * len(STEPS_PCT)) + TAIL_S,
    )


def prepare(out_dir: Path, language: str) -> tuple[Path, Visit]:
    """Lay down the visit in ``out_dir / "live-session"``, in place of an earlier demonstration.

    Raises
    ------
    InputError
        Something else is there.
    """
    folder = out_dir / "live-session"
    if folder.exists():
        earlier = load_visit(folder) if has_visit(folder) else None
        if earlier is None or not earlier.practice or earlier.pseudonym != PSEUDONYM:
            raise InputError(f"{folder} is not an earlier demonstration; nothing was touched, choose another --out")
        shutil.rmtree(folder)
    visit = demo_visit(language)
    write_visit(folder, visit)
    return folder, visit


def run_live_demo(
    folder: Path,
    visit: Visit,
    seed: int,
    *,
    on_event: Callable[[str], None] | None = None,
    scenario: Scenario | None = None,
) -> RecordSummary:
    """Conduct the demonstration until it is ended by a page, or its world is over.

    Parameters
    ----------
    folder, visit
        From :func:`prepare`.
    seed : int
        Same seed, same patient.
    on_event : callable, optional
        Gets lines for people.
    scenario : Scenario, optional
        Another world, for tests.

    Returns
    -------
    RecordSummary

    Raises
    ------
    RigError, ScenarioError, HbcError
    """
    with rig(scenario or demo_scenario(seed), RigOptions(paced=True)) as box, _helper(box, folder, visit, on_event):
        return conduct(folder, visit, SerialTransport(box.port), stop=lambda: box.finished, on_event=on_event)


@contextmanager
def _helper(box: Rig, folder: Path, visit: Visit, on_event: Callable[[str], None] | None) -> Iterator[None]:
    """Presses R when nobody does."""
    over = threading.Event()

    def help_out() -> None:
        rest_s = {run.site: run.trains[0].onset_s - run.rest_s for run in visit.plan.runs}
        last_call_s: dict[str, float] = {}  # world seconds
        for train in box.world.truth.trains:
            last_call_s.setdefault(train.site, train.onset_s - rest_s[train.site] - LAST_CALL_S)
        while not over.is_set():
            with contextlib.suppress(HbcError), FeedClient(folder, wait_s=1.0) as client:
                _press(client, box, last_call_s, over, on_event)
            over.wait(0.2)

    thread = threading.Thread(target=help_out, name="demo-helper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=5.0)


def _press(
    client: FeedClient,
    box: Rig,
    last_call_s: dict[str, float],
    over: threading.Event,
    on_event: Callable[[str], None] | None,
) -> None:
    """Until the feed ends, which raises NoFeedError."""
    pressed: set[str] = set()
    while not over.is_set():
        message = client.receive(timeout_s=0.5) or {}
        site = str(message.get("site") or "")
        is_waiting = message.get("kind") == "state" and message.get("phase") in ("waiting", "move_coil")
        if not is_waiting or site not in last_call_s or site in pressed or not box.boots:
            continue
        if message["now_s"] > box.device_s(last_call_s[site]):
            pressed.add(site)
            client.send("ready")
            if on_event is not None:
                on_event(f"nobody pressed R: the demonstration did, for {site}")
