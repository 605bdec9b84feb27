# startup.guarded in a folder of its own: what it starts, what it writes down, when it resets, when it stays.

import os
import sys
import time

import kit
from hbc_fw import startup

now_ms = [0]
startup.ticks_ms = lambda: now_ms[0] % (1 << 30)
startup.ticks_diff = time.ticks_diff


class Box:
    """Boots again and again."""

    def __init__(self):
        self.starts_n = self.resets_n = 0
        self.last = None
        self.fault = None
        self.lives_ms = 0

    def start(self, last_boot):
        self.starts_n += 1
        self.last = last_boot
        now_ms[0] += self.lives_ms
        if self.fault:
            raise self.fault

    def reset(self):
        self.resets_n += 1

    def boot(self, cause=2, fault=None, lives_ms=1000):
        """(started, reset, faults that it was told of)."""
        before = self.starts_n, self.resets_n
        self.fault, self.lives_ms = fault, lives_ms
        startup.guarded(self.start, self.reset, cause)
        started = self.starts_n > before[0]
        return started, self.resets_n > before[1], self.last.faults_n if started else -1


def files():
    return sorted([name for name in os.listdir() if name.endswith(".txt") or name.endswith(".new")])


def check_prompt(box):
    startup.ask_for_prompt()
    assert box.boot() == (False, False, -1)
    assert files() == []
    assert box.boot() == (True, False, 0)
    assert box.last.remark == b""


def check_faults(box):
    boom = ValueError("boom")
    assert box.boot(fault=boom) == (True, True, 0)
    assert files() == ["crash.txt", "faults.txt"]
    assert box.boot(fault=boom) == (True, True, 1)
    assert box.last.remark == b"after a fault: ValueError: boom"
    assert box.boot(fault=boom) == (True, True, 2)
    assert box.boot() == (False, False, -1), "it does not stay at the prompt"
    assert "crash.txt" in files(), "the reason is gone before anybody read it"
    assert box.boot(cause=1, fault=boom) == (True, True, 2), "no try after switching off and on"
    assert box.boot() == (False, False, -1)
    assert box.boot(cause=1) == (True, False, 2)
    startup.forget_faults()
    startup.forget_faults()
    assert box.boot() == (True, False, 0)
    assert files() == []


def check_late_faults(box):
    """A fault after 10 s, or after six days, does not count; just before it does."""
    for lives_ms, counted in ((10_000, 0), (9_999, 1), (1 << 29, 0), ((1 << 30) - 1, 0)):
        assert box.boot(fault=OSError(5), lives_ms=lives_ms)[1]
        assert box.boot()[2] == counted, lives_ms
        assert box.last.remark.startswith(b"after a fault: OSError")
        startup.forget_faults()


def check_watchdog(box):
    for told in (1, 2):
        assert box.boot(cause=startup.WATCHDOG_RESET) == (True, False, told)
        assert b"watchdog" in box.last.remark
    assert box.boot(cause=startup.WATCHDOG_RESET) == (False, False, -1)
    startup.forget_faults()


def check_long_words_and_rubbish(box):
    with open("faults.txt", "w") as file:
        file.write("-3 cows")
    with open("crash.txt", "wb") as file:
        file.write(b"\xff\xfe")
    assert box.boot() == (True, False, 0)
    assert box.boot(fault=ValueError("x" * 300))[1]
    assert box.boot()[0]
    assert len(box.last.remark) == 64
    startup.forget_faults()


def check_nearly_full_flash(box):
    """Where a trace finds no room but a number does, a row of faults has its end all the same."""
    real_open = open

    def nearly_full(name, mode="r"):
        if "w" in mode and name.startswith("crash"):
            raise OSError(28)
        return real_open(name, mode)

    startup.open = nearly_full
    for told in (0, 1, 2):
        told_errno = 0
        try:
            box.boot(fault=ValueError("boom"))
        except OSError as error:  # after the reset
            told_errno = error.errno
        assert told_errno == 28
        assert box.last.faults_n == told
    assert box.boot() == (False, False, -1), "it restarts for ever"
    startup.open = real_open
    startup.forget_faults()


def check_broken_flash(box):
    """A file system that takes nothing does not keep the box from starting again."""
    real_open = open

    def read_only(name, mode="r"):
        if "w" in mode:
            raise OSError(30)
        return real_open(name, mode)

    startup.open = read_only
    assert box.boot(cause=startup.WATCHDOG_RESET) == (True, False, 1)
    before_n = box.resets_n
    try:
        box.boot(fault=ValueError("boom"))
    except OSError:  # told after the reset, which does not return on a box
        assert box.resets_n == before_n + 1
        return
    raise AssertionError("the flash took it")


def main(folder):
    os.chdir(folder)
    box = Box()
    for check in (check_prompt, check_faults, check_late_faults, check_watchdog, check_long_words_and_rubbish):
        check(box)
    check_nearly_full_flash(box)
    check_broken_flash(box)
    kit.done(starts_n=box.starts_n, resets_n=box.resets_n)


main(sys.argv[1])
