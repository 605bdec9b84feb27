"""Who may speak with the page's server: this computer, this page, this start; everyone else is refused.

A page in the same browser could reach any port of this computer. It is stopped three times: the Host header must name
the loopback address and this port (against names that are made to point here), the Origin must be this page's own, and
the token of this start must be shown, once in the address, then as a cookie that no script can read.
"""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAMES = ("127.0.0.1", "localhost")
#: Nothing from outside, nothing inline, nothing evaluated, never in a frame.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Stands before the application.

    Parameters
    ----------
    app : ASGI application
    port : int
        The port that the server listens on.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}" for name in NAMES}
        self._origins = {f"http://{host}" for host in self._hosts}
        self._cookie = f"hbc_live_{port}"  # cookies know no ports, two sessions have two pages
        self.token = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or one socket."""
        if scope["type"] not in ("http", "websocket"):
            return
        headers = Headers(scope=scope)
        why = self._refusal(scope, headers)
        if why and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": why})
            return
        if why:
            await PlainTextResponse(why, status_code=403, headers=HEADERS)(scope, receive, send)
            return
        if self._shown_token(scope):
            await self._welcome()(scope, receive, send)
            return
        await self._app(scope, receive, self._with_headers(send) if scope["type"] == "http" else send)

    def _refusal(self, scope: Scope, headers: Headers) -> str:
        if headers.get("host", "") not in self._hosts:
            return "refused: wrong host"
        origin = headers.get("origin")
        needs_origin = scope["type"] == "websocket" or scope.get("method") not in ("GET", "HEAD")
        if (origin is None and needs_origin) or (origin is not None and origin not in self._origins):
            return "refused: wrong origin"
        shown = self._shown_token(scope) or self._cookie_of(headers)
        if not hmac.compare_digest(shown.encode(), self.token.encode()):
            return "refused: open the address that the terminal shows; each start has its own"
        return ""

    def _shown_token(self, scope: Scope) -> str:
        if scope["type"] != "http" or scope["path"] != "/":
            return ""
        values: list[str] = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])
        return values[0]

    def _cookie_of(self, headers: Headers) -> str:
        try:
            found: Any = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return "" if found is None else str(found.value)

    def _welcome(self) -> Response:
        """The token leaves the address line, and with it the browser's history."""
        # Lax, not strict: a strict cookie would be withheld on this very redirect when a local file led here.
        response = RedirectResponse("/", status_code=303, headers=HEADERS)
        response.set_cookie(self._cookie, self.token, httponly=True, samesite="lax", path="/")
        return response

    @staticmethod
    def _with_headers(send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        return sending
