"""Where the ``hbc`` program starts: a door so light that Ctrl-C is understood while everything else still loads."""

from __future__ import annotations

import os
import signal
import sys

EXIT_INTERRUPTED = 130  # as in cli_common, which may be what is being loaded


def main() -> None:
    """Run ``hbc``; Ctrl-C at any moment is one line and exit code 130."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop_at_once)
    from hbc_host.cli import main as run

    signal.signal(signal.SIGINT, before)
    try:
        run()
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:
            _leave()  # a second Ctrl-C, or Python's own memory of the first, must not change the code any more
        raise
    except KeyboardInterrupt:
        _stop_at_once()


def _stop_at_once(*_: object) -> None:
    # Nothing is open while modules load, and an exception from inside an import may surface as another or not at all.
    os.write(2, b"stopped by Ctrl-C\n")
    _leave()


def _leave() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
