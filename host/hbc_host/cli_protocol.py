"""``hbc protocol``: write, check and sign the clinic's protocol files, and print the run sheet of a session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hbc_host.cli_common import HbcGroup, JsonOption, Output
from hbc_host.errors import InputError

if TYPE_CHECKING:
    from hbc_host.clinic.plan import SessionPlan
    from hbc_host.clinic.protocol_file import ProtocolFile

app = typer.Typer(
    name="protocol",
    cls=HbcGroup,
    no_args_is_help=True,
    help="Protocol files of the clinic: trains, intensities, sites, caps, alarms; signed by a person.",
)

KINDS = ("dash", "itbs", "10hz", "custom")
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Protocol file (TOML).")]
NAMES = {"dash": "Dash ramp", "itbs": "iTBS", "10hz": "10 Hz, 4 s on, 26 s off", "custom": "our protocol"}
TRAINS_NOTES = {
    "dash": "          # 5 s of 10 Hz every 16 s, 15 trains",
    "itbs": "          # 2 s of theta bursts every 10 s, 20 trains",
    "10hz": "          # 4 s of 10 Hz every 30 s",
    "custom": "",
}
PULSES_NOTES = {
    "dash": "750 pulses a site, 3000 at four",
    "itbs": "600 pulses a site, 2400 at four",
    "10hz": "40 pulses a train",
    "custom": "pulses_n x trains_n pulses a site",
}
RAMP_NOTE = "one for each of the 15 trains makes a ramp, one alone is for all trains"
STEPS_NOTE = "one for all trains, or one for each"


@app.command()
def new(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="dash, itbs, 10hz or custom.")],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where to write it; else KIND.toml.", show_default=False)
    ] = None,
    practice: Annotated[
        bool, typer.Option("--practice", help="Filled in for the simulated patient, and for nobody else.")
    ] = False,
) -> None:
    """Write a protocol file to fill in. Every line says what it is.

    With --practice it is whole, with values for the simulated patient: to rehearse a session with hbc sim. No real box
    takes it.

    Example: hbc protocol new dash dash.toml
    """
    if kind not in KINDS:
        raise InputError(f"{kind!r} is no kind of protocol; use {', '.join(KINDS)}")
    if practice and kind != "dash":
        raise InputError(f"the simulated stimulator gives Dash trains, not {kind}; practise with: dash --practice")
    file = file or Path(f"{kind}-practice.toml" if practice else f"{kind}.toml")
    _write_new(file, _template("practice.toml.j2" if practice else "protocol.toml.j2", kind))
    if practice:
        print(f"{file} written, for the simulated patient only; next: hbc session new P-001 --protocol {file}")
    else:
        print(f"{file} written; fill in intensities and caps, then: hbc protocol check {file}")


def _template(name: str, kind: str) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    template = Environment(loader=PackageLoader("hbc_host", "clinic"), undefined=StrictUndefined).get_template(name)
    return template.render(
        kind=kind,
        name=NAMES[kind],
        trains_note=TRAINS_NOTES[kind],
        pulses_note=PULSES_NOTES[kind],
        steps_note=RAMP_NOTE if kind == "dash" else STEPS_NOTE,
    )


def _write_new(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text + "\n")
    except FileExistsError:
        raise InputError(f"{file} exists already; choose another name, nothing is ever overwritten") from None


@app.command()
def check(file: FileArgument, json_target: JsonOption = None) -> None:
    """Say whether a protocol is whole, signed, and unchanged since. Exit code 2 when it cannot be used yet.

    Example: hbc protocol check dash.toml
    """
    out = Output(json_target)
    from hbc_host.clinic.protocol_file import load_protocol
    from hbc_host.clinic.signing import open_points, signature_state

    protocol = load_protocol(file)
    points, state = open_points(protocol), signature_state(protocol)
    trains = protocol.trains
    pulses_n = trains.train_pulses_n * (trains.run_trains_n - trains.catch_trains_n) * len(protocol.sites.names)
    out.say(f"{protocol.name}: {len(protocol.sites.names)} sites, {trains.run_trains_n} trains each, {pulses_n} pulses")
    for point in points:
        out.say(f"open: {point}")
    signature = protocol.signature
    if signature is not None:
        out.say(f"signed by {signature.by} on {signature.on.isoformat()}")
    out.json(
        {
            "name": protocol.name,
            "state": state,
            "practice": protocol.practice,
            "open": list(points),
            "pulses_n": pulses_n,
            "sha256": protocol.content_sha256(),
        }
    )
    if state == "changed":
        raise InputError(
            f"{file} was changed after it was signed; have it signed again: hbc protocol sign {file} --by NAME"
        )
    if protocol.practice and not points:
        out.say("for practice: the simulated box takes it, signed or not; a real box is refused")
        return
    if points:
        raise InputError(f"{file}: {len(points)} points are open; the clinic decides them before it signs")
    if state == "unsigned":
        raise InputError(f"{file} is whole but unsigned; next: hbc protocol sign {file} --by NAME")


@app.command()
def sign(
    file: FileArgument,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who in the clinic answers for it.")],
) -> None:
    """Sign a protocol: name, today's date, and a hash that shows any later change.

    Example: hbc protocol sign dash.toml --by "A. Jansen"
    """
    from datetime import datetime

    from hbc_host.clinic.signing import sign as write_signature

    signed = write_signature(file, by, datetime.now().astimezone().date())
    assert signed.signature is not None
    print(f"{file}: signed by {signed.signature.by} on {signed.signature.on}; any change of it needs a new signature")


@app.command()
def show(
    file: FileArgument,
    patient: Annotated[str, typer.Option("--patient", metavar="P", help="Pseudonym; it decides what is random.")],
    mt: Annotated[
        float | None, typer.Option("--mt", metavar="PCT", help="Motor threshold, %MSO.", show_default=False)
    ] = None,
    visit: Annotated[int, typer.Option("--visit", metavar="N", help="Which visit of this patient.")] = 1,
    number: Annotated[int, typer.Option("--number", metavar="N", help="Running number of the patient.")] = 1,
    pulses_today: Annotated[int, typer.Option("--pulses-today", metavar="N", min=0, help="Pulses given before.")] = 0,
    json_target: JsonOption = None,
) -> None:
    """Print the run sheet of one session: sites in order, when each train comes and how strong it is.

    Example: hbc protocol show dash.toml --patient P-014 --mt 52
    """
    out = Output(json_target)
    from hbc_host.clinic.plan import breaches, plan_session
    from hbc_host.clinic.protocol_file import load_protocol
    from hbc_host.clinic.signing import signature_state

    protocol = load_protocol(file)
    plan = plan_session(protocol, patient=patient, visit_n=visit, number=number, mt_mso_pct=mt)
    over = breaches(protocol, plan, mt_mso_pct=mt, pulses_today_n=pulses_today)
    state = signature_state(protocol)
    if not over:
        _print_plan(out, f"{protocol.name}, visit {visit} of {patient}", plan)
    out.say(f"{plan.pulses_n} pulses, {plan.duration_s / 60.0:.0f} min without moving the coil; protocol {state}")
    if state == "signed" and not over and not protocol.practice:  # hbc record knows nothing of protocol files
        out.say(f"record it with: {record_command(protocol, plan, f'{patient}-{visit}')}")
    out.json(_document(protocol, plan, over, state))
    if over:
        raise InputError(f"{file}, {patient}: over the clinic's caps: {'; '.join(over)}")


def record_command(protocol: ProtocolFile, plan: SessionPlan, folder: str) -> str:
    """``hbc record`` with the options that this plan asks for; the port is for the user to put in."""
    from hbc_host.cli_common import command_line

    trains, alarms = plan.runs[0].trains, protocol.alarms
    options = ["--out", folder, "--protocol", protocol.trains.timing.name]
    options += ["--sites", ",".join(run.site for run in plan.runs)]
    # Left-out trains leave no trigger: a list of one intensity a train would then belong to the wrong ones.
    if len({train.intensity_mso_pct for train in trains}) > 1 and not protocol.trains.catch_trains_n:
        options += ["--intensities", ",".join(f"{train.intensity_mso_pct:g}" for train in trains)]
    limits = {
        "below": alarms.lowest_bpm,
        "fall": alarms.fall_bpm,
        "fall-pct": alarms.fall_pct,
        "pause": alarms.pause_s,
    }
    if alarms.highest_bpm is not None:
        limits["above"] = alarms.highest_bpm
    options += ["--alarms", ",".join(f"{name}={value or 0:g}" for name, value in limits.items())]
    return f"{command_line('record')} --port PORT {command_line(*options).removeprefix('hbc ')}"


def _print_plan(out: Output, title: str, plan: SessionPlan) -> None:
    from rich.table import Table

    table = Table(title=f"{title} (%MSO: percent of stimulator output)")
    for heading in ("site", "rest from", "first train", "end", "trains", "pulses", "%MSO of each train"):
        table.add_column(heading)
    for run in plan.runs:
        steps = [f"{train.intensity_mso_pct:.0f}" if train.pulses_n else "none" for train in run.trains]
        shown = steps[0] if len(set(steps)) == 1 else " ".join(steps)
        site = f"{run.site} (control)" if run.is_control else run.site
        given_n = sum(train.pulses_n > 0 for train in run.trains)
        clocks = [_clock(time_s) for time_s in (run.rest_s, run.trains[0].onset_s, run.end_s)]
        table.add_row(site, *clocks, str(given_n), str(run.pulses_n), shown)
    out.console.print(table)


def _clock(time_s: float) -> str:
    minutes, seconds = divmod(round(time_s), 60)
    return f"{minutes}:{seconds:02d}"


def _document(protocol: ProtocolFile, plan: SessionPlan, over: tuple[str, ...], state: str) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "protocol": protocol.name,
        "sha256": protocol.content_sha256(),
        "state": state,
        "over_caps": list(over),
        "pulses_n": plan.pulses_n,
        "duration_s": plan.duration_s,
        "runs": [asdict(run) for run in plan.runs],
    }
