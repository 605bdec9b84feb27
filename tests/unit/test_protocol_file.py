"""Protocol files: every fault is named by its place, only a person's decision makes one whole, and caps hold."""

from __future__ import annotations

import itertools
import json
import shlex
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hbc_host.cli import app
from hbc_host.clinic import plan as planning
from hbc_host.clinic.plan import breaches, plan_session, williams_rows
from hbc_host.clinic.protocol_file import ProtocolFile, load_protocol
from hbc_host.clinic.signing import open_points, sign, signature_state
from hbc_host.errors import InputError
from typer.testing import CliRunner

STEPS = ", ".join(str(60 + 4 * k) for k in range(15))
DECIDED = f"""
format = 1
name = "ramp"
[trains]
kind = "dash"
[intensity]
unit = "%MT"
steps = [{STEPS}]
[sites]
names = ["A", "B", "C", "D"]
order = "random"
control = "C"
[caps]
intensity_mt_pct = 120
train_s = 5.0
pulses_a_session = 3000
pulses_a_day = 3000
source = "the guideline of our clinic"
[alarms]
fall_bpm = 15
lowest_bpm = 40
highest_bpm = 140
pause_s = 3.0
"""


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ramp.toml"
    path.write_text(DECIDED)
    return path


def changed(file: Path, old: str, new: str) -> ProtocolFile:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return load_protocol(file)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('kind = "dash"', 'kind = "dahs"', "trains.kind"),
        ('kind = "dash"', 'kind = "dash"\ntrain_s = 6.0', "fixes train_s"),
        ('kind = "dash"', 'kind = "custom"', "needs train_s, pause_s, pulses_n, trains_n"),
        ('kind = "dash"', 'kind = "10hz"', "needs trains_n"),
        ('kind = "dash"', 'kind = "dash"\ncatch_trains_n = 6', "at most a third"),
        ("steps = [60, ", "steps = [", "14 intensities for 15 trains"),
        (f"steps = [{STEPS}]", "steps = []", "no intensity in steps yet"),
        ("steps = [60, ", "steps = [-60, ", "intensity.steps.0"),
        ('unit = "%MT"', 'unit = "%MSO"', "more than the stimulator has"),
        ('["A", "B", "C", "D"]', '["A", "B", "C", "A"]', "A stands twice"),
        ('control = "C"', 'control = "E"', "control site E is not among"),
        ("train_s = 5.0", "train_s = nan", "caps.train_s"),
        ("fall_bpm = 15", "fall_bmp = 15", "alarms.fall_bmp"),
        ("format = 1", "format = 2", "format"),
    ],
)
def test_every_fault_is_named_by_its_place(file: Path, old: str, new: str, place: str) -> None:
    with pytest.raises(InputError, match=place):
        changed(file, old, new)


