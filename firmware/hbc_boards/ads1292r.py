# The ADS1292R, a two-channel 24-bit converter for ECG, over SPI. It samples by its own clock and says when: DRDY falls.
#
# Registers, commands and times: Texas Instruments data sheet SBAS502C (ADS1291, ADS1292, ADS1292R), whose sections are
# named below. Never run on a real chip yet. Channel 2 carries the ECG: channel 1 is where the respiration circuit sits,
# and boards that use it bring the arms to channel 2. Channel 1 is switched off.
#
# It is a converter without a high-pass: electrodes alone may differ by 300 mV, hundreds of ECGs. So the offset is
# followed and taken off here, in 24 bits, before a sample is rounded to the 16 bits of the stream.
# ruff: noqa: F821  (ptr8 is a word of the viper compiler)

from array import array
from time import sleep_us

import micropython
from hbc_wire.messages import LEAD_LA_OFF, LEAD_RA_OFF
from micropython import const

# "SPI Command Definitions", Table 15
RESET = const(0x06)
START = const(0x08)
RDATAC = const(0x10)
SDATAC = const(0x11)
RREG = const(0x20)
WREG = const(0x40)
# "Register Maps", Table 16
ID = const(0x00)
CONFIG1 = const(0x01)
RESP1 = const(0x09)
REGISTERS_N = const(0x0C)
# "ID: ID Control Register"
ID_ADS1292R = const(0x73)
# "CONFIG1": DR[2:0], samples a second, and by how much slower (see HIGH_PASS_SHIFT) the offset is followed
DR_125_HZ = const(0)
DR_250_HZ = const(1)
DR_500_HZ = const(2)
DR_1000_HZ = const(3)
# "CONFIG2": bit 7 is 1, PDB_LOFF_COMP, PDB_REFBUF; reference 2.42 V
CONFIG2_VALUE = const(0x80 | 0x40 | 0x20)
# "LOFF": bit 4 is 1; comparators at 95 and 5 %, 6 nA, direct current
LOFF_VALUE = const(0x10)
# "CH1SET": PD1 and inputs shorted. "CH2SET": gain 6, electrodes
CH1SET_VALUE = const(0x81)
CH2SET_VALUE = const(0x00)
# "RLD_SENS": PDB_RLD, RLD2N, RLD2P
RLD_SENS_VALUE = const(0x20 | 0x08 | 0x04)
# "LOFF_SENS": LOFF2N, LOFF2P
LOFF_SENS_VALUE = const(0x08 | 0x04)
# "RESP1": bit 1 is 1, respiration off. "RESP2": RLDREF_INT, bit 0 is 1
RESP1_VALUE = const(0x02)
RESP2_VALUE = const(0x03)
# "Data Format" and "Data Retrieval": 24 status bits, 1100 LOFF_STAT[4:0] GPIO[1:0] and 13 zeros, then 24 bits a channel
FRAME_N = const(9)
SYNC_MASK = const(0xF0)
SYNC = const(0xC0)
IN2N_OFF = const(0x04)  # of the first byte
IN2P_OFF = const(0x02)
CODE_TOP = const(0xFFFFFF)  # of 24 bits from the lower end of the range upwards
GAIN = const(6)
LSB_PV = const(288487)  # 2.42 V / (2^23 - 1), at the converter, behind the gain
# "Timing Requirements": the longest tCLK is 2170 ns
DECODE_US = const(10)  # tSDECODE, 4 tCLK, after each byte of a command; tSCCS (3) and tCSH (2) are shorter
RESET_US = const(100)  # "RESET": 9 cycles of the modulator, 4 tCLK each
PIN_RESET_US = const(1000)
POWER_UP_US = const(40000)  # 2^12 cycles of the modulator; also where only a reset was needed
BAUD = const(2000000)  # tSCLK is at least 50 ns

# Ours: what becomes of 24 bits
SCALE_SHIFT = const(4)  # 16 of the converter's steps are one count of the stream
HIGH_PASS_SHIFT = const(8)  # at 500 Hz: 256 samples, a corner of 0.31 Hz
OFFSET_Q = const(6)
RAIL_LSB = const(32000)  # at or beyond this a sample is saturated
RAIL_CODE = const(16)  # and so close to the ends of the converter
JUMP_N = const(25)  # so many saturated samples in a row are a new offset, as after an electrode came back; not a pulse
RATES = ((125, DR_125_HZ), (250, DR_250_HZ), (500, DR_500_HZ), (1000, DR_1000_HZ))
SILENT = b"ADS1292R does not answer: no samples. Check wiring and supply"
OTHER_CHIP = b"no ADS1292R at the SPI pins: another chip answers. No samples"
NOT_KEPT = b"ADS1292R does not keep its settings: no samples. Check wiring"


