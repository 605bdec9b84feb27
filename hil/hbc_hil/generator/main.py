# Runs at power-up of the generator board.

from hbc_hil.generator.board import Board
from hbc_hil.generator.generator import Generator

Generator(Board()).run()
