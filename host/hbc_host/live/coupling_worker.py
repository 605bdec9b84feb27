"""The estimate of coupling while a session goes on: a process of its own that reads the recording from the disk.

Each answer comes from the bytes recorded so far, by the functions that ``hbc report`` calls on the whole recording:
there is no second way to a number. One JSON object a line in, one or more out.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hbc_host.analysis import Analysis, SiteResult, analyze_runs, analyze_session
from hbc_host.errors import HbcError, InputError, NoTrainsError
from hbc_host.live.feed_queue import encode
from hbc_host.looks import LookPlan, plan_looks, take_look
from hbc_host.report import words
from hbc_host.report.results_json import plain
from hbc_host.runs import RunInput, session_runs
from hbc_host.session import load_session
from hbc_host.trains import Protocol, parse_protocol

NICE = 10  # recorder and alarms come first
LOOKS_N = 3
NOT_ADJUSTED = "not adjusted yet"


class Worker:
    """Answers questions about one session folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._enough: dict[str, bool] = {}

    def remember(self, enough: list[str]) -> None:
        """Sites whose planned looks have shown it to an earlier worker."""
        self._enough |= dict.fromkeys(enough, True)

    def look(self, site: str, trains_n: int, planned_n: int) -> dict[str, Any]:
        """The ``coupling`` of a site under way, from its first ``trains_n`` trains."""
        protocol, runs = self._runs()
        run = next((run for run in reversed(runs) if run.site == site), None)
        if run is None:
            raise NoTrainsError(f"{site}: no train recorded yet")
        run = _first_trains(run, trains_n, protocol)
        self._take_look(run, planned_n)
        result = analyze_runs([run], protocol=protocol, title="", source="").sites[0]
        return self._message(result, final=False) | {"note": NOT_ADJUSTED}

    def final(self) -> list[dict[str, Any]]:
        """The ``coupling`` of all sites so far and the ``result`` of the session, as the report has them."""
        session = load_session(self._folder)
        analysis = analyze_session(session, protocol=parse_protocol(session.meta.protocol))
        found = [self._message(site, final=True) for site in analysis.sites]
        return [*found, result_message(analysis)]

    def _runs(self) -> tuple[Protocol, list[RunInput]]:
        """The runs so far; the session itself, an hour of ECG, is let go before anything is estimated."""
        session = load_session(self._folder)
        protocol = parse_protocol(session.meta.protocol)
        return protocol, session_runs(session, protocol)[0]

    def _take_look(self, run: RunInput, planned_n: int) -> None:
        """Whether it is enough already, at the looks that were planned before the run."""
        plan = look_plan(planned_n)
        if plan is None or run.onsets_s.size not in plan.trains_n or self._enough.get(run.site):
            return
        beats_s = run.beats_s[(run.beats_s >= run.start_s) & (run.beats_s <= run.end_s)]
        look = take_look(beats_s, run.onsets_s, plan, train_s=run.train_s, rest_s=run.rest_s, gaps_s=run.gaps_s)
        self._enough[run.site] = look is not None and look.state == "enough"

    def _message(self, site: SiteResult, *, final: bool) -> dict[str, Any]:
        coupling, response = site.coupling, site.response
        mean = None
        if response is not None:
            mean = {
                "lag_s": response.time_s,
                "bpm": response.change_bpm,
                "low_bpm": response.low_bpm,
                "high_bpm": response.high_bpm,
                "trains_n": response.trains_n,
            }
        steps = [
            {
                "intensity_pct": step.intensity_pct,
                "effect_bpm": step.effect_bpm,
                "ci90_bpm": (step.low_bpm, step.high_bpm),
            }
            for step in site.steps
            if step.usable
        ]
        message: dict[str, Any] = plain(
            {
                "kind": "coupling",
                "site": site.site,
                "trains_n": len(site.steps),
                "effect_bpm": coupling.effect_bpm,
                "ci90_bpm": coupling.ci90_bpm,
                "p_value": coupling.p_value,
                "p_holm": site.p_holm if final else None,
                "verdict": words.decided(site) if final else coupling.verdict,
                "reasons": coupling.reasons,
                "steps": steps,
                "mean_response": mean,
                "threshold": site.threshold,
                "enough": self._enough.get(site.site, False),
                "final": final,
            }
        )
        return message


def look_plan(planned_n: int) -> LookPlan | None:
    """When a run of so many trains is looked at; None when it is too short for looks."""
    for looks_n in range(LOOKS_N, 0, -1):
        try:
            return plan_looks(planned_n, looks_n)
        except InputError:
            continue
    return None


def _first_trains(run: RunInput, trains_n: int, protocol: Protocol) -> RunInput:
    onsets_s = run.onsets_s[:trains_n]
    intensities = None if run.intensities_pct is None else run.intensities_pct[:trains_n]
    end_s = min(run.end_s, float(onsets_s[-1]) + protocol.cycle_s)
    return replace(run, onsets_s=onsets_s, intensities_pct=intensities, end_s=end_s)


def result_message(analysis: Analysis) -> dict[str, Any]:
    """The feed's ``result``: what page 1 of the report says."""
    comparison = analysis.comparison
    best = None if comparison is None or comparison.best_idx is None else comparison.sites[comparison.best_idx]
    site = next((site for site in analysis.sites if best is not None and site.site == best.name), None)
    if best is not None and not (comparison is not None and comparison.difference_shown and best.is_coupled):
        best = None  # as in the report: the largest of numbers that do not differ, or of one, is not the best
    message: dict[str, Any] = plain(
        {
            "kind": "result",
            "sites": [
                {
                    "site": each.site,
                    "effect_bpm": each.coupling.effect_bpm,
                    "ci90_bpm": each.coupling.ci90_bpm,
                    "p_value": each.coupling.p_value,
                    "p_holm": each.p_holm,
                    "verdict": words.decided(each),
                    "reasons": each.coupling.reasons,
                    "threshold": each.threshold,
                }
                for each in analysis.sites
            ],
            "best_site": None if best is None else best.name,
            "probability": None if best is None else best.probability_best,
            "sentence": words.overall_sentence(analysis),
            "threshold": None if site is None else site.threshold,
            "notes": analysis.notes,
        }
    )
    return message


def answer(worker: Worker, question: dict[str, Any]) -> list[dict[str, Any]]:
    """Answers to one question; what cannot be computed is an answer, too."""
    worker.remember(question.get("enough", []))
    try:
        if question.get("final"):
            return worker.final()
        return [worker.look(str(question["site"]), int(question["trains_n"]), int(question["planned_n"]))]
    except (HbcError, np.linalg.LinAlgError) as error:
        site = question.get("site")
        none: dict[str, Any] = {"kind": "coupling", "site": site, "trains_n": question.get("trains_n", 0)}
        none |= dict.fromkeys(("effect_bpm", "ci90_bpm", "p_value", "p_holm", "mean_response", "threshold"))
        none |= {"verdict": "not_enough_data", "reasons": [str(error)], "steps": [], "enough": False, "final": False}
        return [none] if site else []


def main() -> None:
    """Serve questions from standard input until it ends."""
    os.nice(NICE)
    worker = Worker(Path(sys.argv[1]))
    for line in sys.stdin.buffer:
        question = json.loads(line)
        found = answer(worker, question)
        for message in [*found, {"kind": "answered", "number": question["number"]}]:
            sys.stdout.buffer.write(encode(message))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
