"""What the box does for a technician, on the simulated chip: settings, trigger rules, faults, light, health."""

from __future__ import annotations

import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_hil.rig import Rig, RigOptions
from hbc_hil.scenario import LeadOff, Scenario
from hbc_hil.world import WIRE_TRIGGER
from hbc_host.protocol import StreamDecoder, frame, is_a
from hbc_wire import messages
from support_rig import HandWorld, other_firmware, run_scenario

ANY = Scenario(seed=3, duration_s=1.0)  # stands for the world that is written by hand
MAIN = (Path(__file__).resolve().parents[2] / "firmware" / "main.py").read_text()
SETTINGS_N = 7


class Said:
    """What a box said: its messages in order, and the text between them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.messages = [received.message for received in StreamDecoder().feed(data)]

    def all_of(self, row: Any) -> list[Any]:
        return [message for message in self.messages if is_a(message, row)]


def lived(
    world: HandWorld | None,
    flash: Path,
    *,
    asked: tuple[tuple[float, Any, tuple[Any, ...]], ...] = (),
    main: str | None = None,
    scenario: Scenario = ANY,
    **options: Any,
) -> tuple[Rig, Said]:
    """Run the firmware in a world; requests as (world seconds, message, values) arrive when they say."""
    inputs = tuple(
        (round(at_s * 1e9), frame(row, n, 100 + n, *values).hex()) for n, (at_s, row, values) in enumerate(asked)
    )
    with other_firmware(main, world):
        box, data = run_scenario(scenario, RigOptions(inputs=inputs or None, **options), flash)
    return box, Said(data)


def keep(flash: Path, **values: int) -> None:
    """Write settings.txt by its rule, as docs/howto/settings.md states it."""
    body = "".join(f"{name}={value}\n" for name, value in values.items()).encode()
    (flash / "settings.txt").write_bytes(body + b"crc=%08x\n" % zlib.crc32(body))


def events_of(*pulses: tuple[float, float]) -> list[tuple[int, int, int]]:
    """Pulses as (start_s, width_us)."""
    rows = [(round(at_s * 1e9), round(width_us * 1e3)) for at_s, width_us in pulses]
    return [event for at, width in rows for event in ((at, WIRE_TRIGGER, 1), (at + width, WIRE_TRIGGER, 0))]


def edge_s(said: Said, box: Rig) -> list[float]:
    """Edges in world seconds."""
    return [(e.edge_us + e.edge_sub_tick / 80) * 1e-6 - box.boot_s for e in said.all_of(messages.TriggerEdge)]


def test_a_setting_is_in_force_at_once_kept_and_its_pause_is_counted(tmp_path: Path) -> None:
    box, said = lived(
        HandWorld(12.0),
        tmp_path,
        asked=(
            (3.0, messages.Setting, ("blank_ms", 20)),
            (4.0, messages.Setting, ("blank_ms", 20)),
            (4.2, messages.ListSettings, ()),
            (5.0, messages.Restart, (messages.RESTART_APP,)),
            (9.0, messages.ListSettings, ()),
        ),
    )
    acks = [(ack.token, ack.status) for ack in said.all_of(messages.Ack)]
    assert acks == [(100, messages.ACK_OK), (101, messages.ACK_OK), (103, messages.ACK_OK)]
    first, second = ([one for one in said.all_of(messages.SettingIs) if one.token == token] for token in (102, 104))
    assert [one.setting_idx for one in first] == list(range(SETTINGS_N))
    assert {one.settings_n for one in first} == {SETTINGS_N}
    assert [one._replace(token=0) for one in first] == [one._replace(token=0) for one in second], "not kept"
    assert (first[0].name, first[0].value, first[0].lowest, first[0].highest) == ("blank_ms", 20, 0, 255)
    blocks = said.all_of(messages.EcgBlock)
    assert {block.blank_ms for block in blocks} == {8, 20}
    assert blocks[-1].blank_ms == 20, "not applied at boot"
    assert b"blank_ms=20\n" in (tmp_path / "settings.txt").read_bytes()
    assert {hello.boot_n for hello in said.all_of(messages.Hello)} == {1, 2}
    assert len(box.boots) == 2
    # One flash write of 60 ms: the samples that came due are counted; the second request changed nothing.
    lost_n = [lost.samples_n for lost in said.all_of(messages.Lost)]
    assert 20 <= max(lost_n) <= 60
    assert max(one.late_max_us for one in said.all_of(messages.Status)) > 50_000


def test_no_setting_is_changed_while_the_coil_fires(tmp_path: Path) -> None:
    train = events_of(*[(2.0 + 0.1 * k, 200.0) for k in range(30)])
    _, said = lived(
        HandWorld(9.0, events=train),
        tmp_path,
        asked=((3.0, messages.Setting, ("blank_ms", 20)), (6.5, messages.Setting, ("blank_ms", 20)),
               (7.5, messages.Setting, ("blank_ms", 20))),
    )  # fmt: skip
    statuses = [ack.status for ack in said.all_of(messages.Ack)]
    assert statuses == [messages.ACK_BUSY, messages.ACK_BUSY, messages.ACK_OK], "the last edge came at 4.9 s"


def test_narrow_pulses_and_bounces_are_no_edges_and_are_counted(tmp_path: Path) -> None:
    keep(tmp_path, trigger_min_width_us=100, trigger_hold_off_us=5000)
    pulses = ((2.0, 200.0), (2.5, 60.0), (3.0, 200.0), (3.0031, 200.0), (3.5, 150_000.0), (4.0, 99.0), (4.5, 101.0))
    box, said = lived(HandWorld(7.0, events=events_of(*pulses)), tmp_path)
    assert edge_s(said, box) == pytest.approx([2.0, 3.0, 3.5, 4.5], abs=5e-6)
    health = said.all_of(messages.Health)[-1]
    assert (health.runts_n, health.held_off_n) == (2, 1)
    assert said.all_of(messages.Lost)[-1].edges_n == 0
    assert said.all_of(messages.Note) == []


def test_the_falling_edge_can_lead_and_its_pulse_has_a_width_too(tmp_path: Path) -> None:
    keep(tmp_path, trigger_rising=0, trigger_pull_up=1, trigger_min_width_us=100)
    # Active low: idle high, pulses of 300 us, a runt of 20 us.
    at_ns = [int(1e9 * at_s) for at_s in (0.2, 2.0, 2.3, 3.0)]
    widths_ns = [0, 300_000, 20_000, 300_000]
    events = [(at_ns[0], WIRE_TRIGGER, 1)]
    for at, width in zip(at_ns[1:], widths_ns[1:], strict=True):
        events += [(at, WIRE_TRIGGER, 0), (at + width, WIRE_TRIGGER, 1)]
    box, said = lived(HandWorld(5.0, events=events), tmp_path)
    assert edge_s(said, box) == pytest.approx([2.0, 3.0], abs=5e-6)
    assert {edge.level for edge in said.all_of(messages.TriggerEdge)} == {0}
    assert said.all_of(messages.Health)[-1].runts_n == 1


@pytest.mark.parametrize(("board", "within_s"), [("esp32-ad8232", 5e-6), ("esp32c3-ad8232", 5e-4)])
def test_polarity_changes_while_the_box_runs(board: str, within_s: float, tmp_path: Path) -> None:
    pulses = events_of((1.5, 400.0), (6.5, 400.0), (7.0, 400.0))
    box, said = lived(
        HandWorld(9.0, events=pulses), tmp_path, asked=((5.0, messages.Setting, ("trigger_rising", 0)),), board=board
    )
    assert [ack.status for ack in said.all_of(messages.Ack)] == [messages.ACK_OK]
    assert edge_s(said, box) == pytest.approx([1.5, 6.5004, 7.0004], abs=within_s)
    assert [edge.level for edge in said.all_of(messages.TriggerEdge)] == [1, 0, 0]
    assert said.all_of(messages.Lost)[-1].edges_n == 0, "the pulse counter began anew, nothing was lost"


def test_an_oscillating_trigger_input_silences_nothing_and_is_counted(tmp_path: Path) -> None:
    fast_us, slow_us, each_n = 15.0, 50.0, 20_000  # the latch is never empty; then now and then
    storm = events_of(*[(2.0 + 1e-6 * fast_us * k, 5.0) for k in range(each_n)])
    storm += events_of(*[(2.5 + 1e-6 * slow_us * k, 20.0) for k in range(each_n)])
    box, said = lived(HandWorld(9.0, events=storm), tmp_path)
    assert len(said.all_of(messages.Hello)) >= 8, "the box fell silent"
    assert len(box.boots) == 1, "the watchdog bit"
    assert max(np.diff([one.status_us for one in said.all_of(messages.Status)])) < 1_500_000
    numbered_n, lost_n = said.all_of(messages.Status)[-1].edges_n, said.all_of(messages.Lost)[-1].edges_n
    assert numbered_n + lost_n == 2 * each_n
    assert lost_n > 10_000
    assert max(one.late_max_us for one in said.all_of(messages.Status)) < 5_000, "samples starved"


def test_the_host_can_ask_for_the_prompt(tmp_path: Path) -> None:
    box, said = lived(HandWorld(9.0), tmp_path, asked=((3.0, messages.Restart, (messages.RESTART_REPL,)),))
    assert box.report["ended"] == "repl"
    assert [ack.status for ack in said.all_of(messages.Ack)] == [messages.ACK_OK], "the answer did not leave"
    assert b"hbc: at the prompt, as asked for" in said.data
    assert not (tmp_path / "repl.txt").exists(), "it would never start again"


FAULTY = """
from hbc_fw import health

