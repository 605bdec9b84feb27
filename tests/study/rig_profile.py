"""Where the time of the simulated box goes: instructions per sample, counted, so that no other program disturbs.

    python tests/study/rig_profile.py [--board esp32-ad8232] [--time]

Two runs of different length are subtracted, which takes out the start of the interpreter and the compiling. Needs
valgrind; takes two minutes or more. With --time it measures the interpreter's processor time instead, without valgrind
and in some seconds; other programs make it longer, so the least of several runs is taken.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests"))
import support_rig  # noqa: E402
from hbc_hil import rig_power  # noqa: E402
from hbc_hil.rig import RigOptions  # noqa: E402
from hbc_hil.scenario import Scenario  # noqa: E402

SHORT_S, LONG_S = 3.0, 18.0
RATE_HZ = 500
FUNCTIONS_N = 14
TIMED_S = (10.0, 70.0)
TIMED_RUNS_N = 3
ROW = re.compile(r"^ *([0-9,]+) \([^)]*\) +(.+?)(?: \[.*)?$", re.MULTILINE)
support_rig.WALL_LIMIT_S = 1800.0  # valgrind makes it fifty times slower
START = "import sys; from micropython_unix import main; sys.exit(main())"


def counted(board: str, duration_s: float, folder: Path) -> dict[str, int]:
    """Instructions of one run by C function; what the firmware's own machine code did is under the total only."""
    out = folder / f"callgrind.{duration_s:g}"
    script = folder / "micropython"
    script.write_text(
        "#!/bin/sh\n"
        f"exec valgrind --tool=callgrind --smc-check=all-non-file --callgrind-out-file={out} "
        f"'{sys.executable}' -c '{START}' \"$@\" 2>/dev/null\n"
    )
    script.chmod(0o755)
    scenario = replace(Scenario.short(3, 40.0), duration_s=duration_s)
    with mock.patch.object(rig_power, "find_micropython", return_value=str(script)):
        support_rig.run_scenario(scenario, RigOptions(board=board))
    table = subprocess.run(
        ["callgrind_annotate", "--threshold=99.9", str(out)], capture_output=True, text=True, check=True
    ).stdout
    found: dict[str, int] = {}
    for number, name in ROW.findall(table):
        name = name.rpartition(":")[2].partition("'")[0].strip()
        found[name] = found.get(name, 0) + int(number.replace(",", ""))
    return found


def processor_s(board: str, duration_s: float) -> float:
    """Processor time of the interpreter for one run, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    support_rig.run_scenario(replace(Scenario.short(3, 40.0), duration_s=duration_s), RigOptions(board=board))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def timed(board: str) -> None:
    short_s, long_s = (min(processor_s(board, seconds) for _ in range(TIMED_RUNS_N)) for seconds in TIMED_S)
    per_s = (long_s - short_s) / (TIMED_S[1] - TIMED_S[0])
    print(f"{board}: {1e3 * per_s:.1f} ms of processor time for a virtual second, {1 / per_s:.0f} times real time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", default="esp32-ad8232")
    parser.add_argument("--time", action="store_true", help="measure processor time instead of counting")
    chosen = parser.parse_args()
    board = chosen.board
    if chosen.time:
        timed(board)
        return
    if shutil.which("valgrind") is None:
        sys.exit("valgrind not found; install it: apt install valgrind")
    with tempfile.TemporaryDirectory() as name:
        short, long = (counted(board, seconds, Path(name)) for seconds in (SHORT_S, LONG_S))
    samples_n = (LONG_S - SHORT_S) * RATE_HZ
    rows = sorted(((long[name] - short.get(name, 0)) / samples_n, name) for name in long)[::-1]
    print(f"{board}: instructions per sample, {SHORT_S:g} s to {LONG_S:g} s of Scenario.short(3, 40.0)")
    for instructions_n, name in rows[:FUNCTIONS_N]:
        print(f"{instructions_n:10.0f}  {name}")


if __name__ == "__main__":
    main()
