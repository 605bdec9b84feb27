# The analogue inputs of ADC1: the front end of the world on one pin, the battery on another.

from array import array

import costs
import micropython
from chip import chip
from vtime import draw, pin_units, state, wake

# Words of what a converter needs to know: readings so far, key of its noise, noise (sixteenths of a count), costs (ns),
# the converter's range against 3.3 V, and a steady voltage instead of the world's.
READ_N, KEY, NOISE, SAMPLE_AT, COST, OVER, UNDER, BATTERY = range(8)


class ADC:
    """12-bit one-shot reads with noise, integral non-linearity and compression near the top of the 11 dB range."""

    ATTN_11DB = 3

    def __init__(self, pin, atten=ATTN_11DB):
        config = chip.config
        if pin.gpio not in chip.layout.adc1:
            raise ValueError("GPIO %d does not belong to ADC1" % pin.gpio)
        if pin.gpio not in (config["ecg_gpio"], config["battery_gpio"]):
            raise ValueError("no analogue wire on GPIO %d" % pin.gpio)
        battery = pin.gpio == config["battery_gpio"]
        over, under = (1, 1) if battery else config["ecg_divider"]  # resistors between amplifier and pin
        self._words = array("I", [0] * 8)
        words = self._words
        words[KEY] = draw(chip.key, 0xADC)
        words[NOISE] = config["adc_noise_lsb"] * 16
        words[SAMPLE_AT] = costs.ADC_SAMPLE_AT
        words[COST] = costs.ADC_READ
        words[OVER], words[UNDER] = over * 3300, under * chip.layout.adc_full_mv
        # Two equal resistors, in 62.5 / 16 uV. A box whose ECG comes by SPI has nothing on the other pin.
        words[BATTERY] = config["battery_mv"] * 128 if battery else 1 if config["ads"] else 0
        self._curve = bytearray([128 + _inl_lsb_q4(16 * i) for i in range(256)])

    @micropython.native
    def read_u16(self):
        return convert(self._words, self._curve)

    def read_uv(self):
        """Microvolts by the factory's calibration, which takes out most of the curve."""
        raw = self.read_u16() >> 4
        lsb = raw - (self._curve[raw >> 4] - 128) // 16
        return lsb * chip.layout.adc_full_mv * 1000 // 4095


@micropython.viper
def convert(words: ptr32, curve: ptr8) -> int:
    """One reading: noise keyed by its number, then 12 bits; everything in sixteenths of a count.

    Noise is a sum of four uniform bytes: nearly a bell, sd 147.8 before scaling. draw(), now() and charge() of vtime
    stand here as their lines: a call costs as much as they do, and this one comes 500 times a second.
    """
    s = ptr32(state)
    n = int(words[0]) + 1
    words[0] = n
    x = (int(words[1]) ^ (n * 0x1E3779B1)) & 0x7FFFFFFF
    x = ((x ^ (x >> 16)) * 0x2C1B3C6D) & 0x7FFFFFFF
    x = ((x ^ (x >> 13)) * 0x297A2D39) & 0x7FFFFFFF
    x = x ^ (x >> 15)
    y = (x * 0x2C1B3C6D ^ (x >> 7)) & 0x7FFFFFFF
    bell = (x & 0xFF) + ((x >> 8) & 0xFF) + ((y >> 8) & 0xFF) + ((y >> 16) & 0xFF) - 510
    noise = (bell * int(words[2]) + 148 * 4096) // 148 - 4096  # floor division of a positive number
    units = int(words[7])
    if units == 0:
        units = int(pin_units((int(s[0]) | (int(s[1]) << 32)) + int(words[3])))
    units = units * int(words[5]) // int(words[6])
    value = units * 65520 // 844800 + noise  # 844800 units are 3.3 V
    if value < 0:
        value = 0
    if value > 65519:
        value = 65519
    value = value + int(curve[value >> 8]) - 128
    if value < 0:
        value = 0
    value = value >> 4
    if value > 4095:
        value = 4095
    x = (int(s[2]) * 0x41C64E6D + 12345) & 0x7FFFFFFF
    s[2] = x
    ns = int(words[4]) * int(s[6])
    t = (int(s[0]) | (int(s[1]) << 32)) + ns + ((((x >> 16) & 0xFF) * ns) >> 10)
    s[0] = t
    s[1] = t >> 32
    if t >= (int(s[3]) | (int(s[4]) << 32)):
        wake[0]()
    return value << 4 | value >> 8


def _inl_lsb_q4(lsb):
    """Deviation in sixteenths of a count: a slow wave of +-3 counts, sagging below the line above 2.6 V."""
    phase = lsb % 1365
    wave = phase if phase < 341 else 682 - phase if phase < 1023 else phase - 1365
    sag = max(0, lsb - 3226) * 40 // 869
    return wave * 3 * 16 // 341 - min(sag, 60)
