"""The registers that the firmware writes, a second time, with the name that ESP-IDF's headers give each value.

Written from the headers, apart from ``firmware/hbc_boards`` on purpose: a slip of the finger in either place
makes the two disagree. Header names are those of ``soc/<chip>/register/soc`` and, for gpio_sig_map.h,
``soc/<chip>/include/soc``.
"""

from __future__ import annotations

# Per chip: field of hbc_boards.mcpwm_capture.Chip -> (value, where it comes from).
CHIPS: dict[str, dict[str, tuple[int, str]]] = {
    "esp32": {
        "mcpwm_base": (0x3FF5E000, "reg_base.h DR_REG_PWM_BASE"),
        "clock_enable": (0x3FF00000 + 0x0C0, "dport_reg.h DPORT_PERIP_CLK_EN_REG"),
        "clock_bit": (17, "dport_reg.h DPORT_PWM0_CLK_EN"),
        "reset": (0x3FF00000 + 0x0C4, "dport_reg.h DPORT_PERIP_RST_EN_REG"),
        "reset_bit": (17, "dport_reg.h DPORT_PWM0_RST"),
        "function_clock": (0, "none: the capture timer counts APB_CLK, 80 MHz"),
        "function_clock_value": (0, "none"),
        "cap0_signal": (109, "gpio_sig_map.h PWM0_CAP0_IN_IDX"),
        "gpio_in_sel": (0x3FF44000 + 0x130, "gpio_reg.h GPIO_FUNC0_IN_SEL_CFG_REG"),
    },
    "esp32s3": {
        "mcpwm_base": (0x6001E000, "reg_base.h DR_REG_PWM0_BASE"),
        "clock_enable": (0x600C0000 + 0x18, "system_reg.h SYSTEM_PERIP_CLK_EN0_REG"),
        "clock_bit": (17, "system_reg.h SYSTEM_PWM0_CLK_EN"),
        "reset": (0x600C0000 + 0x20, "system_reg.h SYSTEM_PERIP_RST_EN0_REG"),
        "reset_bit": (17, "system_reg.h SYSTEM_PWM0_RST"),
        "function_clock": (0, "none: the capture timer counts APB_CLK, 80 MHz"),
        "function_clock_value": (0, "none"),
        "cap0_signal": (166, "gpio_sig_map.h PWM0_CAP0_IN_IDX"),
        "gpio_in_sel": (0x60004000 + 0x154, "gpio_reg.h GPIO_FUNC0_IN_SEL_CFG_REG"),
    },
    "esp32c6": {
        "mcpwm_base": (0x60014000, "reg_base.h DR_REG_MCPWM_BASE"),
        "clock_enable": (0x60096000 + 0x9C, "pcr_reg.h PCR_PWM_CONF_REG"),
        "clock_bit": (0, "pcr_reg.h PCR_PWM_CLK_EN"),
        "reset": (0x60096000 + 0x9C, "pcr_reg.h PCR_PWM_CONF_REG"),
        "reset_bit": (1, "pcr_reg.h PCR_PWM_RST_EN"),
        "function_clock": (0x60096000 + 0xA0, "pcr_reg.h PCR_PWM_CLK_CONF_REG"),
        "function_clock_value": (
            1 << 22 | 1 << 20 | (160 // 80 - 1) << 12,
            "pcr_reg.h PCR_PWM_CLKM_EN_S 22, PCR_PWM_CLKM_SEL_S 20 (1: 160 MHz), PCR_PWM_DIV_NUM_S 12 (less one)",
        ),
        "cap0_signal": (93, "gpio_sig_map.h PWM0_CAP0_IN_IDX"),
        "gpio_in_sel": (0x60091000 + 0x154, "gpio_reg.h GPIO_FUNC0_IN_SEL_CFG_REG"),
    },
}

# Constants of hbc_boards/mcpwm_capture.py: the same on all chips that have the unit.
DRIVER: dict[str, tuple[int, str]] = {
    "CAP_TIMER_CFG": (232, "mcpwm_reg.h MCPWM_CAP_TIMER_CFG_REG 0xe8"),
    "CAP_CH0_CFG": (240, "mcpwm_reg.h MCPWM_CAP_CH0_CFG_REG 0xf0"),
    "CAP_CH1_CFG": (244, "mcpwm_reg.h MCPWM_CAP_CH1_CFG_REG 0xf4"),
    "CAP_CH2_CFG": (248, "mcpwm_reg.h MCPWM_CAP_CH2_CFG_REG 0xf8"),
    "CAP_CH0": (252, "mcpwm_reg.h MCPWM_CAP_CH0_REG 0xfc"),
    "CAP_CH1": (256, "mcpwm_reg.h MCPWM_CAP_CH1_REG 0x100"),
    "CAP_CH2": (260, "mcpwm_reg.h MCPWM_CAP_CH2_REG 0x104"),
    "CAP_STATUS": (264, "mcpwm_reg.h MCPWM_CAP_STATUS_REG 0x108"),
    "INT_RAW": (276, "mcpwm_reg.h MCPWM_INT_RAW_REG 0x114"),
    "INT_CLR": (284, "mcpwm_reg.h MCPWM_INT_CLR_REG 0x11c"),
    "TIMER_ENABLE": (1 << 0, "mcpwm_reg.h MCPWM_CAP_TIMER_EN"),
    "CHANNEL_ENABLE": (1 << 0, "mcpwm_reg.h MCPWM_CAP0_EN"),
    "CHANNEL_FALLING": (1 << 1, "mcpwm_reg.h MCPWM_CAP0_MODE [2:1], bit 0: negedge"),
    "CHANNEL_RISING": (1 << 2, "mcpwm_reg.h MCPWM_CAP0_MODE [2:1], bit 1: posedge"),
    "CHANNEL_SOFTWARE": (1 << 12, "mcpwm_reg.h MCPWM_CAP0_SW"),
    "CAP0_INT": (1 << 27, "mcpwm_reg.h MCPWM_CAP0_INT_RAW"),
    "CAP1_INT": (1 << 28, "mcpwm_reg.h MCPWM_CAP1_INT_RAW"),
    "CAP2_INT": (1 << 29, "mcpwm_reg.h MCPWM_CAP2_INT_RAW"),
    "IN_SEL_MATRIX": (1 << 7, "gpio_reg.h GPIO_SIG0_IN_SEL"),
}

# Strapping pins, pins of native USB and of flash and PSRAM, and pins of ADC1: data sheets, chapters on boot and pins.
STRAPPING = {
    "esp32": {0, 2, 5, 12, 15},
    "esp32s3": {0, 3, 45, 46},
    "esp32c6": {4, 5, 8, 9, 15},
    "esp32c3": {2, 8, 9},
}
NATIVE_USB = {"esp32": set[int](), "esp32s3": {19, 20}, "esp32c6": {12, 13}, "esp32c3": {18, 19}}
MEMORY = {
    "esp32": {6, 7, 8, 9, 10, 11, 16, 17},
    "esp32s3": set(range(26, 38)),
    "esp32c6": set(range(24, 31)),
    "esp32c3": set(range(12, 18)),
}
ADC1 = {
    "esp32": set(range(32, 40)),
    "esp32s3": set(range(1, 11)),
    "esp32c6": set(range(0, 7)),
    "esp32c3": set(range(0, 5)),
}
INPUT_ONLY = {"esp32": {34, 35, 36, 39}, "esp32s3": set[int](), "esp32c6": set[int](), "esp32c3": set[int]()}
UART0 = {"esp32": (1, 3), "esp32s3": (43, 44), "esp32c6": (16, 17), "esp32c3": (21, 20)}  # U0TXD, U0RXD by reset
