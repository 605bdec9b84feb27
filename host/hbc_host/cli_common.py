"""What all commands share: one-line errors with exit code 2, results on standard output, progress on standard error."""

from __future__ import annotations

import inspect
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from hbc_host.errors import HbcError, InputError

if TYPE_CHECKING:
    from rich.console import Console

EXIT_INTERRUPTED = 130
EXIT_USER_ERROR = 2
EXIT_BUG = 70  # EX_SOFTWARE: our fault, not the user's
RECORDING_NAMES = ("wire.hbclog", "session.json", "manifest.json")
WFDB_SUFFIXES = (".hea", ".dat", ".atr")

JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is standard output.", show_default=False),
]


class HbcGroup(TyperGroup):
    """The command group; every way a command can fail ends here, in one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for command in self.commands.values():  # the width of the terminal breaks lines, not that of our source
            paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
            command.help = "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command and leave with its exit code."""
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
        except SystemExit:
            raise
        except BaseException as fault:
            code = explain(fault)
        sys.exit(code if isinstance(code, int) else 0)

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the command line; Ctrl-C must not become the parser's own silent end."""
        try:
            return super().make_context(*args, **kwargs)
        except KeyboardInterrupt as stop:
            raise StoppedError("stopped by Ctrl-C") from stop

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command; Ctrl-C must not become the parser's own 'Aborted!'."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise StoppedError("stopped by Ctrl-C") from stop


class StoppedError(Exception):
    """Ctrl-C, in a form that no layer between swallows; the text is the line that the user sees."""


def explain(fault: BaseException) -> int:
    """Print one line for `fault` on standard error and return the exit code it deserves."""
    if isinstance(fault, StoppedError):
        return _say(str(fault), EXIT_INTERRUPTED)
    if isinstance(fault, KeyboardInterrupt | typer.Abort):
        return _say("stopped by Ctrl-C", EXIT_INTERRUPTED)
    if isinstance(fault, HbcError):
        return _say(f"error: {fault}", EXIT_USER_ERROR)
    # Usage errors: their class moved between releases of typer, their interface did not.
    format_message: Callable[[], str] | None = getattr(fault, "format_message", None)
    if format_message is not None:
        if type(fault).__name__ == "NoArgsIsHelpError":  # `hbc` alone: the help is the answer, not a complaint
            print(format_message(), end="")
            return 0
        context = getattr(fault, "ctx", None)
        path = getattr(context, "command_path", "hbc")
        return _say(f"error: {format_message().rstrip('.')}; see `{path} --help`", EXIT_USER_ERROR)
    if isinstance(fault, BrokenPipeError):
        # The reader of a pipe left; its shell needs no words, and flushing at exit would raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(fault, OSError):
        where = f"{fault.filename}: " if fault.filename else ""
        return _say(f"error: {where}{fault.strerror or fault}; check the path and the free space", EXIT_USER_ERROR)
    if os.environ.get("HBC_DEBUG"):
        raise fault
    text = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
    return _say(f"error: fault in hbc itself ({text}); run again with HBC_DEBUG=1 and report what it prints", EXIT_BUG)


def _say(text: str, code: int) -> int:
    print(" ".join(text.split()), file=sys.stderr)
    return code


class Output:
    """Where the human text and the JSON of one command go.

    With ``--json -`` standard output belongs to the machine, so the human text moves to standard error.
    """

    def __init__(self, json_target: str | None) -> None:
        from rich.console import Console

        self._json_target = json_target
        to_stderr = json_target == "-"
        stream = sys.stderr if to_stderr else sys.stdout
        # A pipe or file has no width; a table cut at 80 columns would lose numbers.
        width = None if stream.isatty() else 140
        self.console: Console = Console(file=stream, width=width, highlight=False, soft_wrap=False)
        if json_target not in (None, "-"):
            refuse_overwriting([], {"--json": Path(str(json_target))})
            _check_writable(Path(str(json_target)))

    def say(self, text: str) -> None:
        """Print one line as it is; square brackets are text, not markup, and long paths stay whole."""
        self.console.print(text, markup=False, soft_wrap=True)

    def json(self, document: Mapping[str, Any]) -> None:
        """Write the result where ``--json`` says, if anywhere."""
        if self._json_target is None:
            return
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        if self._json_target == "-":
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        try:
            Path(self._json_target).write_text(text, encoding="utf-8")
        except OSError as fault:
            raise InputError(f"cannot write {self._json_target}: {fault.strerror}; choose another --json") from None


def _check_writable(path: Path) -> None:
    # Before the work, not after half a minute of it.
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise InputError(f"cannot write {path}: a folder, or in a folder that does not exist; choose another --json")


def refuse_overwriting(inputs: Iterable[Path], outputs: Mapping[str, Path | None]) -> None:
    """Raise InputError when writing `outputs`, named by their options, would cost an input, a recording or each other.

    To be asked before the work. ``-`` is standard output for ``--json`` only; None is an output not wanted.
    """
    taken = {file: f"is the input {path}" for path in inputs for file in _files_of(path)}
    for option, path in outputs.items():
        if path is None or (option == "--json" and str(path) == "-"):
            continue
        if str(path) == "-":
            raise InputError(f"{option} cannot write to standard output; give a file name instead of -")
        place = path.resolve()
        if place.name.lower() in RECORDING_NAMES:
            raise InputError(f"{option} {path}: {place.name} is part of a recording; choose another {option}")
        if place in taken:
            raise InputError(f"{option} {path} {taken[place]}, which it would overwrite; choose another {option}")
        taken[place] = f"is also what {option} writes"


def refuse_twice(paths: list[Path]) -> None:
    """The same recording twice would count as two sites in Holm's adjustment."""
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise InputError(f"{path} is given twice; name each recording once")
        seen.add(path.resolve())


def refuse_shared(sources: list[Path], targets: list[Path]) -> None:
    """No report may replace a source, or the report of another source."""
    owner: dict[Path, Path] = {}
    for source, target in zip(sources, targets, strict=True):
        refuse_overwriting(sources, {"--out": target})
        first = owner.setdefault(target.resolve(), source)
        if first is not source:
            raise InputError(f"{first} and {source} would share the report {target}; give each its own --out")


def _files_of(path: Path) -> set[Path]:
    """The files behind an input: a WFDB record is named without its suffix, or by one of its files."""
    if not path.name or not path.with_suffix(".hea").is_file():  # the folder "." has no name
        return {path.resolve()}
    return {path.resolve(), *(path.with_suffix(suffix).resolve() for suffix in WFDB_SUFFIXES)}


@contextmanager
def progress(text: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error; call what it yields with the share done, 0 to 1. Silent when nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(text, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def command_line(*words: object) -> str:
    """A command as one would type it, quoted where the shell needs it."""
    return shlex.join(["hbc", *(str(word) for word in words if word is not None)])


def near(path: Path) -> str:
    """A path as one would type it here: relative to the current folder where that is shorter."""
    whole = str(path)
    try:
        here = os.path.relpath(whole)
    except (OSError, ValueError):  # the current folder is gone, or on another drive
        return whole
    return here if len(here) < len(whole) else whole
