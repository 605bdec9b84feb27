# What a host may change: each setting with its range, kept in flash and in force at once; front_end after a restart,
# which the box makes by itself.
#
# settings.txt holds lines "name=value", and last "crc=" with the CRC-32 of all bytes before that line. It is written
# under another name and renamed, so that a power failure at any byte leaves the old file or the new one.

import os
from binascii import crc32

from hbc_wire import messages
from micropython import heap_lock, heap_unlock

FILE = "settings.txt"
FILE_MAX_N = 1024
DAMAGED = b"settings.txt damaged: defaults in force, AD8232. Run hbc box set"  # choose() took that front end
MIN_WIDTH_MAX_US = 1000
HOLD_OFF_MAX_US = 20000


class Setting:
    """One named value with its limits; put(value) brings it into force; at_boot: only the next boot does."""

    def __init__(self, name, value, lowest, highest, put, at_boot=False):
        self.name = name.encode()
        self.value = value  # the default, until told otherwise
        self.lowest = lowest
        self.highest = highest
        self.put = put
        self.at_boot = at_boot


def box_settings(app):
    """All settings of the box, with their defaults."""
    trigger = app.trigger

    def put_blank_ms(value):
        app.blanker.blank_ms = value

    def put_rising(value):
        trigger.configure(value, trigger.pull_up)

    def put_pull_up(value):
        trigger.configure(trigger.rising, value)

    def put_hold_off(value):
        trigger.hold_off_us = value

    def put_battery(value):
        app.health.battery_wired = value

    def put_nothing(value):
        pass  # the board is built before there are settings

    front_end_max = 1 if app.board.capture.CAN_DRDY else 0
    width_max_us = MIN_WIDTH_MAX_US if app.board.capture.CAN_WIDTH else 0
    return (
        Setting("blank_ms", app.blanker.blank_ms, 0, 255, put_blank_ms),
        Setting("trigger_rising", trigger.rising, 0, 1, put_rising),
        Setting("trigger_pull_up", trigger.pull_up, 0, 1, put_pull_up),
        Setting("trigger_min_width_us", 0, 0, width_max_us, trigger.set_min_width),
        Setting("trigger_hold_off_us", 0, 0, HOLD_OFF_MAX_US, put_hold_off),
        Setting("battery_wired", 0, 0, 1, put_battery),
        Setting("front_end", app.board.FRONT_END, 0, front_end_max, put_nothing, at_boot=True),
    )


class Settings:
    """The rows, their file, and a function that says when keeping one must wait."""

    def __init__(self, rows, file, busy):
        self.rows = rows
        self._file = file
        self._busy = busy
        self.restart_due = False  # a change waits for the next boot
        self.damaged = False
        self._kept = True  # False: what is in force is not what flash holds; the next request writes, changed or not

    def load(self):
        """Bring into force what is kept; returns a remark about what could not be used, or b""."""
        remark = self._file.load(self.rows)
        self.damaged = remark == DAMAGED
        self._kept = not remark
        return remark

    def apply(self, buf, at, n, value):
        """Set the row whose name is buf[at:at+n] and keep it; returns an Ack status.

        A change writes to flash, which stops the loop for some 60 ms (docs/howto/settings.md): samples that come due
        meanwhile are counted as missed. With the heap locked, as in the loop; a value that is in force costs nothing.
        """
        for row in self.rows:
            if _same(row.name, buf, at, n):
                if not row.lowest <= value <= row.highest:
                    return messages.ACK_OUT_OF_RANGE
                if value == row.value and self._kept:
                    return messages.ACK_OK
                return messages.ACK_BUSY if self._busy() else self._change(row, value)
        return messages.ACK_UNKNOWN_NAME

    def _change(self, row, value):
        before = row.value
        heap_unlock()
        try:
            row.put(value)
            row.value = value
            self._kept = False
            self._file.save(self.rows)
            self._kept = True
            self.damaged = False
            self.restart_due = self.restart_due or (row.at_boot and value != before)
        except OSError:
            if row.at_boot:  # it is not in force, and must not get there with the next row that is kept
                row.value = before
            return messages.ACK_NOT_KEPT
        finally:
            heap_lock()
        return messages.ACK_OK


class SettingsFile:
    """The rows in flash."""

    def __init__(self, path=FILE):
        self._path = path

    def load(self, rows):
        """Bring into force what is kept; returns a remark about what could not be used, or b""."""
        kept = self._read()
        if kept is None:
            return DAMAGED
        remark = b""
        for row in rows:
            if row.name in kept and not _bring(row, kept[row.name]):
                remark = b"settings.txt: " + row.name + b" is out of range, default in force"
        return remark[: messages.TEXT_MAX_N]

    def front_end(self):
        """The front end that is asked for, before there is a board whose settings could be loaded."""
        kept = self._read()
        return 1 if kept and kept.get(b"front_end") == b"1" else 0

    def _read(self):
        # What is kept, as bytes by name; None when it is damaged, nothing when nothing was ever set.
        try:
            with open(self._path, "rb") as file:
                data = file.read(FILE_MAX_N)
        except OSError:
            return {}
        end = data.rfind(b"crc=")
        if end < 0 or data[end:] != _crc_line(data[:end]):
            return None
        kept = {}
        for line in data[:end].split(b"\n"):
            name, _, value = line.partition(b"=")
            kept[name] = value
        return kept

    def save(self, rows):
        """Write all rows; raises OSError when the flash does not take them, and the old file stays."""
        data = b"".join([b"%s=%d\n" % (row.name, row.value) for row in rows])
        with open(self._path + ".new", "wb") as file:
            file.write(data)
            file.write(_crc_line(data))
        os.rename(self._path + ".new", self._path)


def _bring(row, text):
    try:
        value = int(text)
    except ValueError:
        return False
    if not row.lowest <= value <= row.highest:
        return False
    if value != row.value:
        row.put(value)
        row.value = value
    return True


def _crc_line(data):
    return b"crc=%08x\n" % crc32(data)


def _same(name, buf, at, n):
    if len(name) != n:
        return False
    for i in range(n):
        if name[i] != buf[at + i]:
            return False
    return True
