"""The layout of version 1, written down once more: a field that moves makes every old recording unreadable.

New messages may be added; a row here changes together with ``WIRE_VERSION`` only.
"""

from __future__ import annotations

import pytest
from hbc_wire import framing, messages

VERSION_1 = {
    0x01: "Hello wire_version:B boot_n:I rate_hz:H adc_lsb_nv:I gain:H capture_tick_ps:I bracket_half_ns:I "
    "lookback_us:H reset_cause:B unique_id:s board:s firmware:s capture:s",
    0x02: "Status status_us:Q leads:B saturated_n:H samples_n:I edges_n:I peaks_n:I edge_queue_max_n:B blocks_max_n:B "
    "late_max_us:I mem_free_bytes:I commands_bad_n:H",
    0x03: "Lost lost_us:Q edges_n:I samples_n:I peaks_n:I",
    0x10: "TriggerEdge edge_n:I edge_us:Q edge_sub_tick:B level:B",
    0x11: "RPeak peak_n:I peak_us:Q sample_idx:I sample_frac_q8:B quality:B",
    0x12: "EcgBlock first_idx:I first_us:Q blank_ms:B ecg_lsb:a residual_us:a",
    0x13: "Note note_us:Q text:s",
    0x20: "ClockPing token:I",
    0x21: "ClockPong token:I received_us:Q sent_us:Q",
    0x22: "FetchEvents token:I kind:B first_n:I count_n:H",
    0x23: "Setting token:I name:s value:i",
    0x24: "Ack token:I status:B value:i",
}
EDGE_FRAME = bytes.fromhex("000510020105010104 87d61201010101072801877a461300".replace(" ", ""))


@pytest.mark.parametrize("msg_id", VERSION_1, ids=lambda msg_id: VERSION_1[msg_id].split()[0])
def test_a_message_of_version_1_keeps_its_fields_and_their_order(msg_id: int) -> None:
    assert messages.WIRE_VERSION == 1
    message = messages.BY_ID[msg_id]
    fields = " ".join(f"{name}:{code}" for name, code in zip(message.names, message.codes, strict=True))
    assert f"{message.name} {fields}" == VERSION_1[msg_id]


def test_an_edge_recorded_long_ago_is_read_field_by_field() -> None:
    seq, edge = messages.unpack(framing.payload_of(EDGE_FRAME[1:-1]))
    assert seq == 258
    assert (edge.edge_n, edge.edge_us, edge.edge_sub_tick, edge.level) == (5, 1_234_567, 40, 1)
