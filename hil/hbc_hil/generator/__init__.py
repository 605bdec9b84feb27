"""Firmware of the trigger generator, for a second board; `programme` also runs on the host, which must know it.

On the board this folder is the package ``hbc_hil/generator`` and ``main.py`` starts it.
"""
