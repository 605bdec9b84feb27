"""What a guided session costs, and in an hour that is made hard what it says: CPU, memory, alarms true and false.

    python tests/study/live_load.py --minutes 6 [--page]
    python tests/study/live_load.py --hour [--seed 1]

A line a minute: share of one core, and memory of the session's own program, its estimate of coupling and, with --page,
the page, with one reader at its socket as a browser would be. ``--hour`` is the world of ``hard_hour.py`` with a page,
and ends with the report. The simulated box is a program of its own and is not counted. "PSS" counts a page of memory
that n processes share as 1/n in each, so that their sum is what this computer gives up; "RSS" counts it n times.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, build_opener

from hbc_hil import rig as rig_module
from hbc_hil.rig import RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_host.clinic.protocol_file import parse
from hbc_host.clinic.visit import Visit, visit_for
from hbc_host.live.feed_client import FeedClient, NoFeedError
from hbc_host.session import load_with_log
from hbc_host.store.database import open_store
from hbc_host.store.planning import make_visit
from hbc_host.store.records import PatientFacts, add_patient
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script
from study.hard_hour import HOUR_S, HardWorld, hard_scenario, score

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
LOOK_S = 1.0
END_WAIT_S = 300.0


def dash_visit(scenario: Scenario) -> Visit:
    """The Dash ramp at the scenario's sites, for practice."""
    tables = {
        "format": 1,
        "name": "dash",
        "trains": {"kind": "dash"},
        "intensity": {"unit": "%MSO", "steps": list(scenario.intensities_pct)},
        "sites": {"names": [site.name for site in scenario.sites], "order": "fixed"},
        "rest": {"first_s": min(scenario.rest_first_s, 180.0), "between_s": min(scenario.rest_between_s, 60.0)},
        "alarms": {"fall_bpm": 15.0, "fall_pct": 20.0, "lowest_bpm": 40.0, "highest_bpm": 150.0, "pause_s": 3.0},
    }
    people = {"operator": "A", "supervisor": "B", "second_person": "C"}
    return visit_for(parse(tables, "live_load"), pseudonym="P-1", created=datetime.now(UTC), practice=True, **people)


def lay_down(scenario: Scenario, folder: Path, store: Path) -> None:
    """Patient and visit in a store of their own, as a clinic has them."""
    with open_store(str(store)) as session:
        patient = add_patient(session, "P-1", PatientFacts(), who="A")
        make_visit(session, patient, dash_visit(scenario), folder, who="A")


def operator(folder: Path) -> None:
    """Reads everything, says "ready" whenever it is asked for, and acknowledges alarms."""
    said_s, seen = 0.0, set()
    with suppress(NoFeedError), FeedClient(folder, wait_s=120.0) as client:
        for message in client:
            if message["kind"] != "state":
                continue
            if message["phase"] in ("waiting", "move_coil") and time.monotonic() - said_s > 2.0:
                said_s = time.monotonic()
                client.send("ready")
            for alarm in message["alarms"]:
                if alarm["id"] not in seen:
                    seen.add(alarm["id"])
                    client.send("acknowledge", alarm=alarm["id"], by="AB")


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def reader(address: str) -> None:
    """One browser's worth of reading at the page's socket, until it ends."""
    origin = address.partition("/?")[0]
    try:
        build_opener(_Stay).open(address, timeout=30.0)
        raise RuntimeError("the page did not send us on with its cookie")
    except HTTPError as redirect:
        cookie = str(redirect.headers["Set-Cookie"]).partition(";")[0]
    with suppress(WebSocketException, OSError):
        where = origin.replace("http:", "ws:") + "/socket"
        with connect(where, origin=origin, additional_headers={"Cookie": cookie}) as socket:  # type: ignore[arg-type]
            for _ in socket:
                pass


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += [one for child in (task / "children").read_text().split() for one in family(int(child))]
    return found


def name_of(pid: int) -> str:
    """Module name of one of our processes."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return next((word.rpartition(".")[2] for word in words if word.startswith("hbc_host.")), "other")


def cpu_s(pid: int, *, with_ended: bool = False) -> float:
    """CPU seconds of a process so far; ``with_ended`` adds those of its children that are over."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(one) for one in fields[11 : 15 if with_ended else 13]) / TICKS_A_SECOND


