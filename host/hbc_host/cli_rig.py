"""``hbc demo``: the simulated rig, for everyone without a box.

Here, in ``cli_sim`` and in ``cli_hil`` the host reaches ``hbc_hil``, and only inside the commands: nothing
that measures may know that a simulator exists.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from hbc_host.cli_common import JsonOption, Output, StoppedError, command_line, progress, refuse_overwriting
from hbc_host.errors import InputError
from hbc_host.names import REPORT_NAME

if TYPE_CHECKING:
    from hbc_hil.demo import DemoResult

SEED = 4711
NOT_NUMBERS = ("analysis", "session_path")

SeedOption = Annotated[int, typer.Option(metavar="N", help="Same seed, same patient, same numbers.")]
EcgOption = Annotated[
    str, typer.Option(metavar="WHAT", help="patient (simulated), toy (real ECG that comes along), or a WFDB record.")
]


def demo(
    seed: SeedOption = SEED,
    ecg: EcgOption = "patient",
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for recording and report.")] = Path(
        "hbc-demo"
    ),
    live: Annotated[bool, typer.Option("--live", help="A guided session with the live page, in real time.")] = False,
    http_port: Annotated[
        int, typer.Option("--http-port", metavar="N", help="With --live: port of the page; 0 takes a free one.")
    ] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="With --live: only say the page's address.")] = False,
    lang: Annotated[
        str, typer.Option("--lang", metavar="en|nl", help="With --live: language of page, report and terminal.")
    ] = "en",
    json_target: JsonOption = None,
) -> None:
    """See the whole instrument work, without hardware: box, cable, recording, analysis, report.

    The real firmware runs in a simulated box that measures a simulated patient at four coil positions (23 minutes,
    played fast). The table compares what was found with what the patient was made to do.

    With --live you conduct a short session yourself (five minutes, two positions), as a clinic does.

    Example: hbc demo
    """
    if live:
        from hbc_host.cli_demo_live import demo_live

        with plain_errors():
            demo_live(seed, ecg, out_dir, http_port, lang, json_target, open_browser=not no_browser)
        return
    refuse_overwriting([], {"--out": out_dir / REPORT_NAME, "--json": Path(json_target) if json_target else None})
    out = Output(json_target)
    with plain_errors():
        from hbc_hil.demo import run_demo

        with _stopped_demo(out_dir / "session"), progress("measuring a simulated patient") as done:
            result = run_demo(seed, out_dir, ecg=ecg, on_progress=done)
    _show_demo(out, result, ecg)
    if result.analysis.sites:
        from hbc_host.report import write_report
        from hbc_host.session import read_meta

        meta, _ = read_meta(result.session_path)
        options = ["--seed", seed, *(["--ecg", ecg] if ecg != "patient" else []), "--out", out_dir]
        path = write_report(
            result.analysis,
            out_dir / REPORT_NAME,
            command=command_line("demo", *options),
            session_info={
                "Recorded": meta.created.strftime("%Y-%m-%d %H:%M %Z").strip(),
                "Box": f"simulated, firmware on {result.interpreter}",
            },
        )
        out.say(f"report: {path}")
    out.json(demo_document(result))


def demo_document(result: DemoResult) -> dict[str, Any]:
    """The JSON of ``hbc demo``: every number, and no path, so that equal seeds give equal documents but for wall_s."""
    from hbc_host.report.results_json import plain

    return {field.name: plain(getattr(result, field.name)) for field in fields(result) if field.name not in NOT_NUMBERS}


def _show_demo(out: Output, result: DemoResult, ecg: str) -> None:
    from hbc_host.report import words
    from hbc_host.tables import fact_table, site_table, truth_line

    if result.analysis.sites:
        truth = [words.number(site.truth_bpm) for site in result.sites]
        out.console.print(site_table(result.analysis, extra=[("truth bpm", truth)]))
        out.say(truth_line(result.analysis, [site.truth_bpm for site in result.sites]))
        out.say(words.overall_sentence(result.analysis))
    out.console.print(fact_table([*_run_facts(result), *_beat_facts(result, ecg), *_edge_facts(result)]))
    out.say(f"session: {result.session_path}")


def _run_facts(result: DemoResult) -> list[tuple[str, str]]:
    speed = result.virtual_s / result.wall_s
    return [
        ("firmware ran on", result.interpreter),
        ("simulated time", f"{result.virtual_s:.0f} s in {result.wall_s:.1f} s ({speed:.0f} times real time)"),
        ("frames lost", str(result.frames_lost_n)),
    ]


def _beat_facts(result: DemoResult, ecg: str) -> list[tuple[str, str]]:
    from hbc_host.report import words

    # Of a simulated heart the true instant is known; of a recorded one only what a person once marked.
    against = "limit 2" if ecg == "patient" else "against marks made by hand"
    return [
        ("beats", str(result.beats_n)),
        ("R-peak time error", f"{words.number(result.r_peak_rms_ms, 2)} ms rms ({against})"),
        ("beats found (Se)", words.percent(result.beat_se, 2)),
        ("beats that are beats (PPV)", words.percent(result.beat_ppv, 2)),
    ]


def _edge_facts(result: DemoResult) -> list[tuple[str, str]]:
    from hbc_host.report import words

    if result.edges_true_n == 0:
        return [("trigger edges", "none: a recording is played without stimulation")]
    bracket = f"the box says ±{words.number(result.edge_bracket_half_us, 1)}, limit 10"
    return [
        ("trigger edges", f"{result.edges_n} of {result.edges_true_n}"),
        ("edge to edge, worst error", f"{words.number(result.edge_interval_max_ns, 1)} ns (limit 25)"),
        ("edge to sample clock, worst", f"{words.number(result.edge_clock_max_us, 2)} µs ({bracket})"),
    ]


@contextmanager
def _stopped_demo(session: Path) -> Iterator[None]:
    """Ctrl-C ends the demonstration with one line that says where the unfinished recording is.

    Recording ends in good order when it is interrupted, and what follows would go on with half a session, or fail.
    """
    began_s = time.time()
    told = False

    def stop(*_: object) -> NoReturn:
        nonlocal told
        told = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except BaseException:
        if not told:
            raise
    finally:
        signal.signal(signal.SIGINT, before)
    if told:
        labels = session / "session.json"  # an earlier demonstration may stand there still
        kept = labels.exists() and labels.stat().st_mtime >= began_s - 1.0
        what = f"the unfinished recording stays in {session}" if kept else "nothing was recorded"
        raise StoppedError(f"stopped by Ctrl-C; {what}")


@contextmanager
def plain_errors() -> Iterator[None]:
    """The simulator's own errors, which cannot be HbcErrors since it knows nothing of the host, become one line too."""
    try:
        yield
    except (ValueError, RuntimeError) as fault:
        if not type(fault).__module__.startswith("hbc_hil"):
            raise
        raise InputError(str(fault)) from fault
