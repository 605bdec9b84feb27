"""Results to make reports of, and a page as its reader sees it."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hbc_host.analysis import Analysis, SiteResult, StepEffect, TrainResponse
from hbc_host.clinic.protocol_file import ProtocolFile, Signature
from hbc_host.clinic.screening import TOPICS, State, screen
from hbc_host.clinic.visit import MotorThreshold, Visit, visit_for
from hbc_host.coupling import CouplingResult
from hbc_host.published import PublishedScore
from hbc_host.report.content import report_page
from hbc_host.report.course import CourseOfPatient, EventThen, ScaleThen, SessionThen, SiteThen
from hbc_host.report.delivered import Delivery
from hbc_host.report.html import render
from hbc_host.report.language import ENGLISH, Language
from hbc_host.report.results_json import to_document
from hbc_host.report.session_parts import Raised, Rhythm, SessionParts, Told
from hbc_host.rest_null import RestNull
from hbc_host.secondary import SecondaryMetrics
from hbc_host.sites import compare_sites
from hbc_host.store.followup import SCALES, Total, course
from hbc_host.threshold import DoseCurve, ThresholdResult
from hbc_host.trains import PROTOCOLS

NAN = float("nan")
MADE = datetime(2026, 5, 4, 10, 31, tzinfo=UTC)
VOID = {"meta", "br", "link", "img", "input", "hr"}


def response_of(fall_bpm: float, trains_n: int = 15) -> TrainResponse:
    time_s = np.arange(-3.0, 11.25, 0.25)
    rise = 1 - np.exp(-np.clip(time_s - 1, 0, 5) / 2)
    change = -fall_bpm * rise * np.exp(-np.clip(time_s - 6, 0, None) / 3)
    return TrainResponse(time_s, change, change - 0.8, change + 0.8, trains_n)


def steps_of(
    plateau_bpm: float, steps_n: int, *, intensities: bool = True, half_bpm: float = 2.5
) -> tuple[StepEffect, ...]:
    wobble = np.random.default_rng(steps_n).normal(0, 0.7, steps_n)
    effects = plateau_bpm / (1 + np.exp(-(np.arange(steps_n) - 6.0) / 1.2)) + wobble
    return tuple(
        StepEffect(n, 196.0 + 16 * n, 20.0 + 2 * n if intensities else None, e, e - half_bpm, e + half_bpm, True)
        for n, e in enumerate(effects.tolist(), 1)
    )


def site_of(
    name: str, effect_bpm: float, half_bpm: float, p_value: float, p_holm: float, steps_n: int = 15
) -> SiteResult:
    verdict = "coupled" if p_value < 0.05 else "not_shown"
    bpm = (effect_bpm - half_bpm, effect_bpm + half_bpm)
    ms = (bpm[0] * 14.0, bpm[1] * 14.0)
    # The 95 % interval is wider and shown nowhere.
    wide_bpm, wide_ms = ((low - 0.1 * (high - low), high + 0.1 * (high - low)) for low, high in (bpm, ms))
    coupling = CouplingResult(
        effect_bpm * 14.0, effect_bpm, wide_ms, wide_bpm, 1.0, p_value, verdict, (), 301, 0.012, ms, bpm
    )
    steps = steps_of(effect_bpm, steps_n)
    return SiteResult(name, coupling, p_holm, response_of(effect_bpm), steps, 64.3, 301)


def unusable_site(name: str, reason: str) -> SiteResult:
    coupling = CouplingResult(NAN, NAN, (NAN, NAN), (NAN, NAN), NAN, NAN, "unusable", (reason,), 38, 0.41)
    steps = tuple(StepEffect(n, 16.0 * n, None, NAN, NAN, NAN, False) for n in range(1, 16))
    return SiteResult(name, coupling, NAN, None, steps, 61.0, 38)


def analysis_of(*sites: SiteResult, title: str = "P-014", notes: tuple[str, ...] = ()) -> Analysis:
    quality: dict[str, str | int | float] = {"beats_n": 1492, "frames_lost_n": 0, "excluded_share": 0.0123, "gaps_n": 2}
    return Analysis(title, "sessions/P-014", PROTOCOLS["dash"], sites, quality, notes)


def beside(site: SiteResult, *, found: str = "found", cycle_s: float = 16.0) -> SiteResult:
    """The site with a threshold and the numbers of others."""
    levels = np.linspace(22.0, 50.0, 15)
    curve = DoseCurve(levels, levels / 20.0, levels / 30.0, levels / 10.0)
    threshold = ThresholdResult(found, 34.0, (31.0, 38.0), 3.5, curve, ("a reason",), 0.01, ("a_flag",))
    above_n = 9 if cycle_s == 16.0 else None
    score = PublishedScore(8.1, np.linspace(8.0, 10.0, 15), 9.0, above_n, cycle_s, 3.2, 1, True, ())
    other = SecondaryMetrics(0.012, 17.3, 0.043, -1.25, 15, ())
    band = (
        None
        if site.response is None
        else RestNull(site.response.time_s, np.full(site.response.time_s.size, 1.2), 240.0)
    )
    return replace(site, threshold=threshold, published=score, secondary=other, rest_null=band)


def compared(*sites: SiteResult) -> Analysis:
    found = compare_sites([(site.site, site.coupling) for site in sites])
    sites = tuple(replace(site, p_holm=one.p_holm) for site, one in zip(sites, found.sites, strict=True))
    return replace(analysis_of(*sites), comparison=found)


class Page(HTMLParser):
    """Tags, attributes and visible text of a page; complains about tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.cells: list[list[str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag in {"td", "th"}:
            self.cells[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if "td" in self._open or "th" in self._open:
            self.cells[-1][-1] += data

    def words(self) -> str:
        return " ".join(self.text.split())


_RENDERED: dict[str, str] = {}


def rendered(analysis: Analysis, lang: Language = ENGLISH, **more: object) -> str:
    """The HTML of a report; the same report is drawn once in a test run."""
    known = {"command": "hbc report x", "session_info": {}, "made": MADE} | more
    key = json.dumps([to_document(analysis, command=""), lang.code, repr(sorted(known.items()))])
    if key not in _RENDERED:
        _RENDERED[key] = render(report_page(analysis, lang=lang, **known))  # type: ignore[arg-type]
    return _RENDERED[key]


def page_of(analysis: Analysis, lang: Language = ENGLISH, **more: object) -> Page:
    """The report as its reader sees it."""
    return Page(rendered(analysis, lang, **more))


def four_unusable() -> Analysis:
    return compared(*(unusable_site(name, "flat") for name in "ABCD"))


def four_sites_of_one_person() -> Analysis:
    return analysis_of(
        site_of("5CM-L", 0.4, 0.9, 0.31, 0.62),
        site_of("BF3-L", 3.1, 0.9, 0.0004, 0.0016),
        unusable_site("5CM-R", "38 beats, at least 60 are needed: check the electrodes"),
        site_of("BF3-R", 1.2, 1.0, 0.031, 0.093),
        notes=("trains were found from the trigger edges",),
    )


def visit_of_p014(**changed: object) -> Visit:
    """A visit with everything in it: signed protocol, screening with a flag, motor threshold, four sites."""
    names = ("5CM-L", "BF3-L", "5CM-R", "BF3-R")
    protocol = ProtocolFile.model_validate(
        {
            "format": 1,
            "name": "dash ramp",
            "trains": {"kind": "dash"},
            "intensity": {"unit": "%MSO", "steps": [20 + 3 * k for k in range(15)]},
            "sites": {"names": names, "order": "fixed", "control": "5CM-R"},
            "caps": {"intensity_mso_pct": 70, "train_s": 5, "pulses_a_session": 4000, "pulses_a_day": 4000,
                     "source": "house rules of 2026"},
            "alarms": {"fall_bpm": 15, "lowest_bpm": 45, "pause_s": 3},
        }
    )  # fmt: skip
    signed = Signature(by="Dr. B. de Vries", on=date(2026, 4, 1), sha256=protocol.content_sha256())
    known = {
        "uid": "0" * 32,
        "treatment_n": 3,
        "operator": "A. Jansen",
        "supervisor": "Dr. B. de Vries",
        "second_person": "C. Smit",
        "approval": "METC 2026-014",
        "language": "nl",
        "screening": screen(
            dict.fromkeys(TOPICS, False) | {"beta_blocker": True, "syncope": True}, on=date(2026, 5, 4)
        ),
        "state": State(alcohol=False, caffeine=True, ear_protection=True, sleep_h=6.5),
        "motor_threshold": MotorThreshold(mso_pct=52, method="visible twitch", on=date(2026, 5, 1), by="A. Jansen"),
    } | changed
    signed_file = protocol.model_copy(update={"signature": signed})
    return visit_for(signed_file, pseudonym="P-014", created=MADE, **known)  # type: ignore[arg-type]


def full_course() -> CourseOfPatient:
    """Three sessions, two scales and an event."""

    def session(k: int) -> SessionThen:
        found = (
            SiteThen("A", "coupled", 2.0 + 0.5 * k, (1.0, 3.0 + k), 41.0),
            SiteThen("B", "unusable" if k == 1 else "not_shown", NAN if k == 1 else 0.2, (NAN, NAN)),
        )
        return SessionThen(datetime(2026, 4, 1 + 7 * k, 9, tzinfo=UTC), 5 * k + 1, 52.0, found)

    def scale(name: str, totals: tuple[float, ...]) -> ScaleThen:
        given = tuple(Total(date(2026, 4, 1 + 10 * k), total, 5 * k) for k, total in enumerate(totals))
        return ScaleThen(1, given, course(SCALES[name], given))

    events = (EventThen(datetime(2026, 4, 8, 10, tzinfo=UTC), "headache", "mild", "gone in an hour", "AJ"),)
    facts = (("diagnosis", "depression"), ("medication", "sertraline"))
    return CourseOfPatient(
        "P-014",
        14,
        facts,
        tuple(session(k) for k in range(3)),
        (scale("PHQ-9", (19, 15, 9)), scale("Y-BOCS", (22, 21, 20))),
        events,
    )


def full_parts() -> SessionParts:
    """Everything that a session can have beside its analysis."""
    middle_s = np.arange(0.5, 120.0, 1.0)
    used = np.ones(middle_s.size, np.bool_)
    used[40] = False
    rhythm = Rhythm(
        "A", middle_s, 60 + np.sin(middle_s), used, ((60.0, 65.0), (76.0, 81.0)), ((90.0, 91.0),), 0.0, 120.0
    )
    slow = "heart rate fell from 70 to 51 bpm, limit 14 less: stop stimulating and look at the patient"
    return SessionParts(
        visit_of_p014(),
        (Delivery("A", 15, 750, 0, 15, 750), Delivery("B", 14, 690, 1, 15, 750)),
        3,
        {"blanked_share": 0.026, "lead_off_s": 2.0, "polarity": "down"},
        (rhythm,),
        (Raised("slow", slow, 65.0, 12.0, "A. Jansen"), Raised("pause", "no heart beat for 3 s", None, None, "")),
        (Raised("lead_off", "an electrode is off", 5.0, 2.0, ""),),
        (Told("dizziness", "", "mild", "A. Jansen", 100.0),),
        (Told("3.5", "", "A", "", 110.0),),
        (Told("koffie", "", "", "C. Smit", 20.0),),
        True,
        full_course(),
    )


def pdf_text(path: Path, *options: str) -> str:
    """Words of a PDF without spaces: lines end elsewhere than on the page. Skips where pdftotext is absent."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is absent: apt install poppler-utils")
    found = subprocess.run(["pdftotext", *options, str(path), "-"], capture_output=True, text=True, check=True)
    return "".join(found.stdout.split())
