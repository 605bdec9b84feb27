# ESP32-C3 (DevKitM-1, SuperMini and others): no MCPWM, no PCNT, so edges are timed in software, and the box says so.
#
# Pins: nothing on 2 8 9 (strapping), 18 19 (native USB), 12-17 (flash). ADC1 is GPIO 0-4. The line to the host is UART
# 0's pins, 21 and 20 (see port.py). The LED is a plain one on GPIO 7: the boards' own sit on a strapping pin.
#
# The converter's range ends at 2.5 V, the amplifier's at 3.3 V: a divider of 10 k and 22 k lies between them, so the
# gain from electrodes to pin is 1100 * 22 / 32, and the amplifier's upper rail (3.25 V) reads 3660, not 4095.

from hbc_boards.ad8232 import Ad8232Board, Pins
from hbc_boards.soft_capture import SoftCapture

TRIGGER_GPIO = 4
ECG_GPIO = 0
BATTERY_GPIO = 1
LO_PLUS_GPIO = 5
LO_MINUS_GPIO = 6
LED_GPIO = 7
TX_GPIO = 21
RX_GPIO = 20


class Board(Ad8232Board):
    NAME = b"esp32c3-ad8232"
    CAPTURE_TICK_PS = 1000000
    ADC_LSB_NV = 610501  # 2.5 V / 4095 at 11 dB
    GAIN = 756
    RAIL_LOW_LSB = 90
    RAIL_HIGH_LSB = 3600

    def __init__(self):
        pins = Pins(
            TRIGGER_GPIO, ECG_GPIO, BATTERY_GPIO, LO_PLUS_GPIO, LO_MINUS_GPIO, LED_GPIO, TX_GPIO, RX_GPIO
        )  # fmt: skip
        capture = SoftCapture(TRIGGER_GPIO, LED_GPIO)
        # Measured at rest; what it is in service, Health tells every second.
        self.CAPTURE = b"software, measured %d us at rest" % ((capture.jitter_ns + 999) // 1000)
        Ad8232Board.__init__(self, pins, capture)
