# Settings that a host may change while the box runs, each with its range. They last until the next boot.

from hbc_wire import messages


class Setting:
    """One named value with its limits; write(value) puts it into force."""

    def __init__(self, name, lowest, highest, write):
        self.name = name.encode()
        self.lowest = lowest
        self.highest = highest
        self.write = write


class Settings:
    def __init__(self, rows):
        self._rows = rows

    def apply(self, buf, at, n, value):
        """Set the row whose name is buf[at:at+n]; returns an Ack status. Allocates nothing."""
        for row in self._rows:
            if _same(row.name, buf, at, n):
                if not row.lowest <= value <= row.highest:
                    return messages.ACK_OUT_OF_RANGE
                row.write(value)
                return messages.ACK_OK
        return messages.ACK_UNKNOWN_NAME


def _same(name, buf, at, n):
    if len(name) != n:
        return False
    for i in range(n):
        if name[i] != buf[at + i]:
            return False
    return True
