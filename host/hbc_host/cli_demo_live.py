"""``hbc demo --live``: a practice session in real time, its page beside it, and its report at the end."""

from __future__ import annotations

from pathlib import Path

from hbc_host.app.process import STAYS, start_page
from hbc_host.app.terminal_lines import TerminalLines
from hbc_host.cli_common import Output, StoppedError, command_line
from hbc_host.cli_live import show_recording, tell, terminate_as_interrupt
from hbc_host.errors import InputError
from hbc_host.i18n import LANGUAGES


def demo_live(
    seed: int, ecg: str, out_dir: Path, http_port: int, lang: str, json_target: str | None, *, open_browser: bool
) -> None:
    """Conduct the demonstration; parameters as the options of ``hbc demo``.

    Raises
    ------
    HbcError
        An option cannot be used, or the session failed.
    """
    from hbc_hil.demo_live import prepare, run_live_demo

    if ecg != "patient":
        raise InputError("--live plays the simulated patient only; leave out --ecg")
    if lang not in LANGUAGES:
        raise InputError(f"--lang {lang} is none of {', '.join(sorted(LANGUAGES))}")
    out = Output(json_target)
    folder, visit = prepare(out_dir, lang)
    lines = TerminalLines(lang)
    out.say(
        lines.line(
            "practice: five minutes, two sites, a simulated patient; press R on the page when the coil is in place"
        )
    )
    page = start_page(folder, language=lang, http_port=http_port, open_browser=open_browser)
    out.say(lines.line(f"live page: {page.address}"))
    with terminate_as_interrupt():
        summary = run_live_demo(folder, visit, seed, on_event=lambda text: tell(lines.line(text)))
    if summary.ended == "interrupted":
        raise StoppedError(f"stopped by Ctrl-C; the unfinished practice recording stays in {folder}")
    from hbc_host.report.of_folder import report_of_folder

    path = report_of_folder(folder, command=command_line("report", folder), lang=lang)
    out.say(lines.line(f"report: {path}"))
    show_recording(out, summary, path, said=lines.line)
    out.say(lines.line(STAYS))
