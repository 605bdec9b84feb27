"""The ``hbc`` command. Every command imports what it needs when it runs, so that ``hbc --help`` answers at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from hbc_host import (
    __version__,
    cli_analyze,
    cli_box,
    cli_boxes,
    cli_cohort,
    cli_detect,
    cli_export,
    cli_hil,
    cli_import,
    cli_patient,
    cli_protocol,
    cli_rig,
    cli_run,
    cli_session,
    cli_sim,
    cli_strap,
    cli_stream,
    cli_visits,
)
from hbc_host.cli_common import HbcGroup

app = typer.Typer(
    name="hbc",
    cls=HbcGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"hbc {__version__}")
        raise typer.Exit


@app.callback()
def hbc(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Heart-brain coupling: does the heart slow with the pulse trains of TMS?

    New here? Type `hbc demo`. Research use; not a medical device.
    """


def version() -> None:
    """Print the version.

    Example: hbc version
    """
    _print_version(True)


for command in (
    cli_rig.demo,
    cli_sim.sim,
    cli_box.record,
    cli_box.replay,
    cli_analyze.analyze,
    cli_detect.detect,
    cli_export.export,
    cli_analyze.report,
    cli_box.doctor,
    version,
):
    app.command()(command)


app.command("import")(cli_import.import_files)
app.add_typer(cli_protocol.app)
app.add_typer(cli_patient.app)
session_commands: dict[str, Callable[..., None]] = {**cli_visits.COMMANDS, **cli_run.COMMANDS, **cli_session.COMMANDS}
for name in ("new", "run", "resume", "list", "show", "verify", "repair"):  # in the order of their use
    cli_session.app.command(name)(session_commands[name])
app.add_typer(cli_session.app)
app.add_typer(cli_stream.app)
app.add_typer(cli_strap.app)
app.add_typer(cli_boxes.app)
app.add_typer(cli_cohort.app)
app.add_typer(cli_hil.app)


def main() -> None:
    """Entry point of the console script; leaves with exit code 0, 2 for a user's error, 130 for Ctrl-C."""
    app(prog_name="hbc")


if __name__ == "__main__":
    main()
