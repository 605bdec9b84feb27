"""``hbc box ...``: flash a box, ask it, check it, set it, bring it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hbc_host.cli_common import EXIT_INTERRUPTED, HbcGroup, JsonOption, Output, progress
from hbc_host.errors import HbcError, InputError

if TYPE_CHECKING:
    from hbc_host.box.flash import Flashed
    from hbc_host.box.verdicts import Row

app = typer.Typer(
    name="box",
    cls=HbcGroup,
    no_args_is_help=True,
    help="Put a box into service: flash, info, check, set, recover.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

PortOption = Annotated[
    str,
    typer.Option(metavar="PORT", help="Serial port of the box; not needed when there is just one.", show_default=False),
]
BoardOption = Annotated[
    str, typer.Option(metavar="NAME", help="Board, such as esp32-ad8232; else the chip tells.", show_default=False)
]


@app.command()
def flash(
    port: PortOption = "",
    firmware: Annotated[
        Path | None,
        typer.Option(
            metavar="MICROPYTHON.bin",
            help="Interpreter to write first; from micropython.org/download.",
            show_default=False,
        ),
    ] = None,
    chip: Annotated[str, typer.Option(metavar="NAME", help="esp32, esp32s3, esp32c6, esp32c3, or auto.")] = "auto",
    board: BoardOption = "",
    erase: Annotated[bool, typer.Option("--erase", help="Erase the whole chip first, settings included.")] = False,
    json_target: JsonOption = None,
) -> None:
    """Put interpreter and app onto a box and start it. Run it again after a pulled cable: it goes on where it stopped.

    A new board needs the interpreter once (--firmware). Later the app alone is brought up to date; only what differs
    is copied.

    Example: hbc box flash --port /dev/ttyUSB0 --firmware ESP32_GENERIC-20260401-v1.29.0.bin
    """  # fmt: skip
    out = Output(json_target)
    from hbc_host.box.flash import FlashOptions, flash_box

    flashed = flash_box(_port(port), FlashOptions(firmware, chip, board, erase), out.say, progress)
    _show_box(out, flashed)
    out.json(_flash_document(flashed))


@app.command()
def info(port: PortOption = "", json_target: JsonOption = None) -> None:
    """Tell who a box is and how it fares: state, health, settings, losses, clock.

    Example: hbc box info --port /dev/ttyUSB0
    """
    out = Output(json_target)
    from hbc_host.box.info import ask_box
    from hbc_host.box.info_words import info_document, info_facts, settings_facts
    from hbc_host.tables import fact_table

    found = ask_box(_port(port))
    out.console.print(fact_table(info_facts(found)))
    if found.settings is None:
        out.say("settings: this firmware does not list them; bring it up to date with `hbc box flash`")
    else:
        out.say("settings (change one with `hbc box set NAME VALUE`):")
        out.console.print(fact_table(settings_facts(found.settings)))
    out.json(info_document(found))


@app.command()
def check(
    port: PortOption = "",
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="New folder for report and recording.", show_default=False),
    ] = None,
    beats: Annotated[int, typer.Option(metavar="N", min=5, max=1000, help="Heart beats to wait for.")] = 30,
    yes: Annotated[
        bool, typer.Option("--yes", help="Nobody is there: no electrode is lifted, nothing is waited for long.")
    ] = False,
    no_trigger: Annotated[bool, typer.Option("--no-trigger", help="No stimulator is connected.")] = False,
    json_target: JsonOption = None,
) -> None:
    """Check a box with its electrodes and trigger, step by step, and write a PASS/FAIL report.

    Each step ends when the box itself has seen it; no key is pressed. About two minutes with electrodes, half a
    minute with --yes.

    Example: hbc box check --port /dev/ttyUSB0 --out box-7-check
    """
    out = Output(json_target)
    from hbc_host.box.check_run import run_check
    from hbc_host.box.tables import row_table
    from hbc_host.box.verdicts import FAIL
    from hbc_host.cli_live import live_status, terminate_as_interrupt

    with terminate_as_interrupt(), live_status("waiting for the box") as status:
        checked = run_check(
            _port(port), out_dir, beats_n=beats, attended=not yes, trigger=not no_trigger,
            say=out.say, show=status.update if status is not None else lambda _: None,
        )  # fmt: skip
    if checked.ended == "interrupted":
        out.say(f"stopped by Ctrl-C; the recording so far stays in {checked.folder}")
        raise typer.Exit(EXIT_INTERRUPTED)
    out.console.print(row_table(checked.rows))
    out.say(f"report: {checked.report}")
    out.json(checked.document)
    failed = [row for row in checked.rows if row.status == FAIL]
    if failed:
        raise HbcError(_failed_words(failed, len(checked.rows)))
    out.say("PASS: every requirement that was tried is met")


def _failed_words(failed: Sequence[Row], rows_n: int) -> str:
    first = failed[0]
    return (
        f"FAIL: {len(failed)} of {rows_n} requirements, first {first.name}: {first.measured} (limit {first.limit}); "
        f"{first.what_to_do}"
    )


@app.command("set")
def set_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Setting; leave it away to list them.")] = "",
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="A whole number within its limits; front_end also by its name.")
    ] = "",
    port: PortOption = "",
    json_target: JsonOption = None,
) -> None:
    """Change a setting of a box, or list them with their limits. The box keeps it over power failures.

    Example: hbc box set trigger_rising 0 --port /dev/ttyUSB0
    """
    out = Output(json_target)
    from hbc_host.box.change import change_box_setting
    from hbc_host.box.info_words import settings_facts
    from hbc_host.tables import fact_table

    name, number = _name_and_value(name, value)
    if name and number is None:
        raise InputError(f"give a value, too: hbc box set {name} VALUE; `hbc box set` alone lists names and limits")
    before, after = change_box_setting(_port(port), name, number, out.say)
    if name:
        out.say(f"{name}: was {before[name].value}, is {after[name].value} (read back from the box)")
    else:
        out.console.print(fact_table(settings_facts(tuple(after.values()))))
    out.json({"settings": [asdict(setting) for setting in after.values()]})


@app.command()
def recover(
    port: PortOption = "",
    forget_settings: Annotated[
        bool, typer.Option("--forget-settings", help="Also go back to the default settings.")
    ] = False,
    board: BoardOption = "",
    json_target: JsonOption = None,
) -> None:
    """Bring back a box that crashes again and again or is stuck: read its crash, clear it, install anew.

    Example: hbc box recover --port /dev/ttyUSB0
    """
    out = Output(json_target)
    from hbc_host.box.recover import recover_box

    done = recover_box(_port(port), out.say, progress, forget_settings=forget_settings, board=board)
    _show_box(out, done.flashed)
    out.json(
        {
            "found": done.found, "crash": done.crash, "faults_n": done.faults_n, "boot_n": done.boot_n,
            "settings": done.settings, "flashed": _flash_document(done.flashed),
        }
    )  # fmt: skip


def _name_and_value(name: str, value: str) -> tuple[str, int | None]:
    """Both ways of writing it: ``blank_ms 8`` and ``blank_ms=8``."""
    from hbc_host.box.change import number_of

    before, sign, after = name.partition("=")
    text = after if sign else value
    return before, number_of(before, text) if text or sign else None


def _port(port: str) -> str:
    """The port as given, or the only one that may be a box's."""
    from hbc_host.ports import the_port

    return port or the_port()


def _show_box(out: Output, flashed: Flashed) -> None:
    hello = flashed.hello
    out.say(
        f"box {hello.unique_id} runs: {hello.firmware} on {hello.board}, wire version {hello.wire_version}, "
        f"boot {hello.boot_n}"
    )
    out.say(f"next: hbc box check --port {flashed.port}")


def _flash_document(flashed: Flashed) -> dict[str, Any]:
    hello = flashed.hello
    rest = {name: value for name, value in asdict(flashed).items() if name != "hello"}
    names = ("unique_id", "board", "firmware", "wire_version", "boot_n", "capture")
    return {**rest, "hello": {name: getattr(hello, name) for name in names}}
