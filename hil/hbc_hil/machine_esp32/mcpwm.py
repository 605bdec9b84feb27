# MCPWM capture of the ESP32 family: registers as ESP-IDF's mcpwm_reg.h, gpio_reg.h, dport_reg.h, system_reg.h and
# pcr_reg.h describe them, each chip at its own addresses (layouts.py).
#
# Behaviour modelled: clock gate, reset, function clock (ESP32-C6), GPIO matrix input selection with inversion, the
# capture timer, edge selection, software capture, a value register one deep that the next edge overwrites, INT_RAW set
# by a capture and cleared by writing 1 to INT_CLR, CAP_STATUS with the last edge's polarity. A channel that is off
# keeps its last value. Prescale other than 1 is refused loudly, and so is any address that is not modelled.

from chip import chip
from vtime import INT_RAW_ADDRESS_WORD, INT_RAW_WORD, now, state

SIZE = 0x128
CHANNELS_N = 3
INT_BIT = (1 << 27, 1 << 28, 1 << 29)
SOURCES_KHZ = (0, 160000, 40000, 17500)  # PCR_PWM_CLKM_SEL: none, PLL, crystal, fast RC
BUS_KHZ = 80000

layout = chip.layout
BASE = layout.mcpwm
CAP_TIMER_CFG = BASE + 0xE8
CAP_CFG = (BASE + 0xF0, BASE + 0xF4, BASE + 0xF8)
CAP_VALUE = (BASE + 0xFC, BASE + 0x100, BASE + 0x104)
CAP_STATUS = BASE + 0x108
INT_RAW = BASE + 0x114 if BASE else -1
INT_CLR = BASE + 0x11C
state[INT_RAW_ADDRESS_WORD] = INT_RAW if BASE else 0


def _reduced(a, b):
    x, y = a, b
    while y:
        x, y = y, x % y
    return a // x, b // x


class Capture:
    def __init__(self):
        self.registers = {}
        self.latched_n = 0
        self.overwritten_n = 0
        self._connected = set()
        self._timer_from_ns = 0
        self._timer_base = 0
        self._rate = (0, 1)  # counts a nanosecond
        if BASE:
            self.registers = {layout.clock[0]: 0, layout.reset[0]: 0}
            for k in range(CHANNELS_N):
                self.registers[layout.in_sel + 4 * (layout.cap0 + k)] = 0
            if layout.function_clock:
                self.registers[layout.function_clock] = 1 << 22 | 4 << 12  # enabled, from no source
            else:
                self._rate = _reduced(BUS_KHZ, 1000000)
            self._clear()
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
        clock, reset = layout.clock, layout.reset
        return self.registers[clock[0]] >> clock[1] & 1 and not self.registers[reset[0]] >> reset[1] & 1

    def count(self, t_ns):
        """The capture timer at t: floor of a count, 32 bits."""
        if not self.registers[CAP_TIMER_CFG] & 1:
            return 0
        return (self._timer_base + (t_ns - self._timer_from_ns) * self._rate[0] // self._rate[1]) & 0xFFFFFFFF

    def _choose_clock(self, value):
        base = self.count(now())
        source_khz = SOURCES_KHZ[value >> 20 & 3] if value >> 22 & 1 else 0
        self._rate = _reduced(source_khz, 1000000 * ((value >> 12 & 0xFF) + 1))
        self._timer_base, self._timer_from_ns = base, now()

    def _latch(self, k, t_ns, falling):
        registers = self.registers
        if state[INT_RAW_WORD] & INT_BIT[k] and k == 0:
            self.overwritten_n += 1
        registers[CAP_VALUE[k]] = self.count(t_ns)
        state[INT_RAW_WORD] |= INT_BIT[k]
        registers[CAP_STATUS] = registers[CAP_STATUS] & ~(1 << k) | (falling << k)
        self.latched_n += k == 0

    def edge(self, gpio, t_ns, level):
        if not self.clocked() or not self._rate[0]:
            return
        for k in range(CHANNELS_N):
            select = self.registers[layout.in_sel + 4 * (layout.cap0 + k)]
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
        if address == INT_CLR and BASE:
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
                if value & 1 and self._rate[0]:  # a channel that is off, or has no clock, latches nothing
                    self._latch(CAP_CFG.index(address), now(), 0)
                value &= ~(1 << 12)  # write-only trigger bit
        elif address == CAP_TIMER_CFG and value & 1 and not self.registers[address] & 1:
            self._timer_base, self._timer_from_ns = 0, now()
        elif address == layout.function_clock:
            self._choose_clock(value)
        self.registers[address] = value
        if address == layout.reset[0] and value >> layout.reset[1] & 1:
            self._clear()
        if address == layout.clock[0] or address == layout.reset[0]:  # no tuple: the heap may be locked
            self._gate()
        if layout.in_sel <= address < layout.in_sel + 4 * 256:
            self._connect(value)


capture = Capture()
