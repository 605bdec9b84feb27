"""Runs inside the real MicroPython: feed samples to the device twin of hbc_artefact and write what it made of them.

Usage: micropython artefact_runner.py SAMPLES KINDS OUT RATE_HZ

SAMPLES  int16 little-endian; KINDS one byte a sample.
OUT      per sample: output int16, held u8; then the state, 229 words.
"""

import sys
from array import array

from hbc_fw.artefact import ArtefactFilter


def run(samples_path, kinds_path, out_path, rate_hz):
    with open(samples_path, "rb") as samples_in, open(kinds_path, "rb") as kinds_in:
        samples = array("h", samples_in.read())
        kinds = kinds_in.read()
    artefact_filter = ArtefactFilter(rate_hz)
    cleaned = array("h", samples)
    held = bytearray(len(kinds))
    for i in range(len(kinds)):
        held[i] = artefact_filter.push(samples[i], kinds[i])
        cleaned[i] = artefact_filter.out_lsb
    with open(out_path, "wb") as out:
        out.write(cleaned)
        out.write(held)
        out.write(artefact_filter.state)


run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
