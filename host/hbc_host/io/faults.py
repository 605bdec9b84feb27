"""How readers of other projects fail on damaged bytes: in every way but their own errors, as fuzzing shows."""

from __future__ import annotations

import struct

#: What such a reader may raise; the UnboundLocalError of edfio was found by fuzzing. Ctrl-C and the end of the program
#: pass through.
READER_FAULTS = (
    OSError, ValueError, LookupError, TypeError, AttributeError, NameError, ArithmeticError, AssertionError,
    MemoryError, EOFError, RuntimeError, SyntaxError, struct.error,
)  # fmt: skip
