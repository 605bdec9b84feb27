"""The twin's code with the integers of the ESP32: 32 bits that wrap, and no call carries what would be a heap object.

MicroPython for a PC has 64 bits, so it shows neither.  Here the same file runs under CPython; viper's pointers are
replaced by views of memory that yield 32-bit integers, and every argument and result of a viper function is watched.
"""

import functools
import re
import types
from array import array
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rpeak_cases as cases
from hbc_native import RPeakDetector
from twin_pair import BLOCK_N, FILTER_TWIN, TWIN, Case

SMALL_MAX = 2**30 - 1  # of MicroPython with 32-bit words; -2^30 is small too


class Int32(int):
    """An integer register of the ESP32: every result wraps."""


def wrapped(value: int) -> Int32:
    return Int32(((value + 2**31) & 0xFFFFFFFF) - 2**31)


def _with_wrapping(name: str) -> None:
    plain, reflected = getattr(int, f"__{name}__"), getattr(int, f"__r{name}__")
    setattr(Int32, f"__{name}__", lambda a, b: wrapped(plain(a, b)))
    setattr(Int32, f"__r{name}__", lambda a, b: wrapped(reflected(a, b)))


for _name in ("add", "sub", "mul", "floordiv", "rshift", "lshift", "and", "or", "xor"):
    _with_wrapping(_name)


class Pointer:
    """ptr8, ptr16 or ptr32 of viper on the ESP32."""

    def __init__(self, buffer: Any, code: str) -> None:
        self.view = memoryview(buffer).cast("B").cast(code)
        self.mask = (1 << 8 * self.view.itemsize) - 1

    def __getitem__(self, at: int) -> Int32:
        return wrapped(self.view[at])

    def __setitem__(self, at: int, value: int) -> None:
        self.view[at] = int(value) & self.mask


class Watch:
    """Stands for the module ``micropython``; notes the largest integer that crosses a call, and what each returned."""

    def __init__(self) -> None:
        self.largest = 0
        self.returned: dict[str, set[Any]] = defaultdict(set)

    def viper(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def watched(*args: Any) -> Any:
            result = function(*args)
            self.returned[function.__name__].add(result)
            self.largest = max(self.largest, *(abs(value) for value in (*args, result or 0) if isinstance(value, int)))
            return result

        return watched


def module_on_32_bits(path: Path, watch: Watch, given: dict[str, Any]) -> dict[str, Any]:
    """A module of the twin as a dictionary of its names; what it imports from the other is given."""
    stub = types.ModuleType("micropython")
    stub.const, stub.viper = int, watch.viper  # type: ignore[attr-defined]
    source = path.read_text(encoding="utf-8").replace("from micropython import const", "const = int")
    source = re.sub(r"^(import micropython|from hbc_fw\..*)$", "", source, flags=re.MULTILINE)
    names: dict[str, Any] = {**given, "__name__": path.stem, "micropython": stub, "int": lambda value: value}
    names.update(
        (f"ptr{bits}", functools.partial(Pointer, code=code)) for bits, code in ((8, "B"), (16, "H"), (32, "I"))
    )
    exec(compile(source, str(path), "exec", dont_inherit=True), names)  # our own file, not input
    return names


def twin_on_32_bits(watch: Watch) -> dict[str, Any]:
    """The names of the detector's module; of the filter's it has the functions."""
    of_filter = module_on_32_bits(FILTER_TWIN, watch, {})
    given = {name: value for name, value in of_filter.items() if name.startswith("artefact_")}
    return module_on_32_bits(TWIN, watch, given)


def loudest_case(rate_hz: int) -> Case:
    """What reaches furthest: rail squares that fill both bands, then ECG in noise, then rails again, with gaps.

    From 7 s on, after the squares, a pulse comes ten times a second.
    """
    rng = np.random.default_rng(rate_hz)
    ecg, _ = cases.synthetic_ecg(cases.regular_beats(8.0, 0.7), rate_hz, height_lsb=20000.0)
    parts = [
        cases.random_square_wave(3 * rate_hz, rng),
        *(cases.square_wave(rate_hz, max(1, half_n)) for half_n in (1, rate_hz // 70, rate_hz // 40, rate_hz // 20)),
        cases.to_int16(ecg + rng.normal(0, 500, len(ecg))),
        cases.random_square_wave(2 * rate_hz, rng),
        cases.to_int16(rng.normal(0, 20000, 2 * rate_hz)),
    ]
    samples = np.concatenate(parts)
    mask = cases.random_mask(len(samples), rng, 20, kinds=(2,))
    pulse = np.arange(len(samples)) % (rate_hz // 10) < rate_hz // 80 + 1
    pulse[: 7 * rate_hz] = False
    mask[pulse] = 1
    return Case(rate_hz, samples, mask)


@pytest.mark.parametrize("rate_hz", [239, 500])
def test_32_bit_integers_give_the_same_and_no_call_carries_a_large_one(rate_hz: int) -> None:
    """Both counters start just below 2^31, so that they change sign on the way."""
    case, watch = loudest_case(rate_hz), Watch()
    names = twin_on_32_bits(watch)
    twin, detector = names["RPeakDetector"](rate_hz), RPeakDetector(rate_hz)
    for counter in ("samples_n", "steps_n"):
        twin._state[names[f"_{counter.upper()}"]] = 2**31 - 1000
        setattr(detector._state, counter, 2**31 - 1000)
    peaks = []
    for start in range(0, len(case.samples_lsb), BLOCK_N):
        block = array("h", case.samples_lsb[start : start + BLOCK_N].tobytes())
        for at in range(twin.push_block(block, bytearray(case.mask[start : start + BLOCK_N]), len(block))):
            peaks.append(
                (twin.peak_idx[at] & 0xFFFFFFFF, twin.peak_frac_q8[at], twin.peak_quality[at], twin.peak_polarity[at])
            )
    assert peaks == detector.push(case.samples_lsb, case.mask).tolist()
    np.testing.assert_array_equal(np.array(twin._state, np.int32), detector.state_words())
    assert len(peaks) > 12
    assert 2**23 < watch.largest <= SMALL_MAX
    assert min(watch.returned["_shape_part"]) < 0 < max(watch.returned["_shape_part"])
