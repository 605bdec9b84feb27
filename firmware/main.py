# Runs at power-up: build the box on its board, then loop for ever.

from hbc_boards.esp32 import Board
from hbc_fw.app import App

App(Board()).run()
