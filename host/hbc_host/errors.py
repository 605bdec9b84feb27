"""Every error that a user may see: one line that says what, measured against what limit, and what to do next."""

from __future__ import annotations


class HbcError(Exception):
    """Base of all errors that the ``hbc`` command prints as one line and ends with exit code 2."""


class InputError(HbcError):
    """A file or an option cannot be used as given."""


class TooFewBeatsError(InputError):
    """Fewer beats than the computation needs."""


class NoTrainsError(InputError):
    """No pulse train was found, so there is nothing to lock the heart rate to."""


class TransportError(HbcError):
    """The port could not be opened, or went away."""


class WireError(HbcError):
    """The bytes on the line are not what this host understands."""


class VersionMismatchError(WireError):
    """The box speaks another protocol version. Reflash it, or install the matching host."""

    def __init__(self, box_version: int, host_version: int) -> None:
        super().__init__(
            f"box speaks wire version {box_version}, this host speaks {host_version}; "
            f"install the matching hbc-box release or flash the box again"
        )
        self.box_version, self.host_version = box_version, host_version


class NoHelloError(WireError):
    """Bytes or silence arrived, but no box introduced itself."""


class NoAnswerError(WireError):
    """A box that speaks did not answer a request."""


class BoxRefusedError(HbcError):
    """The box answered a request with no; ``status`` is that of its Ack."""

    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.status = status


class FlashError(HbcError):
    """A box cannot be flashed, or not with this file."""


class SessionError(HbcError):
    """A recording cannot be written or read."""


class StoreError(HbcError):
    """The store of patients cannot be opened, read or written."""
