"""Coverage-guided fuzzing of what reads untrusted bytes: the deframer, the unpacker, the loading of a session.

    make fuzz-host                    (FUZZ_S seconds a target, 600 when not given; needs: pip install atheris)
    python tests/study/fuzz_host.py deframe|unpack|frames|log [--seconds 600] [--corpus DIR]

Seeds are made from a healthy box's stream. A finding stops the run, is written to the corpus folder as ``crash-*`` and
becomes a regression test. The properties are those of ``tests/support_fuzz.py``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script: the tests' own helpers
import atheris

with atheris.instrument_imports(include=["hbc_host", "hbc_wire"]):
    from hbc_host.protocol import new_deframer
    from hbc_host.recorder import FILE_HEADER, FILE_MAGIC, FROM_BOX, TO_BOX
    from support import box_frames, stream_of
    from support_fuzz import check_deframe, check_session, check_unpack, chunk, log_of

STREAM = stream_of(box_frames(1.5))
SHM = Path("/dev/shm")
PLACE = SHM if SHM.is_dir() else None


def seeds(target: str) -> list[bytes]:
    """A few inputs to begin with."""
    if target == "deframe":
        return [STREAM[at : at + 600] for at in range(0, 3000, 600)]
    if target == "unpack":
        return list({payload[0]: payload for payload in new_deframer().feed(STREAM)}.values())
    if target == "frames":
        return [b"\x01" + bytes(range(200)), b"\x01" + bytes(60)]
    head = FILE_HEADER.pack(FILE_MAGIC, 1)
    log = head + chunk(FROM_BOX, 1.0, STREAM[:2000]) + chunk(TO_BOX, 1.5, b"x") + chunk(FROM_BOX, 2.0, STREAM[2000:])
    return [log, head + chunk(2, 1.0, b'{"event": "lost"}') + chunk(FROM_BOX, 2.0, STREAM)]


TARGETS: dict[str, Callable[[bytes], object]] = {
    "deframe": check_deframe,
    "unpack": check_unpack,
    "frames": lambda data: check_session(log_of(data), PLACE),
    "log": lambda data: check_session(data, PLACE),
}


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
    check = TARGETS[options.target]
    limits = [f"-max_total_time={options.seconds}", "-max_len=4096", "-rss_limit_mb=2048", "-timeout=25"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={corpus}/", str(corpus)], lambda data: check(data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
