# MCPWM capture of the ESP32: registers as ESP-IDF's mcpwm_reg.h, gpio_reg.h and dport_reg.h describe them.
#
# Behaviour modelled: clock gate, reset, GPIO matrix input selection with inversion, the 80 MHz timer, edge selection,
# software capture, a value register one deep that the next edge overwrites, INT_RAW set by a capture and cleared by
# writing 1 to INT_CLR, CAP_STATUS with the last edge's polarity. Prescale other than 1 is refused loudly.

from chip import chip
from vtime import INT_RAW_WORD, now, state

BASE = 0x3FF5E000
SIZE = 0x128
CLOCK_ENABLE = 0x3FF000C0
RESET = 0x3FF000C4
DPORT_BIT = 17
IN_SEL = 0x3FF44130
CAP0_SIGNAL = 109
CAP_TIMER_CFG = BASE + 0xE8
CAP_CFG = (BASE + 0xF0, BASE + 0xF4, BASE + 0xF8)
CAP_VALUE = (BASE + 0xFC, BASE + 0x100, BASE + 0x104)
CAP_STATUS = BASE + 0x108
INT_RAW = BASE + 0x114
INT_CLR = BASE + 0x11C
INT_BIT = (1 << 27, 1 << 28, 1 << 29)


class Capture:
    def __init__(self):
        self.registers = {CLOCK_ENABLE: 0, RESET: 0}
        for k in range(3):
            self.registers[IN_SEL + 4 * (CAP0_SIGNAL + k)] = 0
        self._clear()
        self.latched_n = 0
        self.overwritten_n = 0
        self._timer_from_ns = 0
        self._connected = set()
        chip.at_power_off.append(self._tell)

    def _tell(self, report):
        report["edges_latched_n"] = self.latched_n
        report["captures_overwritten_n"] = self.overwritten_n

    def _clear(self):
        for at in (CAP_TIMER_CFG, CAP_STATUS) + CAP_CFG + CAP_VALUE:
            self.registers[at] = 0
        state[INT_RAW_WORD] = 0
        self._hidden_int_raw = 0

    def _gate(self):
        # The polled call reads INT_RAW without asking for the clock, so the word itself is hidden and shown again.
        if self.clocked():
            state[INT_RAW_WORD] |= self._hidden_int_raw
            self._hidden_int_raw = 0
        else:
            self._hidden_int_raw |= state[INT_RAW_WORD]
            state[INT_RAW_WORD] = 0

    def clocked(self):
        return self.registers[CLOCK_ENABLE] >> DPORT_BIT & 1 and not self.registers[RESET] >> DPORT_BIT & 1

    def count(self, t_ns):
        """The capture timer at t: floor at 12.5 ns, 32 bits."""
        if not self.registers[CAP_TIMER_CFG] & 1:
            return 0
        return (t_ns - self._timer_from_ns) * 2 // 25 & 0xFFFFFFFF

    def _latch(self, k, t_ns, falling):
        registers = self.registers
        if state[INT_RAW_WORD] & INT_BIT[k] and k == 0:
            self.overwritten_n += 1
        registers[CAP_VALUE[k]] = self.count(t_ns)
        state[INT_RAW_WORD] |= INT_BIT[k]
        registers[CAP_STATUS] = registers[CAP_STATUS] & ~(1 << k) | (falling << k)
        self.latched_n += k == 0

    def edge(self, gpio, t_ns, level):
        if not self.clocked():
            return
        for k in range(3):
            select = self.registers[IN_SEL + 4 * (CAP0_SIGNAL + k)]
            config = self.registers[CAP_CFG[k]]
            if not select & 0x80 or select & 0x3F != gpio or not config & 1:
                continue
            rising = level ^ (select >> 6 & 1) ^ (config >> 11 & 1)
            if config & (4 if rising else 2):
                self._latch(k, t_ns, 0 if rising else 1)

    def _connect(self, value):
        gpio = value & 0x3F
        if value & 0x80 and gpio not in self._connected:
            self._connected.add(gpio)
            chip.listen(gpio, lambda t_ns, level: self.edge(gpio, t_ns, level))

    def load(self, address):
        if address == INT_RAW:
            return state[INT_RAW_WORD]
        if address not in self.registers:
            raise ValueError("read of an address that is not modelled: 0x%08x" % address)
        if BASE <= address < BASE + SIZE and not self.clocked():
            return 0
        return self.registers[address]

    def store(self, address, value):
        if address == INT_CLR:
            if self.clocked():
                state[INT_RAW_WORD] &= ~value & 0xFFFFFFFF
            return
        if address not in self.registers:
            raise ValueError("write to an address that is not modelled: 0x%08x" % address)
        if BASE <= address < BASE + SIZE and not self.clocked():
            return  # without its clock the unit ignores writes
        if address in CAP_CFG:
            if value >> 3 & 0xFF:
                raise ValueError("capture prescale is not modelled")
            if value & 1 << 12:
                self._latch(CAP_CFG.index(address), now(), 0)
                value &= ~(1 << 12)  # write-only trigger bit
        elif address == CAP_TIMER_CFG and value & 1 and not self.registers[address] & 1:
            self._timer_from_ns = now()
        self.registers[address] = value
        if address == RESET and value >> DPORT_BIT & 1:
            self._clear()
        if address in (CLOCK_ENABLE, RESET):
            self._gate()
        if IN_SEL <= address < IN_SEL + 4 * 256:
            self._connect(value)


capture = Capture()
