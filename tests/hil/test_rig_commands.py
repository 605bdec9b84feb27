"""A host that asks: requests and answers over a real pty with pyserial, in real time and replayed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import serial
from hbc_hil.rig import Rig, RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_host.protocol import StreamDecoder, frame, is_a
from hbc_wire import messages
from support_rig import messages_of, opened_with_all, run_scenario

WAIT_S = 120.0  # other work may hold this computer up
REST_S = 3.0  # without an edge
TRIES_N = 30


@dataclass
class Host:
    """A host at the port: sends requests, keeps every message with its time of arrival."""

    port: serial.Serial
    decoder: StreamDecoder = field(default_factory=StreamDecoder)
    received: list[tuple[float, Any]] = field(default_factory=list)
    token: int = 1000

    def listen(self, until: Callable[[], bool]) -> None:
        """Read until a condition holds; fails when it does not in time."""
        give_up_s = time.monotonic() + WAIT_S
        while not until():
            assert time.monotonic() < give_up_s, "no answer in time"
            data = self.port.read(self.port.in_waiting or 1)
            self.received += [(time.monotonic(), one.message) for one in self.decoder.feed(data)]

    def all_of(self, row: Any) -> list[Any]:
        return [message for _, message in self.received if is_a(message, row)]

    def request(self, row: Any, *values: Any) -> bytes:
        """The frame of a request with a token of its own."""
        self.token += 1
        return frame(row, self.token, self.token, *values)

    def ask(self, answer: Any, *requests: bytes) -> list[Any]:
        """Send requests in one write; the answers, in order."""
        before_n = len(self.all_of(answer))
        self.port.write(b"".join(requests))
        self.listen(lambda: len(self.all_of(answer)) >= before_n + len(requests))
        return self.all_of(answer)[before_n:]

    def wait_for_rest(self) -> None:
        """Until no edge has come for so long that the box keeps settings again."""
        self.listen(lambda: bool(self.all_of(messages.Status)))
        self.listen(lambda: self._at_rest_s() > REST_S)

    def _at_rest_s(self) -> float:
        reports = self.all_of(messages.Status)
        still = [one.status_us for one in reports if one.edges_n == reports[-1].edges_n]
        return (still[-1] - still[0]) * 1e-6

    def setting(self, name: str, value: int) -> Any:
        (ack,) = self.ask(messages.Ack, self.request(messages.Setting, name, value))
        assert ack.token == self.token
        return ack


@pytest.fixture(scope="module")
def paced() -> Iterator[tuple[Rig, Host]]:
    """A box in real time with edges from 1 s to 6 s, and a host that has seen its Hello; its bridge holds a lot."""
    scenario = replace(Scenario.short(5, 17.0, rest_s=1.0), duration_s=900.0)
    options = RigOptions(paced=True, buffer_n=1 << 16)
    with rig(scenario, options) as box, serial.Serial(box.port, 115200, timeout=0.02) as port:
        host = Host(port)
        host.listen(lambda: bool(host.all_of(messages.Hello)))
        yield box, host


def pings_agree(host: Host) -> bool:
    """Fifteen pings: each brackets the offset of the clocks, so nearly all brackets share a point."""
    offsets_s, trips_s = [], []
    for _ in range(15):
        sent_s = time.monotonic()
        (pong,) = host.ask(messages.ClockPong, host.request(messages.ClockPing))
        back_s = time.monotonic()
        assert pong.token == host.token
        assert 0 <= pong.sent_us - pong.received_us < 50_000
        trips_s.append(back_s - sent_s)
        offsets_s.append((pong.received_us + pong.sent_us) / 2e6 - (sent_s + back_s) / 2)
    best = int(np.argmin(trips_s))
    apart_s = np.abs(np.array(offsets_s) - offsets_s[best])
    return bool(np.sum(apart_s <= (np.array(trips_s) + trips_s[best]) / 2 + 0.005) >= 13)


def test_pings_are_answered_with_device_time_on_both_sides(paced: tuple[Rig, Host]) -> None:
    _, host = paced
    # On a busy computer the box may fail to keep real time for a moment; then it is asked again.
    assert any(pings_agree(host) for _ in range(TRIES_N))


def test_requests_in_one_write_are_all_answered_in_order(paced: tuple[Rig, Host]) -> None:
    _, host = paced
    host.wait_for_rest()
    requests = [host.request(messages.Setting, "blank_ms", ms) for ms in (20, 21, 22, 23, 15)]
    acks = host.ask(messages.Ack, *requests)
    assert [ack.value for ack in acks] == [20, 21, 22, 23, 15]
    assert {ack.status for ack in acks} == {messages.ACK_OK}
    pongs = host.ask(messages.ClockPong, *[host.request(messages.ClockPing) for _ in range(4)])
    assert [pong.token for pong in pongs] == list(range(host.token - 3, host.token + 1))


def test_settings_are_taken_refused_or_unknown(paced: tuple[Rig, Host]) -> None:
    _, host = paced
    host.wait_for_rest()
    for value in (0, 255, 8):
        ack = host.setting("blank_ms", value)
        assert (ack.status, ack.value) == (messages.ACK_OK, value)
    host.listen(lambda: host.all_of(messages.EcgBlock)[-1].blank_ms == 8)
    for value in (256, -1, 2**30 + 8, -(2**31) + 8, 2**31 - 1):  # the last ones look like 8 when cut to 30 bits
        assert host.setting("blank_ms", value).status == messages.ACK_OUT_OF_RANGE, value
    for name in ("blank", "blank_ms ", "", "x" * 64):
        assert host.setting(name, 8).status == messages.ACK_UNKNOWN_NAME, name
    assert host.all_of(messages.EcgBlock)[-1].blank_ms == 8
    assert host.setting("blank_ms", 15).status == messages.ACK_OK


def test_rubbish_is_counted_and_harms_nothing(paced: tuple[Rig, Host]) -> None:
    _, host = paced
    before = host.all_of(messages.Status)[-1].commands_bad_n
    good = host.request(messages.ClockPing)
    spoiled = bytearray(good)
    spoiled[4] ^= 0x10
    wrong_way = frame(messages.Lost, 1, 0, 0, 0, 0)
    rubbish = [
        b"\0hello\r\n\0", bytes(spoiled), wrong_way, b"\0" + b"\x07" * 400 + b"\0", good[:7] + b"\0", b"\0\x03\x04\0",
    ]  # fmt: skip
    host.port.write(b"".join(rubbish))
    (pong,) = host.ask(messages.ClockPong, host.request(messages.ClockPing))
    assert pong.token == host.token
    statuses_n = len(host.all_of(messages.Status)) + 1
    host.listen(lambda: len(host.all_of(messages.Status)) > statuses_n)
    assert host.all_of(messages.Status)[-1].commands_bad_n - before == len(rubbish)


def test_edges_can_be_fetched_again_and_are_the_same(paced: tuple[Rig, Host]) -> None:
    _, host = paced
    host.listen(lambda: len(host.all_of(messages.TriggerEdge)) >= 40)
    first = host.all_of(messages.TriggerEdge)
    (ack,) = host.ask(messages.Ack, host.request(messages.FetchEvents, messages.FETCH_EDGES, 3, 20))
    assert (ack.token, ack.status) == (host.token, messages.ACK_OK)
    wanted = first[3:23]
    host.listen(lambda: all(host.all_of(messages.TriggerEdge).count(edge) == 2 for edge in wanted))
    held_n = len(host.all_of(messages.RPeak))
    (ack,) = host.ask(messages.Ack, host.request(messages.FetchEvents, messages.FETCH_PEAKS, 0, held_n))
    assert ack.status == messages.ACK_OK
    peaks = host.all_of(messages.RPeak)[:held_n]
    host.listen(lambda: all(host.all_of(messages.RPeak).count(peak) == 2 for peak in peaks))
    for first_n, count_n in ((10_000, 5), (30, 60_000), (2**29, 1), (2**32 - 1, 65_535)):
        (ack,) = host.ask(messages.Ack, host.request(messages.FetchEvents, messages.FETCH_EDGES, first_n, count_n))
        assert ack.status == messages.ACK_GONE, (first_n, count_n)
    (ack,) = host.ask(messages.Ack, host.request(messages.FetchEvents, 7, 0, 1))
    assert ack.status == messages.ACK_OUT_OF_RANGE
    assert host.decoder.bad_n == 0


def test_a_run_with_a_host_that_asks_can_be_replayed_byte_for_byte() -> None:
    scenario = Scenario.short(31, 24.0, rest_s=4.0)
    sent = bytearray()
    with rig(scenario) as box, opened_with_all(box.port) as port:
        host = Host(port)
        while not box.finished:
            data = port.read(port.in_waiting or 1)
            sent += data
            host.port.write(host.request(messages.Setting, "blank_ms", 10 + host.token % 20))
            host.port.write(host.request(messages.ClockPing))
        sent += port.read(port.in_waiting)
    inputs = tuple((int(t_ns), str(data)) for t_ns, data in box.report["inputs"])
    assert len(inputs) > 3, "the host hardly came to ask"
    _, again = run_scenario(scenario, RigOptions(inputs=inputs))
    assert again == bytes(sent)
    assert len([one for one in messages_of(again) if is_a(one, messages.Ack)]) > 3
