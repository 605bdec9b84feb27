"""No intermediate leaves int32: warnings, sanitizers and asserted bounds, at every rate from 100 to 1000 Hz."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1] / "native"


@pytest.fixture(scope="module")
def gcc() -> str:
    found = shutil.which("gcc")
    assert found, "gcc is not installed; the detector cannot be built without it"
    return found


def test_compiles_without_a_warning(gcc: str, tmp_path: Path) -> None:
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Werror"]
    flags = ["-std=c99", "-pedantic", "-O2", *warnings, "-c"]
    source = NATIVE / "src" / "hbc_rpeak.c"
    subprocess.run([gcc, *flags, f"-I{NATIVE / 'include'}", str(source), "-o", str(tmp_path / "a.o")], check=True)


def test_calls_nothing_outside(gcc: str, tmp_path: Path) -> None:
    """No malloc, no float helper, no libc: the object has no undefined symbol but what a compiler may insert."""
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("nm is not installed (binutils)")
    source, built = NATIVE / "src" / "hbc_rpeak.c", tmp_path / "a.o"
    flags = ["-std=c99", "-O2", "-fno-stack-protector", f"-I{NATIVE / 'include'}", "-c"]
    subprocess.run([gcc, *flags, str(source), "-o", str(built)], check=True)
    listed = subprocess.run([nm, str(built)], capture_output=True, text=True, check=True).stdout.splitlines()
    undefined = {line.split()[-1] for line in listed if line.split()[-2] == "U"}
    globals_kept = [line for line in listed if line.split()[-2] in "bBdDC"]
    assert undefined <= {"memset", "memcpy", "_GLOBAL_OFFSET_TABLE_"}
    assert globals_kept == []


def test_adversarial_input_at_every_rate_meets_no_sanitizer(gcc: str, tmp_path: Path) -> None:
    harness = tmp_path / "harness"
    sanitizers = ["-fsanitize=undefined,address", "-fno-sanitize-recover=all"]
    flags = ["-std=c99", "-O1", "-g", "-DHBC_RPEAK_CHECK", *sanitizers]
    subprocess.run(
        [gcc, *flags, f"-I{NATIVE / 'include'}", str(HERE / "bounds_harness.c"), "-o", str(harness)], check=True
    )
    done = subprocess.run([str(harness)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout)
    samples_n = int(done.stdout.split()[0])
    assert samples_n > 10_000_000
    assert "smooth_sum 786432," in done.stdout  # 6 * 2^17: the derived bound is reached, so it is tested
