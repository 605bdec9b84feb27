# The only package that knows the hardware. Each module below is one kind of box; choose() finds out which this is.

import sys

BOARD_FILE = "board.txt"
AD8232, ADS1292R = range(2)  # values of the setting front_end
# Name, module, and what MicroPython says of the chip (sys.implementation._machine ends in "with <chip>").
BOARDS = (
    ("esp32-ad8232", "esp32", "ESP32"),
    ("esp32s3-ad8232", "esp32s3", "ESP32S3"),
    ("esp32c6-ad8232", "esp32c6", "ESP32C6"),
    ("esp32c3-ad8232", "esp32c3", "ESP32C3"),
)


def choose(front_end=AD8232):
    """What makes the board of this box, called without arguments: by the name in board.txt, else by the chip.

    A front end that this board cannot have is passed over; its settings say so (hbc_fw.settings).

    Registers differ from chip to chip, and a write to the wrong address is never harmless: whatever does not fit is an
    error that names both sides.
    """
    name = _written_name()
    machine = getattr(sys.implementation, "_machine", "")
    chip = machine.split(" with ")[-1].replace("-", "").upper() if " with " in machine else ""
    for board, module, board_chip in BOARDS:
        if board == name or (not name and board_chip == chip):
            if chip and chip != board_chip:
                raise ValueError("board.txt says %s, but this chip is %s (%s)" % (name, chip, machine))
            found = __import__("hbc_boards." + module, None, None, ("Board",))
            return _with_ads1292r(module, found) if front_end == ADS1292R else found.Board
    known = ", ".join([row[0] for row in BOARDS])
    raise ValueError("no board for %s (chip: %s); known: %s" % (name or "a box without board.txt", machine, known))


def _with_ads1292r(name, module):
    from hbc_boards import ads1292r_box

    return (lambda: ads1292r_box.Ads1292rBoard(name, module)) if name in ads1292r_box.PINS else module.Board


def _written_name():
    try:
        with open(BOARD_FILE) as file:
            return file.read().strip()
    except OSError:
        return ""
