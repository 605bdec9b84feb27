"""``hbc box set``: names and limits from the box itself, and the proof that it took a value."""

from __future__ import annotations

import time
from collections.abc import Callable

from hbc_wire import messages

from hbc_host.errors import BoxRefusedError, InputError
from hbc_host.link import HELLO_TIMEOUT_S, Link
from hbc_host.requests import BoxSetting, change_setting, list_settings
from hbc_host.transport import SerialTransport

BUSY_WAIT_S = 20.0  # the box wants 2 s without an edge; Dash pauses 11 s, iTBS 8 s
BUSY_RETRY_S = 0.5

FRONT_ENDS = {"ad8232": 0, "ads1292r": 1}
Settings = dict[str, BoxSetting]


def number_of(name: str, text: str) -> int:
    """The value of a setting as it was written; a front end also by its name.

    Raises
    ------
    InputError
        It is neither.
    """
    if name == "front_end" and text.lower() in FRONT_ENDS:
        return FRONT_ENDS[text.lower()]
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{text!r} is not a whole number; write hbc box set {name} VALUE") from None


def change_box_setting(
    port: str, name: str, value: int | None, say: Callable[[str], None] = lambda _: None
) -> tuple[Settings, Settings]:
    """Put a setting into force and read it back; without a name only list.

    Parameters
    ----------
    port : str
    name : str
    value : int or None
    say : callable
        Gets a line when the box has to be waited for.

    Returns
    -------
    before, after : dict of str to BoxSetting

    Raises
    ------
    InputError
        The box has no such setting, or the value is outside its limits.
    BoxRefusedError
        The box refuses, for 20 s if pulses are the reason, or another value stands there afterwards.
    NoAnswerError, TransportError, NoHelloError
        See :mod:`hbc_host.requests`.
    """
    with Link(SerialTransport(port)) as link:
        link.wait_hello()
        before = _listed(link)
        if not name:
            return before, before
        if value is None:
            raise InputError(f"give a value for {name}")
        _check(before, name, value)
        _change(link, name, value, say)
        if name == "front_end" and before[name].value != value:
            say("the box starts again with the other front end")
            _wait_for_restart(link)
        after = _listed(link)
    if after[name].value != value:
        raise BoxRefusedError(
            f"the box said yes to {name} = {value}, but {after[name].value} stands there; run it again", 0
        )
    return before, after


def _change(link: Link, name: str, value: int, say: Callable[[str], None]) -> None:
    """Ask, and ask again while pulses come: keeping a setting would pause the box."""
    until_s = time.monotonic() + BUSY_WAIT_S
    told = False
    while True:
        try:
            change_setting(link, name, value)
            return
        except BoxRefusedError as error:
            if error.status != messages.ACK_BUSY:
                raise
            if time.monotonic() > until_s:
                raise BoxRefusedError(
                    f"{error}; if none is running, the trigger input catches noise: unplug its cable, join the input "
                    f"to its own ground, and run it again",
                    error.status,
                ) from None
        if not told:
            say(f"pulses come; waiting up to {BUSY_WAIT_S:g} s for a pause of the stimulator")
            told = True
        time.sleep(BUSY_RETRY_S)


def _wait_for_restart(link: Link) -> None:
    """Until the box introduces itself as one that has started since, or for as long as a start may take."""
    boot_n, until_s = link.hello.boot_n, time.monotonic() + HELLO_TIMEOUT_S
    while link.hello is None or link.hello.boot_n == boot_n:
        if time.monotonic() > until_s:
            return  # what stands there then says whether it did
        link.hello = None
        link.wait_hello()


def _listed(link: Link) -> Settings:
    return {setting.name: setting for setting in list_settings(link)}


def _check(known: Settings, name: str, value: int) -> None:
    if name not in known:
        raise InputError(f"this box has no setting {name!r}; it has {', '.join(known)}")
    row = known[name]
    if not row.lowest <= value <= row.highest:
        raise InputError(f"{name} = {value} is outside {row.lowest} to {row.highest}; it is {row.value} now")
