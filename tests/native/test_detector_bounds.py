"""No intermediate leaves int32: warnings, sanitizers and asserted bounds, at every rate from 100 to 1000 Hz.

The long runs are `make hammer` (10^9 samples) and `make fuzz` (10 minutes); a share of both is here.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1] / "native"
RUN = NATIVE / "fuzz" / "run.py"
CLANGS = ("clang", *(f"clang-{version}" for version in range(22, 10, -1)))
HAMMER_SEED = 20
PLAIN = ("--flag=-fno-sanitize=all", "--flag=-O0")  # compiles fast; hammer and fuzzer have the sanitizers
FILTER = {"hbc_artefact_init", "hbc_artefact_push", "hbc_artefact_rest"}


@pytest.fixture(scope="module")
def gcc() -> str:
    found = shutil.which("gcc")
    assert found, "gcc is not installed; the detector cannot be built without it"
    return found


def compiler_of(names: tuple[str, ...]) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed")
    return found


@pytest.mark.parametrize("names", [("gcc",), CLANGS], ids=["gcc", "clang"])
@pytest.mark.parametrize("how", ["-O2", "-Os", "-O0 -DHBC_RPEAK_BATCH"])
def test_compiles_without_a_warning(names: tuple[str, ...], how: str, tmp_path: Path) -> None:
    """As a device builds it, and as a host does; hammer and fuzzer warn about the host's at -O2."""
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wdouble-promotion", "-Wstrict-prototypes", "-Werror"]
    flags = ["-std=c99", "-pedantic", *how.split(), *warnings, f"-I{NATIVE / 'include'}", "-c"]
    for source in (NATIVE / "src").glob("*.c"):
        subprocess.run([compiler_of(names), *flags, str(source), "-o", str(tmp_path / "a.o")], check=True)


@pytest.mark.parametrize(("name", "may_call"), [("hbc_artefact", set()), ("hbc_rpeak", FILTER)])
def test_calls_nothing_outside(gcc: str, name: str, may_call: set[str], tmp_path: Path) -> None:
    """No malloc, no float helper, no libc: no undefined symbol but the filter and what a compiler may insert."""
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("nm is not installed (binutils)")
    source, built = NATIVE / "src" / f"{name}.c", tmp_path / "a.o"
    flags = ["-std=c99", "-O2", "-fno-stack-protector", f"-I{NATIVE / 'include'}", "-c"]
    subprocess.run([gcc, *flags, str(source), "-o", str(built)], check=True)
    listed = subprocess.run([nm, str(built)], capture_output=True, text=True, check=True).stdout.splitlines()
    undefined = {line.split()[-1] for line in listed if line.split()[-2] == "U"}
    globals_kept = [line for line in listed if line.split()[-2] in "bBdDC"]
    assert undefined <= {"memset", "memcpy", "_GLOBAL_OFFSET_TABLE_", *may_call}
    assert globals_kept == []


def test_adversarial_input_meets_no_sanitizer(gcc: str, tmp_path: Path) -> None:
    harness = tmp_path / "harness"
    sanitizers = ["-fsanitize=undefined,address", "-fno-sanitize-recover=all"]
    flags = ["-std=c99", "-O1", "-g", "-DHBC_RPEAK_CHECK", *sanitizers]
    sources = [str(HERE / "bounds_harness.c"), str(NATIVE / "src" / "hbc_artefact.c")]
    subprocess.run([gcc, *flags, f"-I{NATIVE / 'include'}", *sources, "-o", str(harness)], check=True)
    done = subprocess.run([str(harness)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout)
    samples_n, held_n = (int(done.stdout.split()[i]) for i in (0, 4))
    assert samples_n > 4_000_000
    assert held_n > 500_000
    assert "smooth_sum 786432," in done.stdout  # 6 * 2^17: the derived bound is reached, so it is tested


def run_native_fuzz(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """native/fuzz/run.py with its programs in a folder of ours."""
    return subprocess.run(
        [sys.executable, str(RUN), f"--out={out}", *arguments], capture_output=True, text=True, timeout=900, check=False
    )


@pytest.mark.usefixtures("gcc")
def test_the_hammer_breaks_nothing(tmp_path: Path) -> None:
    done = run_native_fuzz(tmp_path, "hammer", "--samples=1.5e7", f"--seed={HAMMER_SEED}")
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-2000:]
    samples_n, runs_n = (int(done.stdout.split()[i]) for i in (0, 3))
    assert samples_n >= 15_000_000
    assert runs_n > 901  # every rate


@pytest.mark.usefixtures("gcc")
def test_the_hammer_sees_a_late_peak_and_says_how_to_repeat_it(tmp_path: Path) -> None:
    strict = "--flag=-DRULES_LATENCY_MS=150"  # no detector of this latency exists: every usual beat breaks it
    done = run_native_fuzz(tmp_path, strict, *PLAIN, "hammer", "--samples=1e6", f"--seed={HAMMER_SEED}")
    assert done.returncode != 0
    assert "broken promise: latency of a usual beat" in done.stderr
    how = next(line.split("hammer ")[1].split() for line in done.stderr.splitlines() if "repeat: hammer" in line)
    again = subprocess.run([str(tmp_path / "hammer"), *how], capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode != 0
    assert again.stderr.splitlines()[0] == next(line for line in done.stderr.splitlines() if "broken" in line)


@pytest.mark.usefixtures("gcc")
def test_the_fuzz_target_survives_random_inputs(tmp_path: Path) -> None:
    done = run_native_fuzz(tmp_path, *PLAIN, "random", "--runs=500", "--seed=5")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "500 random inputs" in done.stdout


def test_the_fuzzer_starts_from_its_seeds(tmp_path: Path) -> None:
    compiler_of(CLANGS)
    done = run_native_fuzz(tmp_path, "fuzz", "--seconds=2")
    if "cannot find" in done.stderr and "clang_rt" in done.stderr:
        pytest.skip("clang is there, its sanitizer runtime is not: apt install libclang-rt-14-dev")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "fuzz: no finding" in done.stdout
    executed = next(line for line in done.stderr.splitlines() if "number_of_executed_units" in line)
    assert int(executed.split()[-1]) > len(list((tmp_path / "seeds").iterdir())) > 100
