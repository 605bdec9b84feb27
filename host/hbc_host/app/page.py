"""The live page as a program of its own: ``python -m hbc_host.app.page --live FOLDER --http-port N --lang en``.

It knows the feed of the session and nothing else: closing, freezing or killing it changes nothing of the recording.
It prints its address, which holds the token of this start, and ends by itself: five minutes after the session's end
(``--stay-s``), whoever reads it; when neither a session nor a browser has been there for ten minutes; or, with
``--orphan-s``, when whoever started it has gone, which shows by the end of its standard input, and no session has been
there for so long.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import contextlib
import logging
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from pathlib import Path

import uvicorn

from hbc_host.app.guard import Guard
from hbc_host.app.hub import Hub
from hbc_host.app.process import STAY_S
from hbc_host.app.web import application
from hbc_host.errors import HbcError, InputError
from hbc_host.i18n import LANGUAGES

IDLE_S = 600.0
BYE_S = 0.5  # to tell it to browsers
LOOPBACK = "127.0.0.1"


def main(arguments: list[str] | None = None) -> int:
    """Serve the page until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="hbc live page", description="The live page of a session under way.")
    parser.add_argument("--live", type=Path, required=True, metavar="FOLDER", help="session folder")
    parser.add_argument("--http-port", type=int, default=0, metavar="N", help="port on this computer; 0: any")
    parser.add_argument("--lang", choices=sorted(LANGUAGES), default="en")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument("--stay-s", type=float, default=STAY_S, metavar="N", help="after the session's end; else 300")
    parser.add_argument("--orphan-s", type=float, metavar="N", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # else each browser that is killed leaves a line here
    try:
        hub = Hub(given.live, given.lang, given.stay_s)
        asyncio.run(serve(hub, given.http_port, open_browser=given.open, orphan_s=given.orphan_s))
    except HbcError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def listen(port: int) -> socket.socket:
    """A socket on the loopback address. Raises InputError when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(64)  # from here on the address is good, however long the start takes
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(f"port {port} cannot be used ({error}); leave out --http-port to take a free one") from error
    return listener


async def serve(hub: Hub, port: int, *, open_browser: bool = False, orphan_s: float | None = None) -> None:
    """Serve the page of a session folder; returns on SIGTERM, SIGINT or when its time is over.

    Raises
    ------
    InputError
        The port is taken.
    """
    with listen(port) as listener:
        port = int(listener.getsockname()[1])
        guard = Guard(application(hub), port)
        config = uvicorn.Config(
            guard, log_level="warning", access_log=False, server_header=False, lifespan="off",
            ws="websockets-sansio", ws_max_size=65536, ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(config)
        hub.start(asyncio.get_running_loop())
        tasks = [asyncio.create_task(hub.tick()), asyncio.create_task(_end_in_time(hub, server))]
        if orphan_s is not None:
            tasks.append(asyncio.create_task(_end_when_orphaned(hub, server, orphan_s)))
        address = f"http://{LOOPBACK}:{port}/?token={guard.token}"
        print(f"live page: {address}", flush=True)
        if open_browser:
            await asyncio.to_thread(_open_browser, address)
        try:
            await server.serve(sockets=[listener])
        finally:
            hub.stop()
            for task in tasks:
                task.cancel()


def _open_browser(address: str) -> None:
    """Open the page by way of a file that only this user can read: a command line can be read by everybody."""
    folder = Path(tempfile.mkdtemp(prefix="hbc-page-"))  # 0700
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    way = folder / "open.html"
    way.write_text(f'<!doctype html><title>hbc</title><meta http-equiv="refresh" content="0;url={address}">\n', "utf-8")
    webbrowser.open(way.as_uri())


async def _end_in_time(hub: Hub, server: uvicorn.Server) -> None:
    while not hub.has_stayed and time.monotonic() < hub.idle_since_s + IDLE_S:
        await asyncio.sleep(0.5)
    hub.say_goodbye()
    await asyncio.sleep(BYE_S)
    server.should_exit = True


async def _end_when_orphaned(hub: Hub, server: uvicorn.Server, orphan_s: float) -> None:
    """A session that was killed leaves nobody to end its page; one that is taken up soon finds it again."""
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_the_end() -> None:
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: the page ended first
            while os.read(sys.stdin.fileno(), 4096):
                pass
            loop.call_soon_threadsafe(gone.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await gone.wait()
    since_s = time.monotonic()
    while time.monotonic() < since_s + orphan_s:
        await asyncio.sleep(min(1.0, orphan_s))
        if hub.feed in ("live", "over"):  # what is over may be read for a while, see _end_in_time
            since_s = time.monotonic()
    server.should_exit = True


if __name__ == "__main__":
    sys.exit(main())