def test_what_is_no_protocol_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        load_protocol(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no TOML"):
        load_protocol(tmp_path / "binary.toml")
    (tmp_path / "huge.toml").write_bytes(b"#" * 2_000_000)
    with pytest.raises(InputError, match="2000000 bytes"):
        load_protocol(tmp_path / "huge.toml")


def test_a_signature_shows_any_later_change_but_not_a_comment(file: Path) -> None:
    assert signature_state(load_protocol(file)) == "unsigned"
    assert signature_state(sign(file, "A. Jansen", date(2026, 3, 1))) == "signed"
    assert signature_state(changed(file, "[alarms]", "[alarms]  # as agreed")) == "signed"
    assert signature_state(changed(file, "lowest_bpm = 40", "lowest_bpm = 45")) == "changed"
    file.write_text(file.read_text().replace("[signature]", "[signature]  # of March"))
    again = sign(file, "B. de Vries", date(2026, 3, 2))
    assert signature_state(again) == "signed"
    assert again.signature is not None
    assert again.signature.by == "B. de Vries"
    assert file.read_text().count("[signature]") == 1
    assert "# as agreed" in file.read_text()


def test_a_signature_that_is_not_at_the_end_is_refused_and_the_file_left_alone(file: Path) -> None:
    sign(file, "A. Jansen", date(2026, 3, 1))
    head, _, tail = file.read_text().partition("[alarms]")
    alarms, _, signature = tail.partition("[signature]")
    file.write_text(f"{head}[signature]  # ours{signature}[alarms]{alarms}")
    before = file.read_text()
    assert signature_state(load_protocol(file)) == "signed"
    with pytest.raises(InputError, match="could not be signed"):
        sign(file, "B. de Vries", date(2026, 3, 2))
    assert file.read_text() == before


@pytest.mark.parametrize("mt_mso_pct", range(30, 80))
def test_a_step_at_the_cap_never_passes_it_by_rounding(file: Path, mt_mso_pct: int) -> None:
    protocol = changed(file, f"steps = [{STEPS}]", "steps = [120]")
    plan = plan_session(protocol, patient="P-1", mt_mso_pct=mt_mso_pct)
    assert breaches(protocol, plan, mt_mso_pct=mt_mso_pct) == ()


def test_only_a_protocol_with_every_cap_and_alarm_can_be_signed(file: Path) -> None:
    protocol = changed(file, "pulses_a_day = 3000\n", "")
    assert open_points(protocol) == ("caps.pulses_a_day",)
    with pytest.raises(InputError, match=r"decide caps\.pulses_a_day"):
        sign(file, "A. Jansen", date(2026, 3, 1))


@pytest.mark.parametrize("name", ["", "  ", 'A"\nformat = 1', "x" * 41])
def test_a_name_that_would_break_the_file_is_refused(file: Path, name: str) -> None:
    with pytest.raises(InputError, match="no name"):
        sign(file, name, date(2026, 3, 1))
    assert file.read_text() == DECIDED


def test_the_same_patient_and_visit_give_the_same_plan_and_others_another(file: Path) -> None:
    protocol = load_protocol(file)
    plans = [plan_session(protocol, patient="P-1", visit_n=n, mt_mso_pct=50) for n in (1, 1, 2, 3, 4)]
    assert plans[0] == plans[1]
    orders = {tuple(run.site for run in plan.runs) for plan in plans}
    assert len(orders) > 1
    assert all(sorted(order) == ["A", "B", "C", "D"] for order in orders)


def test_times_and_pulses_of_the_four_ramps_are_those_of_the_protocol(file: Path) -> None:
    plan = plan_session(load_protocol(file), patient="P-1", mt_mso_pct=50)
    first, second = plan.runs[:2]
    assert first.trains[0].onset_s == 180.0
    assert first.trains[1].onset_s - first.trains[0].onset_s == 16.0
    assert second.rest_s == first.end_s == 180.0 + 15 * 16.0
    assert second.trains[0].onset_s - second.rest_s == 60.0
    assert plan.pulses_n == 3000
    assert [train.intensity_mso_pct for train in first.trains][:3] == [30.0, 32.0, 34.0]
    assert [run.is_control for run in plan.runs].count(True) == 1


def test_catch_trains_are_left_out_but_never_the_first_two(file: Path) -> None:
    protocol = changed(file, 'kind = "dash"', 'kind = "dash"\ncatch_trains_n = 3')
    for visit_n in range(1, 20):
        for run in plan_session(protocol, patient="P-1", visit_n=visit_n, mt_mso_pct=50).runs:
            left_out = [k for k, train in enumerate(run.trains) if train.pulses_n == 0]
            assert len(left_out) == 3
            assert min(left_out) >= 2


def test_jittered_pauses_are_longer_by_up_to_the_jitter(file: Path) -> None:
    protocol = changed(file, 'kind = "dash"', 'kind = "dash"\npause_jitter_s = 4.0')
    trains = plan_session(protocol, patient="P-1", mt_mso_pct=50).runs[0].trains
    cycles_s = [b.onset_s - a.onset_s for a, b in itertools.pairwise(trains)]
    assert all(16.0 <= cycle_s <= 20.0 for cycle_s in cycles_s)
    assert max(cycles_s) - min(cycles_s) > 1.0


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_a_counterbalanced_order_lets_each_site_follow_each_equally_often(n: int) -> None:
    rows = williams_rows(n)
    pairs = [(a, b) for row in rows for a, b in itertools.pairwise(row)]
    counts = {pairs.count((a, b)) for a in range(n) for b in range(n) if a != b}
    assert len(counts) == 1
    assert all(sorted(row) == list(range(n)) for row in rows)
    assert {row[0] for row in rows} == set(range(n))


def test_motor_threshold_is_needed_and_cannot_be_impossible(file: Path) -> None:
    protocol = load_protocol(file)
    with pytest.raises(InputError, match="--mt"):
        plan_session(protocol, patient="P-1")
    with pytest.raises(InputError, match="110 %MSO"):
        plan_session(protocol, patient="P-1", mt_mso_pct=95)
    with pytest.raises(InputError, match="not above 0"):
        plan_session(protocol, patient="P-1", mt_mso_pct=0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("intensity_mt_pct = 120", "intensity_mt_pct = 110", "116 %MT planned"),
        ("intensity_mt_pct = 120", "intensity_mso_pct = 50", "58 %MSO planned"),
        ("train_s = 5.0", "train_s = 4.0", "5 s planned, the clinic allows 4 s"),
        ("pulses_a_session = 3000", "pulses_a_session = 2999", "3000 planned, the clinic allows 2999"),
    ],
)
def test_each_cap_refuses_what_passes_it(file: Path, old: str, new: str, said: str) -> None:
    within = load_protocol(file)
    plan = plan_session(within, patient="P-1", mt_mso_pct=50)
    assert breaches(within, plan, mt_mso_pct=50) == ()
    over = breaches(changed(file, old, new), plan, mt_mso_pct=50)
    assert len(over) == 1
    assert said in over[0]


