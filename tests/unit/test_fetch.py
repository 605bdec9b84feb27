"""Events that did not arrive are asked for until they are there or gone; a state machine tries many orders."""

from __future__ import annotations

from typing import Any

import pytest
from hbc_host.fetch import ASK_MAX_N, NUMBER_END, PATIENCE_S, MissedEvents, Numbers
from hbc_wire import messages
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support import hello_values, values_of

HELD_N = 40


def make(message: Any, **values: Any) -> Any:
    return message.make(*values_of(message, **values))


class LossyBox(RuleBasedStateMachine):
    """A box that numbers edges and holds the last 40, a line that loses frames, and a host that asks."""

    def __init__(self) -> None:
        super().__init__()
        self.host = MissedEvents()
        self.now_s = 0.0
        self.boot_n = 0
        self.reboot()

    def reboot(self) -> None:
        self.boot_n += 1
        self.put_n = 0
        self.first_n: int | None = 0 if self.boot_n > 1 else None  # the first boot is joined at any time
        self.came: set[int] = set()
        self.resend: list[int] = []
        self.ack: Any = None
        self.lost_before_n = self.host.lost_n
        self.host.take(messages.Hello.make(*hello_values(boot_n=self.boot_n)))

    def deliver(self, n: int) -> None:
        self.host.take(make(messages.TriggerEdge, edge_n=n))
        self.came.add(n)
        self.first_n = n if self.first_n is None else self.first_n

    @rule(arrive=st.lists(st.booleans(), min_size=1, max_size=60))
    def edges(self, arrive: list[bool]) -> None:
        for good in arrive:
            if good:
                self.deliver(self.put_n)
            self.put_n += 1

    @rule()
    def status(self) -> None:
        self.host.take(make(messages.Status, edges_n=self.put_n))
        self.first_n = self.put_n if self.first_n is None else self.first_n

    @rule(wait_s=st.floats(0.01, 2 * PATIENCE_S), heard=st.booleans(), acked=st.booleans())
    def ask(self, wait_s: float, heard: bool, acked: bool) -> None:
        self.now_s += wait_s
        request = self.host.request(self.now_s)
        if request is None:
            return
        token, kind, first_n, count_n = request
        assert kind == messages.FETCH_EDGES
        assert 0 < count_n <= ASK_MAX_N
        assert first_n + count_n <= NUMBER_END
        if heard:
            begin_n = max(first_n, self.put_n - HELD_N)
            end_n = min(first_n + count_n, self.put_n)
            self.resend = list(range(begin_n, end_n))
            status = messages.ACK_OK if begin_n == first_n else messages.ACK_GONE
            if acked:
                self.host.take(make(messages.Ack, token=token, status=status))

    @precondition(lambda self: self.resend)
    @rule(arrive=st.lists(st.booleans(), min_size=1, max_size=40))
    def again(self, arrive: list[bool]) -> None:
        for good in arrive:
            if self.resend:
                n = self.resend.pop(0)
                if good:
                    self.deliver(n)

    @rule()
    def cable(self) -> None:
        self.host.resumed()

    @rule()
    def power(self) -> None:
        self.reboot()

    @invariant()
    def every_number_is_there_wanted_or_counted(self) -> None:
        numbers = self.host.edges
        wanted = {n for first, end in numbers.holes for n in range(first, end)}
        assert not wanted & self.came
        assert numbers.arrived_n == len({n for n in self.came if self.first_n is not None and n >= self.first_n})
        if self.first_n is not None and numbers.next_n is not None:
            known_n = numbers.next_n - self.first_n
            assert numbers.arrived_n + len(wanted) + numbers.gone_n == known_n

    def teardown(self) -> None:
        """Left in peace with a good line, everything still held comes."""
        self.status()
        held = {n for first, end in self.host.edges.holes for n in range(first, end) if n >= self.put_n - HELD_N}
        for _ in range(400):
            self.ask(PATIENCE_S, True, True)
            while self.resend:
                self.deliver(self.resend.pop(0))
            if self.host.settled:
                break
        assert self.host.settled
        # What was asked four times in vain before is given up, even if it is held.
        assert held <= self.came or self.host.lost_n > self.lost_before_n


TestLossyBox = LossyBox.TestCase
TestLossyBox.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_request_goes_out_once_and_again_only_after_patience() -> None:
    host = MissedEvents()
    for n in (0, 1, 5):
        host.take(make(messages.RPeak, peak_n=n))
    token, kind, first_n, count_n = host.request(10.0) or pytest.fail("nothing asked")
    assert (kind, first_n, count_n) == (messages.FETCH_PEAKS, 2, 3)
    assert host.request(10.0 + 0.9 * PATIENCE_S) is None
    again = host.request(10.1 + PATIENCE_S)
    assert again is not None
    assert again[0] != token
    for n in (2, 3, 4):
        host.take(make(messages.RPeak, peak_n=n))
    assert host.settled
    assert host.request(12.0) is None
    assert (host.beats_n, host.lost_n) == (6, 0)


def test_numbers_of_a_hostile_box_cost_neither_memory_nor_requests_it_cannot_answer() -> None:
    host = MissedEvents()
    for k in range(1000):
        host.take(make(messages.TriggerEdge, edge_n=2 * k))
        host.take(make(messages.RPeak, peak_n=0xFFFFFFFF if k == 7 else k * 1_000_003 & 0xFFFFFFFF))
    assert max(len(host.edges.holes), len(host.peaks.holes)) <= 512
    for k in range(1000):
        request = host.request(10.0 * k)
        assert request is None or request[2] + request[3] <= NUMBER_END


def test_repeats_are_counted_once() -> None:
    numbers = Numbers()
    assert [numbers.arrive(n) for n in (3, 4, 4, 3, 7, 5, 5)] == [True, True, False, False, True, True, False]
    assert numbers.holes == [(6, 7)]
    numbers.give_up(0, 100)
    assert (numbers.holes, numbers.gone_n, numbers.arrived_n) == ([], 1, 4)
