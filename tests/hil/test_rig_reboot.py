"""A reset boots the box again, in the same world: same file system, same line, world time goes on."""

from __future__ import annotations

import json
import os
import select
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_hil.rig import Rig, RigError, RigOptions, rig
from hbc_hil.scenario import LeadOff, Scenario
from hbc_hil.world import World
from hbc_hil.world_feed import WorldFeed
from hbc_host.protocol import StreamDecoder
from hbc_wire import messages
from support_rig import HandWorld, other_firmware, read_all, run_scenario

BOOT_S = 0.6
PWRON, HARD, WDT = 1, 2, 3


def boots_of(data: bytes) -> list[list[Any]]:
    """The messages of each boot; the ROM's text between them is no frame."""
    decoder = StreamDecoder()
    found: list[list[Any]] = []
    for received in decoder.feed(data):
        message = received.message
        if isinstance(message, messages.Hello.make) and (not found or found[-1][0].boot_n != message.boot_n):
            found.append([])
        if found:
            found[-1].append(message)
    return found


def of_kind(boot: list[Any], row: Any) -> list[Any]:
    return [message for message in boot if isinstance(message, row.make)]


FAULT_AFTER_3_S = """
from hbc_boards.esp32 import Board
from hbc_fw import startup
from hbc_fw.app import App
from machine import reset, reset_cause
from time import ticks_us

def start(last_boot):
    board = Board()
    nap = board.sleep_us

    def sleep_us(us):
        nap(us)
        if ticks_us() > 3250000:
            return [us]  # a list is a heap object

    board.sleep_us = sleep_us
    App(board, last_boot).run()

startup.guarded(start, reset, reset_cause())
"""


def test_the_loop_runs_with_the_heap_locked_and_a_fault_is_told_after_the_next_boot(tmp_path: Path) -> None:
    with other_firmware(FAULT_AFTER_3_S):
        box, data = run_scenario(Scenario(seed=1, duration_s=6.0), flash=tmp_path)
    assert [cause for _, cause in box.boots] == [PWRON, HARD]
    assert box.boots[1][0] == pytest.approx(3.0 + BOOT_S, abs=0.02)
    first, second = boots_of(data)
    assert (first[0].boot_n, second[0].boot_n) == (1, 2)
    assert (first[0].reset_cause, second[0].reset_cause) == (PWRON, HARD)
    assert not of_kind(first, messages.Note)
    (note,) = of_kind(second, messages.Note)
    assert note.text.startswith("after a fault: MemoryError")
    assert 250_000 <= note.note_us < 300_000, "the note carries the time of this boot"
    assert box.report["ended"] == "world"


def brownout(seed: int, **changed: Any) -> tuple[Rig, bytes]:
    """Pulses at 10 Hz from 3 s on; an electrode that is off during the boot; the supply dips at 7.123 s."""
    scenario = replace(Scenario.short(seed, 20.0, rest_s=3.0), lead_off=(LeadOff(5.0, 7.5), LeadOff(9.0, 11.0, "LA")))
    return run_scenario(scenario, RigOptions(brownouts_s=(7.123,), **changed))


def test_after_a_brownout_edges_and_electrodes_are_right_in_the_new_device_time() -> None:
    box, data = brownout(5, drift_ppm=40.0)
    assert [cause for _, cause in box.boots] == [PWRON, PWRON], "the port calls a brown-out a power-on"
    assert box.boots[1][0] == pytest.approx(7.123 + BOOT_S, abs=5e-5), "0.6 s by the fast crystal of the box"
    edges_s = box.world.truth.edges_ns * 1e-9
    seen = [0, 0]
    worst_s = 0.0
    for k, boot in enumerate(boots_of(data)):
        hello = boot[0]
        for edge in of_kind(boot, messages.TriggerEdge):
            at_s = edge.edge_us * 1e-6 + edge.edge_sub_tick * 12.5e-9
            error_s = np.abs(at_s - np.array([box.device_s(edge_s, k) for edge_s in edges_s])).min()
            assert error_s <= hello.bracket_half_ns * 1e-9 + 2e-8
            worst_s = max(worst_s, error_s)
            seen[k] += 1
    assert seen[0] + seen[1] == edges_s.size - np.sum((edges_s > 7.12) & (edges_s < box.boots[1][0] + 0.05))
    assert worst_s < 1.5e-6, "the boots' times are not those of the boxes"
    first, second = boots_of(data)
    assert {status.leads for status in of_kind(first, messages.Status)} == {0, messages.LEAD_RA_OFF}
    leads = {
        round(s.status_us * 1e-6 - box.boot_s + box.boots[1][0]): s.leads for s in of_kind(second, messages.Status)
    }
    assert leads[8] == 0, "an electrode that came back while the box booted still seems off"
    assert messages.LEAD_LA_OFF in leads.values()


