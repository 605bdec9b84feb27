"""Runs inside the real MicroPython: feed samples to the device twin of hbc_artefact and write what it made of them.

Usage: micropython artefact_runner.py SAMPLES KINDS OUT RATE_HZ FIRST_WORD OUT_WORD SINCE_WORD AWAKE_WORD WORDS_N

SAMPLES  int16 little-endian; KINDS one byte a sample.
...WORD  places in the state of the detector; the filter has words FIRST_WORD..WORDS_N - 1 of it.
OUT      per sample: output int16, held u8; then the words of the filter.
"""

import sys
from array import array

from hbc_fw.artefact import ECG, artefact_init, artefact_push, artefact_rest


def run(samples_path, kinds_path, out_path, rate_hz, first_word, out_word, since_word, awake_word, words_n):
    with open(samples_path, "rb") as samples_in, open(kinds_path, "rb") as kinds_in:
        samples = array("h", samples_in.read())
        kinds = kinds_in.read()
    state = array("i", bytes(4 * words_n))
    artefact_init(state, rate_hz)
    cleaned = array("h", samples)
    held = bytearray(len(kinds))
    for i in range(len(kinds)):
        if kinds[i] == ECG and state[since_word] == state[awake_word]:
            artefact_rest(state, samples, i, 1)
        else:
            held[i] = artefact_push(state, samples[i], kinds[i])
        cleaned[i] = state[out_word]
    with open(out_path, "wb") as out:
        out.write(cleaned)
        out.write(held)
        out.write(state[first_word:])


run(sys.argv[1], sys.argv[2], sys.argv[3], *[int(number) for number in sys.argv[4:]])
