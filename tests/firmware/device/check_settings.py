# Settings in flash: power fails at every byte and between all steps of a write; then the next boot reads what is left.
#
# The file system is the real one, the power failure an exception out of a file's write or out of rename.
# ruff: noqa: B905, RUF005, SIM105 - MicroPython has no zip(strict=), no unpacking into a list, no contextlib.suppress

import os
import sys

import kit
from hbc_fw import settings as module
from hbc_fw.settings import DAMAGED, Setting, Settings, SettingsFile
from hbc_wire import messages
from micropython import heap_lock, heap_unlock

real_open = open
left_n = [0]  # bytes until the power fails; negative: never


class PowerFailureError(Exception):
    """Not an OSError: nothing in the firmware may catch it."""


left_error = [PowerFailureError]


class FailingFile:
    """Lets bytes through until the power fails, or until the flash is full."""

    def __init__(self, path, mode):
        self._file = real_open(path, mode)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self._file.close()

    def read(self, n):
        return self._file.read(n)

    def write(self, data):
        if 0 <= left_n[0] < len(data):
            self._file.write(data[: left_n[0]])
            self._file.close()
            raise left_error[0]
        self._file.write(data)
        left_n[0] -= len(data)


class FailingOs:
    """The power may fail just before or just after a rename."""

    fails_before = fails_after = False

    def rename(self, old, new):
        if self.fails_before:
            raise PowerFailureError
        os.rename(old, new)
        if self.fails_after:
            raise PowerFailureError


def rows_of():
    """Fresh rows with defaults, and what was put into force."""
    put = {}
    rows = []
    for name, value, lowest, highest in (("blank_ms", 8, 0, 255), ("rising", 1, 0, 1), ("hold_off_us", 0, 0, 20000)):
        rows.append(Setting(name, value, lowest, highest, lambda value, name=name: put.update({name: value})))
    return rows, put


def booted(path):
    """Values after a boot, the remark, and what was put."""
    rows, put = rows_of()
    remark = SettingsFile(path).load(rows)
    return [row.value for row in rows], remark, put


def write(path, values):
    rows, _ = rows_of()
    for row, value in zip(rows, values):
        row.value = value
    SettingsFile(path).save(rows)


def contents(path):
    with real_open(path, "rb") as file:
        return file.read()


def check_power_failures(path):
    """Old, new or nothing else, whenever the power fails; how often each."""
    old, new = [12, 0, 5000], [255, 1, 12345]
    found = {"old": 0, "new": 0}
    write(path, new)
    length_n = len(contents(path))
    cases = [(n, False, False) for n in range(length_n + 1)] + [(-1, True, False), (-1, False, True)]
    for left, before, after in cases:
        left_n[0] = -1
        write(path, old)
        left_n[0], module.os.fails_before, module.os.fails_after = left, before, after
        try:
            write(path, new)
        except PowerFailureError:
            pass
        left_n[0], module.os.fails_before, module.os.fails_after = -1, False, False
        values, remark, _ = booted(path)
        assert not remark, (left, remark)
        found["old" if values == old else "new" if values == new else "neither"] += 1
        write(path, new)
        assert booted(path)[0] == new, "a rest of the failed write stands in the way"
    return found, length_n


def check_damage(path):
    """A file cut or changed anywhere is known to be damaged; what is read in spite of it is the default."""
    write(path, [12, 0, 5000])
    whole = contents(path)
    spoiled = [whole[:n] for n in range(len(whole))]
    for n in range(len(whole)):
        spoiled.append(whole[:n] + bytes([whole[n] ^ (1 << n % 8)]) + whole[n + 1 :])
    for data in spoiled + [b"\xff" * 300, whole + b"x", b"crc=00000000\n"]:
        with real_open(path, "wb") as file:
            file.write(data)
        values, remark, put = booted(path)
        assert (values, put) == ([8, 1, 0], {}), data
        assert remark == (DAMAGED if data != b"crc=00000000\n" else b""), data
    return len(spoiled)


