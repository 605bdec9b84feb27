# A box with an ADS1292R instead of the AD8232: which boards can have one, and on which pins.
#
# It needs a capture unit: channel 1 takes the instant at which DRDY falls, so that samples and trigger edges lie on one
# counter. The ESP32-C3 has none. What remains of the trigger is its leading edge: no minimum width on such a box.
#
# Pins: as in the chips' own modules (strapping, USB, flash, UART 0 left alone); the AD8232's pins stay free for it.
# Never run on a real board yet.

from machine import SPI, Pin

from hbc_boards import ads1292r
from hbc_boards.box import BoxBoard
from hbc_boards.mcpwm_capture import McpwmCapture

RATE_HZ = 500
PINS_OF = ("sclk", "mosi", "miso", "cs", "drdy", "reset")
PINS = {  # chip module -> GPIO of SCLK, DIN, DOUT, CS, DRDY, PWDN/RESET
    "esp32": (18, 23, 19, 22, 26, 21),
    "esp32s3": (12, 11, 13, 10, 9, 8),
    "esp32c6": (6, 7, 3, 10, 11, 22),
}
SPI_ID = 1


class Ads1292rBoard(BoxBoard):
    """The box of a chip's module, with samples from the converter."""

    CAPTURE = b"hardware 12.5 ns (MCPWM)"
    CAPTURE_TICK_PS = 12500
    # One count is 16 steps of the converter, and those are behind its gain: 0.769 uV at the electrodes.
    ADC_LSB_NV = ((ads1292r.LSB_PV << ads1292r.SCALE_SHIFT) + 500) // 1000
    GAIN = ads1292r.GAIN
    RAIL_LSB = ads1292r.RAIL_LSB
    FRONT_END = 1

    def __init__(self, name, module):
        self.NAME = name.encode() + b"-ads1292r"
        sclk, mosi, miso, cs, drdy, reset = PINS[name]
        spi = SPI(SPI_ID, ads1292r.BAUD, polarity=0, phase=1, sck=Pin(sclk), mosi=Pin(mosi), miso=Pin(miso))
        chip_select, chip_reset = Pin(cs, Pin.OUT, value=1), Pin(reset, Pin.OUT, value=1)
        capture = McpwmCapture(module.CHIP, module.TRIGGER_GPIO, drdy_gpio=drdy)
        BoxBoard.__init__(self, module.BATTERY_GPIO, module.LED_GPIO, module.TX_GPIO, module.RX_GPIO, capture)
        self._ads = ads1292r.Ads1292r(spi, chip_select, chip_reset, RATE_HZ)
        self.converter = self._ads  # type: ignore[assignment]  # other boards have none

    def leads(self):
        """Bits of Status.leads: the positive input is LA, the negative one RA."""
        return self._ads.leads