class Ads1292r:
    """One converter. read() fetches the newest conversion; value_lsb and leads are what it held.

    spi: mode 1 (polarity 0, phase 1), most significant bit first, at most 20 MHz. cs, reset: output pins.
    """

    def __init__(self, spi, cs, reset, rate_hz):
        rates = [bits for rate, bits in RATES if rate == rate_hz]
        if not rates:
            raise ValueError("the ADS1292R samples at 125, 250, 500 or 1000 Hz here, not at %d Hz" % rate_hz)
        self._readinto = spi.readinto
        self._write_readinto = spi.write_readinto
        self._cs = cs
        self._frame = bytearray(FRAME_N)
        self._out = bytearray(1)
        self._in = bytearray(1)
        self._seen = bytearray(REGISTERS_N)
        first = (rates[0], CONFIG2_VALUE, LOFF_VALUE, CH1SET_VALUE, CH2SET_VALUE, RLD_SENS_VALUE, LOFF_SENS_VALUE)
        self._first = bytes(first)
        self._resp = bytes((RESP1_VALUE, RESP2_VALUE))
        # Of a sample rate other than 500 Hz the corner stays where it is.
        self._shift = HIGH_PASS_SHIFT + rates[0] - DR_500_HZ
        self._offset = array("I", [0, 0])  # followed offset, in 1/64 of a step from the lower end; samples railed
        self._settled = False
        self.value_lsb = 0
        self.leads = 0
        self.fault = b""
        reset.value(0)
        sleep_us(PIN_RESET_US)
        reset.value(1)
        sleep_us(POWER_UP_US)
        self.start()

    def start(self):
        """Reset, configure, begin to convert; return what is wrong, in words, or b"". Takes 2 ms, no memory."""
        self._settled = False
        self._command(SDATAC)  # after a reset it sends data, and takes no other command
        self._command(RESET)
        sleep_us(RESET_US)
        self._command(SDATAC)
        self._write(CONFIG1, self._first)
        self._write(RESP1, self._resp)
        self._read_registers()
        self.fault = self._judged()
        if not self.fault:
            self._command(START)
            self._command(RDATAC)
        return self.fault

    def _judged(self):
        seen = self._seen
        if seen[ID] != ID_ADS1292R:
            return SILENT if seen[ID] == 0 or seen[ID] == 0xFF else OTHER_CHIP
        for i in range(len(self._first)):
            if seen[CONFIG1 + i] != self._first[i]:
                return NOT_KEPT
        for i in range(len(self._resp)):
            if seen[RESP1 + i] != self._resp[i]:
                return NOT_KEPT
        return b""

    def _byte(self, value):
        # Byte by byte with a pause: the chip takes four of its clocks to decode each one.
        self._out[0] = value
        self._write_readinto(self._out, self._in)
        sleep_us(DECODE_US)
        return self._in[0]

    def _select(self):
        # High for a moment, then low until the next time: the interface begins anew, whatever a disturbance left.
        self._cs.value(1)
        sleep_us(DECODE_US)
        self._cs.value(0)

    def _command(self, value):
        self._select()
        self._byte(value)

    def _write(self, first, values):
        self._select()
        self._byte(WREG | first)
        self._byte(len(values) - 1)
        for i in range(len(values)):
            self._byte(values[i])

    def _read_registers(self):
        self._select()
        self._byte(RREG | ID)
        self._byte(REGISTERS_N - 1)
        for i in range(REGISTERS_N):
            self._seen[i] = self._byte(0)

    @micropython.native
    def read(self):
        """Fetch the newest conversion; False when what came was no frame: then value_lsb and leads stay."""
        cs = self._cs
        cs.value(1)
        sleep_us(DECODE_US)
        cs.value(0)
        frame = self._frame
        self._readinto(frame)  # zeros go out meanwhile: no command
        status = frame[0]
        if status & SYNC_MASK != SYNC or frame[2]:
            return False
        if not self._settled:
            self._settled = True
            _begin(frame, self._offset)
        self.value_lsb = _scaled(frame, self._offset, self._shift)
        self.leads = (LEAD_LA_OFF if status & IN2P_OFF else 0) | (LEAD_RA_OFF if status & IN2N_OFF else 0)
        return True


@micropython.viper
def _begin(frame: ptr8, offset: ptr32):
    """Take the first sample's value for the offset."""
    offset[0] = (((int(frame[6]) ^ 0x80) << 16) | (int(frame[7]) << 8) | int(frame[8])) << OFFSET_Q
    offset[1] = 0


@micropython.viper
def _scaled(frame: ptr8, offset: ptr32, shift: int) -> int:
    """Channel 2 without its offset, rounded to counts; nothing here leaves 31 bits.

    Everything is counted from the lower end of the range, 0..2^24-1, so that no sign is lost in a 32-bit word.
    """
    code = ((int(frame[6]) ^ 0x80) << 16) | (int(frame[7]) << 8) | int(frame[8])
    followed = int(offset[0])
    followed = followed + (((code << OFFSET_Q) - followed) >> shift)
    offset[0] = followed
    value = (code - (followed >> OFFSET_Q) + (1 << (SCALE_SHIFT - 1))) >> SCALE_SHIFT
    if code >= CODE_TOP - RAIL_CODE:
        value = 0x7FFF
    if code <= RAIL_CODE:
        value = 0 - 0x7FFF
    if value > 0x7FFF:
        value = 0x7FFF
    if value < 0 - 0x7FFF:
        value = 0 - 0x7FFF
    if value > 0 - RAIL_LSB and value < RAIL_LSB:
        offset[1] = 0
    else:
        railed_n = int(offset[1]) + 1
        if railed_n >= JUMP_N:
            offset[0] = code << OFFSET_Q
            railed_n = 0
        offset[1] = railed_n
    return value
