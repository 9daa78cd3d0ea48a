"""What a request must pass before it is read: the right Host, no foreign page, the token, a body that is not too long.

A page on another site can make a browser send requests to this machine: it can use a name that it lets point here (DNS
rebinding), so only this machine's names are answered on loopback; and it can send simple requests, so a request that
says it comes from another page is refused. A client that hangs up ends its question.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from lcrag.web.failures import Failure, refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_BODY: Final = 1_000_000
BODY_SECONDS: Final = 30.0
"""How long a body may take to arrive. Assumed, not measured."""
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN: Final = frozenset({"/", "/api", "/openapi.json", "/health"})
"""Pages without a token: they say nothing of the documents."""


class Guard:
    """Around the app. ``token`` None: none is asked for. ``hosts`` None: any Host will do, since the token protects.

    ``origins``: other sites whose pages may ask.
    """

    def __init__(self, app: App, *, token: str | None, hosts: Collection[str] | None, origins: Collection[str]) -> None:
        self.app = app
        self.token = token
        self.hosts = hosts
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        refused = self._refusal(scope)
        body = b""
        if refused is None:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    body = await _read(receive)
            except _TooLong:
                refused = refusal(413, f"the body is longer than {LARGEST_BODY:,} bytes")
            except TimeoutError:
                refused = refusal(408, f"the body did not arrive within {BODY_SECONDS:g} s")
            except _HungUp:
                return None
        if refused is not None:
            return await refused.response(scope["path"])(scope, receive, send)
        return await _until_gone(self.app, scope, body, receive, send)

    def _refusal(self, scope: Scope) -> Failure | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if self.hosts is not None and _name(f"//{host}") not in self.hosts:
            return refusal(403, f"this server does not answer to the name {host!r}", "use http://127.0.0.1")
        origin = headers.get(b"origin")
        if origin is not None and origin not in self.origins and urlsplit(origin).netloc != host:
            return refusal(403, f"pages of {origin} may not ask", "lcrag serve --cors ORIGIN lets them")
        if int(headers.get(b"content-length") or 0) > LARGEST_BODY:
            return refusal(413, f"the body is longer than {LARGEST_BODY:,} bytes")
        if self.token is None or scope["path"] in OPEN:
            return None
        kind, _, given = headers.get(b"authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self.token.encode()):
            return None
        return refusal(
            401, "the token is missing or wrong", "send Authorization: Bearer TOKEN", reason="invalid_api_key"
        )


class _TooLong(Exception):
    pass


class _HungUp(Exception):
    pass


def _name(address: str) -> str | None:
    """The host of an address, without its port; None if it makes no sense."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _HungUp
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise _TooLong
        if not message.get("more_body", False):
            return bytes(body)


async def _until_gone(app: App, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
    """Run the app on this body; cancel it when the client hangs up."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    gone = asyncio.ensure_future(receive())  # nothing but the end can come

    async def replay() -> Message:
        return messages.pop() if messages else await asyncio.shield(gone)

    answering = asyncio.ensure_future(app(scope, replay, send))
    try:
        await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering
    finally:
        answering.cancel()
        gone.cancel()
