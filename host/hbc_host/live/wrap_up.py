"""After a session: its report and its row in the store, from the recording that is closed now."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from hbc_host.analysis import Analysis
from hbc_host.clinic.visit import Visit
from hbc_host.errors import HbcError
from hbc_host.live.ending import visit_end
from hbc_host.live.gate import StoreGate
from hbc_host.record import RecordSummary
from hbc_host.session import Session, load_session


@dataclass
class Wrapped:
    """Lines for people, and what failed, in one line; empty when nothing did. ``report``: where it was written."""

    lines: list[str] = field(default_factory=list)
    failed: str = ""
    report: Path | None = None


def wrap_up(summary: RecordSummary, visit: Visit, gate: StoreGate, language: str) -> Wrapped:
    """Analyse, report, and keep; one failing does not keep the others from being done."""
    done = Wrapped()
    session = load_session(summary.path)
    analysis = _analysis(session, done, language)
    words = ["hbc", "report", str(summary.path)]
    command = shlex.join(words if language == visit.language else [*words, "--lang", language])
    try:
        end = visit_end(session, visit, analysis, command=command, ended=summary.ended, pulses_n=summary.edges_n)
        if gate.finish(visit, end):
            done.lines.append(f"kept in the store: visit {visit.visit_n} of {visit.pseudonym}")
    except HbcError as error:
        done.failed = f"the recording is whole, but the store did not take its result: {error}"
    if analysis is not None:
        try:
            from hbc_host.report.of_folder import report_of_folder

            done.report = report_of_folder(summary.path, command=command, lang=language, store=gate.given)
            done.lines.append(f"report: {done.report}")
        except (HbcError, OSError) as error:
            done.failed = done.failed or f"the recording is whole, but no report was written: {error}; {command}"
    return done


def _analysis(session: Session, done: Wrapped, code: str) -> Analysis | None:
    from hbc_host.analysis import analyze_session
    from hbc_host.report import words
    from hbc_host.report.language import language
    from hbc_host.trains import parse_protocol

    try:
        analysis = analyze_session(session, protocol=parse_protocol(session.meta.protocol))
    except (HbcError, ValueError, ArithmeticError) as error:  # numbers that no estimate copes with, too
        done.lines.append(f"no result: {error}")
        return None
    done.lines.append(words.overall_sentence(analysis, language(code)))
    return analysis
