# machine.SPI of the ESP32 port, as the master of one converter. Bytes take their time, and the world goes on meanwhile.

import costs
from chip import chip, relock, unlock
from vtime import charge, skip

MAX_HZ = 40000000  # through the GPIO matrix


class SPI:
    MSB = 0
    LSB = 1

    def __init__(self, id, baudrate=1000000, polarity=0, phase=0, bits=8, firstbit=MSB, sck=None, mosi=None, miso=None):
        if id not in chip.layout.spi:
            raise ValueError("SPI(%d) doesn't exist" % id)
        if bits != 8 or not 0 < baudrate <= MAX_HZ:
            raise ValueError("%d bits or %d Hz are not modelled" % (bits, baudrate))
        self._byte_ns = 8000000000 // baudrate
        ads = chip.config["ads"]
        pins = (sck.gpio, mosi.gpio, miso.gpio)
        wired = ads is not None and pins == (ads["sclk"], ads["mosi"], ads["miso"]) and not chip.config["ads_broken"]
        self._device = chip.device if wired else None
        # In another mode each bit is taken an edge early: nothing that was sent is understood, what comes is shifted.
        self._right = (polarity, phase, firstbit) == (0, 1, self.MSB) and baudrate <= 20000000

    def _swap(self, value):
        skip(self._byte_ns)
        if self._device is None:
            return 0xFF  # an input with nothing on it; the converter's own is high when it is not selected
        if not self._right:
            return self._device.byte(value << 1 & 0xFF, self._byte_ns) >> 1
        return self._device.byte(value, self._byte_ns)

    def write_readinto(self, out, into):
        charge(costs.SPI_CALL)
        depth = unlock()
        for i in range(len(out)):
            into[i] = self._swap(out[i])
        relock(depth)

    def readinto(self, into, write=0):
        charge(costs.SPI_CALL)
        depth = unlock()
        for i in range(len(into)):
            into[i] = self._swap(write)
        relock(depth)

    def write(self, out):
        charge(costs.SPI_CALL)
        depth = unlock()
        for byte in out:
            self._swap(byte)
        relock(depth)
