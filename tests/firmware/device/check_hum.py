# HumMeter on blocks that the test wrote: one line of 25 samples a block; prints what it reads every `per_n` blocks.

import sys
from array import array

import kit
from hbc_fw.hum import HumMeter


def main(path, per_n):
    meter = HumMeter(500)
    found = []
    with open(path) as file:
        for n, line in enumerate(file):
            kit.locked(meter.push, array("h", [int(word) for word in line.split()]))
            if n % per_n == per_n - 1:
                found.append(kit.locked(meter.take))
    kit.done(hum_lsb=found, empty_lsb=kit.locked(meter.take))


main(sys.argv[1], int(sys.argv[2]))
