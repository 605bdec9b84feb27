"""What the fuzzer found stays found, and each run tries some damage of its own: see ``tests/study/fuzz_import.py``."""

from __future__ import annotations

from pathlib import Path

import pytest
from support_import_fuzz import TARGETS, check, damaged, seeds

CORPUS = Path(__file__).resolve().parents[1] / "data" / "fuzz_import"
INPUTS = sorted(CORPUS.glob("*/*"))
DAMAGED_N = 8


@pytest.mark.parametrize("target", TARGETS)
def test_a_seed_is_read_and_what_is_made_of_it_is_read_or_refused(target: str) -> None:
    for seed in seeds(target):
        assert check(target, seed)
        read_n = sum(check(target, damaged(seed, number)) for number in range(DAMAGED_N))
        assert read_n < DAMAGED_N  # the damage is real


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_input_of_the_fuzzers_corpus_is_read_or_refused(path: Path) -> None:
    check(path.parent.name, path.read_bytes())


def test_the_corpus_has_inputs_for_every_importer() -> None:
    assert {path.parent.name for path in INPUTS} == set(TARGETS)
    assert sum(path.stat().st_size for path in INPUTS) < 400_000