report = health.Health.report


def fault_in_the_fourth_second(self):
    if self.reports_n == 3:
        raise ValueError("boom")
    report(self)


health.Health.report = fault_in_the_fourth_second
"""


def test_three_faults_in_a_row_end_at_the_prompt_and_say_why(tmp_path: Path) -> None:
    box, said = lived(HandWorld(30.0), tmp_path, main=FAULTY + MAIN)
    assert box.report["ended"] == "repl"
    assert len(box.boots) == 4, "three tries, and the boot that stays at the prompt"
    assert [one.boot_faults_n for one in said.all_of(messages.Health)] == [0] * 3 + [1] * 3 + [2] * 3
    assert {note.text for note in said.all_of(messages.Note)} == {"after a fault: ValueError: boom"}
    assert b"safe mode" in said.data
    assert said.data.count(b"ValueError: boom") >= 1
    # Switched off and on, it tries once more; repaired, it runs and forgets.
    box, said = lived(HandWorld(13.0), tmp_path)
    assert box.report["ended"] == "world"
    assert said.all_of(messages.Health)[0].boot_faults_n == 2
    assert not (tmp_path / "faults.txt").exists()


IMPORT_FAULT = "import hbc_fw.app\nhbc_fw.app.Sampler = None\n"


def test_a_fault_before_the_loop_is_caught_too(tmp_path: Path) -> None:
    box, said = lived(HandWorld(9.0), tmp_path, main=IMPORT_FAULT + MAIN)
    assert box.report["ended"] == "repl"
    assert b"TypeError" in said.data
    assert (tmp_path / "crash.txt").read_text().startswith("Traceback"), "kept for whoever comes to repair it"


HANGING = """
from time import ticks_us
from hbc_fw import health

