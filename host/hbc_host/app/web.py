"""The page's server: one page, its own scripts, one socket. Nothing else can be asked for."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from hbc_host.app import words
from hbc_host.app.commands import parse_request
from hbc_host.app.hub import Hub
from hbc_host.app.words import Words

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent


def page_html(say: Words) -> str:
    """The page in one language, before any data."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    template = environment.get_template("page.html.j2")
    return template.render(_=say.say, language=say.language, words=words)


def application(hub: Hub) -> Starlette:
    """The application of one session's page."""
    html = page_html(hub.words)

    async def page(_: Request) -> Response:
        return HTMLResponse(html)

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await _serve(hub, websocket)

    return Starlette(
        routes=[
            Route("/", page),
            WebSocketRoute("/socket", socket),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
    )


async def _serve(hub: Hub, websocket: WebSocket) -> None:
    browser = hub.join()

    async def hand_out() -> None:
        while True:
            await websocket.send_json(await browser.queue.get())

    async def listen() -> None:
        while True:
            text: Any = await websocket.receive_text()
            request = parse_request(text)
            if request is None:
                browser.put({"kind": "done", "do": "", "ok": False, "text": ""})
            else:
                hub.ask(browser, *request)

    tasks = [asyncio.create_task(hand_out()), asyncio.create_task(listen())]
    try:
        hub.refresh()
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.leave(browser)
        for task in tasks:
            task.cancel()
        # A page that closes is no fault, in whichever way its socket says so.
        for task in tasks:
            with contextlib.suppress(WebSocketDisconnect, asyncio.CancelledError, RuntimeError, KeyError, OSError):
                await task
