# A block of samples: what travels from the sampler through the detector to the line.

from array import array

from micropython import const

from hbc_fw.devicetime import Instant

BLOCK_N = const(25)


class Block:
    """25 samples with the grid time of the first; instants are first_at + i * period + residual_us[i]."""

    def __init__(self):
        self.first_idx = 0
        self.first_at = Instant()
        self.ecg_lsb = array("h", [0] * BLOCK_N)
        self.residual_us = array("h", [0] * BLOCK_N)
        self.blanked = bytearray(BLOCK_N)
        self.blank_ms = 0
