"""``hbc hil run``: hardware in the loop, simulated or on two real boards, with the same checks.

One of the places, beside ``cli_rig`` and ``cli_sim``, where the host reaches ``hbc_hil``, and only inside this command.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hbc_host.cli_common import HbcGroup, JsonOption, Output, progress, refuse_overwriting
from hbc_host.errors import InputError

if TYPE_CHECKING:
    from hbc_hil.bench.rig_bench import Outcome

EXIT_FAILED = 1

app = typer.Typer(
    name="hil",
    cls=HbcGroup,
    no_args_is_help=True,
    help="Test a box against a world whose truth is known, or against a trigger generator: run.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def hil() -> None:
    """Hardware in the loop: the same checks against the simulated world and against two real boards."""


@app.command()
def run(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A shipped scenario, or a TOML file.")],
    port: Annotated[str, typer.Option(metavar="PORT", help="A real box; needs --generator.", show_default=False)] = "",
    generator: Annotated[
        str, typer.Option(metavar="PORT", help="A real trigger generator, wired to the box.", show_default=False)
    ] = "",
    faults: Annotated[
        str, typer.Option(metavar="NAME,...", help="Faults to inject, by name.", show_default=False)
    ] = "",
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Instead of the scenario's.", show_default=False)
    ] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Keep the recording here.", show_default=False)
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.", show_default=False)
    ] = None,
    json_target: JsonOption = None,
) -> None:
    """Run one scenario and judge the box: requirement, limit, measured, PASS or FAIL.

    Leaves with 0 when every check passed, with 1 when one failed. Without ports everything is simulated.

    Example: hbc hil run itbs --faults drift,stalls
    """
    refuse_overwriting([], {"--junit": junit, "--json": Path(json_target) if json_target else None})
    if junit is not None and not junit.resolve().parent.is_dir():
        raise InputError(f"cannot write {junit}: {junit.parent} does not exist; choose another --junit")
    if bool(port) != bool(generator):
        raise InputError("give both --port (the box) and --generator, or neither to simulate both")
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise InputError(f"{keep} is not empty; choose another --keep, nothing is ever overwritten")
    out = Output(json_target)
    names = [name.strip() for name in faults.split(",") if name.strip()]
    with _plain_errors(), tempfile.TemporaryDirectory(prefix="hbc-hil-") as scratch:
        from hbc_hil.bench.plan import load_plan

        plan = load_plan(scenario, faults=names, seed=seed)
        with progress(f"{plan.name}: {plan.duration_s:g} s") as done:
            outcome = _run(plan, keep or Path(scratch) / "run", port, generator, done)
    _show(out, outcome)
    if junit is not None:
        from hbc_hil.bench.junit import write_junit

        write_junit(junit, outcome.plan.name, outcome.findings, seconds=outcome.wall_s)
    out.json(document(outcome))
    if not outcome.passed:
        raise typer.Exit(EXIT_FAILED)


def _run(plan: Any, folder: Path, port: str, generator: str, done: Any) -> Outcome:
    from hbc_hil.bench.generator_bench import run_with_generator
    from hbc_hil.bench.rig_bench import run_in_rig

    if port:
        return run_with_generator(plan, folder, port=port, generator=generator, on_progress=done)
    if plan.world == "generator":
        return run_with_generator(plan, folder, on_progress=done)
    return run_in_rig(plan, folder, on_progress=done)


def document(outcome: Outcome) -> dict[str, Any]:
    """The JSON of ``hbc hil run``."""
    return {
        "scenario": outcome.plan.name,
        "seed": outcome.plan.seed,
        "faults": list(outcome.plan.faults),
        "passed": outcome.passed,
        "wall_s": round(outcome.wall_s, 2),
        "facts": dict(outcome.facts),
        "checks": [
            {
                "check": f.check, "requirement": f.requirement, "limit": f.limit, "measured": f.measured,
                "verdict": f.verdict, "value": f.value,
            }
            for f in outcome.findings
        ],
    }  # fmt: skip


def _show(out: Output, outcome: Outcome) -> None:
    from rich.table import Table

    plan = outcome.plan
    title = f"{plan.name}, seed {plan.seed}: {plan.why}" if plan.why else f"{plan.name}, seed {plan.seed}"
    out.say(title)
    out.say(", ".join(f"{name}: {value}" for name, value in outcome.facts.items()))
    table = Table(box=None, pad_edge=False)
    for column, justify in (("check", "left"), ("requirement", "left"), ("limit", "right"), ("measured", "right")):
        table.add_column(column, justify="right" if justify == "right" else "left")
    table.add_column("")
    colours = {"PASS": "green", "FAIL": "bold red"}
    for f in outcome.findings:
        table.add_row(f.check, f.requirement, f.limit, f.measured, f.verdict, style=colours.get(f.verdict, "dim"))
    out.console.print(table)
    failed = [f.check for f in outcome.findings if f.verdict == "FAIL"]
    verdict = "PASS" if outcome.passed else f"FAIL ({', '.join(failed) or 'nothing was checked'})"
    out.say(f"{verdict}: {len(outcome.findings)} checks in {outcome.wall_s:.1f} s")


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Errors of the simulator and the bench, which cannot be HbcErrors since they know nothing of the host."""
    try:
        yield
    except (ValueError, RuntimeError) as fault:
        if not type(fault).__module__.startswith("hbc_hil"):
            raise
        raise InputError(str(fault)) from fault
