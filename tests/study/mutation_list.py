"""Mistakes that somebody could make in the box, one a row, for mutations.py.

Each is one edit of one file: the text as it is, and as it would be. The text must stand in the file exactly once.
``suites`` name the quick sets of tests that ought to see it, tried in this order until one does. ``hil``: ask
``hbc hil run`` of this scenario, too.
"""

from __future__ import annotations

from dataclasses import dataclass

CAPTURE = "firmware/hbc_fw/capture.py"
TRIGGER = "firmware/hbc_fw/trigger.py"
DRIVER = "firmware/hbc_boards/mcpwm_capture.py"
FRAMING = "firmware/hbc_wire/framing.py"
FAST = "firmware/hbc_fw/fastwire.py"
MESSAGES = "firmware/hbc_wire/messages.py"
TIME = "firmware/hbc_fw/devicetime.py"
BLANKING = "firmware/hbc_fw/blanking.py"
LOG = "firmware/hbc_fw/eventlog.py"
OUTBOX = "firmware/hbc_fw/outbox.py"
SAMPLER = "firmware/hbc_fw/sampler.py"
COMMANDS = "firmware/hbc_fw/commands.py"
HEALTH = "firmware/hbc_fw/health.py"
APP = "firmware/hbc_fw/app.py"
PORT = "firmware/hbc_boards/port.py"
BOARD = "firmware/hbc_boards/ad8232.py"
BOX = "firmware/hbc_boards/box.py"
ADS = "firmware/hbc_boards/ads1292r.py"
ADS_BOX = "firmware/hbc_boards/ads1292r_box.py"
DRDY = "firmware/hbc_fw/drdy_sampler.py"
ESP32 = "firmware/hbc_boards/esp32.py"
SOFT = "firmware/hbc_boards/soft_capture.py"
SETTINGS = "firmware/hbc_fw/settings.py"
STARTUP = "firmware/hbc_fw/startup.py"
MMIO = "firmware/hbc_mmio.py"
DETECTOR = "firmware/hbc_fw/detector.py"
ARTEFACT = "firmware/hbc_fw/artefact.py"


@dataclass(frozen=True)
class Mutation:
    """One mistake."""

    what: str
    file: str
    right: str
    wrong: str
    suites: tuple[str, ...]
    hil: str


def _rows(file: str, suites: str, *rows: tuple[str, str, str], hil: str = "") -> list[Mutation]:
    hil = hil or ("quick" if file in (DRIVER, ESP32, CAPTURE, TRIGGER) else "")
    return [Mutation(what, file, right, wrong, tuple(suites.split()), hil) for what, right, wrong in rows]


