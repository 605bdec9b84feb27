"""``hbc box recover``: bring back a box that crashes again and again, or that is stuck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hbc_host.box.flash import CRASH_FILE, Bar, Flashed, FlashOptions, Say, flash_box
from hbc_host.box.reach import APP, EMPTY, OTHER_APP, PROMPT, SILENT, Found, look, to_prompt
from hbc_host.box.repl import Repl, opened
from hbc_host.errors import FlashError

FAULTS_FILE, REPL_FILE = "faults.txt", "repl.txt"
SETTINGS_FILE, BOOT_FILE = "settings.txt", "boot_n.txt"


@dataclass(frozen=True)
class Recovered:
    """What was found on the box, and how flashing it again went.

    Attributes
    ----------
    found : str
        What answered at first.
    crash : str or None
        Text of the last crash, None when none was written down.
    faults_n : int
        Boots in a row that had ended in a fault.
    boot_n : str
        Boot counter, as text; empty when there was none.
    settings : str
        Kept settings as the box wrote them; they stay.
    flashed : Flashed
    """

    found: str
    crash: str | None
    faults_n: int
    boot_n: str
    settings: str
    flashed: Flashed


def recover_box(port: str, say: Say, bar: Bar, *, forget_settings: bool = False, board: str = "") -> Recovered:
    """Look, get to the prompt, read what went wrong, clear the fault counter, install anew, start.

    Parameters
    ----------
    port : str
    say, bar : callable
        As for :func:`hbc_host.box.flash.flash_box`.
    forget_settings : bool
        Also remove the kept settings; the box then starts with its defaults.
    board : str
        Needed only when neither box nor interpreter can tell.

    Raises
    ------
    FlashError, TransportError
        It cannot be reached, or does not come back; each says what to do next.
    """
    say("1. looking at the port")
    found = look(port)
    say(f"   {found_words(found)}")
    say("2. getting to the prompt of its interpreter")
    _reach(port, found)
    say("3. reading what went wrong, clearing the fault counter")
    with opened(port) as repl:
        crash, faults, boot_n, settings = (
            repl.read(name) for name in (CRASH_FILE, FAULTS_FILE, BOOT_FILE, SETTINGS_FILE)
        )
        _clear(repl, forget_settings)
    for line in _last_lines(crash):
        say(f"   {line}")
    if crash is None:
        say("   no crash was written down")
    say("4. installing the app again; files that are right stay")
    flashed = flash_box(port, FlashOptions(board=board), _indented(say), bar)
    say("5. the box is back")
    told = (faults or "").strip()
    return Recovered(
        found.kind, crash, int(told) if told.isdigit() else 0, (boot_n or "").strip(), settings or "", flashed
    )


def _reach(port: str, found: Found) -> None:
    try:
        to_prompt(port, found)
    except FlashError:
        if found.kind == EMPTY:
            raise FlashError(
                f"the chip at {port} holds no program at all; `hbc box flash --port {port}` says which file it needs"
            ) from None
        if found.kind == SILENT:
            raise FlashError(
                f"{port} stays silent: no power, a cable without data lines, or a chip without interpreter; try "
                f"another cable, press EN (RESET), then `hbc box flash --port {port}` says which file the chip needs"
            ) from None
        raise


def _clear(repl: Repl, forget_settings: bool) -> None:
    for name in (FAULTS_FILE, REPL_FILE, CRASH_FILE):
        repl.remove(name)
    if forget_settings:
        repl.remove(SETTINGS_FILE)


def _last_lines(crash: str | None, lines_n: int = 6) -> list[str]:
    return (crash or "").strip().splitlines()[-lines_n:]


def _indented(say: Say) -> Callable[[str], None]:
    return lambda line: say(f"   {line}")


def found_words(found: Found) -> str:
    """What answers at the port, in a line."""
    if found.kind == APP:
        return f"the app runs (boot {found.hello.boot_n}): nothing to recover from, but installing it anew does no harm"
    return {
        OTHER_APP: "an app of another wire version runs",
        PROMPT: "the box waits at its prompt: it was half installed, or stopped itself after three crashes (safe mode)",
        EMPTY: "the chip holds no program",
        SILENT: "nothing at all comes from this port",
    }.get(found.kind, "something comes, but neither our app nor a prompt: perhaps a box that restarts again and again")
