"""Every sample of every record through the C and its device twin: peaks, signal states and memory must be the same.

    python tests/study/twin_all.py FOLDER [FOLDER ...]

The folders hold WFDB records (mitdb, nstdb); channel 0 of each goes through both, as it is and upside down with random
gaps of both kinds.  `make test` does so with three whole records and with two minutes of every other.  Ends with status
1 at the first difference.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "native"))
import rpeak_cases as cases
from twin_pair import Case, assert_same, record_lsb

GAPS_N = 500


def variants(path: Path) -> list[Case]:
    """A record as it is, and harder to bear."""
    rate_hz, samples_lsb = record_lsb(path)
    mask = cases.random_mask(len(samples_lsb), np.random.default_rng(1), GAPS_N, kinds=(1, 2))
    return [Case.unmasked(rate_hz, samples_lsb), Case(rate_hz, -samples_lsb, mask)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--micropython", type=Path, default=Path(sys.executable).parent / "micropython")
    arguments = parser.parse_args()
    samples_n = peaks_n = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(head for records in arguments.folders for head in records.glob("*.hea")):
            for case in variants(path.with_suffix("")):
                try:
                    found = assert_same(Path(folder), str(arguments.micropython), case)
                except AssertionError as error:
                    print(f"{path.stem}: the twin differs from the C\n{error}", file=sys.stderr)
                    return 1
                samples_n += len(case.samples_lsb)
                peaks_n += len(found.peaks)
            print(f"{path.stem}: the same", flush=True)
    if samples_n == 0:
        print(f"no WFDB records (*.hea) in {', '.join(map(str, arguments.folders))}", file=sys.stderr)
        return 2
    print(f"{samples_n} samples, {peaks_n} peaks: the twin and the C agree on every peak and every word")
    return 0


if __name__ == "__main__":
    sys.exit(main())
