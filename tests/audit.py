"""Is any installed package known to be vulnerable? Part of `make lint`; asks the OSV database, through pip-audit.

    python -m tests.audit [--osv-url URL] [--fresh]

A known vulnerability fails. No network fails nothing: it says that nothing was audited. What was clean within the last
day, with the same packages, is not asked again. The database learns names and versions of packages, nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

OSV_URL = "https://api.osv.dev/v1/query"
PROBE_S = 4.0
AUDIT_S = 300.0
CLEAN_FOR_S = 86_400.0
OURS = "hbc-box"
MEMORY = Path(__file__).resolve().parents[1] / "build" / "audit-clean.json"


def installed() -> list[str]:
    """``name==version`` of all packages here but ours, sorted."""
    found = {(each.metadata["Name"] or "").lower(): each.version for each in distributions()}
    return sorted(f"{name}=={version}" for name, version in found.items() if name and name != OURS)


def answers(osv_url: str) -> str:
    """Empty when the database answers; else why not."""
    request = urllib.request.Request(osv_url, b'{"package": {"name": "pip", "ecosystem": "PyPI"}, "version": "99"}')
    try:
        with urllib.request.urlopen(request, timeout=PROBE_S) as response:
            json.load(response)
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    return ""


def audit(packages: list[str], osv_url: str) -> dict[str, Any] | str:
    """What pip-audit found; a text when it could not finish."""
    with tempfile.TemporaryDirectory() as place:
        listed = Path(place) / "packages.txt"
        listed.write_text("\n".join(packages) + "\n", "utf-8")
        flags = ["--no-deps", "--disable-pip", "-s", "osv", "--osv-url", osv_url, "-f", "json"]
        command = [sys.executable, "-m", "pip_audit", "-r", str(listed), *flags, "--progress-spinner", "off"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=AUDIT_S, check=False)
            found: dict[str, Any] = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            return f"no end within {AUDIT_S:.0f} s"
        except ValueError:
            return (done.stderr.strip().splitlines() or ["no answer"])[-1]
    return found


def verdict(found: dict[str, Any]) -> tuple[list[str], int, int]:
    """Lines for vulnerable packages; how many were audited; how many the database could not be asked about."""
    packages = found.get("dependencies", [])
    asked = [each for each in packages if "skip_reason" not in each]
    lines = [
        f"{each['name']} {each['version']}: {bug['id']}, mended in {', '.join(bug['fix_versions']) or 'no version yet'}"
        for each in asked
        for bug in each["vulns"]
    ]
    return lines, len(asked), len(packages) - len(asked)


def was_clean(mark: str) -> bool:
    try:
        known = json.loads(MEMORY.read_text("utf-8"))
        return bool(known["mark"] == mark and 0 <= time.time() - known["at"] < CLEAN_FOR_S)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--osv-url", default=OSV_URL)
    parser.add_argument("--fresh", action="store_true", help="ask again, whatever is remembered")
    options = parser.parse_args(arguments)
    packages = installed()
    mark = sha256("\n".join([options.osv_url, *packages]).encode()).hexdigest()
    if not options.fresh and was_clean(mark):
        print(f"audit: {len(packages)} packages, clean within the last day")
        return 0
    if why := answers(options.osv_url):
        print(f"audit: NOT done, the vulnerability database does not answer ({why}); run it once with a network")
        return 0
    found = audit(packages, options.osv_url)
    if isinstance(found, str):
        print(f"audit: NOT done, pip-audit ended early ({found})")
        return 0
    lines, asked_n, skipped_n = verdict(found)
    for line in lines:
        print(f"audit: {line}")
    print(f"audit: {asked_n} packages asked about, {skipped_n} not, {len(lines)} known vulnerabilities")
    if lines:
        print("audit: update these packages, or say in docs/security.md why they do no harm here")
        return 1
    if not skipped_n:
        MEMORY.parent.mkdir(exist_ok=True)
        MEMORY.write_text(json.dumps({"mark": mark, "at": time.time()}), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
