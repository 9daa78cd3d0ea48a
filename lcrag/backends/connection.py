"""One kept-alive HTTP connection, which any thread can cut: on Ctrl-C, at a deadline, when the rest of a batch failed.

Closing an ``httpx.Client`` does not wake a thread that reads from it. So each connection is a client of its own that
knows its socket, also before a reply's headers come: some servers send them only when the whole prompt is read.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from lcrag.errors import NotAvailable

if TYPE_CHECKING:
    import httpx

TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
BUSY: Final = frozenset({429, 503})


class TransientError(Exception):
    """A fault that may pass: the call is retried. ``after``: seconds that the server asks to wait."""

    def __init__(self, reason: str, *, busy: bool = False, after: float | None = None) -> None:
        super().__init__(reason)
        self.busy = busy
        self.after = after


class Refused(Exception):
    """An HTTP status that another try would not change."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status
        self.message = message


class Connection:
    """One connection, for one call at a time. Any thread may cut it; then it is of no further use."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._socket: socket.socket | None = None
        self._cut = threading.Event()

    @property
    def is_cut(self) -> bool:
        return self._cut.is_set()

    def cut(self) -> None:
        """End what is sent or received now, at once; the server sees that nobody waits for it any more."""
        self._cut.set()
        self._shut_down()

    @contextmanager
    def cut_after(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def wait(self, seconds: float) -> None:
        """Sleep, until the connection is cut at the latest."""
        self._cut.wait(seconds)

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def reply(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Iterator[httpx.Response]:
        """A reply with status 200, its body not read yet.

        Raises TransientError, Refused, NotAvailable for a wrong key, or what httpx raises for a broken connection.
        """
        with self._client.stream(method, path, json=body, extensions={"trace": self._trace}) as response:
            if response.status_code != 200:
                response.read()
                _raise_for(response)
            yield response

    def json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object of a reply. Raises what ``reply`` raises, TransientError for anything else than an object."""
        with self.reply(method, path, body) as response:
            response.read()
        try:
            value = response.json()
        except ValueError as error:
            raise TransientError(f"a reply that is not JSON: {response.text[:80]!r}") from error
        if not isinstance(value, dict):
            raise TransientError(f"a reply that is not a JSON object: {response.text[:80]!r}")
        return value

    def events(self, path: str, body: Mapping[str, Any]) -> Iterator[bytes]:
        """The data of each server-sent event of a reply, read to its end so that the connection can be used again.

        Only a line feed ends a line: ``httpx.Response.iter_lines`` also splits at U+2028 and others within the JSON.
        """
        with self.reply("POST", path, body) as response:
            rest = b""
            for received in chain(response.iter_bytes(), [b"\n"]):
                *lines, rest = (rest + received).split(b"\n")
                for line in lines:
                    if line.startswith(b"data:"):
                        yield line.removeprefix(b"data:").strip()

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpcore's account of a request; it gives the socket of each new connection."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.is_cut:
                self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # not SSLSocket's, which is not thread-safe


def _raise_for(response: httpx.Response) -> None:
    status, message = response.status_code, _message(response.text)
    if status in TRANSIENT:
        after = response.headers.get("retry-after", "")
        wait = float(after) if after.isdigit() else None
        raise TransientError(f"HTTP {status}: {message}", busy=status in BUSY, after=wait)
    if status in (401, 403):
        raise NotAvailable(f"{response.url} refuses the key (HTTP {status})", hint="export LCRAG_API_KEY=…")
    raise Refused(status, message)


def _message(body: str) -> str:
    """The message in an error reply, or its first line."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)[:300]
    except (ValueError, KeyError, TypeError):
        return body.strip().split("\n")[0][:300]