def test_pulses_of_the_same_day_count(file: Path) -> None:
    protocol = load_protocol(file)
    plan = plan_session(protocol, patient="P-1", mt_mso_pct=50)
    assert "3001 planned" in breaches(protocol, plan, mt_mso_pct=50, pulses_today_n=1)[0]


def test_a_cap_in_mt_that_cannot_be_checked_counts_as_passed_over(file: Path) -> None:
    protocol = changed(file, f'unit = "%MT"\nsteps = [{STEPS}]', 'unit = "%MSO"\nsteps = [50]')
    plan = plan_session(protocol, patient="P-1")
    assert "without the motor threshold" in breaches(protocol, plan)[0]


@pytest.mark.parametrize("kind", ["dash", "itbs", "10hz", "custom"])
def test_a_new_file_needs_only_what_the_clinic_decides(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    assert run("protocol", "new", kind, file).exit_code == 0
    refused = run("protocol", "check", file)
    assert refused.exit_code == 2
    assert "no intensity in steps yet" in refused.stderr
    file.write_text(file.read_text().replace("steps = []", "steps = [100]"))
    refused = run("protocol", "check", file)
    assert "6 points are open" in refused.stderr
    assert "open: caps.pulses_a_day" in refused.stdout
    again = run("protocol", "new", kind, file)
    assert again.exit_code == 2
    assert "nothing is ever overwritten" in again.stderr


def test_from_a_decided_file_to_the_run_sheet(file: Path) -> None:
    assert "unsigned" in run("protocol", "check", file).stderr
    assert run("protocol", "sign", file, "--by", "A. Jansen").exit_code == 0
    assert run("protocol", "check", file).exit_code == 0
    shown = run("protocol", "show", file, "--patient", "P-014", "--mt", "50", "--json", "-")
    document = json.loads(shown.stdout)
    assert shown.exit_code == 0
    assert document["state"] == "signed"
    assert document["pulses_n"] == 3000
    assert "30 32 34" in shown.stderr
    over = run("protocol", "show", file, "--patient", "P-014", "--mt", "50", "--pulses-today", "600")
    assert over.exit_code == 2
    assert "pulses today: 3600 planned, the clinic allows 3000" in over.stderr


def test_the_run_sheet_names_the_recording_that_fits_it(file: Path, tmp_path: Path) -> None:
    assert "record it with" not in run("protocol", "show", file, "--patient", "P-014", "--mt", "50").stdout
    sign(file, "A. Jansen", date(2026, 3, 1))
    shown = run("protocol", "show", file, "--patient", "P-014", "--mt", "50").stdout
    command = next(line for line in shown.splitlines() if line.startswith("record it with: "))
    words = shlex.split(command.removeprefix("record it with: ").replace("PORT", str(tmp_path / "no-port")))
    options = dict(zip(words[2::2], words[3::2], strict=True))
    assert options["--out"] == "P-014-1"
    assert options["--protocol"] == "dash"
    assert sorted(options["--sites"].split(",")) == ["A", "B", "C", "D"]
    assert options["--intensities"].split(",")[:3] == ["30", "32", "34"]
    assert options["--alarms"] == "below=40,fall=15,fall-pct=0,pause=3,above=140"
    refused = run(*words[1:])  # understood as it stands: only the port is not there
    assert refused.exit_code == 2
    assert "no-port" in refused.stderr


def test_with_catch_trains_no_intensity_is_given_to_the_wrong_train(file: Path) -> None:
    changed(file, 'kind = "dash"', 'kind = "dash"\ncatch_trains_n = 3')
    sign(file, "A. Jansen", date(2026, 3, 1))
    assert "record it with" in run("protocol", "show", file, "--patient", "P-014", "--mt", "50").stdout
    assert "--intensities" not in run("protocol", "show", file, "--patient", "P-014", "--mt", "50").stdout


def test_plan_doctest() -> None:
    import doctest

    assert doctest.testmod(planning).failed == 0
