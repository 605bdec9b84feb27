"""The judge's own reading of a recording: boots, repeats, damage, pings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hbc_hil.bench.evidence import evidence_of
from hbc_hil.errors import EvidenceError
from hbc_host.chunks import FROM_BOX, TO_BOX, Chunk
from hbc_host.protocol import frame
from hbc_wire import messages


def hello(seq: int, boot_n: int) -> bytes:
    values = (messages.WIRE_VERSION, boot_n, 500, 805_861, 1100, 12_500, 2513, 4000, 1, "id", "esp32", "fw", "hardware")
    return frame(messages.Hello, seq, *values)


def edge(seq: int, number: int, us: int, sub: int = 0) -> bytes:
    return frame(messages.TriggerEdge, seq, number, us, sub, 1)


def read(*parts: bytes) -> Any:
    return evidence_of([Chunk(FROM_BOX, 1.0 + k, part) for k, part in enumerate(parts)])


def test_edges_keep_their_ticks_and_repeats_are_dropped() -> None:
    found = read(hello(0, 1), edge(1, 0, 1_000_000, 1), edge(2, 1, 2_000_000, 79), edge(3, 0, 1_000_000, 1))
    (boot,) = found.boots
    assert boot.edge_n.tolist() == [0, 1]
    assert boot.edges_ns.tolist() == [1e9 + 12.5, 2e9 + 987.5]
    assert boot.edges_arrived_s.tolist() == [2.0, 3.0], "the first arrival of each"
    assert (boot.frames_n, boot.frames_lost_n, found.bad_n) == (4, 0, 0)


def test_a_new_boot_begins_at_frame_zero_even_when_edges_come_before_its_hello() -> None:
    found = read(hello(7, 1), edge(8, 0, 5_000_000), edge(0, 0, 300_000), hello(1, 2), edge(2, 1, 400_000))
    assert [boot.hello.boot_n for boot in found.boots] == [1, 2]
    assert [boot.edge_n.tolist() for boot in found.boots] == [[0], [0, 1]]
    assert [boot.frames_lost_n for boot in found.boots] == [0, 0]


def test_a_boot_whose_first_frame_was_lost_begins_at_its_hello() -> None:
    found = read(hello(7, 1), edge(8, 0, 5_000_000), hello(3, 2), edge(4, 2, 400_000))
    assert [boot.edge_n.tolist() for boot in found.boots] == [[0], [2]]


def test_missing_and_damaged_frames_are_counted() -> None:
    damaged = bytearray(edge(2, 1, 2_000_000))
    damaged[6] ^= 0x40
    found = read(hello(0, 1), edge(1, 0, 1_000_000), bytes(damaged), edge(5, 4, 5_000_000), b"\0rst:0xc\0")
    assert found.boots[0].frames_lost_n == 3
    assert found.bad_n == 2
    assert found.boots[0].edge_n.tolist() == [0, 4]


def test_samples_lie_on_the_grid_plus_their_residual_and_missed_ones_are_marked() -> None:
    block = frame(messages.EcgBlock, 1, 50, 1_100_000, 8, [5, 6, 6], [40, -3, messages.RESIDUAL_MISSED])
    (boot,) = read(hello(0, 1), block).boots
    assert boot.ecg_idx.tolist() == [50, 51, 52]
    assert boot.ecg_us.tolist() == [1_100_040, 1_101_997, 1_104_000]
    assert boot.ecg_missed.tolist() == [False, False, True]
    np.testing.assert_array_equal(boot.ecg_lsb, [5, 6, 6])


def test_totals_are_those_of_the_last_report_and_zero_without_one() -> None:
    lost = [frame(messages.Lost, 1 + k, 1_000_000 * (k + 1), k, 0, 0) for k in range(3)]
    (boot,) = read(hello(0, 1), *lost).boots
    assert boot.last("lost", "edges_n") == 2
    assert boot.last("status", "edges_n") == 0


def test_pings_are_matched_by_token() -> None:
    chunks = [
        Chunk(FROM_BOX, 0.5, hello(0, 1)),
        Chunk(TO_BOX, 1.0, frame(messages.ClockPing, 0, 7)),
        Chunk(FROM_BOX, 1.01, frame(messages.ClockPong, 1, 7, 500_000, 500_200)),
        Chunk(FROM_BOX, 1.02, frame(messages.ClockPong, 2, 9, 600_000, 600_200)),
    ]
    (ping,) = evidence_of(chunks).pings
    assert (ping.sent_s, ping.device_us, ping.busy_us, ping.arrived_s) == (1.0, 500_100, 200, 1.01)


def test_without_a_hello_there_is_nothing_to_judge() -> None:
    with pytest.raises(EvidenceError, match="1 good frames"):
        read(edge(0, 0, 1))
