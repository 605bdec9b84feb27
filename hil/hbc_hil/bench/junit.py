"""JUnit XML of a run, as build servers read it: one test case a check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from hbc_hil.bench.finding import FAIL, NOT_MEASURED, Finding


def write_junit(path: Path, name: str, findings: Sequence[Finding], *, seconds: float) -> None:
    """Write one test suite named after the scenario.

    Parameters
    ----------
    path : Path
    name : str
        Of the scenario.
    findings : sequence of Finding
    seconds : float
        How long the run took, wall time.
    """
    counts = {verdict: sum(f.verdict == verdict for f in findings) for verdict in (FAIL, NOT_MEASURED)}
    suite = ElementTree.Element(
        "testsuite",
        name=f"hbc hil {name}",
        tests=str(len(findings)),
        failures=str(counts[FAIL]),
        errors="0",
        skipped=str(counts[NOT_MEASURED]),
        time=f"{seconds:.3f}",
    )
    for finding in findings:
        case = ElementTree.SubElement(suite, "testcase", classname=f"hil.{name}", name=finding.check, time="0")
        text = f"{finding.requirement}: measured {finding.measured}, limit {finding.limit}"
        if finding.verdict == FAIL:
            ElementTree.SubElement(case, "failure", message=text).text = text
        elif finding.verdict == NOT_MEASURED:
            ElementTree.SubElement(case, "skipped", message=finding.requirement)
        ElementTree.SubElement(case, "system-out").text = text
    tree = ElementTree.ElementTree(suite)
    ElementTree.indent(tree)
    tree.write(path, encoding="utf-8", xml_declaration=True)
