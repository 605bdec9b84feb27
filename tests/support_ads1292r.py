"""Registers, commands and times of the ADS1292R a second time, with the section of the data sheet that gives each.

Written from Texas Instruments SBAS502C (ADS1291, ADS1292, ADS1292R, April 2020), apart from
``firmware/hbc_boards/ads1292r.py`` on purpose: a slip of the finger in either place makes the two disagree.
"""

from __future__ import annotations

# Constants of hbc_boards/ads1292r.py -> (value, where it comes from).
DRIVER: dict[str, tuple[int, str]] = {
    "RESET": (0b0000_0110, "Table 15, RESET"),
    "START": (0b0000_1000, "Table 15, START"),
    "RDATAC": (0b0001_0000, "Table 15, RDATAC"),
    "SDATAC": (0b0001_0001, "Table 15, SDATAC"),
    "RREG": (0b0010_0000, "Table 15, RREG: 001r rrrr"),
    "WREG": (0b0100_0000, "Table 15, WREG: 010r rrrr"),
    "ID": (0, "Table 16"),
    "CONFIG1": (1, "Table 16"),
    "RESP1": (9, "Table 16"),
    "REGISTERS_N": (12, "Table 16: 00h to 0Bh"),
    "ID_ADS1292R": (0b0111_0011, "ID: REV_ID[7:5] 011 is the ADS1292R, bit 4 high, REV_ID[1:0] 11"),
    "DR_125_HZ": (0b000, "CONFIG1: fMOD / 1024"),
    "DR_250_HZ": (0b001, "CONFIG1: fMOD / 512"),
    "DR_500_HZ": (0b010, "CONFIG1: fMOD / 256"),
    "DR_1000_HZ": (0b011, "CONFIG1: fMOD / 128"),
    "CONFIG2_VALUE": (0b1110_0000, "CONFIG2: bit 7, PDB_LOFF_COMP, PDB_REFBUF, VREF_4V 0"),
    "LOFF_VALUE": (0b0001_0000, "LOFF: COMP_TH 000, bit 4, ILEAD_OFF 00, FLEAD_OFF 0"),
    "CH1SET_VALUE": (0b1000_0001, "CH1SET: PD1, MUX1 0001 input shorted"),
    "CH2SET_VALUE": (0b0000_0000, "CH2SET: GAIN2 000 is 6, MUX2 0000 normal electrode"),
    "RLD_SENS_VALUE": (0b0010_1100, "RLD_SENS: CHOP 00, PDB_RLD, RLD2N, RLD2P"),
    "LOFF_SENS_VALUE": (0b0000_1100, "LOFF_SENS: LOFF2N, LOFF2P"),
    "RESP1_VALUE": (0b0000_0010, "RESP1: bit 1, demodulation and modulation off"),
    "RESP2_VALUE": (0b0000_0011, "RESP2: RLDREF_INT, bit 0"),
    "FRAME_N": ((24 + 2 * 24) // 8, "Data Retrieval: 72 bits"),
    "SYNC_MASK": (0b1111_0000, "Data Retrieval: 1100 first"),
    "SYNC": (0b1100_0000, "Data Retrieval: 1100 first"),
    "IN2N_OFF": (1 << 3 - 1, "Data Retrieval: LOFF_STAT[4:0] after 1100, so [4:1] end the byte; LOFF_STAT bit 3"),
    "IN2P_OFF": (1 << 2 - 1, "the same; LOFF_STAT bit 2"),
    "CODE_TOP": (2**24 - 1, "Data Format: 7FFFFFh at the upper end, counted from 800000h"),
    "GAIN": (6, "CH2SET: GAIN2 000"),
    "LSB_PV": (round(2.42e12 / (2**23 - 1)), "Data Format: VREF / (2^23 - 1); CONFIG2: 2.42 V"),
    "DECODE_US": (10, "Timing Requirements: tSDECODE 4 tCLK, tCLK at most 2170 ns: 8.7 us"),
    "RESET_US": (100, "RESET: 9 fMOD cycles of 4 tCLK: 78 us"),
    "PIN_RESET_US": (1000, "ours: long against any number of clocks"),
    "POWER_UP_US": (40000, "2^12 fMOD cycles of 4 tCLK: 36 ms"),
    "BAUD": (2_000_000, "Timing Requirements: tSCLK at least 50 ns at 2.7 to 3.6 V"),
    "SCALE_SHIFT": (4, "ours"),
    "HIGH_PASS_SHIFT": (8, "ours"),
    "OFFSET_Q": (6, "ours: 24 bits and 6 stay below 2^30"),
    "RAIL_LSB": (32_000, "ours"),
    "RAIL_CODE": (16, "ours"),
    "JUMP_N": (25, "ours"),
}
TCLK_MAX_US = 2.170
