"""Questions to a box and their answers: change a setting, list them, restart.

For a link that does nothing else: messages that are no answer go to ``on_message`` and are otherwise forgotten.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hbc_wire import messages

from hbc_host.chunks import FROM_BOX
from hbc_host.errors import BoxRefusedError, NoAnswerError
from hbc_host.link import TOKEN_MASK, Link
from hbc_host.protocol import StreamDecoder, is_a

ANSWER_TIMEOUT_S = 1.0  # the box answers within a turn of its loop, behind at most a full line
TRIES_N = 3  # a request or its answer may be damaged on the line; all of these are harmless to repeat

OnMessage = Callable[[Any], None]

_REFUSALS = {
    messages.ACK_UNKNOWN_NAME: "this box has no setting {name}; list them with `hbc box info`",
    messages.ACK_OUT_OF_RANGE: "{name} = {value} is outside its limits; list them with `hbc box info`",
    messages.ACK_BUSY: "an edge came within the last 2 s, and keeping a setting pauses the box; stop the stimulator",
    messages.ACK_NOT_KEPT: (
        "{name} = {value} is in force, but the box could not write it to its flash and forgets it at the next boot; "
        "flash the box again"
    ),
}
_FRONT_END_NOT_KEPT = (
    "the box could not write {name} = {value} to its flash and stays with the front end that it has; "
    "flash the box again"
)


@dataclass(frozen=True)
class BoxSetting:
    """One setting of a box: its value in force and the values that it takes."""

    name: str
    value: int
    lowest: int
    highest: int


def change_setting(link: Link, name: str, value: int, *, on_message: OnMessage | None = None) -> None:
    """Put a setting into force and have the box keep it.

    Raises
    ------
    BoxRefusedError
        The box knows no such setting, or not this value, or cannot keep it now; the text says which.
    NoAnswerError
        Nothing came back.
    """
    ack = _ask_for_ack(link, messages.Setting, (name, value), on_message)
    if ack.status != messages.ACK_OK:
        why = _REFUSALS.get(ack.status, "{name} = {value} was refused with status " + str(ack.status))
        if ack.status == messages.ACK_NOT_KEPT and name == "front_end":  # only a boot brings it into force
            why = _FRONT_END_NOT_KEPT
        raise BoxRefusedError(why.format(name=name, value=value), ack.status)


def list_settings(link: Link, *, on_message: OnMessage | None = None) -> tuple[BoxSetting, ...]:
    """All settings of the box, in its order. Raises NoAnswerError (an older firmware knows no such request)."""
    for _ in range(TRIES_N):
        token = _send(link, messages.ListSettings, ())
        found: dict[int, BoxSetting] = {}
        for message in _messages(link, on_message):
            if is_a(message, messages.SettingIs) and message.token == token:
                found[message.setting_idx] = BoxSetting(message.name, message.value, message.lowest, message.highest)
                if len(found) == message.settings_n:
                    return tuple(found[idx] for idx in sorted(found))
    raise NoAnswerError(_no_answer("the list of its settings"))


def restart(link: Link, *, repl: bool = False, on_message: OnMessage | None = None) -> None:
    """Have the box boot again; with ``repl`` into the prompt of its interpreter, once. Raises NoAnswerError."""
    mode = messages.RESTART_REPL if repl else messages.RESTART_APP
    ack = _ask_for_ack(link, messages.Restart, (mode,), on_message)
    if ack.status != messages.ACK_OK:
        raise BoxRefusedError(f"the box refused to restart (status {ack.status}); reset it by its button", ack.status)


def _ask_for_ack(link: Link, row: Any, values: tuple[Any, ...], on_message: OnMessage | None) -> Any:
    for _ in range(TRIES_N):
        token = _send(link, row, values)
        for message in _messages(link, on_message):
            if is_a(message, messages.Ack) and message.token == token:
                return message
    raise NoAnswerError(_no_answer(f"{row.name}"))


def _send(link: Link, row: Any, values: tuple[Any, ...]) -> int:
    # At random, so that a late answer to an earlier program is not taken for ours.
    token = random.getrandbits(30) & TOKEN_MASK
    link.send(row, token, *values)
    return token


def _messages(link: Link, on_message: OnMessage | None) -> Any:
    """What the box says until the time for an answer is over."""
    decoder = StreamDecoder()
    until_s = time.monotonic() + ANSWER_TIMEOUT_S
    while time.monotonic() < until_s:
        chunk = link.receive().chunk
        if chunk is None or chunk.kind != FROM_BOX:
            continue
        for received in decoder.feed(chunk.data):
            if on_message is not None:
                on_message(received.message)
            yield received.message


def _no_answer(what: str) -> str:
    return (
        f"the box did not answer to {what} within {TRIES_N} tries of {ANSWER_TIMEOUT_S:g} s, though it speaks; "
        f"update its firmware with `hbc box flash`, or check the wire from USB chip TX to the box's RX"
    )
