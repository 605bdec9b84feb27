"""The simulated box, patient and trigger generator: the real firmware on the real MicroPython, without hardware."""
