"""How long the box has been silent, and its own clock has not been heard to go on, by the clocks of this computer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

AWAY_S = 0.2  # no block for so long (they come every 50 ms), and time goes on without the box; a boot takes longer


class Silence:
    """Measures by two clocks, the shorter counts: a simulated box's runs ahead in leaps, and stands still at its end.

    Parameters
    ----------
    clock : callable
        Host seconds, as those of the recording.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heard = self._went_on = (-math.inf, -math.inf)

    def heard(self, *, went_on: bool) -> None:
        """Bytes came; ``went_on`` when they moved the box's clock, too."""
        self._heard = self._clock(), time.monotonic()
        if went_on:
            self._went_on = self._heard

    @property
    def silent_s(self) -> float:
        """Since bytes came; infinite before the first."""
        return self._since(self._heard)

    @property
    def away_s(self) -> float | None:
        """Since the box's clock went on, all of it; None while the box is heard, and before it was."""
        away_s = self._since(self._went_on)
        return away_s if self.silent_s > AWAY_S and math.isfinite(away_s) else None

    def _since(self, then_s: tuple[float, float]) -> float:
        return min(self._clock() - then_s[0], time.monotonic() - then_s[1])
