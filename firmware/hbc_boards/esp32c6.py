# ESP32-C6 (DevKitC-1, XIAO and others).
#
# Pins: nothing on 4 5 8 9 15 (strapping), 12 13 (native USB), 24-30 (flash). ADC1 is GPIO 0-6. The line to the host is
# UART 0's pins, the port that the dev board labels UART (see port.py). The LED is a plain one on GPIO 21: the board's
# own is a WS2812 on a strapping pin.

from hbc_boards.ad8232 import Ad8232Board, Pins
from hbc_boards.mcpwm_capture import Chip, McpwmCapture

TRIGGER_GPIO = 18
ECG_GPIO = 2
BATTERY_GPIO = 1
LO_PLUS_GPIO = 19
LO_MINUS_GPIO = 20
LED_GPIO = 21
TX_GPIO = 16
RX_GPIO = 17

CHIP = Chip(
    mcpwm_base=0x60014000,  # reg_base.h DR_REG_MCPWM_BASE
    clock_enable=0x6009609C,  # pcr_reg.h PCR_PWM_CONF_REG
    clock_bit=0,  # pcr_reg.h PCR_PWM_CLK_EN
    reset=0x6009609C,  # pcr_reg.h PCR_PWM_CONF_REG
    reset_bit=1,  # pcr_reg.h PCR_PWM_RST_EN
    function_clock=0x600960A0,  # pcr_reg.h PCR_PWM_CLK_CONF_REG
    # PCR_PWM_CLKM_EN (bit 22), PCR_PWM_CLKM_SEL [21:20] = 1: 160 MHz, PCR_PWM_DIV_NUM [19:12] = 1: divided by 2
    function_clock_value=0x501000,
    cap0_signal=93,  # gpio_sig_map.h PWM0_CAP0_IN_IDX
    gpio_in_sel=0x60091154,  # gpio_reg.h GPIO_FUNC0_IN_SEL_CFG_REG
)


class Board(Ad8232Board):
    NAME = b"esp32c6-ad8232"
    CAPTURE = b"hardware 12.5 ns (MCPWM)"
    CAPTURE_TICK_PS = 12500
    ADC_LSB_NV = 805861  # 3.3 V / 4095 at 11 dB

    def __init__(self):
        pins = Pins(
            TRIGGER_GPIO, ECG_GPIO, BATTERY_GPIO, LO_PLUS_GPIO, LO_MINUS_GPIO, LED_GPIO, TX_GPIO, RX_GPIO
        )  # fmt: skip
        Ad8232Board.__init__(self, pins, McpwmCapture(CHIP, TRIGGER_GPIO))
