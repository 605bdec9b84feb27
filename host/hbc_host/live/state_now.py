"""The feed's ``hello`` and ``state``: what a page is told about a session, as plain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hbc_host.clinic.visit import Visit
from hbc_host.live.follow import Follow
from hbc_host.live.site_now import SiteNow
from hbc_host.steps import group_steps

WAITING, REST, STIMULATING, PAUSE = "waiting", "rest", "stimulating", "pause"
MOVE_COIL, FINISHED, NO_BOX = "move_coil", "finished", "no_box"


def hello_of(visit: Visit, box: Any) -> dict[str, Any]:
    """Who, what, and on which box; ``box`` is its Hello, or None before it spoke."""
    protocol, runs = visit.protocol, visit.plan.runs
    signature = protocol.signature
    session = {
        "pseudonym": visit.pseudonym,
        "visit_n": visit.visit_n,
        "protocol": protocol.name,
        "timing": {"train_s": protocol.trains.timing.train_s, "cycle_s": protocol.trains.timing.cycle_s},
        "operator": visit.operator,
        "supervisor": visit.supervisor,
        "second_person": visit.second_person,
        "language": visit.language,
        "practice": visit.practice,
        "sites": [
            {
                "name": run.site,
                "control": run.is_control,
                "trains": [
                    {"intensity_mso_pct": train.intensity_mso_pct, "pulses_n": train.pulses_n} for train in run.trains
                ],
            }
            for run in runs
        ],
        "rest_s": [run.trains[0].onset_s - run.rest_s for run in runs],
        "caps": protocol.caps.model_dump(),
        "alarms": protocol.alarms.model_dump(),
        "signed_by": "" if signature is None or visit.signature_state != "signed" else signature.by,
        "mt_mso_pct": visit.mt_mso_pct,
    }
    known = None if box is None else {name: getattr(box, name) for name in ("unique_id", "board", "firmware")}
    return {"kind": "hello", "session": session, "box": known, "rate_hz": None if box is None else box.rate_hz}


def phase_of(follow: Follow) -> str:
    """What goes on now."""
    site = follow.site
    if follow.is_finished:
        return FINISHED
    if not follow.connected:
        return NO_BOX
    if site is None or site.is_over:
        return WAITING if not follow.sites else MOVE_COIL
    if site.under_way:
        return STIMULATING
    return PAUSE if site.trains else REST


def state_of(follow: Follow) -> dict[str, Any]:
    """The feed's ``state``. While the coil is moved, site and step are those that come next."""
    now_s = follow.now_us * 1e-6
    phase = phase_of(follow)
    idx = follow.site_idx
    site = follow.site
    if (site is None or site.is_over) and follow.next_site is not None:
        idx, site = follow.next_site, None
    run = None if idx is None else follow.runs[idx]
    last_beat_s = None if follow.heart is None else follow.heart.last_beat_s
    return {
        "kind": "state",
        "now_s": now_s,
        "phase": phase,
        "site_idx": idx,
        "site": None if run is None else run.site,
        **_steps(run, site, now_s),
        "pulses_delivered_n": follow.pulses_n,
        "pulses_planned_n": follow.visit.plan.pulses_n,
        "pulses_before_n": follow.visit.pulses_before_n,
        "box": follow.box.fields(follow.connected, last_beat_s, follow.disk_left_s),
        "clock": follow.box.clock_fields(),
        "problems": [asdict(problem) for problem in follow.problems.standing.values()],
        "alarms": follow.alarms.fields(),
        "observation": None if follow.observation is None else follow.observation | {"elapsed_s": follow.observed_s},
        "sites_over": [follow.runs[k].site for k in sorted(follow.over)],
    }


def _steps(run: Any, site: SiteNow | None, now_s: float) -> dict[str, Any]:
    """Where the site stands; numbers count from 1 and name the train under way, or the next one."""
    if run is None:
        return dict.fromkeys(
            ("step_k", "steps_n", "train_k", "trains_n", "trains_counted_n", "next_train_s", "rest_left_s",
             "rest_s", "intensity_mso_pct", "noted_mso_pct", "site_pulses_n")
        )  # fmt: skip
    trains = run.trains
    at = site.next_idx if site is not None else 0
    last = at is None
    at = len(trains) - 1 if at is None else at
    groups = group_steps(_intensities(trains), len(trains))
    step = next(k for k, group in enumerate(groups) if at in group)
    rest_s = trains[0].onset_s - run.rest_s
    due_s = None if site is None or site.under_way else site.next_onset_s()
    counted_n = 0 if site is None else len(site.trains)
    resting = site is not None and not site.trains
    return {
        "step_k": step + 1,
        "steps_n": len(groups),
        "train_k": at + 1,
        "trains_n": len(trains),
        "trains_counted_n": counted_n,
        "next_train_s": None if due_s is None or last else max(0.0, due_s - now_s),
        "rest_left_s": max(0.0, (due_s or 0.0) - now_s) if resting else (rest_s if site is None else 0.0),
        "rest_s": rest_s,
        "intensity_mso_pct": trains[at].intensity_mso_pct,
        "noted_mso_pct": None if site is None else site.noted_pct.get(_counted(site)),
        "site_pulses_n": 0 if site is None else site.edges_n,
    }


def _counted(site: SiteNow) -> int:
    return len(site.trains) - 1 if site.under_way else len(site.trains)


def _intensities(trains: Any) -> Any:
    import numpy as np

    return np.array([train.intensity_mso_pct for train in trains])
