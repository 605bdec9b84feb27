"""Room on the disk while a session is recorded."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from hbc_host.folder import LOG_BYTES_PER_S

PERIOD_S = 5.0
ENOUGH_S = 1800.0  # a session may still take half an hour


class DiskNow:
    """Looks at the disk now and then; to be asked by a thread that may wait for it.

    Attributes
    ----------
    left_s : float or None
        How much longer can be recorded, seconds.
    trouble, unknown : str
        Words when that is too little, and when it cannot be known; else empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._due_s = 0.0
        self.left_s: float | None = None
        self.trouble = self.unknown = ""

    def look(self) -> None:
        """Look when it is time to."""
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + PERIOD_S
        try:
            left_s = shutil.disk_usage(self._folder).free / LOG_BYTES_PER_S
        except OSError as error:
            self.left_s, self.trouble = None, ""
            self.unknown = f"the disk cannot be looked at ({error.strerror})"
            return
        self.left_s, self.unknown = round(left_s), ""
        # In steps, so that the wording does not change with every byte.
        minutes = int(left_s / 60)
        self.trouble = f"room for less than {minutes + 1} min on the disk" if left_s < ENOUGH_S else ""
