# What the generator's interpreter starts: adds the outputs to the simulated chip, then runs the generator's main.py.
#
# A generator waits for a person or a program, and virtual time would run away meanwhile: so the clock stands still
# until the bytes `hold_until` have come from the host. From then on it runs as fast as the box that it is wired to.

import sys

import machine
from chip import chip
from dac import DAC
from line import line
from vtime import now, set_poll

WIRES = {32: 1, 33: 2, 5: 1, 6: 2, 19: 1, 20: 2}  # LO+ and LO- outputs of hbc_hil/generator/board.py


class OutPin(machine.Pin):
    """A pin whose level goes out into the world."""

    def __init__(self, gpio, *args, value=None, **kw):
        super().__init__(gpio, *args, **kw)
        self._wire = WIRES.get(gpio)
        if value is not None:
            self.value(value)

    def value(self, level=None):
        before = super().value()
        if level is None:
            return before
        super().value(level)
        if self._wire is not None and level != before:
            chip.world.level(now(), self._wire, level)


machine.Pin = OutPin
machine.DAC = DAC
hold_until = chip.config["hold_until"].encode()
send = line.send
heard = bytearray()


def send_at_once(t_ns, buf, n):
    send(t_ns, buf, n)
    line.flush()


def listen():
    """In place of a look at the line now and then: wait at the line."""
    set_poll(now())
    if line.received or not line._poll.poll(-1):
        return
    byte = sys.stdin.buffer.read(1)
    came = bytearray()
    while byte:
        came += byte
        byte = sys.stdin.buffer.read(1) if line._poll.poll(0) else b""
    if not came:
        sys.exit(0)  # the host has gone
    line.received += came
    heard.extend(came)
    if hold_until in heard:
        del line._listen  # the chip's own from now on


line.send = send_at_once
if not chip.paced:
    line._listen = listen
    set_poll(now())

try:
    import main  # noqa: F401
except Exception as error:  # standard output is the line to the host
    sys.print_exception(error, sys.stderr)
    sys.exit(1)
