"""``hbc cohort``: many patients and one table of outcomes: check, fit, report; and a simulated cohort to try it on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hbc_host.cli_common import HbcGroup, JsonOption, Output, command_line, progress, refuse_overwriting
from hbc_host.counting import counted
from hbc_host.errors import InputError

if TYPE_CHECKING:
    from hbc_host.cohort.recordings import RecordingRef

app = typer.Typer(
    name="cohort",
    cls=HbcGroup,
    no_args_is_help=True,
    help="Many patients: does coupling before treatment go with early improvement?",
)

DirArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of recordings, one folder per patient.")]
OutcomesOption = Annotated[
    Path, typer.Option("--outcomes", metavar="TABLE", help="CSV with patient, improved, age, sex, side, medication ...")
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Protocol of recordings that do not name theirs.", show_default=False),
]
ImprovementOption = Annotated[
    float,
    typer.Option(
        "--improvement", metavar="SHARE", min=0.01, max=0.99, help="Fall of score that counts as improvement."
    ),
]
PracticeOption = Annotated[
    bool, typer.Option("--with-practice", help="Take practice and simulated boxes in, to try the analysis itself.")
]
JSON_NAME, HTML_NAME = "cohort.json", "cohort.html"


@app.command()
def check(
    folder: DirArgument,
    outcomes: OutcomesOption,
    protocol: ProtocolOption = None,
    improvement: ImprovementOption = 0.2,
    with_practice: PracticeOption = False,
    json_target: JsonOption = None,
) -> None:
    """See what loads, what is missing and what cannot be, each with a reason, before anything is fitted.

    Example: hbc cohort check recordings --outcomes outcomes.csv
    """
    out = Output(json_target)
    from dataclasses import asdict

    from hbc_host.cohort.audit import audit_cohort
    from hbc_host.cohort.document import plain
    from hbc_host.cohort.outcomes import read_outcomes

    table = read_outcomes(outcomes, improvement_share=improvement, strict=False)
    refs, aside = _recordings(folder, with_practice)
    with progress("reading") as bar:
        audit = audit_cohort(refs, table, protocol_name=protocol, left_out=aside, on_done=bar)
    from hbc_host.cli_cohort_words import show_audit

    show_audit(out, audit)
    out.json(plain(asdict(audit)))


@app.command()
def fit(
    folder: DirArgument,
    outcomes: OutcomesOption,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", metavar="OUT", help="Folder for the result; else DIR-fit.", show_default=False),
    ] = None,
    protocol: ProtocolOption = None,
    improvement: ImprovementOption = 0.2,
    with_practice: PracticeOption = False,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes; else one per core.", show_default=False)
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A dask scheduler, such as tcp://127.0.0.1:8786.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of permutations and cross-validation.")] = 1,
    json_target: JsonOption = None,
) -> None:
    """Estimate every run, then ask whether coupling goes with early improvement; write cohort.json and cohort.html.

    Runs that were estimated before, by this version, are taken from OUT/runs.

    Example: hbc cohort fit recordings --outcomes outcomes.csv
    """
    target = out_dir or folder.resolve().with_name(f"{folder.resolve().name}-fit")
    _refuse_inside(folder, target)
    refuse_overwriting([outcomes], {"--out": target / JSON_NAME})
    out = Output(json_target)
    from hbc_host.cli_cohort_words import estimated, show_fit
    from hbc_host.cohort.document import to_document, write_document
    from hbc_host.cohort.fit import fit_cohort
    from hbc_host.cohort.outcomes import read_outcomes
    from hbc_host.cohort.provenance import provenance_of
    from hbc_host.cohort.report import write_report
    from hbc_host.cohort.run_table import RunStore
    from hbc_host.cohort.scatter import cache_folder, estimate_cohort

    table = read_outcomes(outcomes, improvement_share=improvement)
    refs, aside = _recordings(folder, with_practice)
    for place, reason in aside.items():
        out.say(f"{place}: {reason}")
    with progress("estimating runs") as bar:
        runs, new_n = estimate_cohort(
            refs,
            RunStore(cache_folder(target)),
            protocol_name=protocol,
            jobs_n=jobs,
            scheduler=scheduler,
            on_done=lambda done_n, all_n: bar(done_n / all_n),
        )
    out.say(f"{counted(runs.num_rows, 'run')} of {counted(len(refs), 'recording')}; {estimated(new_n, len(refs))}")
    with progress("fitting"):
        found = fit_cohort(runs, table, seed=seed)
    words: list[Any] = ["cohort", "fit", folder, "--outcomes", outcomes, "--out", target, "--seed", seed]
    words += ["--protocol", protocol] if protocol else []
    words += ["--improvement", improvement] if improvement != 0.2 else []
    words += ["--with-practice"] if with_practice else []
    made_by = provenance_of(command_line(*words), refs, runs, outcomes, seed=seed, scheduler=scheduler)
    document = to_document(found, made_by, (*table.notes, *(f"{place}: {reason}" for place, reason in aside.items())))
    write_document(target / JSON_NAME, document)
    with progress("drawing"):
        write_report(document, target / HTML_NAME)
    show_fit(out, document)
    out.say(f"report: {target / HTML_NAME}")
    out.json(document)


def _recordings(folder: Path, with_practice: bool) -> tuple[list[RecordingRef], dict[str, str]]:
    """Recordings to analyse, and by place those left out with the reason; raises InputError when none stays."""
    from hbc_host.cohort.recordings import find_recordings, left_out

    found = find_recordings(folder)
    aside = {} if with_practice else left_out(found)
    refs = [ref for ref in found if ref.place not in aside]
    if not refs:
        raise InputError(f"{folder}: {counted(len(found), 'recording')}, all of them practice; see --with-practice")
    return refs, aside


def _refuse_inside(folder: Path, target: Path) -> None:
    if target.resolve() == folder.resolve() or folder.resolve() in target.resolve().parents:
        raise InputError(f"--out {target} lies within the recordings {folder}; choose another --out")


@app.command()
def report(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="Folder that fit wrote, or its cohort.json.")],
    out_path: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Else beside the result.", show_default=False)
    ] = None,
) -> None:
    """Draw the HTML report of a result again, from its JSON alone.

    Example: hbc cohort report recordings-fit
    """
    source = result / JSON_NAME if result.is_dir() else result
    target = out_path or source.with_suffix(".html")
    refuse_overwriting([source], {"--out": target})
    out = Output(None)
    from hbc_host.cohort.document import read_document
    from hbc_host.cohort.report import write_report

    write_report(read_document(source), target)
    out.say(f"report: {target}")


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="New folder.")],
    patients: Annotated[int, typer.Option(metavar="N", min=1, help="Patients.")] = 101,
    sites: Annotated[int, typer.Option(metavar="N", min=1, max=8, help="Coil positions of each.")] = 4,
    clinics: Annotated[int, typer.Option(metavar="N", min=1, max=50)] = 3,
    strap_clinics: Annotated[
        int, typer.Option("--strap-clinics", metavar="N", min=0, help="Of these, so many have straps and no trigger.")
    ] = 1,
    odds_ratio: Annotated[
        float, typer.Option("--odds-ratio", metavar="R", help="Of improvement per standard deviation of coupling.")
    ] = 2.2,
    dropout: Annotated[float, typer.Option(metavar="SHARE", help="Patients without an outcome.")] = 0.08,
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed, same cohort, same bytes.")] = 8,
) -> None:
    """Simulate a cohort of several clinics: recordings, a table of outcomes, and the truth to compare with.

    Example: hbc cohort simulate cohort-demo --patients 24
    """
    out = Output(None)
    from hbc_hil.cohort import CohortPlan
    from hbc_hil.cohort_files import write_cohort
    from hbc_hil.errors import ScenarioError

    try:
        plan = CohortPlan(
            patients_n=patients,
            sites_n=sites,
            clinics_n=clinics,
            strap_clinics_n=min(strap_clinics, clinics),
            odds_ratio=odds_ratio,
            dropout_share=dropout,
            seed=seed,
        )
        with progress("simulating") as bar:
            runs_n = write_cohort(plan, folder, on_done=bar)
    except (ScenarioError, ValueError) as fault:
        raise InputError(str(fault)) from None
    simulated = f"{counted(patients, 'patient')}, {counted(runs_n, 'run')}"
    out.say(f"{simulated} in {folder / 'recordings'}; truth in {folder / 'truth.json'}")
    out.say(f"next: hbc cohort fit {folder / 'recordings'} --outcomes {folder / 'outcomes.csv'}")
