"""The live page started beside a session, as a process of its own: it cannot take the recording down with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from hbc_host.errors import InputError

ORPHAN_S = 60.0
STAY_S = 300.0  # to read the result; what stands in a browser then stays there, and the report is a file
STAYS = f"the session is over; its live page can be read for {STAY_S / 60.0:g} min more"


class StartedPage(NamedTuple):
    """A page that answers: its address, with the token of this start, and its process."""

    address: str
    process: subprocess.Popen[str]


def start_page(
    folder: Path,
    *,
    language: str,
    http_port: int = 0,
    open_browser: bool = False,
    orphan_s: float = ORPHAN_S,
    stay_s: float = STAY_S,
) -> StartedPage:
    """Start the page of a session folder and wait until it answers; it outlives the session by ``stay_s``.

    Parameters
    ----------
    folder : Path
    language : str
        ``"en"`` or ``"nl"``.
    http_port : int
        On this computer; 0 takes a free one.
    open_browser : bool
        Open it in a browser at once.
    orphan_s : float
        When this program ends before its session does, the page waits so long for another that takes it up.
    stay_s : float
        How long the page can be read after the session's end.

    Returns
    -------
    StartedPage

    Raises
    ------
    InputError
        The port is taken.
    """
    words = ["--live", str(folder), "--http-port", str(http_port), "--lang", language, "--orphan-s", str(orphan_s)]
    words += ["--stay-s", str(stay_s)]
    if open_browser:
        words.append("--open")
    # A session of its own: Ctrl-C in this terminal ends the recording in good order, not the page before it. Pipes of
    # its own: whoever waits for the end of our output must not wait for the page. The input says nothing, and ends when
    # this program does, however it ends.
    page = subprocess.Popen(
        [sys.executable, "-m", "hbc_host.app.page", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert page.stdout is not None
    assert page.stderr is not None
    with page.stdout, page.stderr:
        line = page.stdout.readline()
        if not line:
            assert page.stdin is not None
            page.stdin.close()
            page.wait()
            raise InputError(page.stderr.read().strip().removeprefix("error: ") or "the live page did not start")
    return StartedPage(line.partition(": ")[2].strip(), page)
