# Which board does choose() find? Arguments: folder, what the interpreter says of its chip, and what board.txt holds.
#
# Prints the board's name or the error; asserted by tests/firmware/test_boards.py.

import os
import sys

import kit


class Anything:
    """Stands for `machine`: the boards are only imported here, never built."""

    ADC = Counter = Pin = Timer = UART = WDT = None


class Implementation:
    _machine = sys.argv[2]


class System:
    implementation = Implementation


os.chdir(sys.argv[1])
if len(sys.argv) > 3:
    with open("board.txt", "w") as file:
        file.write(sys.argv[3])
sys.modules["machine"] = Anything
import hbc_boards  # noqa: E402 - machine must stand in first

hbc_boards.sys = System
try:
    kit.done(board=hbc_boards.choose().NAME.decode(), error="")
except ValueError as error:
    kit.done(board="", error=str(error))