MUTATIONS = [
    *_rows(
        DRIVER, "driver rig",
        ("wrong interrupt bit for the trigger channel", "CAP0_INT = const(1 << 27)", "CAP0_INT = const(1 << 26)"),
        ("rising and falling edge swapped", "CHANNEL_FALLING = const(2)\nCHANNEL_RISING = const(4)",
         "CHANNEL_FALLING = const(4)\nCHANNEL_RISING = const(2)"),
        ("value register of the wrong channel", "CAP_CH0 = const(0xFC)", "CAP_CH0 = const(0x104)"),
        ("level inverted", "return 0 if hbc_mmio.test(self._status, 1) else 1",
         "return 1 if hbc_mmio.test(self._status, 1) else 0"),
        ("flag never cleared", "    def clear(self):\n        hbc_mmio.write(self._int_clr, self._trigger_ints)",
         "    def clear(self):\n        pass"),
        ("unit left in reset", "hbc_mmio.clear_bits(chip.reset, 1 << chip.reset_bit)", "pass"),
        ("pin routed past the GPIO matrix", "IN_SEL_MATRIX = const(0x80)", "IN_SEL_MATRIX = const(0)"),
        ("software capture of a stale count", "hbc_mmio.set_bits(self._ch2_cfg, CHANNEL_SOFTWARE)", "pass"),
        ("pulse counter on the other edge", "edge=Counter.RISING if rising else Counter.FALLING",
         "edge=Counter.FALLING if rising else Counter.RISING"),
    ),
    *_rows(
        ESP32, "boards driver rig",
        ("capture signal of the next channel", "cap0_signal=109", "cap0_signal=110"),
        ("clock of another unit", "clock_bit=17,", "clock_bit=18,"),
    ),
    *_rows(
        BOARD, "driver rig",
        ("left and right electrode swapped", "(LEAD_LA_OFF if self._lo_plus.value() else 0)",
         "(LEAD_LA_OFF if self._lo_minus.value() else 0)"),
        ("one bit too many of the ADC", "self._adc.read_u16() >> 4", "self._adc.read_u16() >> 3"),
    ),
    *_rows(
        BOX, "driver firmware",
        ("boot counter does not count", "boot_n = int(file.read()) + 1", "boot_n = int(file.read())"),
        ("half of the battery forgotten", "BATTERY_DIVIDER = const(2)", "BATTERY_DIVIDER = const(1)"),
        ("LED dark when it should be lit", "1 if on else 0", "0 if on else 1"),
        ("watchdog never fed", "            self._watchdog.feed()", "            pass"),
        ("watchdog never started", "self._watchdog = WDT(timeout=timeout_ms)", "pass"),
        ("boot number written in place",
         'open(BOOT_FILE + ".new", "w") as file:\n            file.write(str(boot_n))\n'
         '        os.rename(BOOT_FILE + ".new", BOOT_FILE)',
         'open(BOOT_FILE, "w") as file:\n            file.write(str(boot_n))'),
        ("a damaged boot number stops the box", "except (OSError, ValueError):", "except OSError:"),
    ),
    *_rows(
        ADS, "drdy ads boards",
        ("two low bytes of a sample swapped",
         "code = ((int(frame[6]) ^ 0x80) << 16) | (int(frame[7]) << 8) | int(frame[8])",
         "code = ((int(frame[6]) ^ 0x80) << 16) | (int(frame[8]) << 8) | int(frame[7])"),
        ("sign of a sample not taken care of", "code = ((int(frame[6]) ^ 0x80) << 16)", "code = (int(frame[6]) << 16)"),
        ("sample of the other channel", "code = ((int(frame[6]) ^ 0x80) << 16) | (int(frame[7]) << 8) | int(frame[8])",
         "code = ((int(frame[3]) ^ 0x80) << 16) | (int(frame[4]) << 8) | int(frame[5])"),
        ("registers of the two channels swapped", "CH1SET_VALUE, CH2SET_VALUE, RLD", "CH2SET_VALUE, CH1SET_VALUE, RLD"),
        ("gain 12 set where 6 is told", "CH2SET_VALUE = const(0x00)", "CH2SET_VALUE = const(0x60)"),
        ("reference of 4 V", "const(0x80 | 0x40 | 0x20)", "const(0x80 | 0x40 | 0x20 | 0x10)"),
        ("lead-off comparators left off", "const(0x80 | 0x40 | 0x20)", "const(0x80 | 0x20)"),
        ("lead-off of one electrode not sensed",
         "LOFF_SENS_VALUE = const(0x08 | 0x04)", "LOFF_SENS_VALUE = const(0x04)"),
        ("lead-off bits swapped",
         "(LEAD_LA_OFF if status & IN2P_OFF else 0) | (LEAD_RA_OFF if status & IN2N_OFF else 0)",
         "(LEAD_LA_OFF if status & IN2N_OFF else 0) | (LEAD_RA_OFF if status & IN2P_OFF else 0)"),
        ("right leg not driven", "RLD_SENS_VALUE = const(0x20 | 0x08 | 0x04)", "RLD_SENS_VALUE = const(0x08 | 0x04)"),
        ("half the sample rate", "DR_500_HZ = const(2)", "DR_500_HZ = const(1)"),
        ("no time after a reset", "        sleep_us(RESET_US)\n", ""),
        ("no time to wake up", "        sleep_us(POWER_UP_US)\n", ""),
        ("conversions never started", "            self._command(START)\n", ""),
        ("data not asked for continuously", "            self._command(RDATAC)\n", ""),
        ("a frame that is none taken", "if status & SYNC_MASK != SYNC or frame[2]:", "if False:"),
        ("zeros after the status not looked at", " or frame[2]:", ":"),
        ("registers not read back",
         "            if seen[CONFIG1 + i] != self._first[i]:\n                return NOT_KEPT\n",
         "            pass\n"),
        ("another chip taken for it", "if seen[ID] != ID_ADS1292R:", "if seen[ID] == 0 or seen[ID] == 0xFF:"),
        ("corner moves the wrong way with the rate", "HIGH_PASS_SHIFT + rates[0] - DR_500_HZ",
         "HIGH_PASS_SHIFT - rates[0] + DR_500_HZ"),
        ("rounded down", " + (1 << (SCALE_SHIFT - 1))) >> SCALE_SHIFT", ") >> SCALE_SHIFT"),
        ("a new offset taken at once", "JUMP_N = const(25)", "JUMP_N = const(1)"),
        hil="ads1292r",
    ),
    *_rows(
        ADS_BOX, "ads boards",
        ("SPI in the other mode", "polarity=0, phase=1", "polarity=0, phase=0"),
        ("data lines crossed", "mosi=Pin(mosi), miso=Pin(miso)", "mosi=Pin(miso), miso=Pin(mosi)"),
        ("gain told as 1", "GAIN = ads1292r.GAIN", "GAIN = 1"),
        ("step told without its 16 steps", "((ads1292r.LSB_PV << ads1292r.SCALE_SHIFT) + 500)",
         "(ads1292r.LSB_PV + 500)"),
        ("saturation told by the wrong limit", "RAIL_LSB = ads1292r.RAIL_LSB", "RAIL_LSB = 40000"),
        hil="ads1292r",
    ),
    *_rows(
        DRIVER, "drdycapture ads",
        ("rise of DRDY timed instead of its fall",
         "CHANNEL_ENABLE | CHANNEL_FALLING)", "CHANNEL_ENABLE | CHANNEL_RISING)"),
        ("an edge cleared with a conversion", "hbc_mmio.write(self._int_clr, CAP1_INT)",
         "hbc_mmio.write(self._int_clr, CAP0_INT | CAP1_INT)"),
        ("a conversion cleared with an edge", "            self._trigger_ints = CAP0_INT\n", ""),
        hil="ads1292r",
    ),
    *_rows(
        DRDY, "drdy ads",
        ("instant of the frame before",
         "        capture.read_drdy()\n        low = capture.halves[0]\n        high = capture.halves[1]\n",
         "        low = capture.halves[0]\n        high = capture.halves[1]\n        capture.read_drdy()\n"),
        ("instant of the program", "        self._capture_clock.locate(low, high, at)", "        at.set(self._clock)"),
        ("bytes of two conversions taken for one", "        if self._latched():\n            return  # one more",
         "        if False:\n            return  # one more"),
        ("one lost sample too many", "range(min(seen_n - 1, CATCH_UP_N))", "range(min(seen_n, CATCH_UP_N))"),
        ("lost samples not placed", "        if seen_n > 1:", "        if False:"),
        ("lost samples not counted", "        self._last_at.add(step_us)\n        self.lost_n += 1\n",
         "        self._last_at.add(step_us)\n"),
        ("a frame that is none not counted", "        if not valid:\n            self.lost_n += 1\n",
         "        if not valid:\n"),
        ("counter of 16 bits not unwrapped", "(count - self._counted) & 0xFFFF", "count - self._counted"),
        ("a count that time contradicts is believed",
         "if abs(elapsed_us - seen_n * period_us) > period_us * (seen_n + 16) >> 5:", "if False:"),
        ("grid goes on at the nominal rate", "        if self._fill_n == 0:\n            self._next_at",
         "        if self.taken_n == 0 and self._fill_n == 0:\n            self._next_at"),
        ("saturated samples not counted", "            self.saturated_n += 1\n", "            pass\n"),
        ("silence noticed after two seconds", "SILENT_US = const(20000)", "SILENT_US = const(2000000)"),
        ("a converter that came back not told", "self.news[1] = fault or BACK", "self.news[1] = fault"),
        hil="ads1292r",
    ),
    *_rows(
        PORT, "driver rig",
        ("line thought ten times as fast", "BYTES_PER_100_MS = const(BAUD // 100)",
         "BYTES_PER_100_MS = const(BAUD // 10)"),
        ("bytes written are not counted", "self._queued_n += n\n", "pass\n"),
    ),
    *_rows(
        MMIO, "mmio",
        ("high half shifted by 15", "halves[1] = (value >> 16) & 0xFFFF", "halves[1] = (value >> 15) & 0xFFFF"),
        ("clear_bits sets", "register[0] = int(register[0]) & ~mask", "register[0] = int(register[0]) | mask"),
    ),
    *_rows(
        CAPTURE, "capture",
        ("counter not unwrapped", "        high &= 0xFFFF\n        # (high", "        # (high"),
        ("borrow forgotten", "            high -= 1\n        high &= 0xFFFF\n        # (high",
         "        high &= 0xFFFF\n        # (high"),
        ("anchor step wrong by a little", "ANCHOR_STEP_HIGH = const(0x0500)", "ANCHOR_STEP_HIGH = const(0x04FF)"),
    ),
    *_rows(
        TRIGGER, "capture",
        ("no second look after the clear", "if newer_low != low or newer_high != high:", "if False:"),
        ("overrun edges not counted", "if missing and missing < 0x8000:", "if False:"),
        ("edge and count apart by one", "self._counted = (self._counted + 1) & 0xFFFF",
         "self._counted = (self._counted + 2) & 0xFFFF"),
    ),
    *_rows(
        TRIGGER, "capture",
        ("runts taken for pulses", "if width < self.min_width_us * COUNTS_PER_US:", "if False:"),
        ("bounces taken for pulses", "self._at.within(self._accepted_at, self.hold_off_us)", "False"),
        ("a fall from long ago taken for new", "                self._fall[0] = low\n", ""),
    ),
    *_rows(
        SOFT, "softdriver",
        ("latency not taken off the stamp", "ticks_add(ticks_us(), -self._latency_us)", "ticks_us()"),
        ("a full ring overwritten", "if n - self._taken_n < RING_N:", "if True:"),
    ),
    *_rows(
        SOFT, "soft",
        ("jitter never measured in service", "if off_us > self._spread_us[0]:", "if False:"),
    ),
    *_rows(
        SETTINGS, "settings firmware",
        ("settings written in place", 'open(self._path + ".new", "wb")', 'open(self._path, "wb")'),
        ("checksum of settings not compared", "data[end:] != _crc_line(data[:end])", "False"),
        ("written while the coil fires", "messages.ACK_BUSY if self._busy() else ", ""),
    ),
    *_rows(
        STARTUP, "firmware",
        ("faults never counted", "_count_up(faults_n + 1 if soon else 0)", "_count_up(0)"),
        ("a box that hangs is never stopped", "if reset_cause == WATCHDOG_RESET and not crash:", "if False:"),
    ),
    *_rows(
        FRAMING, "wire",
        ("wrong CRC seed", "    lo, hi = 0xFFFF, 0xFFFF\n", "    lo, hi = 0, 0\n"),
        ("one bit of the CRC polynomial", "hi ^= 0xEDB8", "hi ^= 0xEDB9"),
        ("COBS run one short", "        if not byte or run == 255:\n            out[code_at] = run",
         "        if not byte or run == 254:\n            out[code_at] = run"),
        ("zero after a full COBS run", "if code < 255 and i < n:", "if i < n:"),
        ("checksum not compared", "    if not good:\n", "    if False:\n"),
        ("rest of a split frame forgotten", "bodies = (self._rest + data).split", "bodies = data.split"),
    ),
    *_rows(
        FAST, "wire",
        ("wrong CRC seed in the fast twin", "    lo = 0xFFFF\n    hi = 0xFFFF\n    for i",
         "    lo = 0xFFFF\n    hi = 0xFFFE\n    for i"),
        ("COBS run one short in the fast twin", "if byte == 0 or run == 255:", "if byte == 0 or run == 254:"),
        ("sign lost of a sample", "buf[at + 1] = (value >> 8) & 0xFF", "buf[at + 1] = (value >> 8) & 0x7F"),
    ),
    *_rows(
        MESSAGES, "wire",
        ("two bits of the epoch lost", "(ticks >> 24) | ((epoch & 3) << 6)", "ticks >> 24"),
        ("epoch shifted by 3", "_put(buf, at + 4, epoch >> 2, 4)", "_put(buf, at + 4, epoch >> 3, 4)"),
        ("wrong sign bit", "if buf[at + width - 1] & 0x80", "if buf[at + width - 1] & 0x40"),
        ("fields of an edge swapped", "edge_sub_tick:B level:B", "level:B edge_sub_tick:B"),
    ),
    *_rows(
        TIME, "time",
        ("wrap of ticks_us missed", "        ticks = ticks_us()\n        if ticks < self.ticks:",
         "        ticks = ticks_us()\n        if False:"),
        ("epoch moves the wrong way", "            self.epoch -= 1", "            self.epoch += 1"),
    ),
    *_rows(
        BLANKING, "rules blanking",
        ("blanked one sample too long", "if after_us >= blank_us:", "if after_us > blank_us:"),
        ("look-back forgotten", "if after_us >= -LOOKBACK_US and", "if after_us >= 0 and"),
        ("a missed sample's mark taken for a time", "(0 if late_us == RESIDUAL_MISSED else late_us) - edge_us",
         "late_us - edge_us"),
        ("ring of edges one short", "RECENT_N = const(128)", "RECENT_N = const(16)"),
    ),
    *_rows(
        LOG, "rules",
        ("oldest event off by one", "return self.put_n - self.capacity_n if",
         "return self.put_n - self.capacity_n + 1 if"),
        ("overwritten event sent as another", "        if waiting > self.capacity_n:\n            self.sent_n += 1",
         "        if waiting > self.capacity_n:\n            pass"),
        ("epoch not kept", "self._epoch[k] = at.epoch & 0xFFFF", "self._epoch[k] = 0"),
    ),
    *_rows(
        OUTBOX, "rules rig",
        ("frame number wraps at 8 bits", "self.seq = (self.seq + 1) & 0xFFFF", "self.seq = (self.seq + 1) & 0xFF"),
        ("flag of a sent message not cleared", "                self._single[slot] = None\n", ""),
        ("events promised that were overwritten", "return begin_n == first_n and until_n", "return until_n"),
        ("overwritten events sent again", "again[0] = max(again[0], edges.oldest_n())", "pass"),
        ("unsent events sent twice", "min(first_n + count_n, log.sent_n)", "min(first_n + count_n, log.put_n)"),
    ),
    *_rows(
        SAMPLER, "rules rig",
        ("start instead of middle of the reading", "middle = ticks_diff(after, before) >> 1", "middle = 0"),
        ("missed sample not marked", "self._put(self._last_lsb, RESIDUAL_MISSED)", "self._put(self._last_lsb, 0)"),
        ("missed sample not counted", "            self.lost_n += 1\n            late_us -= self.period_us",
         "            late_us -= self.period_us"),
        ("ring of blocks one too long", "if self.taken_n - self.sent_n >= BLOCKS_N:",
         "if self.taken_n - self.sent_n > BLOCKS_N:"),
        ("sign of the samples", "self._read_lsb() - MIDSCALE_LSB", "self._read_lsb() + MIDSCALE_LSB"),
        ("fraction of a peak lost", "+ (frac_q8 * self.period_us >> 8)", "+ 0"),
    ),
    *_rows(
        COMMANDS, "rules rig",
        ("a request too long spoils all later ones", "                self._overlong = False\n", ""),
        ("checksum of a request ignored", "or not framing.crc_matches(body, n):", "or False:"),
        ("negative values off by one", "value - 0x3FFFFFFF - 1", "value - 0x3FFFFFFF"),
        ("token cut to 24 bits", "| ((body[6] & 0x3F) << 24)\n        if kind", "\n        if kind"),
    ),
    *_rows(
        HEALTH, "firmware rig",
        ("lost edges reported as lost samples", "lost[1] = self._trigger.lost_n", "lost[1] = sampler.lost_n"),
        ("report every two seconds", "PERIOD_US = const(1000000)", "PERIOD_US = const(2000000)"),
    ),
    *_rows(
        APP, "overrun",
        ("overruns never looked for", "        self.trigger.audit()\n", ""),
    ),
    *_rows(
        APP, "firmware rig",
        ("detector keeps its memory over a hole", "            self.detector.reset()\n", ""),
        ("edges not handed to the blanker", "            self.blanker.put(at.ticks)\n", ""),
        ("edges handed over before their block", "if at.since(block.first_at) >= until_us:", "if False:"),
    ),
    *_rows(
        DETECTOR, "twin",
        ("a weight of the median", "    return (a + h) >> 1\n\n\n@micropython.viper\ndef _weighted",
         "    return a\n\n\n@micropython.viper\ndef _weighted"),
        ("threshold without noise", "threshold = noise + span_q10 * part", "threshold = span_q10 * part"),
        ("a step that follows is time for search-back", "int(s[_SPOILT]) | int(artefact_push(state, sample, kind))",
         "int(s[_SPOILT]) | (int(artefact_push(state, sample, kind)) & 1)"),
        ("near pulses what is usual raises no limit", "int(_share_q10(usual, signal + 1)) * 11 >> 6", "0"),
        ("hidden time waited for again after a pause", "    if rr_n != 0:\n        total = 0\n        i = 0\n",
         "    if rr_n != 0 and since_n < 3 * second_n:\n        total = 0\n        i = 0\n"),
    ),
    *_rows(
        ARTEFACT, "twin",
        ("sign extension", "sample = (int(x[i]) ^ 32768) - 32768\n        slope = half",
         "sample = int(x[i])\n        slope = half"),
        ("steepest slope decays too fast", "usual -= usual >> 4", "usual -= usual >> 3"),
    ),
]  # fmt: skip
