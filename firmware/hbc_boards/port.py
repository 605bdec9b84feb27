# The serial line to the host, on the pins of the USB bridge.
#
# UART 0 belongs to the REPL: its buffers are fixed and its driver is not installed, so a write there blocks on the
# 128-byte FIFO. UART 1 is routed to the same two pins through the GPIO matrix instead (docs/decisions/0003).
#
# Boards with an S3, C6 or C3 often have a second socket: the chip's native USB. It is not used. MicroPython offers it
# as the REPL's stream only, which cannot tell its room, waits for a host that does not read, and is reset by the host's
# modem lines; and its ground is the computer's, where a bridge can stand behind an isolator. A board without a bridge
# takes a USB-serial adapter on TX and RX.

from time import ticks_add, ticks_diff, ticks_us

import micropython
from machine import UART
from micropython import const

BAUD = const(115200)
BYTES_PER_100_MS = const(BAUD // 100)
TX_BUFFER_N = const(1024)
# ESP-IDF's transmit ring never splits an item and adds a header to each, and an event to each write: some 32 bytes a
# frame. A ring of just TX_BUFFER_N would block on a row of small frames that this account still has room for.
TX_RING_N = const(2 * TX_BUFFER_N)


class Port:
    """Never blocks: it keeps its own account of how full the driver's buffer is, since UART cannot tell."""

    def __init__(self, tx_gpio, rx_gpio):
        micropython.kbd_intr(-1)  # 0x03 is data here
        self._uart = UART(1, BAUD, tx=tx_gpio, rx=rx_gpio, txbuf=TX_RING_N, rxbuf=512, timeout=0)
        self._queued_n = 0
        self._drained_ticks = ticks_us()

    @micropython.native
    def room_n(self):
        """Bytes that a write may have now without waiting."""
        now = ticks_us()
        elapsed_us = ticks_diff(now, self._drained_ticks)
        if elapsed_us < 0 or elapsed_us > 200000:  # longer than a full buffer needs
            self._queued_n = 0
            self._drained_ticks = now
        else:
            drained_n = elapsed_us * BYTES_PER_100_MS // 100000
            if drained_n >= self._queued_n:
                self._queued_n = 0
                self._drained_ticks = now
            else:
                self._queued_n -= drained_n
                self._drained_ticks = ticks_add(self._drained_ticks, drained_n * 100000 // BYTES_PER_100_MS)
        return TX_BUFFER_N - self._queued_n

    def write(self, buf, n):
        self._uart.write(buf, n)  # type: ignore[call-arg]  # a stream's write takes a length, the stubs forgot it
        self._queued_n += n

    @micropython.native
    def any(self):
        return self._uart.any()

    def read_into(self, buf):
        n = self._uart.readinto(buf)
        return n if n else 0
