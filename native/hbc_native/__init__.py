"""R-peak detector: the C of ``native/src`` behind two Python names.

:func:`detect` finds the peaks of a whole recording, :class:`RPeakDetector` those of a stream.
"""

from hbc_native.detector import PEAK_DTYPE, RPeakDetector, detect

__all__ = ["PEAK_DTYPE", "RPeakDetector", "detect"]
