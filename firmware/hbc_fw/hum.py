# How much mains hum is in the ECG, in converter counts, for a technician who lays cables.
#
# A block of 25 samples at 500 Hz holds three periods of 60 Hz, its first 20 samples two of 50 Hz: over whole periods a
# sine and a cosine sum to zero against anything constant. What moves with the heart adds to some blocks and takes from
# others, so the block that counts is the one a third up from the calmest of the second (tests/firmware/test_hum.py).
# ruff: noqa: F821  (ptr16 is a word of the viper compiler)

from array import array
from math import cos, pi, sin

import micropython
from micropython import const

HUMS = const(2)
SAMPLES_50_N = const(20)
SAMPLES_60_N = const(25)
Q = const(10)
BLOCKS_MAX_N = const(40)  # of two seconds, should a report come late


class HumMeter:
    """Amplitude of 50 or 60 Hz, whichever is larger, since take()."""

    def __init__(self, rate_hz):
        if rate_hz != 500:
            raise ValueError("hum is measured at 500 Hz, the rate is %d Hz" % rate_hz)
        self._tables = array("h")
        for hum_hz, n in ((50, SAMPLES_50_N), (60, SAMPLES_60_N)):
            turns = [2 * pi * hum_hz * i / rate_hz for i in range(n)]
            self._tables.extend(array("h", [round(cos(turn) * (1 << Q)) for turn in turns]))
            self._tables.extend(array("h", [round(sin(turn) * (1 << Q)) for turn in turns]))
        self._lsb = array("h", [0] * BLOCKS_MAX_N)  # of the blocks so far, sorted
        self._blocks_n = 0

    def push(self, ecg_lsb):
        """One block of 25 samples."""
        if self._blocks_n < BLOCKS_MAX_N:
            _sort_in(self._lsb, self._blocks_n, _amplitude(ecg_lsb, self._tables))
            self._blocks_n += 1

    def take(self):
        """The amplitude since the last call, 0 when there was no block."""
        n = self._blocks_n
        self._blocks_n = 0
        return self._lsb[n // 3] if n else 0


@micropython.viper
def _sort_in(values: ptr16, n: int, value: int):
    while n > 0 and int(values[n - 1]) > value:
        values[n] = int(values[n - 1])
        n -= 1
    values[n] = value


@micropython.viper
def _amplitude(ecg_lsb: ptr16, tables: ptr16) -> int:
    largest = 0
    at = 0
    hum = 0
    while hum < HUMS:
        n = SAMPLES_50_N if hum == 0 else SAMPLES_60_N
        in_phase = 0
        quadrature = 0
        for i in range(n):
            value = (int(ecg_lsb[i]) ^ 0x8000) - 0x8000  # |value| < 2^15, the table adds up to 2^14: below 2^29
            in_phase += value * ((int(tables[at + i]) ^ 0x8000) - 0x8000)
            quadrature += value * ((int(tables[at + n + i]) ^ 0x8000) - 0x8000)
        if in_phase < 0:
            in_phase = 0 - in_phase
        if quadrature < 0:
            quadrature = 0 - quadrature
        # Length of the vector within 7 %: the longer part and three eighths of the shorter.
        if in_phase < quadrature:
            length = quadrature + ((in_phase * 3) >> 3)
        else:
            length = in_phase + ((quadrature * 3) >> 3)
        length = (length >> (Q - 1)) // n
        if length > largest:
            largest = length
        at += n + n
        hum += 1
    return largest
