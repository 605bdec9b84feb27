"""``hbc session run`` and ``hbc session resume``: a guided session, from the visit that was laid down to its report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from hbc_host.cli_common import EXIT_INTERRUPTED, JsonOption, Output
from hbc_host.cli_live import show_recording, tell, terminate_as_interrupt
from hbc_host.errors import HbcError, InputError, SessionError, TransportError

if TYPE_CHECKING:
    import subprocess

    from hbc_host.alarms import Alarm
    from hbc_host.app.terminal_lines import TerminalLines
    from hbc_host.clinic.visit import Visit
    from hbc_host.live.gate import StoreGate
    from hbc_host.record import RecordSummary

VisitArgument = Annotated[
    str,
    typer.Argument(
        metavar="VISIT", help="Patient and visit, such as P-014/1, or the folder that hbc session new made."
    ),
]
PortOption = Annotated[
    str, typer.Option("--port", metavar="PORT", help="Serial port of the box, such as /dev/ttyUSB0 or COM3.")
]
NoPageOption = Annotated[bool, typer.Option("--no-page", help="No live page; follow with --tui, or not at all.")]
TuiOption = Annotated[
    bool, typer.Option("--tui", help="Follow and operate the session in this terminal, without a page.")
]
BrowserOption = Annotated[bool, typer.Option("--no-browser", help="Serve the live page, but open no browser.")]
HttpOption = Annotated[int, typer.Option("--http-port", metavar="N", help="Port of the live page; 0 takes a free one.")]
LANG_HELP = (
    "Language of page, report, and of what this terminal says of alarms, problems, end and result; else the visit's. "
    "Errors, and lines on port and disk, are English."
)
LangOption = Annotated[str, typer.Option("--lang", metavar="en|nl", help=LANG_HELP)]
UnsignedOption = Annotated[
    bool, typer.Option("--unsigned", help="Run although nobody signed the protocol: for practice; it is recorded.")
]
GiveUpOption = Annotated[
    float, typer.Option("--give-up-s", metavar="N", min=0.0, help="Wait so long for a lost box to come back.")
]
StoreOption = Annotated[
    str, typer.Option("--store", metavar="FILE|URL", help="Store of patients; else the usual one.", show_default=False)
]


def _command(name: str, about: str, *, resume: bool) -> Callable[..., None]:
    """``hbc session run`` or ``resume``: the same options, and the same way but for its first step."""

    def command(
        visit: VisitArgument,
        port: PortOption,
        no_page: NoPageOption = False,
        tui: TuiOption = False,
        http_port: HttpOption = 0,
        no_browser: BrowserOption = False,
        lang: LangOption = "",
        unsigned: UnsignedOption = False,
        give_up_s: GiveUpOption = 600.0,
        store: StoreOption = "",
        json_target: JsonOption = None,
    ) -> None:
        page = Page(not (no_page or tui), tui, http_port, not no_browser)
        _conduct(visit, port, page, lang, unsigned, give_up_s, store, json_target, resume=resume)

    command.__doc__ = f"{about}\n\nExample: hbc session {name} P-014/1 --port /dev/ttyUSB0"
    return command


RUN = "Run the session of a visit: rest, sites, steps, alarms, result, report. You start and stop the stimulator."
RESUME = (
    "Take up a session whose program or computer failed: the trains already given are read back from its recording."
)
COMMANDS = {  # of `hbc session`
    "run": _command("run", RUN, resume=False),
    "resume": _command("resume", RESUME, resume=True),
}


class Page(NamedTuple):
    """How a session is followed: on a page, in this terminal."""

    page: bool
    terminal: bool
    http_port: int
    open_browser: bool


def _conduct(
    words: str,
    port: str,
    page: Page,
    lang: str,
    unsigned: bool,
    give_up_s: float,
    store: str,
    json_target: str | None,
    *,
    resume: bool,
) -> None:
    out = Output(json_target)
    from hbc_host.app.process import STAYS
    from hbc_host.app.terminal_lines import TerminalLines
    from hbc_host.cli_store import ask_key_if_needed
    from hbc_host.folder import room_warning, writer_of
    from hbc_host.i18n import LANGUAGES
    from hbc_host.live.conduct import conduct
    from hbc_host.live.gate import StoreGate, check_before, find_folder, load_to_run
    from hbc_host.live.teller import Teller
    from hbc_host.ports import PortFinder
    from hbc_host.transport import SerialTransport

    if lang and lang not in LANGUAGES:
        raise InputError(f"--lang {lang} is none of {', '.join(sorted(LANGUAGES))}")
    ask_key_if_needed(store or None)
    gate = StoreGate(store or None)
    folder = find_folder(words, gate)
    if who := writer_of(folder):
        raise SessionError(f"{folder} is being written by {who}; let it end first")
    visit = load_to_run(folder, gate)
    check_before(folder, visit, unsigned=unsigned, resume=resume)
    if not resume and (warning := room_warning(folder, None)):
        tell(warning)
    gate.begin(visit)
    language = lang or visit.language
    lines = TerminalLines(language)
    with terminate_as_interrupt(), Teller(tell) as teller, _followers(folder, language, page, lines):
        summary = conduct(
            folder,
            visit,
            SerialTransport(port, discard_s=0.25),
            candidates=PortFinder(port).transports,
            give_up_s=give_up_s,
            resume=resume,
            # The terminal view says all of it itself.
            on_event=None if page.terminal else lambda text: teller.say(lines.line(text)),
            on_alarm=None if page.terminal else lambda alarm: teller.say(alarm_line(alarm, lines)),
            on_problem=lambda problem: None if page.terminal else teller.say(lines.problem(problem)),
            closed=gate.closed_words(visit),
        )
    if page.page and summary.ended == "stopped":
        tell(lines.line(STAYS))
    _finish(out, summary, visit, gate, language, lines)


def alarm_line(alarm: Alarm, lines: TerminalLines) -> str:
    """What the terminal says of an alarm, with its bell."""
    return ("\a" if alarm.began and sys.stderr.isatty() else "") + lines.alarm(alarm)


@contextmanager
def _followers(folder: Path, language: str, wanted: Page, lines: TerminalLines) -> Iterator[None]:
    """The live page or the terminal's view, as a program of its own; a page outlives the session by its time."""
    import subprocess

    from hbc_host.app.process import start_page

    words = [sys.executable, "-m", "hbc_host.app.tui", "--live", str(folder), "--lang", language]
    if wanted.page:
        started = start_page(folder, language=language, http_port=wanted.http_port, open_browser=wanted.open_browser)
        tell(lines.line(f"live page: {started.address}"))
    elif not wanted.terminal:
        how = f"Follow and operate it from another terminal: {shlex.join(words)}"
        tell(lines.line(f"recording to {folder}; Ctrl-C ends it. {how}"))
    terminal = subprocess.Popen(words) if wanted.terminal else None
    try:
        yield
    finally:
        if terminal is not None:
            _end(terminal)


def _end(process: subprocess.Popen[bytes]) -> None:
    import subprocess

    process.terminate()
    try:
        process.wait(timeout=5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _finish(
    out: Output, summary: RecordSummary, visit: Visit, gate: StoreGate, language: str, lines: TerminalLines
) -> None:
    """Report, store, and the words at the end, in this order; what fails is said and stops nothing else."""
    from hbc_host.live.wrap_up import wrap_up

    done = wrap_up(summary, visit, gate, language)
    for line in done.lines:
        out.say(lines.line(line))
    show_recording(out, summary, done.report, said=lines.line)
    if summary.ended in ("port_lost", "disk"):
        raise (TransportError if summary.ended == "port_lost" else SessionError)(
            f"{summary.reason}; go on with: hbc session resume {summary.path}"
        )
    if done.failed:
        raise HbcError(done.failed)
    if summary.ended == "interrupted":
        raise typer.Exit(EXIT_INTERRUPTED)
