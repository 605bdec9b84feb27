"""R-peak detector: the C of ``native/src`` behind a few Python names.

:func:`detect` finds the peaks of a whole recording, :func:`detect_beats` also tells their quality and polarity and the
state of the signal, :class:`RPeakDetector` works on a stream.
"""

from hbc_native.detector import PEAK_DTYPE, SIGNAL_STATES, Detection, RPeakDetector, detect, detect_beats

__all__ = ["PEAK_DTYPE", "SIGNAL_STATES", "Detection", "RPeakDetector", "detect", "detect_beats"]
