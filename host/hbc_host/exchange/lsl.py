"""Lab Streaming Layer: what all streams of ours share. pylsl is an extra, so it is imported when it is needed."""

from __future__ import annotations

import math
import time
from typing import Any

from hbc_host.clocksync import ClockFit
from hbc_host.errors import InputError

PIP = "pip install 'hbc-box[lsl]'"
#: A lost stream is no error of ours to print; and, unless somebody says so, an ECG does not leave this computer.
CONFIG = "[log]\nlevel = -3\n[multicast]\nResolveScope = {scope}\n"
BRACKETS_N = 50
_configured: dict[str, str] = {}


def load_lsl(*, network: bool = False) -> Any:
    """The pylsl module, set to find and be found on this computer only, or on the local network.

    Raises
    ------
    InputError
        pylsl is not installed, does not work here, or was set otherwise before in this program.
    """
    try:
        import pylsl
    except (ImportError, RuntimeError, OSError) as fault:  # RuntimeError: it finds no liblsl
        raise InputError(f"LSL needs pylsl, which is not usable here ({type(fault).__name__}); {PIP}") from None
    scope = "site" if network else "machine"
    if _configured.setdefault("scope", scope) != scope:
        raise InputError(f"LSL was set to the scope {_configured['scope']} in this program; start it again")
    pylsl.set_config_content(CONFIG.format(scope=scope))
    return pylsl


class LslClock:
    """Times of the box, and of this computer, on LSL's clock.

    Device time goes to host time by the line that :func:`hbc_host.clocksync.fit_clock` drew; host time to LSL's by a
    constant: both are monotonic clocks of this computer, on Linux the same one.

    Attributes
    ----------
    fit : ClockFit or None
        None until the first ping was answered, and after a restart of the box.
    offset_s, offset_error_s : float
        LSL minus host time, and half the time that it took to read both.
    """

    def __init__(self, lsl: Any) -> None:
        self.fit: ClockFit | None = None
        self._fields: dict[str, Any] | None = None
        best = (math.inf, 0.0)
        for _ in range(BRACKETS_N):
            before_s = time.monotonic()
            lsl_s = float(lsl.local_clock())
            after_s = time.monotonic()
            best = min(best, (after_s - before_s, lsl_s - (before_s + after_s) / 2))
        self.offset_error_s, self.offset_s = best[0] / 2, best[1]

    def update(self, fields: dict[str, Any] | None) -> bool:
        """Take the ``clock`` of a state of the feed; True when it is another than before."""
        if fields == self._fields:
            return False
        self._fields = fields
        if fields is None:
            self.fit = None
            return True
        self.fit = ClockFit(
            origin_us=int(fields["origin_us"]),
            origin_s=float(fields["origin_s"]),
            drift_ppm=float(fields["drift_ppm"]),
            max_error_us=float(fields["max_error_us"]),
            pings_n=0,
            drift_error_ppm=math.inf if fields["drift_error_ppm"] is None else float(fields["drift_error_ppm"]),
        )
        return True

    def forget(self) -> None:
        """The box began its time anew: what was known holds no more, until another relation comes."""
        self.fit = None

    def at(self, device_s: float) -> float:
        """LSL time of a device time, seconds; raises InputError when the clocks are not related."""
        if self.fit is None:
            raise InputError("device time cannot be told in LSL time yet; wait for the first answered ping")
        return self.fit.to_host_s(round(device_s * 1e6)) + self.offset_s

    @property
    def error_us(self) -> float:
        """Bound of the error of :meth:`at` near the pings, microseconds."""
        return math.inf if self.fit is None else self.fit.max_error_us + self.offset_error_s * 1e6
