"""A guided session with a simulated patient, in real time: the real firmware, recorder, engine, feed and page.

The simulated stimulator goes by a timetable and waits for nobody, so whoever practises has to press R in time, as with
a colleague at a real one. When nobody does, the demonstration presses R itself just before it is too late; the page and
the terminal say so before.
"""

from __future__ import annotations

import contextlib
import logging
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
from hbc_host.live.feed import Feed
from hbc_host.live.feed_client import FeedClient
from hbc_host.record import RecordSummary
from hbc_host.transport import SerialTransport

from hbc_hil.rig import Rig, RigOptions, rig
from hbc_hil.scenario import Scenario, SiteScenario

log = logging.getLogger(__name__)

PSEUDONYM = "demo-live"
STEPS_PCT = (35.0, 40.0, 45.0, 50.0, 55.0, 60.0)
REST_S = 20.0
PLACE_S = 25.0  # to put the coil down and press R
TAIL_S = 60.0  # after the last train, to look at the result
LAST_CALL_S = 3.0  # before R would come too late
STAY_S = TAIL_S - 10.0  # the session ends by itself before its world does
ANNOUNCED_S = 10.0  # before the demonstration presses R, the terminal says so


#: What stands where a clinic has names: operator, the two others, protocol, and where its limits come from.
NAMES = {
    "en": ("you", "nobody: simulated patient", "demonstration", "demonstration: nobody is stimulated"),
    "nl": ("u zelf", "niemand: gesimuleerde patiënt", "demonstratie", "demonstratie: niemand wordt gestimuleerd"),
}


def demo_protocol(language: str = "en") -> ProtocolFile:
    """Two sites of six Dash trains: short, for practice, with alarms as proposed."""
    _, _, name, source = NAMES[language]
    protocol = parse(
        {
            "format": 1,
            "name": name,
            "practice": True,
            "trains": {"kind": "dash", "trains_n": len(STEPS_PCT)},
            "intensity": {"unit": "%MSO", "steps": list(STEPS_PCT)},
            "sites": {"names": ["BF3-L", "5CM-L"], "order": "fixed", "control": "5CM-L"},
            "rest": {"first_s": REST_S, "between_s": REST_S},
            "caps": {
                "intensity_mso_pct": 80.0,
                "train_s": 6.0,
                "pulses_a_session": 700,
                "pulses_a_day": 3000,
                "source": source,
            },
            "alarms": {"fall_bpm": 15.0, "fall_pct": 20.0, "lowest_bpm": 40.0, "pause_s": 3.0},
        },
        "the demonstration's protocol",
    )
    signature = Signature(by=name, on=datetime.now(UTC).date(), sha256=protocol.content_sha256())
    return protocol.model_copy(update={"signature": signature})


def demo_visit(language: str) -> Visit:
    """A visit of the simulated patient: practice, nobody is stimulated."""
    operator, others, _, _ = NAMES[language]
    return visit_for(
        demo_protocol(language),
        pseudonym=PSEUDONYM,
        created=datetime.now(UTC),
        operator=operator,
        supervisor=others,
        second_person=others,
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
    tell: Callable[[str], None] = on_event or log.info
    feed, options = Feed(folder), RigOptions(paced=True)
    with rig(scenario or demo_scenario(seed), options) as box, _helper(box, folder, visit, feed, tell), feed:
        return conduct(
            folder, visit, SerialTransport(box.port), feed=feed, stop=lambda: box.finished, on_event=on_event,
            stay_s=STAY_S,
        )  # fmt: skip


@contextmanager
def _helper(box: Rig, folder: Path, visit: Visit, feed: Feed, tell: Callable[[str], None]) -> Iterator[None]:
    """Presses R when nobody does, and says so before."""
    over = threading.Event()

    def help_out() -> None:
        rest_s = {run.site: run.trains[0].onset_s - run.rest_s for run in visit.plan.runs}
        last_call_s: dict[str, float] = {}  # world seconds
        for train in box.world.truth.trains:
            last_call_s.setdefault(train.site, train.onset_s - rest_s[train.site] - LAST_CALL_S)
        while not over.is_set():
            with contextlib.suppress(HbcError), FeedClient(folder, wait_s=1.0) as client:
                _press(client, box, last_call_s, over, feed, tell)
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
    feed: Feed,
    tell: Callable[[str], None],
) -> None:
    """Until the feed ends, which raises NoFeedError."""
    pressed: set[str] = set()
    announced: set[str] = set()
    while not over.is_set():
        message = client.receive(timeout_s=0.5) or {}
        site = str(message.get("site") or "")
        is_waiting = message.get("kind") == "state" and message.get("phase") in ("waiting", "move_coil")
        if not is_waiting or site not in last_call_s or site in pressed or not box.boots:
            continue
        left_s = max(0.0, box.device_s(last_call_s[site]) - message["now_s"])
        feed.publish({"kind": "practice", "site": site, "ready_in_s": left_s})
        if left_s < ANNOUNCED_S and site not in announced:
            announced.add(site)
            tell(f"press R on the page for {site}, or the demonstration presses it in {left_s:.0f} s")
        if left_s == 0.0:
            pressed.add(site)
            client.send("ready")
            tell(f"nobody pressed R: the demonstration did, for {site}")
