# `machine` at the prompt of the stand-in box (bench_box.py): what an installer may ask of an idle interpreter.
# The unix port has no reset; here it ends the process, and the bench boots the box again.

import os
import sys

RESET_CODE = 71


def unique_id():
    number = os.getenv("HBC_UNIQUE_ID")
    return bytes([int(number[i : i + 2], 16) for i in range(0, len(number), 2)])


def reset():
    sys.exit(RESET_CODE)
