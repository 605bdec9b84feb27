"""What the device twin copies from the C by hand is the same there: words of the state, tuned values, names, order."""

import re

import pytest
from hbc_native._rpeak import ffi, lib
from twin_pair import FILTER_TWIN, FIRMWARE, TWIN

C_FOLDER = FIRMWARE.parent / "native" / "src"
CONSTANT = re.compile(r"^_?(\w+) = const\((-?\d+)\)", re.MULTILINE)
TUNED = re.compile(r"^#define HBC_(TUNE_\w+) \(?(-?\d+)\)?", re.MULTILINE)
C_ENUM = re.compile(r"^    ([A-Z]\w+) = ([^,\n/]+?),?(?: +/\*.*)?$", re.MULTILINE)
C_FUNCTION = re.compile(r"^(?:static )?\w+ (\w+)\([^;]*?\)\n\{", re.MULTILINE | re.DOTALL)
PUBLIC_IN_C = {"init": "hbc_rpeak_init", "push_block": "hbc_rpeak_push_block"}
HALF_WORDS_EACH = {"raw_ring": 2}  # counted in int16, the rest in int32


@pytest.fixture(scope="module")
def twin_source() -> str:
    return TWIN.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def c_source() -> str:
    """The parts in the order in which the compiler sees them."""
    parts = ("tune.h", "threshold.h", "position.h", "near.h", "decision.h", "signal.h")
    files = [*(f"hbc_rpeak_{part}" for part in parts), "hbc_rpeak.c"]
    return "\n".join((C_FOLDER / name).read_text(encoding="utf-8") for name in files)


@pytest.fixture(scope="module")
def filter_twin_source() -> str:
    return FILTER_TWIN.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def filter_c_source() -> str:
    return (C_FOLDER / "hbc_artefact.c").read_text(encoding="utf-8")


def words_of(struct: str) -> dict[str, int]:
    """First word of each field."""
    return {name: field.offset // 4 for name, field in ffi.typeof(struct).fields}


def words_of_the_filter() -> dict[str, int]:
    """The same for hbc_artefact, counted from the start of hbc_rpeak."""
    first = words_of("hbc_rpeak")["artefact"]
    return {name: first + word for name, word in words_of("hbc_artefact").items()}


def test_words_of_the_state_are_those_of_the_c_struct(twin_source: str) -> None:
    _, _, words = twin_source.partition("# Words of the C struct hbc_rpeak.\n")
    words, _, words_of_part = words.partition("# Words of hbc_artefact in it")
    of_twin = {name.lower(): int(value) for name, value in CONSTANT.findall(words)}
    size_n = of_twin.pop("words_n")
    assert of_twin == {name: word * HALF_WORDS_EACH.get(name, 1) for name, word in words_of("hbc_rpeak").items()}
    assert size_n * 4 == ffi.sizeof("hbc_rpeak")
    of_filter = {f"artefact_{name}": word for name, word in words_of_the_filter().items()}
    of_part = {name.lower(): int(value) for name, value in CONSTANT.findall(words_of_part)}
    assert len(of_part) > 3
    assert of_part.items() <= of_filter.items()


def test_words_of_the_filter_are_those_of_the_c_struct(filter_twin_source: str) -> None:
    _, _, words = filter_twin_source.partition("# Words of the C struct hbc_artefact inside hbc_rpeak.\n")
    assert {name.lower(): int(value) for name, value in CONSTANT.findall(words)} == words_of_the_filter()


def test_tuned_values_are_those_of_the_c(twin_source: str, c_source: str) -> None:
    of_twin = {name: int(value) for name, value in CONSTANT.findall(twin_source) if name.startswith("TUNE_")}
    of_c = {name: int(value) for name, value in TUNED.findall(c_source)}
    assert len(of_c) > 10
    assert of_twin == of_c
    unused = [name for name in of_twin if twin_source.count(f"_{name}") < 2]
    assert unused == []


def assert_same_value(name: str, twin: str, c: str) -> None:
    number, _, shift = dict(C_ENUM.findall(c))[name].partition("<<")
    assert int(dict(CONSTANT.findall(twin))[name]) == int(number) << int(shift or 0)


@pytest.mark.parametrize(
    "name", ["STEP_RATE_HZ", "COUNT_MAX_N", "NOISY_Q10", "SHAPE_MAX_N", "SHAPE_KNOWN_N", "FIT_MAX_N", "NEAR_N", "DOWN"]
)
def test_fixed_values_are_those_of_the_c(name: str, twin_source: str, c_source: str) -> None:
    assert_same_value(name, twin_source, c_source)


@pytest.mark.parametrize(
    "name", ["OFFSET_MAX_Q4", "EDGE_SHIFT", "KNOWN_VISITS", "LEARN_SHIFT", "FOLLOW_SHIFT", "VISITS_MAX"]
)
def test_fixed_values_of_the_filter_are_those_of_the_c(
    name: str, filter_twin_source: str, filter_c_source: str
) -> None:
    assert_same_value(name, filter_twin_source, filter_c_source)


@pytest.mark.parametrize("name", ["ECG", "BLANKED", "OFF", "GOOD", "NOISY", "HUM", "SATURATED", "FLAT", "LEAD_OFF"])
def test_public_values_are_those_of_the_header(name: str, twin_source: str) -> None:
    assert int(dict(CONSTANT.findall(twin_source))[name]) == getattr(lib, f"HBC_RPEAK_{name}")


@pytest.mark.parametrize("name", ["ECG", "PULSE", "OFF"])
def test_kinds_of_samples_are_those_of_the_header(name: str, filter_twin_source: str) -> None:
    assert int(dict(CONSTANT.findall(filter_twin_source))[name]) == getattr(lib, f"HBC_ARTEFACT_{name}")


def test_functions_have_the_names_and_the_order_of_the_c(twin_source: str, c_source: str) -> None:
    of_c = C_FUNCTION.findall(c_source)
    of_twin = [PUBLIC_IN_C.get(name, name) for name in re.findall(r"^def _(\w+)", twin_source, re.MULTILINE)]
    assert len(of_twin) > 20
    assert [name for name in of_c if name in of_twin] == of_twin


def test_functions_of_the_filter_have_the_names_of_the_c(filter_twin_source: str, filter_c_source: str) -> None:
    public = [name for name in C_FUNCTION.findall(filter_c_source) if name.startswith("hbc_")]
    of_twin = re.findall(r"^def ([a-z]\w+)", filter_twin_source, re.MULTILINE)
    assert [f"hbc_{name}" for name in of_twin] == public
