# The generator: JSON lines from the host, pulses and ECG out, a log of when each list of pulses was commanded.
#
# Requests, one JSON object a line, each answered by {"ok": cmd, ...} or {"error": text}:
#   {"cmd": "hello"}                          who is there; its clock
#   {"cmd": "load", "programme": {...}}       see programme.py; answers with the totals
#   {"cmd": "table", "n": N, "rate_hz": R}    room for an ECG; then {"cmd": "fill", "at": i, "hex": "..."} until full
#   {"cmd": "start", "in_us": D}              the first train begins D from now, the ECG at once; with "leads":
#                                             [[D, bits], ...] electrodes fall off and return D after now
#   {"cmd": "stop"}
# While it plays:
#   {"list": k, "train": t, "start_us": offset, "before_us": b, "after_us": a, "pulses_n": n}
#       the list was handed to the pulse unit between b and a of the generator's clock, and its first edge came then;
#       edges within a list are exact to the crystal, between two lists only b and a are known
#   {"ecg_us": t, "late_max_us": l, "skipped_n": s}   one turn of the table had begun at t
#   {"leads": bits, "us": t}                          LO+ and LO- changed at t
#   {"done": lists_n, "pulses_n": n, "late_max_us": l}  at the end

import gc
import json
from time import sleep_us, ticks_diff, ticks_us

from hbc_hil.generator.ecg_out import TABLE_MAX_N, EcgOut
from hbc_hil.generator.programme import ProgrammeError, complete, cut, train_pulses

VERSION = 1
LINE_MAX_N = 1000
SPIN_US = 400  # this long before a list is due, nothing else is done
NAP_US = 500


class Clock:
    """Microseconds since boot, past the wrap of ticks_us; read it more often than every 9 minutes."""

    def __init__(self):
        self._last = ticks_us()
        self._us = self._last

    def read(self):
        ticks = ticks_us()
        self._us += ticks_diff(ticks, self._last)
        self._last = ticks
        return self._us


class Player:
    """The trains of one programme, list by list."""

    def __init__(self, full, at_us):
        self.full = full
        self.at_us = at_us
        self.train_n = 0
        self.list_n = 0
        self.pulses_n = 0
        self.late_max_us = 0
        self._lists = None
        self.next = None
        self.prepare()

    def prepare(self):
        """Put the next list into `next`; None when all trains have been played. Takes its time: done in the pauses."""
        self.next = None
        while self.next is None and self.train_n < self.full["trains_n"]:
            if self._lists is None:
                self._lists = cut(train_pulses(self.full, self.train_n), self.full["active_high"])
            self.next = next(self._lists, None)
            if self.next is None:
                self._lists = None
                self.train_n += 1

    def due_us(self):
        return self.at_us + self.train_n * self.full["cycle_us"] + self.next[0]


