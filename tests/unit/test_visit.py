"""A visit is laid down whole: nobody is stimulated without people, screening, a signature, and within the caps."""

from __future__ import annotations

import doctest
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hbc_host.clinic import sites as sites_module
from hbc_host.clinic.screening import FLAGS, STOPS, TOPICS, Screening, screen
from hbc_host.clinic.sites import VisitSite, beam_f3, how_to_find, site_from_name, with_skull
from hbc_host.clinic.visit import MotorThreshold, has_visit, load_visit, visit_for, write_visit
from hbc_host.errors import InputError, SessionError
from pydantic import ValidationError
from support_clinic import NOW, PROTOCOL, a_visit, all_no, protocol, signed_protocol


def test_a_visit_comes_back_from_its_file_which_only_the_user_may_read(tmp_path: Path) -> None:
    visit = a_visit(tmp_path, treatment_n=3)
    path = write_visit(tmp_path / "session", visit)
    assert load_visit(tmp_path / "session") == visit
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert has_visit(path.parent)
    assert not has_visit(tmp_path)
    with pytest.raises(SessionError, match="nothing is ever overwritten"):
        write_visit(tmp_path / "session", visit)


def test_the_file_has_the_plan_in_numbers_that_another_program_can_read(tmp_path: Path) -> None:
    document = json.loads(write_visit(tmp_path / "s", a_visit(tmp_path)).read_text())
    assert document["format"] == 1
    assert [run["site"] for run in document["plan"]["runs"]] == [site["name"] for site in document["sites"]]
    first = document["plan"]["runs"][0]
    assert first["rest_s"] == 0.0
    assert first["trains"][0] == {"onset_s": 180.0, "intensity_mso_pct": 30.0, "pulses_n": 50}
    assert document["protocol"]["signature"]["by"] == "A. Jansen"


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("operator",), "", "operator must be given"),
        (("screening",), None, "screening must be given"),
        (("protocol", "caps", "train_s"), 9.0, "the protocol is changed"),
        (("sites", 0, "name"), "elsewhere", "not those of the plan"),
        (("screening", "answers", "pacemaker"), True, "do not follow from the answers"),
        (("motor_threshold", "mso_pct"), 120.0, "motor_threshold.mso_pct"),
        (("created",), "2026-03-02T09:30:00", "timezone"),
        (("nonsense",), 1, "nonsense"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused_by_its_place(
    tmp_path: Path, place: tuple[Any, ...], value: object, said: str
) -> None:
    path = write_visit(tmp_path / "s", a_visit(tmp_path))
    document = json.loads(path.read_text())
    inner = document
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    path.write_text(json.dumps(document))
    with pytest.raises(SessionError, match=said):
        load_visit(path.parent)


def test_what_is_no_visit_says_so(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="hbc session new"):
        load_visit(tmp_path)
    (tmp_path / "visit.json").write_bytes(b"\xff\x00")
    with pytest.raises(SessionError, match="Invalid JSON"):
        load_visit(tmp_path)
    with (tmp_path / "visit.json").open("wb") as file:
        file.truncate(1 << 23)
    with pytest.raises(SessionError, match="another file"):
        load_visit(tmp_path)


def test_caps_are_checked_before_anything_is_made_with_the_pulses_of_earlier_today(tmp_path: Path) -> None:
    assert a_visit(tmp_path, pulses_before_n=1500).breaches == ()
    with pytest.raises(InputError, match="pulses today: 4501 planned, the clinic allows 4500"):
        a_visit(tmp_path, pulses_before_n=1501)
    # A file whose plan was made stronger by hand still tells what it would pass.
    path = write_visit(tmp_path / "s", a_visit(tmp_path))
    path.write_text(path.read_text().replace('"intensity_mso_pct": 58.0', '"intensity_mso_pct": 98.0'))
    assert "intensity: 196 %MT planned" in load_visit(path.parent).breaches[0]


def test_practice_needs_neither_people_nor_signature_and_a_patient_needs_both(tmp_path: Path) -> None:
    path = tmp_path / "unsigned.toml"
    path.write_text(PROTOCOL)
    from hbc_host.clinic.protocol_file import load_protocol

    threshold = MotorThreshold(mso_pct=50.0, method="twitch", on=date(2026, 3, 2), by="AJ")
    unsigned = load_protocol(path)
    facts: dict[str, Any] = {"pseudonym": "P-1", "created": NOW, "motor_threshold": threshold}
    assert visit_for(unsigned, practice=True, operator="", supervisor="", second_person="", **facts).practice
    people = {"operator": "A", "supervisor": "B", "second_person": "C"}
    with pytest.raises(InputError, match="the protocol is unsigned"):
        visit_for(unsigned, screening=all_no(), **people, **facts)
    with pytest.raises(InputError, match="second_person must be given"):
        visit_for(protocol(tmp_path), screening=all_no(), **(people | {"second_person": " "}), **facts)


def test_some_of_the_sites_keep_the_order_of_the_plan_and_another_site_is_refused(tmp_path: Path) -> None:
    whole = [site.name for site in a_visit(tmp_path).sites]
    chosen = a_visit(tmp_path, site_names=["BF3-R", "5CM-L"])
    assert [site.name for site in chosen.sites] == [name for name in whole if name in ("BF3-R", "5CM-L")]
    assert chosen.plan.runs[0].rest_s == 0.0
    assert chosen.plan.pulses_n == 1500
    with pytest.raises(InputError, match="Pz: the protocol has the sites"):
        a_visit(tmp_path, site_names=["Pz"])


@pytest.mark.parametrize("topic", STOPS)
def test_each_stop_stops_unless_a_physician_overrides_with_name_and_reason(topic: str) -> None:
    answers = dict.fromkeys(TOPICS, False) | {topic: True}
    with pytest.raises(InputError, match=f"stop: {topic}"):
        screen(answers, date(2026, 3, 1))
    with pytest.raises(InputError, match="stop"):
        screen(answers, date(2026, 3, 1), override_by="Dr. B", override_reason=" ")
    kept = screen(answers, date(2026, 3, 1), override_by="Dr. B", override_reason="titanium, 12 cm away")
    assert (kept.stops, kept.override_by) == ((topic,), "Dr. B")
    with pytest.raises(ValidationError, match="unless a physician"):
        Screening.model_validate(kept.model_dump() | {"override_reason": ""})


def test_flags_do_not_stop_and_an_open_question_does(tmp_path: Path) -> None:
    assert all_no(syncope=True, pregnancy=True).flags == ("pregnancy", "syncope")
    with pytest.raises(InputError, match="ask: psychosis"):
        screen({topic: False for topic in TOPICS if topic != "psychosis"}, date(2026, 3, 1))
    with pytest.raises(InputError, match="mood is no topic"):
        screen(dict.fromkeys(TOPICS, False) | {"mood": False}, date(2026, 3, 1))
    assert not set(STOPS) & set(FLAGS)


def test_beam_f3_is_what_its_calculator_gives() -> None:
    # In 100 heads the calculator averaged X = 11.54 % of the circumference and Y = 26.37 % of the mean of the other
    # two measures (Mir-Moghtadaei 2015, doi 10.1016/j.brs.2015.05.008).
    for head_cm, tragus_cm, nasion_inion_cm in ((54.0, 34.0, 34.5), (57.0, 36.5, 36.0), (60.0, 38.0, 37.0)):
        place = beam_f3(head_cm, tragus_cm, nasion_inion_cm)
        assert place.x_cm == pytest.approx(0.1154 * head_cm, abs=0.05)
        assert place.y_cm == pytest.approx(0.2637 * (tragus_cm + nasion_inion_cm) / 2.0, abs=0.05)
    assert doctest.testmod(sites_module).failed == 0


@pytest.mark.parametrize(
    "measures", [(570.0, 36.0, 36.0), (57.0, 22.0, 36.0), (57.0, 36.0, 3.6), (float("nan"), 36, 36)]
)
def test_a_head_that_cannot_be_is_measured_again(measures: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="measure again, in centimetres"):
        beam_f3(*measures)


@pytest.mark.parametrize(
    ("name", "rule", "side"),
    [
        ("5CM-L", "5 cm", "left"), ("5cmR", "5 cm", "right"), ("BF3-L", "Beam F3", "left"),
        ("beamF3L", "Beam F3", "left"), ("BF3-R", "Beam F3", "right"), ("beamF4", "Beam F3", "right"),
        ("F3", "10-20", "left"), ("AF4", "10-20", "right"), ("Cz", "10-20", "midline"), ("vertex", "other", ""),
        ("SAINT-1", "other", ""),
    ],
)  # fmt: skip
def test_a_name_says_how_a_site_is_found(name: str, rule: str, side: str) -> None:
    site = site_from_name(name)
    assert (site.rule, site.side) == (rule, side)


def test_whoever_places_the_coil_gets_one_line() -> None:
    beam = with_skull(site_from_name("BF3-L"), 57.0, 36.0, 36.0)
    assert how_to_find(beam).startswith("left: 6.6 cm along the circumference from the midline in front, mark; 9.5 cm")
    target = VisitSite(
        name="T", rule="neuronavigated", side="left", measures={"x_mm": -38, "y_mm": 44, "z_mm": 26},
        space="MNI152", source="fMRI, sgACC anticorrelation",
    )  # fmt: skip
    assert how_to_find(target) == "left: navigate to -38, 44, 26 mm (MNI152; fMRI, sgACC anticorrelation)"


def test_coordinates_need_space_and_source_and_a_measure_has_a_known_name() -> None:
    with pytest.raises(ValidationError, match="y_mm, z_mm, space, source must be given"):
        VisitSite(name="T", rule="neuronavigated", side="left", measures={"x_mm": -38})
    with pytest.raises(ValidationError, match="depth is no measure"):
        VisitSite(name="T", rule="other", side="left", measures={"depth": 18})


def test_the_protocol_file_of_a_visit_stays_signed(tmp_path: Path) -> None:
    assert signed_protocol(tmp_path).is_file()
    visit = a_visit(tmp_path)
    assert visit.signature_state == "signed"
    assert visit.mt_mso_pct == 50.0