def check_other_firmware(path):
    """Names that this firmware does not know are left alone, missing ones keep defaults, bad values are refused."""
    for body, values, remark in (
        (b"", [8, 1, 0], b""),
        (b"blank_ms=20\nfuture=7\n", [20, 1, 0], b""),
        (b"hold_off_us=20001\nblank_ms=20\n", [20, 1, 0], b"hold_off_us is out of range"),
        (b"rising=yes\nblank_ms=-1\n", [8, 1, 0], b"blank_ms is out of range"),
    ):
        with real_open(path, "wb") as file:
            file.write(body + module._crc_line(body))
        found, said, put = booted(path)
        assert found == values, body
        assert remark in said or body.startswith(b"rising"), (body, said)
        assert len(put) == sum([a != b for a, b in zip(values, [8, 1, 0])]), put
    os.remove(path)
    assert booted(path) == ([8, 1, 0], b"", {})


def check_busy_and_full(path):
    """Busy: nothing changes. Full: in force, and not kept until it can be."""
    rows, put = rows_of()
    busy = [True]
    settings = Settings(rows, SettingsFile(path), lambda: busy[0])
    name = b"blank_ms"
    statuses = []

    def ask(value):
        heap_lock()
        try:
            statuses.append(settings.apply(name, 0, len(name), value))
        except MemoryError:
            statuses.append("allocated")
        finally:
            heap_unlock()

    statuses += [0] * 16  # so that appending below does not allocate
    del statuses[:]
    ask(20)
    assert (put, rows[0].value) == ({}, 8)
    ask(8)  # in force already: no matter that it is busy
    busy[0] = False
    module.os.rename = full
    ask(20)
    assert (put, rows[0].value) == ({"blank_ms": 20}, 20)
    module.os.rename = os.rename
    ask(20)
    assert booted(path)[0] == [20, 1, 0]
    assert statuses == [messages.ACK_BUSY, messages.ACK_OK, messages.ACK_NOT_KEPT, messages.ACK_OK], statuses
    return len(statuses)


def check_front_end(path):
    """One that could not be kept stays the old one at the next boot, too, whatever else is kept until then."""
    rows = [Setting("blank_ms", 8, 0, 255, lambda value: None)]
    rows.append(Setting("front_end", 0, 0, 1, lambda value: None, at_boot=True))
    settings = Settings(rows, SettingsFile(path), lambda: False)

    def ask(name, value):
        heap_lock()
        try:
            return settings.apply(name, 0, len(name), value)
        finally:
            heap_unlock()

    assert ask(b"blank_ms", 20) == messages.ACK_OK
    old = contents(path)
    left_error[0] = OSError
    for n in range(len(old)):
        left_n[0] = n
        assert ask(b"front_end", 1) == messages.ACK_NOT_KEPT, n
        left_n[0] = -1
        assert (contents(path), rows[1].value, settings.restart_due) == (old, 0, False), n
        name, value = (b"front_end", 0) if n % 2 else (b"blank_ms", 20)  # what is in force: written all the same
        assert (ask(name, value), settings.restart_due) == (messages.ACK_OK, False), n
        assert (contents(path), SettingsFile(path).front_end()) == (old, 0), "it came in with another row"
    left_error[0] = PowerFailureError
    assert (ask(b"front_end", 1), settings.restart_due) == (messages.ACK_OK, True)
    assert SettingsFile(path).front_end() == 1


def check_mended(path):
    """After a damaged file, or one with a value that does not fit, the next request writes a whole one."""
    write(path, [12, 0, 5000])
    for data in (contents(path)[:-3], b"blank_ms=256\n" + module._crc_line(b"blank_ms=256\n")):
        with real_open(path, "wb") as file:
            file.write(data)
        rows, _ = rows_of()
        settings = Settings(rows, SettingsFile(path), lambda: False)
        remark = settings.load()
        assert remark
        assert settings.damaged == (remark == DAMAGED)
        heap_lock()
        status = settings.apply(b"blank_ms", 0, 8, 8)
        heap_unlock()
        assert (status, settings.damaged, booted(path)[:2]) == (messages.ACK_OK, False, ([8, 1, 0], b""))


def full(old, new):
    raise OSError(28)


def main(folder):
    module.open = FailingFile
    module.os = FailingOs()
    left_n[0] = -1
    path = folder + "/settings.txt"
    found, length_n = check_power_failures(path)
    damaged_n = check_damage(path)
    check_other_firmware(path)
    check_front_end(path)
    check_mended(path)
    os.remove(path)
    kit.done(found=found, length_n=length_n, damaged_n=damaged_n, answers_n=check_busy_and_full(path))


main(sys.argv[1])
