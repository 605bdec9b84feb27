# Runs at power-up: build the box on its board, then loop for ever. What may go wrong on the way: hbc_fw/startup.py.

from hbc_fw import startup
from machine import reset, reset_cause


def start(last_boot):
    from hbc_boards import choose
    from hbc_fw.app import App
    from hbc_fw.settings import SettingsFile

    App(choose(SettingsFile().front_end())(), last_boot).run()


startup.guarded(start, reset, reset_cause())