def test_a_run_with_resets_is_repeatable_and_a_crystal_that_drifts_is_not_the_same_run() -> None:
    runs = [brownout(6)[1] for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0] != brownout(6, drift_ppm=1.0)[1]


def test_a_fast_crystal_stretches_device_time() -> None:
    box, data = run_scenario(Scenario.short(9, 25.0, rest_s=2.0), RigOptions(drift_ppm=500.0))
    edges = of_kind(boots_of(data)[0], messages.TriggerEdge)
    device_ns = np.array([edge.edge_us * 1000.0 + edge.edge_sub_tick * 12.5 for edge in edges])
    true_ns = box.world.truth.edges_ns.astype(float)
    stretch = (device_ns[-1] - device_ns[0]) / (true_ns[-1] - true_ns[0])
    assert (stretch - 1.0) * 1e6 == pytest.approx(500.0, abs=0.01)
    assert box.report["virtual_s"] == pytest.approx(25.0, abs=1e-6), "the world's time, not the box's"


def test_the_box_lives_in_a_foreign_world_even_across_a_reset() -> None:
    scenario = Scenario.short(12, 18.0, rest_s=2.0)
    _, rendered = run_scenario(scenario, RigOptions(brownouts_s=(5.5,)))
    for chunk_s in (0.05, 1.0):
        source = World(scenario).chunks(chunk_s)
        _, data = run_scenario(scenario, RigOptions(brownouts_s=(5.5,), world_source=source))
        assert data == rendered


def broken_worlds() -> Iterator[tuple[str, Iterator[bytes]]]:
    chunks = list(World(Scenario(seed=1, duration_s=3.0)).chunks(0.5))
    yield "begins with", iter(chunks[1:])
    yield "broke off", iter(chunks[:3])
    yield "has .* bytes, not", iter([*chunks[:2], chunks[2][:-1]])

    def faulty() -> Iterator[bytes]:
        yield from chunks[:3]
        raise OSError("the generator is gone")

    yield "the generator is gone", faulty()


@pytest.mark.parametrize(("words", "source"), list(broken_worlds()), ids=["no header", "cut", "odd chunk", "error"])
def test_a_broken_world_is_an_error_that_says_so(words: str, source: Iterator[bytes]) -> None:
    with pytest.raises(RigError, match=words):
        run_scenario(Scenario(seed=1, duration_s=3.0), RigOptions(world_source=source))


WATCHED = """
import json
from machine import WDT, reset_cause
from time import sleep_ms, ticks_us
boot = {"cause": reset_cause(), "ticks": ticks_us()}
with open("boots.txt", "a") as file:
    file.write(json.dumps(boot) + "\\n")
print("hello", reset_cause())
dog = WDT(timeout=500)
for _ in range(10):
    sleep_ms(300)
    dog.feed()
if boot["cause"] == 1:
    SLEEP
"""


@pytest.mark.parametrize("sleep", ["sleep_ms(60_000)", "while True: sleep_ms(100)"])
def test_a_watchdog_that_starves_resets_and_a_program_that_returns_ends_in_the_repl(sleep: str, tmp_path: Path) -> None:
    # The world is longer than the second boot: it ends because the program returns, and the dog does not bite then.
    with other_firmware(WATCHED.replace("SLEEP", sleep), HandWorld(20.0)):
        box, data = run_scenario(Scenario(seed=3, duration_s=1.0), flash=tmp_path)
    assert [cause for _, cause in box.boots] == [PWRON, WDT]
    assert box.boots[1][0] == pytest.approx(10 * 0.3 + 0.5 + BOOT_S, abs=0.01)
    boots = [json.loads(line) for line in (tmp_path / "boots.txt").read_text().splitlines()]
    assert [boot["cause"] for boot in boots] == [PWRON, WDT]
    assert all(250_000 <= boot["ticks"] < 251_000 for boot in boots), "ticks begin anew"
    assert box.report["ended"] == "repl"
    assert box.report["virtual_s"] == pytest.approx(box.boots[1][0] + 3.0, abs=0.01)
    text = data.decode()
    assert text.startswith("hello 1\r\nets Jul 29 2019"), "no banner of the ROM, or one before any host listens"
    assert text.endswith("hello 3\r\n")