class Generator:
    def __init__(self, board):
        self._board = board
        self._uart = board.uart
        self._clock = Clock()
        self._ecg = EcgOut(board.volts, self._clock)
        self._line = bytearray()
        self._chunk = bytearray(64)
        self._full = complete({"trains_n": 0})
        self._player = None
        self._leads = []  # (us, bits) to come

    def run(self):
        self._say({"generator": VERSION, "machine": self._board.machine})
        while True:
            self.step()

    def step(self):
        """Whatever is due, most urgent first; else a short nap."""
        now_us = self._clock.read()
        player = self._player
        wait_us = NAP_US
        if player is not None and player.next is not None:
            wait_us = player.due_us() - now_us
            if wait_us <= SPIN_US:
                self._play()
                return
        if self._leads and self._leads[0][0] <= now_us:
            bits = self._leads.pop(0)[1]
            self._board.leads(bits)
            self._say({"leads": bits, "us": self._clock.read()})
            return
        ecg = self._ecg
        if ecg.running:
            due_us = ecg.wait_us(now_us)
            if due_us <= 0:
                began_us = ecg.step(now_us)
                if began_us is not None:
                    self._say({"ecg_us": began_us, "late_max_us": ecg.late_max_us, "skipped_n": ecg.skipped_n})
                return
            wait_us = min(wait_us, due_us)
        if self._uart.any():
            self._receive()
        else:
            sleep_us(max(1, min(wait_us, NAP_US)))

    def _play(self):
        player = self._player
        start_us, pulses_n, durations, levels = player.next
        due_us = player.due_us()
        while self._board.playing():
            self._clock.read()
        while self._clock.read() < due_us:
            pass
        before_us = self._clock.read()
        self._board.play(durations, levels)
        after_us = self._clock.read()
        player.pulses_n += pulses_n
        player.late_max_us = max(player.late_max_us, after_us - due_us)
        self._say(
            {"list": player.list_n, "train": player.train_n, "start_us": start_us, "before_us": before_us,
             "after_us": after_us, "pulses_n": pulses_n}
        )  # fmt: skip
        player.list_n += 1
        gc.collect()  # now, while the pulse unit plays by itself, and not in the middle of something timed
        player.prepare()
        if player.next is None:
            self._say({"done": player.list_n, "pulses_n": player.pulses_n, "late_max_us": player.late_max_us})

    def _receive(self):
        n = self._uart.readinto(self._chunk)
        for k in range(n or 0):
            byte = self._chunk[k]
            if byte != 10:
                self._line.append(byte)
            else:
                self._answer(bytes(self._line))
                self._line = bytearray()
        if len(self._line) > LINE_MAX_N:
            self._line = bytearray()
            self._say({"error": "a line of more than %d bytes; send shorter ones" % LINE_MAX_N})

    def _answer(self, line):
        if not line.strip():
            return
        try:
            request = json.loads(line)
            cmd = request["cmd"]
            reply = self._carry_out(cmd, request)
        except (ProgrammeError, ValueError, KeyError, TypeError, MemoryError) as error:
            self._say({"error": "%s: %s" % (type(error).__name__, error)})
            return
        reply["ok"] = cmd
        self._say(reply)

    def _carry_out(self, cmd, request):
        board = self._board
        if cmd == "hello":
            return {
                "generator": VERSION, "machine": board.machine, "trigger_gpio": board.trigger_gpio,
                "dac_gpio": board.dac_gpio, "us": self._clock.read(),
            }  # fmt: skip
        if cmd == "load":
            self._player = None
            self._full = complete(request["programme"])
            board.set_idle(self._full["active_high"])
            return {"trains_n": self._full["trains_n"], "pulses_n": len(train_pulses(self._full, -2))}
        if cmd == "table":
            if not board.has_dac():
                raise ValueError("this chip has no DAC, so it cannot play an ECG: use an ESP32 or an ESP32-S2")
            if not 0 < request["n"] <= TABLE_MAX_N:
                raise ValueError("%d bytes of ECG, %d at most" % (request["n"], TABLE_MAX_N))
            self._ecg.clear(request["n"], request["rate_hz"])
            return {"n": request["n"]}
        if cmd == "fill":
            data = bytes.fromhex(request["hex"])
            at = request["at"]
            if not 0 <= at <= len(self._ecg.table) - len(data):
                raise ValueError("%d bytes at %d do not fit into %d" % (len(data), at, len(self._ecg.table)))
            self._ecg.table[at : at + len(data)] = data
            return {"at": at}
        if cmd == "start":
            now_us = self._clock.read()
            at_us = now_us + request["in_us"]
            self._leads = [(now_us + after_us, bits) for after_us, bits in request.get("leads", [])]
            self._player = Player(self._full, at_us)
            self._ecg.start(self._clock.read())
            return {"at_us": at_us}
        if cmd == "stop":
            self._player = None
            self._leads = []
            self._ecg.running = False
            board.leads(0)
            board.stop()
            return {}
        raise ValueError("no command %s" % cmd)

    def _say(self, values):
        self._uart.write(json.dumps(values) + "\n")
