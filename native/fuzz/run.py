# SPDX-License-Identifier: Apache-2.0
"""Build and run the fuzz target or the hammer under ASan and UBSan, with the asserted bounds.

    python native/fuzz/run.py fuzz --seconds 600      libFuzzer (clang); without clang it says so and stops
    python native/fuzz/run.py hammer --samples 1e9    gcc or clang
    python native/fuzz/run.py random --runs 10000     the fuzz target on random inputs (gcc or clang, no libFuzzer)
    python native/fuzz/run.py replay FILE...          a finding again

Findings and the corpus stay in build/fuzz.  Standard library only.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import seeds

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parent
OUT = NATIVE.parent / "build" / "fuzz"
CLANGS = ("clang", *(f"clang-{version}" for version in range(22, 10, -1)))
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wdouble-promotion", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DHBC_RPEAK_CHECK", "-DHBC_RPEAK_BATCH")


def first_present(names: tuple[str, ...]) -> str | None:
    """Return the first command of a list that is installed."""
    return next((path for name in names if (path := shutil.which(name))), None)


def build(compiler: str, program: Path, sources: tuple[str, ...], more: list[str]) -> list[str]:
    """Compile sources of this folder with the detector; return the command that runs the result."""
    program.parent.mkdir(parents=True, exist_ok=True)
    detector = sorted(str(path) for path in (NATIVE / "src").glob("*.c"))
    own = [str(HERE / name) for name in sources]
    flags = ["-O2", "-g", *WARNINGS, *SANITIZERS, *more, f"-I{NATIVE / 'include'}"]
    subprocess.run([compiler, *flags, *own, *detector, "-o", str(program)], check=True)
    return [str(program)]


def any_compiler() -> str:
    """Return gcc, else clang; end the program when there is neither."""
    found = first_present(("gcc", *CLANGS))
    if found is None:
        sys.exit("error: no C compiler; install it: apt install gcc libc6-dev")
    return found


def fuzz(out: Path, flags: list[str], seconds: int) -> int:
    """Run libFuzzer for a time from the seeds and whatever an earlier run found interesting."""
    clang = first_present(CLANGS)
    if clang is None:
        print("fuzz: skipped, clang is not installed (apt install clang-14 libclang-rt-14-dev)")
        return 0
    command = build(clang, out / "fuzz_rpeak", ("fuzz_rpeak.c",), ["-fsanitize=fuzzer", *flags])
    seeds_n = seeds.write(out / "seeds")
    (out / "corpus").mkdir(exist_ok=True)
    print(f"fuzz: {seconds} s from {seeds_n} seeds; corpus and findings in {out}", flush=True)
    limits = [f"-max_total_time={seconds}", "-max_len=512", "-timeout=10", "-print_final_stats=1", "-verbosity=0"]
    places = [f"-artifact_prefix={out}/", str(out / "corpus"), str(out / "seeds")]
    code = subprocess.run([*command, *limits, *places], check=False).returncode
    print("fuzz: no finding" if code == 0 else "fuzz: a finding; repeat it: python native/fuzz/run.py replay FILE")
    return code


def hammer(out: Path, flags: list[str], samples: float, seed: int, first_run: int) -> int:
    """Push random and adversarial samples at every rate."""
    command = build(any_compiler(), out / "hammer", ("hammer.c",), flags)
    return subprocess.run([*command, f"{samples:.0f}", str(seed), str(first_run)], check=False).returncode


def replay(out: Path, flags: list[str], arguments: list[str]) -> int:
    """Run the fuzz target without libFuzzer."""
    command = build(any_compiler(), out / "replay", ("fuzz_rpeak.c", "replay.c"), flags)
    return subprocess.run([*command, *arguments], check=False).returncode


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, help="folder for programs, corpus and findings")
    parser.add_argument("--flag", action="append", default=[], help="one more compiler flag, as in --flag=-O1")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("fuzz")
    one.add_argument("--seconds", type=int, default=600)
    one = commands.add_parser("hammer")
    one.add_argument("--samples", type=float, default=1e9)
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--first-run", type=int, default=0)
    one = commands.add_parser("random")
    one.add_argument("--runs", type=int, default=10000)
    one.add_argument("--seed", type=int, default=1)
    one = commands.add_parser("replay")
    one.add_argument("files", nargs="+")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    if given.command == "fuzz":
        return fuzz(given.out, given.flag, given.seconds)
    if given.command == "hammer":
        return hammer(given.out, given.flag, given.samples, given.seed, given.first_run)
    return replay(
        given.out, given.flag, ["-r", str(given.runs), str(given.seed)] if given.command == "random" else given.files
    )


if __name__ == "__main__":
    sys.exit(main())
