# Between power-up and the loop: whether to start at all, what the last boot died of, and how a fault ends.
#
# Files: repl.txt asks for MicroPython's prompt instead of the app, once. crash.txt is the trace of the last fault.
# faults.txt counts the boots in a row that ended in a fault within 10 s; at three the box stays at the prompt, where
# `hbc box recover` reaches it, instead of restarting for ever.

import os
import sys
from time import ticks_diff, ticks_ms

from hbc_wire.messages import TEXT_MAX_N

REPL_FILE = "repl.txt"
CRASH_FILE = "crash.txt"
FAULTS_FILE = "faults.txt"
FAULTS_MAX_N = 3
SOON_MS = 10000
WATCHDOG_RESET = 3  # machine.WDT_RESET of the esp32 port
SAFE_MODE = (
    "hbc: safe mode. The last %d starts ended in a fault within 10 s, the last of them:\n%s\n"
    "Run `hbc box recover`, or switch the box off and on to let it try once more."
)


class LastBoot:
    """How the boot before this one ended."""

    def __init__(self, faults_n, remark):
        self.faults_n = faults_n  # in a row
        self.remark = remark  # for the first Note, b"" after a good one


def guarded(start, reset, reset_cause):
    """Run start(LastBoot) unless the prompt was asked for; a fault is written down and resets the box.

    Returns to the prompt after a request for it and in safe mode.
    """
    if _exists(REPL_FILE):
        os.remove(REPL_FILE)
        print("hbc: at the prompt, as asked for. Reset the box to start it again.")
        return
    faults_n = _count()
    crash = _text(CRASH_FILE)
    if reset_cause == WATCHDOG_RESET and not crash:
        faults_n += 1
        crash = "the loop stood still until the watchdog ended it"
        _count_up(faults_n)
    if faults_n >= FAULTS_MAX_N:
        _count_up(FAULTS_MAX_N - 1)  # one more try at the next power-up
        print(SAFE_MODE % (faults_n, crash))
        return
    _remove(CRASH_FILE)
    remark = ("after a fault: " + crash.split("\n")[-1]).encode()[:TEXT_MAX_N] if crash else b""
    started = ticks_ms()
    try:
        start(LastBoot(faults_n, remark))
    except Exception as error:
        soon = 0 <= ticks_diff(ticks_ms(), started) < SOON_MS
        try:
            _count_up(faults_n + 1 if soon else 0)  # first: it finds room where a trace does not
            _write_down(error)
        finally:  # a full or broken file system must not stop the box
            reset()


def forget_faults():
    """This boot went well so far: the count starts anew. Allocates, and writes to flash."""
    _remove(FAULTS_FILE)


def ask_for_prompt():
    """Have the next boot end at the prompt. Allocates, and writes to flash."""
    _put(REPL_FILE, "")


def _write_down(error):
    with open(CRASH_FILE, "w") as file:
        sys.print_exception(error, file)


def _count_up(faults_n):
    try:
        _put(FAULTS_FILE, str(faults_n))
    except OSError:  # a full or broken file system must not stop the box
        pass


def _put(name, text):
    with open(name + ".new", "w") as file:
        file.write(text)
    os.rename(name + ".new", name)


def _text(name):
    try:
        with open(name) as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _count():
    text = _text(FAULTS_FILE)
    return int(text) if text.isdigit() else 0


def _exists(name):
    try:
        os.stat(name)
        return True
    except OSError:
        return False


def _remove(name):
    try:
        os.remove(name)
    except OSError:
        pass
