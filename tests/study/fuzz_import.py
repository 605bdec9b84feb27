"""Coverage-guided fuzzing of the importers: no file, however damaged, may crash one, hang it, or take all memory.

    python tests/study/fuzz_import.py edf|bdf|xdf|wfdb|openbci|polar|rr|csv|folder [--seconds 600] [--corpus DIR]

Needs atheris (`pip install atheris`). Seeds are small good files. A finding stops the run, is written to the corpus
folder as ``crash-*`` and goes to ``tests/data/fuzz_import/TARGET``, which every test run replays. The properties are
those of ``tests/support_import_fuzz.py``; the limit of memory is that of ``hbc_host.io.limits``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script: the tests' own helpers
import atheris

with atheris.instrument_imports(include=["hbc_host.io", "edfio", "pyxdf"]):
    import edfio  # noqa: F401
    import pyxdf  # noqa: F401
    from hbc_host.io.limits import MEMORY_MAX_MB
    from support_import_fuzz import TARGETS, check, seeds

SHM = Path("/dev/shm")
PLACE = SHM if SHM.is_dir() else None
INPUT_MAX_BYTES = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--corpus", type=Path)
    options = parser.parse_args()
    corpus = options.corpus or Path(tempfile.mkdtemp(prefix="hbc-fuzz-corpus-"))
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(options.target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = [
        f"-max_total_time={options.seconds}",
        f"-max_len={INPUT_MAX_BYTES}",
        f"-rss_limit_mb={MEMORY_MAX_MB}",
        "-timeout=25",
    ]
    words = [sys.argv[0], *limits, f"-artifact_prefix={corpus}/", str(corpus)]
    atheris.Setup(words, lambda data: check(options.target, data, PLACE) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