RESETS_AT_ONCE = """
from machine import UART, reset, reset_cause
from time import sleep_ms
port = UART(1, 115200, tx=1, rx=3, txbuf=2048)
if reset_cause() == 1:
    port.write(bytes([65] * 1000), 1000)
    sleep_ms(50)
    reset()
port.write(b"B", 1)
"""


@pytest.mark.parametrize("paced", [False, True])
def test_bytes_that_have_not_left_the_pin_are_lost_in_a_reset(paced: bool) -> None:
    with other_firmware(RESETS_AT_ONCE, HandWorld(3.0)):
        box, data = run_scenario(Scenario(seed=3, duration_s=1.0), RigOptions(paced=paced))
    assert len(box.boots) == 2
    assert data.count(b"A") - 2 == pytest.approx(0.05 * 11520, abs=3), "the banner has two of them"
    assert data.endswith(b"B")


def test_the_flash_folder_is_run_as_it_is_when_nothing_is_to_be_installed(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print('from the folder')\n")
    with rig(Scenario(seed=1, duration_s=2.0), flash=tmp_path, install=False) as box:
        assert read_all(box) == b"from the folder\r\n"
    assert [path.name for path in tmp_path.iterdir()] == ["main.py"]


def test_a_boot_that_waits_for_its_world_does_not_hold_up_the_next_one() -> None:
    """A live source has nothing more to give for a moment: a box that resets now gets what is there already."""
    chunks = list(World(Scenario(seed=1, duration_s=3.0)).chunks(0.5))
    go_on = threading.Event()

    def live() -> Iterator[bytes]:
        yield from chunks[:4]  # 1.5 s
        assert go_on.wait(20.0)
        yield from chunks[4:]

    feed = WorldFeed(live())
    first_out, first_in = os.pipe()
    first = feed.serve(first_in, 0)
    assert read_exactly(first_out, sum(map(len, chunks[:4]))) == b"".join(chunks[:4])
    os.close(first_out)  # reset at 0.7 s
    second_out, second_in = os.pipe()
    second = feed.serve(second_in, 700_000_000)
    seen = read_exactly(second_out, len(chunks[0]) + sum(map(len, chunks[2:4])))
    assert seen == chunks[0] + chunks[2] + chunks[3], "header, then the chunk in which the reset fell"
    go_on.set()
    assert read_exactly(second_out, sum(map(len, chunks[4:]))) == b"".join(chunks[4:])
    os.close(second_out)
    first.join(10.0)
    second.join(10.0)
    assert not first.is_alive()
    assert not second.is_alive()


def test_a_boot_that_comes_too_late_for_its_world_is_an_error() -> None:
    """Nothing of it may be left out in silence."""
    chunks = list(World(Scenario(seed=1, duration_s=60.0)).chunks(0.5))
    feed = WorldFeed(iter(chunks))
    first_out, first_in = os.pipe()
    first = feed.serve(first_in, 0)
    assert read_exactly(first_out, sum(map(len, chunks))) == b"".join(chunks)
    first.join(10.0)
    os.close(first_out)
    second_out, second_in = os.pipe()
    feed.serve(second_in, 1_000_000_000).join(10.0)
    assert read_exactly(second_out, len(chunks[0])) == chunks[0], "the header only"
    assert os.read(second_out, 1) == b""
    os.close(second_out)
    assert isinstance(feed.error, RigError)
    assert "the world at 1.000 s is not kept any more" in str(feed.error)


def read_exactly(number: int, n: int) -> bytes:
    data = b""
    while len(data) < n:
        ready, _, _ = select.select([number], [], [], 20.0)
        assert ready, f"{len(data)} of {n} bytes came"
        data += os.read(number, n - len(data))
    return data
