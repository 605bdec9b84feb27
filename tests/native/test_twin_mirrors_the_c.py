"""What the device twin copies from the C by hand is the same there: words of the state, tuned values, names, order."""

import re

import pytest
from hbc_native._rpeak import ffi, lib
from twin_pair import FIRMWARE, TWIN

C_FILE = FIRMWARE.parent / "native" / "src" / "hbc_rpeak.c"
CONSTANT = re.compile(r"^_?(\w+) = const\((-?\d+)\)", re.MULTILINE)
TUNED = re.compile(r"^#define HBC_(TUNE_\w+) \(?(-?\d+)\)?", re.MULTILINE)
C_ENUM = re.compile(r"^    (\w+) = ([^,\n]+?),? +/\*", re.MULTILINE)
C_FUNCTION = re.compile(r"^(?:static )?\w+ (\w+)\([^;]*?\)\n\{", re.MULTILINE | re.DOTALL)
PUBLIC_IN_C = {"init": "hbc_rpeak_init", "push_block": "hbc_rpeak_push_block"}
HALF_WORDS_EACH = {"raw_ring": 2}  # counted in int16, the rest in int32


@pytest.fixture(scope="module")
def twin_source() -> str:
    return TWIN.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def c_source() -> str:
    return C_FILE.read_text(encoding="utf-8")


def test_words_of_the_state_are_those_of_the_c_struct(twin_source: str) -> None:
    _, _, words = twin_source.partition("# Words of the C struct hbc_rpeak.\n")
    of_twin = {name.lower(): int(value) for name, value in CONSTANT.findall(words)}
    size_n = of_twin.pop("words_n")
    of_c = {name: field.offset for name, field in ffi.typeof("hbc_rpeak").fields}
    assert of_twin == {name: offset // 4 * HALF_WORDS_EACH.get(name, 1) for name, offset in of_c.items()}
    assert size_n * 4 == ffi.sizeof("hbc_rpeak")


def test_tuned_values_are_those_of_the_c(twin_source: str, c_source: str) -> None:
    of_twin = {name: int(value) for name, value in CONSTANT.findall(twin_source) if name.startswith("TUNE_")}
    of_c = {name: int(value) for name, value in TUNED.findall(c_source)}
    assert len(of_c) > 10
    assert of_twin == of_c
    unused = [name for name in of_twin if twin_source.count(f"_{name}") < 2]
    assert unused == []


@pytest.mark.parametrize("name", ["STEP_RATE_HZ", "COUNT_MAX_N", "NOISY_Q10", "DOWN"])
def test_fixed_values_are_those_of_the_c(name: str, twin_source: str, c_source: str) -> None:
    text = dict(C_ENUM.findall(c_source))[name]
    number, _, shift = text.partition("<<")
    assert int(dict(CONSTANT.findall(twin_source))[name]) == int(number) << int(shift or 0)


@pytest.mark.parametrize("name", ["ECG", "BLANKED", "OFF", "GOOD", "NOISY", "HUM", "SATURATED", "FLAT", "LEAD_OFF"])
def test_public_values_are_those_of_the_header(name: str, twin_source: str) -> None:
    assert int(dict(CONSTANT.findall(twin_source))[name]) == getattr(lib, f"HBC_RPEAK_{name}")


def test_functions_have_the_names_and_the_order_of_the_c(twin_source: str, c_source: str) -> None:
    of_c = C_FUNCTION.findall(c_source)
    of_twin = [PUBLIC_IN_C.get(name, name) for name in re.findall(r"^def _(\w+)", twin_source, re.MULTILINE)]
    assert len(of_twin) > 20
    assert [name for name in of_c if name in of_twin] == of_twin
