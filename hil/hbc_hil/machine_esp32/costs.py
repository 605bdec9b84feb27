# What things cost on the chip, in virtual nanoseconds. NOT MEASURED ON SILICON.
#
# Sources: MicroPython on a 240 MHz ESP32 runs some 0.2-0.5 M bytecode calls a second (2-5 us a call, MicroPython forum
# and pystone figures); one-shot ADC reads take about 35 us (ESP32 facts of this project); a viper loop body of ten
# operations some 0.1-0.2 us; UART writes copy into the driver's ring. Each call also draws a jitter of up to a
# quarter of its cost, and flash stalls stop everything now and then. `cost_scale` multiplies all of them.

TICKS_US = 1300
SLEEP_CALL = 3000
MMIO = 1500
PIN_VALUE = 2200
ADC_READ = 35000
ADC_SAMPLE_AT = 12000  # when, after the call began, the input is held
UART_ANY = 4000
UART_READ = 9000
UART_WRITE = 18000
UART_WRITE_BYTE = 60
COUNTER_VALUE = 3000
SPI_CALL = 25000  # the port sets up a transaction and waits for it; the bytes come on top
CALLBACK = 15000  # from a pin or timer interrupt to the callback's first line, when nothing else runs
WDT_FEED = 3000
BOOT = 600000000  # from reset to the firmware's first line: ROM, bootloader, interpreter, loading the modules
STALL = 300000  # a flash page erased or written by another task
STALL_EVERY = 1700000000  # mean virtual time between two stalls

# Methods of the firmware that compute without touching the chip: charged by wrapping them at boot (rig_boot.py).
# (module, class, method, cost of one call)
METHODS = (
    ("hbc_fw.app", "App", "step", 25000),
    ("hbc_fw.sampler", "Sampler", "take", 30000),
    ("hbc_fw.drdy_sampler", "DrdySampler", "take", 40000),
    (
        "hbc_fw.detector",
        "RPeakDetector",
        "push_block",
        286000,
    ),  # 25 samples of about 11.5 us in viper while pulses come (5 us at rest)
    ("hbc_fw.blanking", "Blanker", "mark", 60000),
    ("hbc_fw.outbox", "Outbox", "_send", 260000),  # pack in bytecode, CRC and COBS in viper
    ("hbc_fw.trigger", "TriggerInput", "take", 90000),
    ("hbc_fw.hum", "HumMeter", "push", 60000),
    ("hbc_fw.settings", "SettingsFile", "save", 60000000),  # a small file on littlefs, a sector erased
)
