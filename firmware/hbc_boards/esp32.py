# ESP32 (WROOM, DevKit): the first box.
#
# Pins: nothing on 6-11 (flash), 16 17 (PSRAM of WROVER), 12 and 15 (strapping), 0 and 5 (strapping). 34 and 35 are
# inputs only and belong to ADC1 (ADC2 is unusable with Wi-Fi). The LED is GPIO 2, which most dev boards have one on; it
# is a strapping pin, too, and a LED to ground keeps it low, as serial download wants.

from hbc_boards.ad8232 import Ad8232Board, Pins
from hbc_boards.mcpwm_capture import Chip, McpwmCapture

TRIGGER_GPIO = 27
ECG_GPIO = 34
BATTERY_GPIO = 35
LO_PLUS_GPIO = 32
LO_MINUS_GPIO = 33
LED_GPIO = 2
TX_GPIO = 1
RX_GPIO = 3

CHIP = Chip(
    mcpwm_base=0x3FF5E000,  # reg_base.h DR_REG_PWM_BASE
    clock_enable=0x3FF000C0,  # dport_reg.h DPORT_PERIP_CLK_EN_REG
    clock_bit=17,  # dport_reg.h DPORT_PWM0_CLK_EN
    reset=0x3FF000C4,  # dport_reg.h DPORT_PERIP_RST_EN_REG
    reset_bit=17,  # dport_reg.h DPORT_PWM0_RST
    function_clock=0,
    function_clock_value=0,
    cap0_signal=109,  # gpio_sig_map.h PWM0_CAP0_IN_IDX
    gpio_in_sel=0x3FF44130,  # gpio_reg.h GPIO_FUNC0_IN_SEL_CFG_REG
)


class Board(Ad8232Board):
    NAME = b"esp32-ad8232"
    CAPTURE = b"hardware 12.5 ns (MCPWM)"
    CAPTURE_TICK_PS = 12500
    ADC_LSB_NV = 805861  # 3.3 V / 4095 at 11 dB; each chip differs by some per cent

    def __init__(self):
        pins = Pins(
            TRIGGER_GPIO, ECG_GPIO, BATTERY_GPIO, LO_PLUS_GPIO, LO_MINUS_GPIO, LED_GPIO, TX_GPIO, RX_GPIO
        )  # fmt: skip
        Ad8232Board.__init__(self, pins, McpwmCapture(CHIP, TRIGGER_GPIO))
