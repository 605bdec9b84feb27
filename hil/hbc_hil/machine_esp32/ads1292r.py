# The ADS1292R as its data sheet SBAS502C describes it: commands, registers, clock, DRDY, what it refuses and when.
#
# Modelled: reset by pin and by command, default registers, data mode after a reset, in which any command but SDATAC or
# RESET is ignored; RREG, WREG, RDATA, START, STOP, STANDBY, WAKEUP; four clocks to decode each byte, and a byte that
# comes sooner is lost; the pause after a reset; chip select, whose limits are refused loudly; settling, sinc filter (by
# the world, hbc_hil/digital_front_end.py), gain, reference, shorted inputs, test signal, power-down; comparators for
# lead-off; DRDY that rises with the first clock of whatever is sent and, unread, just before it falls again; one
# that overwrites what is being read; readback from the start after the last byte. Not modelled, refused:
# inputs other than electrodes, short and test signal; respiration; offset calibration; single shot; CLK_DIV.

import micropython
from chip import chip
from vtime import NEVER, draw, now, pin_units

WAKEUP, STANDBY, RESET, START, STOP, RDATAC, SDATAC, RDATA = 0x02, 0x04, 0x06, 0x08, 0x0A, 0x10, 0x11, 0x12
DEFAULTS = bytes((0x73, 0x02, 0x80, 0x10, 0, 0, 0, 0, 0, 0, 0x02, 0x0C))
FIXED_ONES = bytes((0, 0, 0x80, 0x10, 0, 0, 0, 0, 0, 0x02, 0x01, 0))  # bits that must be written as 1
FIXED_ZEROS = bytes((0, 0x78, 0x04, 0x02, 0, 0, 0, 0xC0, 0xBF, 0, 0x78, 0xF0))  # and as 0
READ_ONLY = (0, 8)
GAINS = (6, 1, 2, 3, 4, 8, 12)
SETTLE_MOD = (4100, 2052, 1028, 516, 260, 132, 68)  # "Settling Time", Table 13, cycles of the modulator
CLOCK_HZ = 512000
POR_MOD = 4096
RESET_MOD = 9
FULL = (1 << 23) - 1
UNIT_PV = 31250  # a unit of pin_units here: 0.5 uV / 16
MIDDLE_UNITS = 32768 * 16
LA_OFF, RA_OFF = 1001, 1002  # the world's lead-off wires end at its inputs, not at a pin of the box