report = health.Health.report


def hang_in_the_fourth_second(self):
    if self.reports_n == 3:
        while True:
            ticks_us()
    report(self)


health.Health.report = hang_in_the_fourth_second
"""


def test_a_loop_that_stands_still_is_ended_by_the_watchdog_and_counted(tmp_path: Path) -> None:
    box, said = lived(HandWorld(15.0), tmp_path, main=HANGING + MAIN)
    assert len(box.boots) >= 2
    assert box.boots[1][1] == 3, "not a watchdog reset"
    assert box.boots[1][0] == pytest.approx(3.0 + 5.0 + 0.6, abs=0.7)
    assert {one.boot_faults_n for one in said.all_of(messages.Health)} >= {0, 1}
    assert any("watchdog" in note.text for note in said.all_of(messages.Note))


def test_damaged_settings_are_said_and_shown_until_a_request_mends_them(tmp_path: Path) -> None:
    (tmp_path / "settings.txt").write_bytes(b"blank_ms=20\nfront_end=1\ncrc=00000000\n")
    box, said = lived(HandWorld(9.0), tmp_path, asked=((4.0, messages.Setting, ("front_end", 0)),))
    (note,) = said.all_of(messages.Note)
    assert note.text == "settings.txt damaged: defaults in force, AD8232. Run hbc box set"
    assert said.all_of(messages.Hello)[0].board == "esp32-ad8232", "what the Note says was taken"
    assert {block.blank_ms for block in said.all_of(messages.EcgBlock)} == {8}
    changes_s = np.array([at_ns * 1e-9 for at_ns, _ in box.report["led"]][2:])
    early_s, late_s = changes_s[changes_s < 4.0], changes_s[changes_s > 5.0]
    assert np.median(np.diff(early_s)) == pytest.approx(0.1, abs=0.02), "no fast blinking"
    assert late_s.size <= 1, "mended, and blinks on"
    assert box.report["led"][-1][1] == 1, "steady: it runs, and finds no beat in a steady voltage"
    # A value that is in force already: written all the same, and no reason to start again.
    assert [ack.status for ack in said.all_of(messages.Ack)] == [messages.ACK_OK]
    assert len(box.boots) == 1
    assert b"blank_ms=8\n" in (tmp_path / "settings.txt").read_bytes()
    _, again = lived(HandWorld(2.5), tmp_path)
    assert not again.all_of(messages.Note), "still damaged"


SHIFTED = """
from hbc_fw import health

