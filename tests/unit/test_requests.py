"""A host asks, a box answers: yes, no, late, twice, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from hbc_host import requests
from hbc_host.errors import BoxRefusedError, NoAnswerError
from hbc_host.link import Link
from hbc_host.protocol import StreamDecoder, frame, is_a
from hbc_host.requests import BoxSetting, change_setting, list_settings, restart
from hbc_wire import messages
from support import FakeTransport

ROWS = (BoxSetting("blank_ms", 8, 0, 255), BoxSetting("trigger_rising", 1, 0, 1), BoxSetting("battery_wired", 0, 0, 1))


class AnsweringBox(FakeTransport):
    """Answers as the firmware does; ``deaf_n`` requests are lost on the line, each answer follows a stale one.

    Its clock for who asks goes on, look by look, past the time limit for each request that was lost, and no further.
    """

    def __init__(self, status: int = messages.ACK_OK, deaf_n: int = 0) -> None:
        super().__init__([])
        self._decoder = StreamDecoder()
        self._status = status
        self._deaf_n = deaf_n
        self._now_s = 0.0
        self.asked: list[Any] = []

    def write(self, data: bytes) -> None:
        for received in self._decoder.feed(data):
            self.asked.append(received.message)
            if len(self.asked) > self._deaf_n:
                self._answer(received.message)

    def monotonic(self) -> float:
        self._now_s = min(self._now_s + 10.0, 100.0 * min(len(self.asked), self._deaf_n))
        return self._now_s

    def _answer(self, message: Any) -> None:
        self.put(frame(messages.Ack, 0, (message.token + 1) & 0x3FFFFFFF, messages.ACK_OK, 0))  # somebody else's
        if is_a(message, messages.ListSettings):
            for idx, row in enumerate(ROWS):
                values = (row.name, row.value, row.lowest, row.highest)
                answer = frame(messages.SettingIs, 1 + idx, message.token, idx, len(ROWS), *values)
                self.put(answer)
                self.put(answer)  # a repeat is no new row
        else:
            value = message.value if is_a(message, messages.Setting) else message.mode
            self.put(frame(messages.Ack, 1, message.token, self._status, value))


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer ends the waiting; a busy computer does not."""
    monkeypatch.setattr(requests, "ANSWER_TIMEOUT_S", 60.0)


def test_a_setting_is_changed_and_others_messages_are_handed_on() -> None:
    box = AnsweringBox()
    others: list[Any] = []
    with Link(box) as link:
        change_setting(link, "blank_ms", 12, on_message=others.append)
    assert [(asked.name, asked.value) for asked in box.asked] == [("blank_ms", 12)]
    assert any(is_a(message, messages.Ack) and message.token != box.asked[0].token for message in others)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (messages.ACK_UNKNOWN_NAME, "no setting blank_ms"),
        (messages.ACK_OUT_OF_RANGE, "blank_ms = 12 is outside"),
        (messages.ACK_BUSY, "stop the stimulator"),
        (messages.ACK_NOT_KEPT, "in force, but .* forgets it at the next boot"),
        (77, "status 77"),
    ],
)
def test_a_refusal_says_why_and_what_to_do(status: int, words: str) -> None:
    with Link(AnsweringBox(status)) as link, pytest.raises(BoxRefusedError, match=words) as caught:
        change_setting(link, "blank_ms", 12)
    assert caught.value.status == status


def test_a_front_end_that_was_not_kept_is_not_called_in_force() -> None:
    with Link(AnsweringBox(messages.ACK_NOT_KEPT)) as link, pytest.raises(BoxRefusedError) as caught:
        change_setting(link, "front_end", 1)
    assert "stays with the front end that it has; flash the box again" in str(caught.value)
    assert "in force" not in str(caught.value)


def test_the_list_is_complete_and_in_order_though_a_request_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    box = AnsweringBox(deaf_n=1)
    monkeypatch.setattr(requests, "time", box)
    with Link(box) as link:
        assert list_settings(link) == ROWS
    assert len({asked.token for asked in box.asked}) == len(box.asked) == 2, "each try has a token of its own"


@pytest.mark.parametrize(("repl", "mode"), [(False, messages.RESTART_APP), (True, messages.RESTART_REPL)])
def test_restart_says_into_what(repl: bool, mode: int) -> None:
    box = AnsweringBox()
    with Link(box) as link:
        restart(link, repl=repl)
    assert [asked.mode for asked in box.asked] == [mode]


def test_a_box_that_never_answers_is_said_to_be_silent_after_three_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    box = AnsweringBox(deaf_n=100)
    monkeypatch.setattr(requests, "time", box)
    with Link(box) as link, pytest.raises(NoAnswerError, match=r"did not answer to Restart within 3 tries of 60 s"):
        restart(link)
    assert len(box.asked) == requests.TRIES_N