def memory_mb(pid: int) -> tuple[float, float]:
    """PSS and RSS in MB (10^6 bytes)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE) for name in ("Rss", "Pss"))
    return (0.0, 0.0) if rss is None or pss is None else (int(pss[1]) * 1.024e-3, int(rss[1]) * 1.024e-3)


@dataclass
class Peak:
    """The most at once, and who had how much of it; MB."""

    pss_mb: float = 0.0
    rss_mb: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)

    def take(self, found: list[tuple[str, float, float]]) -> None:
        """One look at all processes: name, PSS, RSS."""
        pss_mb = sum(pss for _, pss, _ in found)
        self.rss_mb = max(self.rss_mb, sum(rss for _, _, rss in found))
        if pss_mb > self.pss_mb:
            self.pss_mb, self.parts = pss_mb, {name: pss for name, pss, _ in found}

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {mb:.0f}" for name, mb in self.parts.items())
        return f"{self.pss_mb:.0f} MB PSS ({parts}), {self.rss_mb:.0f} MB RSS"


def look(pid: int) -> tuple[float, list[tuple[str, float, float]]]:
    """CPU seconds so far of all, ended ones too, and the memory of each that lives."""
    total_s, found = 0.0, []
    for one in family(pid):
        with suppress(OSError):
            total_s += cpu_s(one, with_ended=True)
            found.append((name_of(one), *memory_mb(one)))
    return total_s, found


def watch(session: subprocess.Popen[bytes], until: Callable[[], bool]) -> Peak:
    """A line a minute; returns the most memory of all."""
    whole, minute = Peak(), Peak()
    began_s = last_s = now_s = time.monotonic()
    begun_cpu_s = last_cpu_s = now_cpu_s = look(session.pid)[0]
    while not until() and session.poll() is None:
        time.sleep(LOOK_S)
        spent_s, found = look(session.pid)
        if found:  # else it is over
            now_s, now_cpu_s = time.monotonic(), spent_s
        whole.take(found)
        minute.take(found)
        if now_s - last_s >= 60.0:
            pct = 100.0 * (now_cpu_s - last_cpu_s) / (now_s - last_s)
            print(f"{(now_s - began_s) / 60:.0f} min: {pct:.1f} % of a core, at most {minute}", flush=True)
            last_s, last_cpu_s, minute = now_s, now_cpu_s, Peak()
    pct = 100.0 * (now_cpu_s - begun_cpu_s) / max(now_s - began_s, 1e-9)
    print(f"whole, {now_s - began_s:.0f} s: {pct:.1f} % of a core, at most {whole}", flush=True)
    return whole


def page_address(errors: Path) -> str:
    """What the session printed, once it has."""
    until_s = time.monotonic() + 60.0
    while time.monotonic() < until_s:
        if match := re.search(r"^live page: (\S+)", errors.read_text(), re.MULTILINE):
            return match[1]
        time.sleep(0.2)
    raise RuntimeError(f"no page: {errors.read_text()}")


def end(session: subprocess.Popen[bytes], folder: Path) -> None:
    """End it as an operator does, and look at what result and report take."""
    with suppress(NoFeedError), FeedClient(folder) as client:
        client.send("end", by="AB", why="over")
    print("-- the end: result and report", flush=True)
    give_up_s = time.monotonic() + END_WAIT_S
    watch(session, lambda: time.monotonic() > give_up_s)
    if session.poll() is None:
        session.terminate()
    session.wait(timeout=120.0)


def main() -> int:
    """Run and print; 1 when the hour had more than one false alarm or missed the pause."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--hour", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    scenario = hard_scenario(given.seed) if given.hour else Scenario.demo(4711)
    if given.hour:
        rig_module.World = HardWorld  # type: ignore[misc]  # the rig lives in ours
    with tempfile.TemporaryDirectory(prefix="hbc-load-") as place, rig(scenario, RigOptions(paced=True)) as box:
        folder, errors, store = Path(place) / "P-1", Path(place) / "stderr", Path(place) / "store.sqlite"
        lay_down(scenario, folder, store)
        words = [sys.executable, "-m", "hbc_host.cli", "session", "run", str(folder), "--port", box.port, "--unsigned"]
        words += ["--no-browser"] if given.page or given.hour else ["--no-page"]
        environment = {**os.environ, "HBC_STORE": str(store)}
        with errors.open("wb") as said:
            session = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=said)
        threading.Thread(target=operator, args=(folder,), daemon=True).start()
        if given.page or given.hour:
            threading.Thread(target=reader, args=(page_address(errors),), daemon=True).start()
        until_s = HOUR_S - 2.0 if given.hour else 60.0 * given.minutes
        began_s = time.monotonic() - box.bridge.virtual_s  # of the world, by the clock of the log
        try:
            watch(session, lambda: box.bridge.virtual_s > until_s)
            end(session, folder)
        finally:
            session.kill()
            session.wait()
        if not given.hour:
            return 0
        assert isinstance(box.world, HardWorld)
        log, recorded = load_with_log(folder)
        found = score(log, box.world.arrest_s, lambda host_s: host_s - began_s)
        told_n = (box.world.truth.edges_ns * 1e-9 < until_s).sum()
        print(
            f"beats {recorded.beats_us.size}, edges {recorded.edges_s.size} of {told_n}, starts of the box {box.boots}"
        )
        print(f"alarms: {len(found.true)} true, {len(found.false)} false", *found.true, *found.false, sep="\n  ")
        print(f"problems: {dict(found.problems)}")
        return 0 if len(found.false) <= 1 and found.true else 1


if __name__ == "__main__":
    sys.exit(main())