report = health.Health.report


def shift_in_the_fourth_second(self):
    if self.reports_n == 3:
        self._parts.capture_clock._low -= 4000
    report(self)


health.Health.report = shift_in_the_fourth_second
"""


def test_clocks_that_come_apart_are_measured_and_said(tmp_path: Path) -> None:
    _, said = lived(HandWorld(8.0), tmp_path, main=SHIFTED + MAIN)
    error_ns = [one.anchor_error_ns for one in said.all_of(messages.Health)]
    half_ns = said.all_of(messages.Hello)[0].bracket_half_ns
    assert all(abs(one) <= half_ns for one in error_ns[:3])
    assert all(one == pytest.approx(-50_000, abs=half_ns) for one in error_ns[3:])
    assert [note.text for note in said.all_of(messages.Note)] == [
        "trigger and sample clock disagree: edge times are off"
    ]


AGED = """
from hbc_fw import health

report = health.Health.report


def age_in_the_fourth_second(self):
    if self.reports_n == 3:
        self._sampler.samples_n = (1 << 30) - 1000
    report(self)


health.Health.report = age_in_the_fourth_second
"""


def test_a_box_of_24_days_restarts_by_itself_and_says_why(tmp_path: Path) -> None:
    box, said = lived(HandWorld(6.0), tmp_path, main=AGED + MAIN)
    assert len(box.boots) == 2
    assert [note.text for note in said.all_of(messages.Note)] == [
        "restart: running numbers are used up, as after 24 days"
    ]
    assert {one.boot_faults_n for one in said.all_of(messages.Health)} == {0}, "a planned restart is no fault"


def test_the_light_flashes_with_each_beat_and_blinks_when_an_electrode_is_off(tmp_path: Path) -> None:
    scenario = replace(Scenario.short(7, 46.0, rest_s=30.0), lead_off=(LeadOff(20.0, 29.5, "LA"),))
    box, said = lived(None, tmp_path, scenario=scenario, battery_mv=3000)
    lit = [(at_ns * 1e-9, level) for at_ns, level in box.report["led"]]
    flashes_s = np.array([at_s for at_s, level in lit if level and 5.0 < at_s < 19.0])
    beats_s = box.world.truth.beats_s
    true_s = beats_s[(beats_s > 4.6) & (beats_s < 18.6)]
    assert abs(len(flashes_s) - len(true_s)) <= 1
    lit_s = [off_s - on_s for (on_s, level), (off_s, _) in pairwise(lit) if level and 5.0 < on_s < 18.0]
    assert np.median(lit_s) == pytest.approx(0.05, abs=0.01), "a flash is short, and dark is long"
    blinks_s = np.diff([at_s for at_s, _ in lit if 22.0 < at_s < 29.0])
    assert np.median(blinks_s) == pytest.approx(0.5, abs=0.05)
    off = [one.signal_state for one in said.all_of(messages.Health) if 22.0 < one.health_us * 1e-6 < 29.0]
    assert set(off) == {messages.SIGNAL_LEAD_OFF}
    assert {one.battery_mv for one in said.all_of(messages.Health)} == {0}, "not wired: nothing may be said of it"
    assert said.all_of(messages.Health)[15].polarity == 1


def test_a_wired_battery_is_measured_and_a_low_one_is_shown(tmp_path: Path) -> None:
    keep(tmp_path, battery_wired=1)
    box, said = lived(HandWorld(4.0), tmp_path, battery_mv=3100)
    assert said.all_of(messages.Health)[-1].battery_mv == pytest.approx(3100, abs=60)
    changes_s = np.diff([at_ns * 1e-9 for at_ns, _ in box.report["led"]][2:])
    assert np.median(changes_s) == pytest.approx(0.1, abs=0.02)


def test_software_capture_has_no_width_and_says_so(tmp_path: Path) -> None:
    asked = ((3.0, messages.Setting, ("trigger_min_width_us", 100)), (3.5, messages.ListSettings, ()))
    _, said = lived(HandWorld(5.0), tmp_path, asked=asked, board="esp32c3-ad8232")
    assert [ack.status for ack in said.all_of(messages.Ack)] == [messages.ACK_OUT_OF_RANGE]
    [row] = [one for one in said.all_of(messages.SettingIs) if one.name == "trigger_min_width_us"]
    assert (row.lowest, row.highest) == (0, 0)
    health = said.all_of(messages.Health)[-1]
    assert health.jitter_ns > 0
    assert said.all_of(messages.Hello)[-1].bracket_half_ns >= health.jitter_ns
