# ESP32-S3 (DevKitC-1 and others).
#
# Pins: nothing on 0 3 45 46 (strapping), 19 20 (native USB), 26-37 (flash and PSRAM). ADC1 is GPIO 1-10. The line to
# the host is UART 0's pins, the port that the dev board labels UART (see port.py). The LED is a plain one on GPIO 7:
# the board's own is a WS2812.

from hbc_boards.ad8232 import Ad8232Board, Pins
from hbc_boards.mcpwm_capture import Chip, McpwmCapture

TRIGGER_GPIO = 4
ECG_GPIO = 1
BATTERY_GPIO = 2
LO_PLUS_GPIO = 5
LO_MINUS_GPIO = 6
LED_GPIO = 7
TX_GPIO = 43
RX_GPIO = 44

CHIP = Chip(
    mcpwm_base=0x6001E000,  # reg_base.h DR_REG_PWM0_BASE
    clock_enable=0x600C0018,  # system_reg.h SYSTEM_PERIP_CLK_EN0_REG
    clock_bit=17,  # system_reg.h SYSTEM_PWM0_CLK_EN
    reset=0x600C0020,  # system_reg.h SYSTEM_PERIP_RST_EN0_REG
    reset_bit=17,  # system_reg.h SYSTEM_PWM0_RST
    function_clock=0,
    function_clock_value=0,
    cap0_signal=166,  # gpio_sig_map.h PWM0_CAP0_IN_IDX
    gpio_in_sel=0x60004154,  # gpio_reg.h GPIO_FUNC0_IN_SEL_CFG_REG
)


class Board(Ad8232Board):
    NAME = b"esp32s3-ad8232"
    CAPTURE = b"hardware 12.5 ns (MCPWM)"
    CAPTURE_TICK_PS = 12500
    ADC_LSB_NV = 757021  # 3.1 V / 4095 at 11 dB
    RAIL_HIGH_LSB = 4060

    def __init__(self):
        pins = Pins(
            TRIGGER_GPIO, ECG_GPIO, BATTERY_GPIO, LO_PLUS_GPIO, LO_MINUS_GPIO, LED_GPIO, TX_GPIO, RX_GPIO
        )  # fmt: skip
        Ad8232Board.__init__(self, pins, McpwmCapture(CHIP, TRIGGER_GPIO))
