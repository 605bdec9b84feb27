# What differs from chip to chip, as ESP-IDF's headers and data sheets have it: addresses, converter range, pins.
#
# Written out here once more, and not taken from the firmware's tables: a slip on one side must not agree with itself.


class Layout:
    def __init__(
        self, mcpwm, clock, reset, function_clock, in_sel, cap0, adc_full_mv, adc1, gpios, inputs_only, freq_hz, spi
    ):
        self.mcpwm = mcpwm  # base address, 0 when the chip has no capture unit (and no pulse counter either)
        self.clock = clock  # (address, bit) that must be 1
        self.reset = reset  # (address, bit) that must be 0
        self.function_clock = function_clock  # address, 0 when the counter runs from the 80 MHz bus clock
        self.in_sel = in_sel
        self.cap0 = cap0
        self.adc_full_mv = adc_full_mv
        self.adc1 = adc1
        self.gpios = gpios
        self.inputs_only = inputs_only
        self.freq_hz = freq_hz
        self.spi = spi  # numbers that machine.SPI takes


def _without(n, *ranges):
    return [gpio for gpio in range(n) if not any([low <= gpio <= high for low, high in ranges])]


LAYOUTS = {
    "esp32": Layout(
        0x3FF5E000, (0x3FF000C0, 17), (0x3FF000C4, 17), 0, 0x3FF44130, 109,
        3300, [32, 33, 34, 35, 36, 37, 38, 39], _without(40, (6, 11), (20, 20), (24, 24), (28, 31)),
        [34, 35, 36, 37, 38, 39], 240000000, (1, 2),
    ),
    "esp32s3": Layout(
        0x6001E000, (0x600C0018, 17), (0x600C0020, 17), 0, 0x60004154, 166,
        3100, list(range(1, 11)), _without(49, (22, 32)), [], 240000000, (1, 2),
    ),
    "esp32c6": Layout(
        0x60014000, (0x6009609C, 0), (0x6009609C, 1), 0x600960A0, 0x60091154, 93,
        3300, list(range(7)), _without(31, (24, 30)), [], 160000000, (1,),
    ),
    "esp32c3": Layout(
        0, (0, 0), (0, 0), 0, 0, 0,
        2500, list(range(5)), _without(22, (11, 17)), [], 160000000, (1,),
    ),
}  # fmt: skip
