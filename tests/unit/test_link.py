"""Who is at the other end: a box, another version, noise, silence, or nobody any more."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hbc_host.chunks import TO_BOX
from hbc_host.errors import NoHelloError, TransportError, VersionMismatchError
from hbc_host.link import PING_PERIOD_S, Link
from hbc_host.protocol import SequenceCounter, StreamDecoder, frame
from hbc_host.transport import SerialTransport
from hbc_wire import messages
from support import FakeTransport, OpenedSerial, box_frames, clock_from, hello_values, pty_box, stream_of


def ticking(step_s: float) -> Callable[[], float]:
    """A clock that moves on at each look."""
    now_s = 0.0

    def clock() -> float:
        nonlocal now_s
        now_s += step_s
        return now_s

    return clock


def test_hello_is_found_in_mid_stream_over_a_real_pty() -> None:
    stream = stream_of(box_frames(3.0))
    with pty_box() as box, Link(OpenedSerial(box.path, lambda: box.send_later(stream[37:]))) as link:
        chunks = link.wait_hello(60.0)
        assert link.hello.unique_id == "a1b2c3d4e5f6"
        assert stream[37:].startswith(b"".join(chunk.data for chunk in chunks))
        assert sorted(chunk.host_s for chunk in chunks) == [chunk.host_s for chunk in chunks]


def test_another_wire_version_is_an_error_that_names_both() -> None:
    hello = frame(messages.Hello, 0, *hello_values(wire_version=9))
    with (
        pytest.raises(VersionMismatchError, match="speaks wire version 9, this host speaks 1; install") as caught,
        Link(FakeTransport([hello])) as link,
    ):
        link.wait_hello()
    assert (caught.value.box_version, caught.value.host_version) == (9, 1)


def test_a_future_hello_with_other_fields_is_still_a_version_error() -> None:
    from hbc_wire.framing import encode

    payload = bytes([messages.Hello.msg_id, 0, 0, 2]) + b"fields that nobody knows yet"
    with pytest.raises(VersionMismatchError, match="wire version 2"):
        StreamDecoder().feed(encode(payload))


def test_noise_of_a_wrong_baud_rate_says_so_with_counts() -> None:
    noise = random.Random(5).randbytes(20_000)
    sent = threading.Event()
    with (
        pty_box() as box,
        pytest.raises(NoHelloError, match=r"^\d{3,5} bytes and \d+ bad frames in 0.5 s, .*wrong baud rate"),
        Link(
            OpenedSerial(box.path, lambda: box.send_later(noise, sent.set)),
            clock=clock_from(lambda: sent.is_set() and box.drained()),
        ) as link,
    ):
        link.wait_hello(0.5)


class Booting:
    """A box that says nothing while it boots; its reads pass the time."""

    url = "a box that boots"

    def __init__(self, boot_s: float) -> None:
        self.boot_s, self.now_s = boot_s, 0.0

    def open(self) -> None: ...

    def close(self) -> None: ...

    def write(self, data: bytes) -> None: ...

    def read(self) -> bytes:
        self.now_s += 0.02
        time.sleep(0.0001)
        return frame(messages.Hello, 0, *hello_values()) if self.now_s > self.boot_s else b""


def test_a_box_that_boots_when_its_port_is_opened_is_waited_for() -> None:
    box = Booting(6.0)
    with Link(box, clock=lambda: box.now_s) as link:
        link.wait_hello()
        assert link.hello is not None
    with (
        pytest.raises(NoHelloError, match="at a box that boots within"),
        Link(box := Booting(60.0), clock=lambda: box.now_s) as link,
    ):
        link.wait_hello()


def test_silence_is_said_to_be_silence() -> None:
    with (
        pty_box() as box,
        pytest.raises(NoHelloError, match=r"no box answered at \S+ within 0\.1 s: the port is silent; check power"),
        Link(SerialTransport(box.path)) as link,
    ):
        link.wait_hello(0.1)


def test_good_frames_without_hello_are_told_from_noise() -> None:
    others = [one.data for one in box_frames(3.0) if one.message is not messages.Hello]
    with (
        pytest.raises(NoHelloError, match=r"\d+ good and 0 bad frames in 3 s .* no Hello"),
        Link(FakeTransport(others), clock=ticking(0.02)) as link,
    ):
        link.wait_hello(3.0)


def test_the_time_out_follows_the_given_clock() -> None:
    started_s = time.monotonic()
    with pytest.raises(NoHelloError), Link(FakeTransport([]), clock=ticking(10.0)) as link:
        link.wait_hello(100.0)
    assert time.monotonic() - started_s < 60.0, "not the time of this computer"


def test_all_bytes_before_the_loss_of_the_port_are_handed_out() -> None:
    gone = TransportError("port x disappeared; check the cable")
    with Link(FakeTransport([b"a", b"b"], error=gone)) as link:
        assert link.receive().chunk.data == b"a"  # type: ignore[union-attr]
        assert link.receive().chunk.data == b"b"  # type: ignore[union-attr]
        with pytest.raises(TransportError, match="disappeared"):
            link.receive()
        with pytest.raises(TransportError, match="closed"):
            link.receive()


def test_a_bug_in_the_reader_thread_reaches_the_reader() -> None:
    with (
        Link(FakeTransport([], error=KeyError("bug"))) as link,
        pytest.raises(TransportError, match=r"reading the port failed: KeyError\('bug'\)"),
    ):
        link.receive()


def test_pings_go_out_every_970_ms_with_growing_tokens_and_are_logged() -> None:
    transport = FakeTransport([])
    with Link(transport, clock=ticking(0.01), ping=True) as link:
        sent = []
        while len(sent) < 5:
            chunk = link.receive().chunk
            if chunk is not None and chunk.kind == TO_BOX:
                sent.append(chunk)
    tokens = [message.token for chunk in sent for _, message in StreamDecoder().feed(chunk.data)]
    assert tokens == [1, 2, 3, 4, 5]
    assert [chunk.data for chunk in sent] == transport.written[:5]
    periods_s = [later.host_s - earlier.host_s for earlier, later in pairwise(sent)]
    assert min(periods_s) >= PING_PERIOD_S - 0.02
    assert max(periods_s) <= PING_PERIOD_S + 0.1


def test_requests_are_written_by_the_reader_thread_in_order() -> None:
    transport = FakeTransport([])
    with Link(transport) as link:
        link.send(messages.FetchEvents, 5, messages.FETCH_PEAKS, 100, 3)
        link.send(messages.Setting, 6, "blank_ms", 8)
        while len(transport.written) < 2:
            link.receive()
    names = [type(message).__name__ for data in transport.written for _, message in StreamDecoder().feed(data)]
    assert names == ["FetchEvents", "Setting"]
    assert not transport.is_open


@pytest.mark.parametrize(
    ("numbers", "lost_n", "repeated_n"),
    [
        ([5, 6, 7], 0, 0),
        ([5, 7, 8, 12], 4, 0),
        ([65534, 65535, 0, 1], 0, 0),
        ([65534, 1], 2, 0),
        ([5, 6, 7, 6, 7, 8], 0, 2),
        ([5, 6, 6, 8], 1, 1),
    ],
)
def test_frames_lost_are_counted_over_the_wrap_and_repeats_are_not(
    numbers: list[int], lost_n: int, repeated_n: int
) -> None:
    counter = SequenceCounter()
    assert sum(counter.push(number) for number in numbers) == lost_n
    assert (counter.lost_n, counter.repeated_n) == (lost_n, repeated_n)


def test_a_loss_of_more_than_half_the_numbers_does_not_stop_the_count() -> None:
    counter = SequenceCounter()
    for number in [*range(10), *range(40_000, 40_400), 40_402]:
        counter.push(number)
    assert counter.lost_n >= 2
    assert counter.push(40_403) == 0


def test_whoever_begins_to_listen_hears_what_nobody_has_received_yet_and_each_chunk_once() -> None:
    """Chunks that came between Hello and the listener's beginning would else be missing from alarms and live page."""
    chunks = [bytes([n % 255 + 1]) * 3 for n in range(300)]
    heard: list[bytes] = []
    with Link(FakeTransport(chunks)) as link:
        received = [link.receive().chunk for _ in range(5)]
        while link.waiting_n < 20:
            time.sleep(0.001)
        link.listen(lambda chunk: heard.append(chunk.data))
        while len(received) < 300:
            received.append(link.receive().chunk)
    assert [chunk.data for chunk in received if chunk] == chunks
    assert heard == chunks[5:]
