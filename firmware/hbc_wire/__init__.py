# The wire protocol, defined once; runs on CPython and on MicroPython.
