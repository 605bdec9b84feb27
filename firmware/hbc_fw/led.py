# What the box's light says, from across the room.

from micropython import const

# In blocks of 50 ms.
FLASH_N = const(1)
FAULT_HALF_N = const(2)
LEADS_HALF_N = const(10)
NO_BEAT_N = const(60)


class Led:
    """A flash for each beat; blinks while an electrode is off, fast after a fault; steady while no beat is found."""

    def __init__(self, set_led):
        self._set_led = set_led
        self._on = False
        self._blocks_n = 0
        self._beats_n = 0
        self._since_beat_n = NO_BEAT_N

    def tick(self, beats_n, leads_off, fault):
        """Once a block; beats_n: R-peaks so far."""
        self._blocks_n += 1
        if beats_n != self._beats_n:
            self._beats_n = beats_n
            self._since_beat_n = 0
        elif self._since_beat_n < NO_BEAT_N:
            self._since_beat_n += 1
        if fault:
            on = self._blocks_n // FAULT_HALF_N % 2 == 0
        elif leads_off:
            on = self._blocks_n // LEADS_HALF_N % 2 == 0
        else:
            on = self._since_beat_n < FLASH_N or self._since_beat_n >= NO_BEAT_N
        if on != self._on:
            self._on = on
            self._set_led(on)