class Ads1292r:
    def __init__(self, config):
        self._pins = config
        self.registers = bytearray(DEFAULTS)
        clock_hz = CLOCK_HZ * (1000000 + config["clock_ppm"]) // 1000000
        self._clk_ns = 1000000000 // clock_hz
        self._mod_q10 = 4 * 1000000000 * 1024 // clock_hz
        self._offset_pv = config["offset_uv"] * 1000000
        self._noise = config["noise_lsb"]
        self._key = draw(chip.key, 0xAD5)
        self._latest = bytearray(9)
        self._out = bytearray(9)
        self._busy_until = now() + POR_MOD * self._mod_q10 // 1024  # power comes with the box's
        self._last_end = -1000000000
        self._cs = 1
        self._cs_ns = -1000000000
        self._powered = True
        self._standby = False
        self.conversions_n = self.overwritten_n = self.ignored_n = 0
        self.next_ns = NEVER
        chip.levels[config["drdy"]] = 1
        self._reset(now())
        chip.listen(config["cs"], self._select)
        chip.listen(config["reset"], self._pin_reset)
        chip.at_power_off.append(self._tell)

    def _tell(self, report):
        report["ads_conversions_n"] = self.conversions_n
        report["ads_overwritten_n"] = self.overwritten_n
        report["ads_ignored_n"] = self.ignored_n

    def _reset(self, t_ns):
        self.registers[:] = DEFAULTS
        self._data_mode = True
        self._stop()
        self._command = 0  # the first byte of a RREG or WREG that is under way
        self._left_n = -1  # registers still to come, -1 before the second byte
        self._at = 0
        self._out_i = 0
        self._reading = False
        for i in range(9):
            self._latest[i] = self._out[i] = 0

    def _stop(self):
        self._converting = False
        self.next_ns = NEVER
        chip.look_again()

    def _start(self, t_ns):
        if self._converting:
            return
        config1 = self.registers[1]
        rate = config1 & 7
        if config1 & 0x80 or rate == 7:
            raise ValueError("CONFIG1 0x%02x: single shot and rate 7 are not modelled" % config1)
        self._converting = True
        self._n = 0
        self._from_ns = t_ns + SETTLE_MOD[rate] * self._mod_q10 // 1024
        self._period_q10 = (1024 >> rate) * self._mod_q10
        self.next_ns = self._from_ns
        self._raise(t_ns)
        chip.look_again()

    def _raise(self, t_ns):
        chip.drive_at(self._pins["drdy"], 1, t_ns)

    # --- pins --------------------------------------------------------------------------------------------------------
    def _pin_reset(self, t_ns, level):
        self._powered = level == 1
        self._reset(t_ns)
        if level:
            self._busy_until = max(self._busy_until, t_ns + RESET_MOD * self._mod_q10 // 1024)

    def _select(self, t_ns, level):
        if level:
            if t_ns - self._last_end < 3 * self._clk_ns:
                raise ValueError("CS rose %d ns after the last clock: tSCCS is 3 tCLK" % (t_ns - self._last_end))
            self._command = 0
            self._reading = False
        elif t_ns - self._cs_ns < 2 * self._clk_ns:
            raise ValueError("CS was high for %d ns: tCSH is 2 tCLK" % (t_ns - self._cs_ns))
        self._cs = level
        self._cs_ns = t_ns

    # --- conversions -------------------------------------------------------------------------------------------------
    def happen(self):
        """The conversion that is due at next_ns is complete."""
        t_ns = self.next_ns
        self._n += 1
        self.next_ns = self._from_ns + self._n * self._period_q10 // 1024
        if self._standby:
            return
        self.conversions_n += 1
        self._convert(t_ns)
        if chip.levels[self._pins["drdy"]] == 0:
            self._raise(t_ns - 4 * self._clk_ns)
        if self._data_mode:
            if self._reading and 0 < self._out_i < 9:
                self.overwritten_n += 1
            else:
                self._out_i = 0
            self._out[:] = self._latest
        chip.drive_at(self._pins["drdy"], 0, t_ns)

    def _convert(self, t_ns):
        registers, latest = self.registers, self._latest
        off = 0
        if registers[2] & 0x40:  # comparators on
            sense = registers[7]
            off = (4 if sense & 4 and chip.levels.get(LA_OFF) else 0) | (
                8 if sense & 8 and chip.levels.get(RA_OFF) else 0
            )
        registers[8] = registers[8] & 0x40 | off
        latest[0] = 0xC0 | off >> 1
        latest[1] = (off & 1) << 7 | (registers[11] & 3) << 5
        latest[2] = 0
        for k in range(2):
            code = self._code(k, t_ns) & 0xFFFFFF
            latest[3 + 3 * k] = code >> 16
            latest[4 + 3 * k] = code >> 8 & 0xFF
            latest[5 + 3 * k] = code & 0xFF

    def _code(self, k, t_ns):
        setting = self.registers[4 + k]
        if setting & 0x80:
            return 0
        if not self.registers[2] & 0x20:
            raise ValueError("the reference buffer is off: an external reference is not modelled")
        mux = setting & 15
        reference_uv = 4033000 if self.registers[2] & 0x10 else 2420000
        if mux == 0:
            if k == 0:
                pv = 0  # nothing is wired to channel 1
            elif chip.levels.get(LA_OFF):  # the lead-off current pulls a free input to its rail
                return FULL
            elif chip.levels.get(RA_OFF):
                return -FULL - 1
            else:
                pv = (pin_units(t_ns) - MIDDLE_UNITS) * UNIT_PV + self._offset_pv
        elif mux == 1:
            pv = 0
        elif mux == 5:
            pv = self._test_pv(reference_uv, t_ns)
        else:
            raise ValueError("channel input %d is not modelled" % mux)
        gain = GAINS[setting >> 4 & 7]
        x = draw(self._key, self.conversions_n * 2 + k)
        bell = (x & 0xFF) + (x >> 8 & 0xFF) + (x >> 16 & 0xFF) + (x >> 23 & 0xFF) - 510
        code = pv * gain // 1000 * FULL // (reference_uv * 1000) + bell * self._noise // 148
        return max(-FULL - 1, min(code, FULL))

    def _test_pv(self, reference_uv, t_ns):
        if not self.registers[2] & 0x02:
            return 0
        high = not self.registers[2] & 0x01 or t_ns // 500000000 % 2 == 0
        return reference_uv * 1000000 // 2400 * (1 if high else -1)

    # --- the line ----------------------------------------------------------------------------------------------------
    @micropython.native
    def byte(self, value, byte_ns):
        """One byte in, whose last clock falls now; the byte that went out meanwhile."""
        t_ns = now()
        gap_ns = t_ns - self._last_end
        self._last_end = t_ns
        if self._cs or not self._powered or t_ns < self._busy_until:
            self.ignored_n += 1
            return 0
        if chip.levels[self._pins["drdy"]] == 0:  # whatever the clock is for
            self._raise(t_ns - byte_ns + byte_ns // 16)
        out = 0
        if self._data_mode or self._reading:
            out = self._out[self._out_i]
            self._out_i = (self._out_i + 1) % 9
            self._reading = True
        elif self._command & 0xE0 == 0x20 and self._left_n > 0:
            out = self.registers[self._at % 12]
            self._at += 1
            self._left_n -= 1
            if not self._left_n:
                self._command = 0
            return out
        if value or self._command:
            if gap_ns < 4 * self._clk_ns:  # still at the byte before
                self.ignored_n += 1
            else:
                self._decode(value, t_ns)
        return out

    def _decode(self, value, t_ns):
        if self._command:
            self._continue(value)
        elif self._data_mode and value not in (SDATAC, RESET):
            self.ignored_n += 1
        elif value & 0xE0 in (0x20, 0x40):
            self._command, self._left_n, self._at = value, -1, value & 0x1F
        elif value == RESET:
            self._reset(t_ns)
            self._busy_until = t_ns + RESET_MOD * self._mod_q10 // 1024
        elif value == SDATAC or value == RDATAC:
            self._data_mode = value == RDATAC
            self._reading = False
            self._out_i = 0
        elif value == RDATA:
            self._out[:] = self._latest
            self._out_i = 0
            self._reading = True
        elif value == START:
            self._start(t_ns)
        elif value == STOP:
            self._stop()
        elif value == STANDBY or value == WAKEUP:
            self._standby = value == STANDBY
        else:
            raise ValueError("command 0x%02x is not modelled" % value)

    def _continue(self, value):
        if self._left_n < 0:
            self._left_n = (value & 0x1F) + 1
            return
        if self._command & 0xE0 == 0x40:
            self._store(self._at, value)
            self._at += 1
            self._left_n -= 1
            if not self._left_n:
                self._command = 0

    def _store(self, at, value):
        if at in READ_ONLY or at >= 12:
            if at == 8 and value & 0x40:
                raise ValueError("CLK_DIV is not modelled")
            return
        if value & FIXED_ONES[at] != FIXED_ONES[at] or value & FIXED_ZEROS[at]:
            raise ValueError("register 0x%02x: 0x%02x breaks a bit that is fixed" % (at, value))
        if (at in (4, 5) and value >> 4 & 7 == 7) or (at == 9 and value & 0xC0) or (at == 10 and value & 0x80):
            raise ValueError("register 0x%02x: 0x%02x is reserved or not modelled" % (at, value))
        if at == 1 and self._converting and value != self.registers[1]:
            raise ValueError("CONFIG1 changed while it converts: the data sheet says nothing of what comes then")
        self.registers[at] = value


device = Ads1292r(chip.config["ads"]) if chip.config.get("ads") else None
chip.device = device or chip.device
