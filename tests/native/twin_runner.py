"""Runs inside the real MicroPython: feed a recorded case to the device twin and write what it found.

Usage: micropython twin_runner.py SAMPLES MASK OUT RATE_HZ FIRST_IDX [RAIL_LOW RAIL_HIGH]

SAMPLES  int16 little-endian; MASK one byte a sample (1 = blanked, 2 = an electrode is off).
OUT      per peak: index u32, fraction u8, quality u8, polarity i8; then one byte of signal state per block of 64;
         then the state, 32-bit words.
Prints one line: samples, peaks, samples per second inside push_block (0 for fewer than 16 blocks).
"""

import sys
import time
from array import array

import micropython
from hbc_fw.detector import RPeakDetector

BLOCK_N = 64
TIMED_N = 16
SAMPLES_N_WORD = 24


def run(samples_path, mask_path, out_path, rate_hz, first_idx, rails):
    detector = RPeakDetector(rate_hz)
    detector._state[SAMPLES_N_WORD] = first_idx
    if rails:
        detector.set_rails(*rails)
    samples = array("h", bytes(2 * BLOCK_N))
    mask = bytearray(BLOCK_N)
    record = bytearray(7)
    signal_states = bytearray()
    total_n = peaks_total_n = blocks_n = busy_us = per_s = 0
    with open(samples_path, "rb") as samples_in, open(mask_path, "rb") as mask_in, open(out_path, "wb") as out:
        while True:
            n = samples_in.readinto(samples) // 2
            if n == 0:
                break
            mask_in.readinto(mask)
            started_us = time.ticks_us()
            micropython.heap_lock()
            try:
                peaks_n = detector.push_block(samples, mask, n)
                signal_state = detector.signal_state
            finally:
                micropython.heap_unlock()
            busy_us += time.ticks_diff(time.ticks_us(), started_us)
            blocks_n += 1
            if blocks_n % TIMED_N == 0:  # the fastest row of blocks: other work on this computer does not count
                per_s = max(per_s, TIMED_N * BLOCK_N * 1000000 // max(busy_us, 1))
                busy_us = 0
            total_n += n
            signal_states.append(signal_state)
            for i in range(peaks_n):
                record[0:4] = (detector.peak_idx[i] & 0xFFFFFFFF).to_bytes(4, "little")
                record[4] = detector.peak_frac_q8[i]
                record[5] = detector.peak_quality[i]
                record[6] = detector.peak_polarity[i] & 255
                out.write(record)
            peaks_total_n += peaks_n
        out.write(signal_states)
        out.write(detector._state)
    print(total_n, peaks_total_n, per_s)


run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), [int(word) for word in sys.argv[6:]])
