"""Coverage-guided fuzzing of what reads untrusted bytes: the deframer, the unpacker, the loading of a session.

    make fuzz-host                    (FUZZ_S seconds a target, 600 when not given; needs: pip install atheris)
    python tests/study/fuzz_host.py deframe|unpack|frames|log [--seconds 600] [--corpus DIR]
    python tests/study/fuzz_host.py deframe|unpack|frames|log --corpus DIR --keep NEW_DIR

Seeds are made from a healthy box's stream, and those that earlier runs found interesting (tests/data/fuzz, which every
test run replays); --keep writes the smallest set of a corpus that still reaches all that it reaches. A finding stops
the run, is written to the corpus folder as ``crash-*`` and becomes a regression test. The properties are those of
``tests/support_fuzz.py``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script: the tests' own helpers
import atheris

with atheris.instrument_imports(include=["hbc_host", "hbc_wire"]):
    from hbc_host.chunks import FROM_BOX, HOST_NOTE, TO_BOX
    from hbc_host.protocol import frame, new_deframer
    from hbc_host.recorder import FILE_HEADER, FILE_MAGIC
    from hbc_wire import messages
    from support import box_frames, stream_of
    from support_fuzz import TARGETS, chunk

STREAM = stream_of(box_frames(1.5))
STREAM_CHUNK = chunk(FROM_BOX, 2.0, stream_of(box_frames(0.3)))
PONG = frame(messages.ClockPong, 7, 9, 1_000_000, 1_000_050)
SHM = Path("/dev/shm")
PLACE = SHM if SHM.is_dir() else None
KEEP_MAX_N = 1024  # bytes of a committed input
KNOWN = Path(__file__).resolve().parents[1] / "data" / "fuzz"


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
    pinged = chunk(TO_BOX, 1.0, frame(messages.ClockPing, 1, 9)) + chunk(FROM_BOX, 1.1, PONG)
    noted = [chunk(HOST_NOTE, 1.0, b'{"event": "%s"}' % event) for event in (b"lost", b"part", b"back", b"rating")]
    return [log, head + STREAM_CHUNK + pinged + b"".join(noted) + STREAM_CHUNK, head + b"".join(noted) + STREAM_CHUNK]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--keep", type=Path)
    options, flags = parser.parse_known_args()
    check = TARGETS[options.target]
    corpus = options.corpus or Path(tempfile.mkdtemp(prefix="hbc-fuzz-corpus-"))
    corpus.mkdir(parents=True, exist_ok=True)
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        flags = ["-merge=1", f"-max_len={KEEP_MAX_N}", str(options.keep), str(corpus)]
    elif not flags:
        for number, seed in enumerate(seeds(options.target)):
            (corpus / f"seed-{number}").write_bytes(seed)
        for known in sorted((KNOWN / options.target).glob("*")):
            (corpus / known.name).write_bytes(known.read_bytes())
        limits = [f"-max_total_time={options.seconds}", "-max_len=4096", "-rss_limit_mb=2048", "-timeout=25"]
        flags = [*limits, f"-artifact_prefix={corpus}/", str(corpus)]
    # For --keep libFuzzer calls its first argument again, with flags of its own behind it.
    again = f"{sys.executable} {Path(__file__).resolve()} {options.target}"
    atheris.Setup([again, *flags], lambda data: check(data, PLACE) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
