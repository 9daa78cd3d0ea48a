"""One kept-alive HTTP connection, which any thread can cut: on Ctrl-C, at a deadline, when the rest of a batch failed.

Closing an ``httpx.Client`` does not wake a thread that reads from it. So each connection is a client of its own that
knows its socket, also before a reply's headers come: some servers send them only when the whole prompt is read.
"""

from __future__ import annotations

import email.utils
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from lcrag.backends.address import same_server
from lcrag.backends.refusals import error_text, is_too_long, names_system_role
from lcrag.errors import NotAvailable

if TYPE_CHECKING:
    import httpx

TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
BUSY: Final = frozenset({429, 503})
REDIRECTS: Final = frozenset({301, 302, 307, 308})
MAX_REDIRECTS: Final = 5
MAX_BYTES: Final = 16_000_000
"""Of a reply that is not streamed."""
MAX_ERROR: Final = 64_000
"""Bytes of an error reply that are read."""

SILENT_FROM: Final = 3.0
"""Seconds without a byte from which on a silence is reported, each second."""
EVERY: Final = 1.0

_NO_QUOTA = re.compile(r"insufficient_quota|exceeded your current quota|billing", re.IGNORECASE)


class TransientError(Exception):
    """A fault that may pass: the call is retried. ``after``: seconds that the server asks to wait."""

    def __init__(self, reason: str, *, busy: bool = False, after: float | None = None) -> None:
        super().__init__(reason)
        self.busy = busy
        self.after = after


class Refused(Exception):
    """What another try would not change: an HTTP status with the server's words, or a reply that cannot be used.

    ``status``: 0 for such a reply.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message[:300]}" if status else message)
        self.status = status
        self.message = message


@dataclass(slots=True)
class Heard:
    """When a server last wrote or was written to, on any of its connections (``time.monotonic()``).

    A server that works on one call at a time is silent on the others: it has stalled when it is silent on all.
    """

    at: float = 0.0


class Connection:
    """One connection, for one call at a time. Any thread may cut it; then it is of no further use.

    ``mask``: makes a text of the server fit to be shown. ``fell_silent``: whether it was cut because of that.
    """

    def __init__(self, client: httpx.Client, mask: Callable[[str], str], heard: Heard) -> None:
        self._client = client
        self.mask = mask
        self.fell_silent = False
        self._socket: socket.socket | None = None
        self._cut = threading.Event()
        self._heard = heard

    @property
    def is_cut(self) -> bool:
        return self._cut.is_set()

    def cut(self) -> None:
        """End what is sent or received now, at once; the server sees that nobody waits for it any more."""
        self._cut.set()
        self._shut_down()

    @contextmanager
    def cut_after(self, seconds: float, silence: float, on_silence: Callable[[float, float], None]) -> Iterator[None]:
        """Cut the connection when the block takes longer, or the server has been silent for ``silence`` seconds.

        ``on_silence``: called by another thread, each second of a longer silence, with its seconds and those at which
        the connection is cut; with 0 when the server writes again.
        """
        done = threading.Event()
        self._heard.at = time.monotonic()
        until = self._heard.at + seconds
        watcher = threading.Thread(target=self._watch, args=(done, until, silence, on_silence), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()  # so that it reports nothing from here on

    def _watch(
        self, done: threading.Event, until: float, silence: float, on_silence: Callable[[float, float], None]
    ) -> None:
        is_reported = False
        pause = 0.0
        while not done.wait(pause):
            heard, now = self._heard.at, time.monotonic()
            most = min(silence, until - heard)
            pause = min(EVERY, heard + most - now)
            if pause <= 0:
                self.fell_silent = most == silence
                self.cut()
                break
            if now - heard >= SILENT_FROM:
                is_reported = True
                on_silence(now - heard, most)
            elif is_reported:
                is_reported = False
                on_silence(0.0, 0.0)
        if is_reported:
            on_silence(0.0, 0.0)

    def wait(self, seconds: float) -> None:
        """Sleep, until the connection is cut at the latest."""
        self._cut.wait(seconds)

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def reply(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Iterator[httpx.Response]:
        """A reply with a status of success, its body not read yet. Redirects are followed on the same server only.

        ``body``: an object; a value that is bytes is JSON already.
        Raises TransientError, Refused, NotAvailable for a wrong key, or what httpx raises for a broken connection.
        """
        content = None if body is None else _encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        for _ in range(MAX_REDIRECTS + 1):
            with self._client.stream(
                method, url, content=content, headers=headers, extensions={"trace": self._trace}
            ) as response:
                if response.status_code in REDIRECTS and "location" in response.headers:
                    target = response.url.join(response.headers["location"])
                    if not same_server(response.url, target):
                        raise Refused(0, self.mask(f"it redirects to another server, {target.host}; name that one"))
                    _text(response, MAX_ERROR, cut=True)  # so that the connection can be used again
                    url = str(target)
                    continue
                if not response.is_success:
                    _raise_for(response, self.mask(error_text(_text(response, MAX_ERROR, cut=True))))
                yield response
                return
        raise Refused(0, "it redirects in a circle")

    def text(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> str:
        """The text of a reply of at most 16 MB. Raises what ``reply`` raises."""
        with self.reply(method, url, body) as response:
            return _text(response, MAX_BYTES)

    def json(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object of a reply. Raises what ``reply`` raises, TransientError for anything else than an object."""
        text = self.text(method, url, body)
        try:
            value = parse_json(text)
        except ValueError as error:
            raise TransientError(f"a reply that is not JSON: {self.mask(text)[:80]!r}") from error
        if not isinstance(value, dict):
            raise TransientError(f"a reply that is not a JSON object: {self.mask(text)[:80]!r}")
        return value

    def events(self, url: str, body: Mapping[str, Any], max_bytes: int = MAX_BYTES) -> Iterator[bytes]:
        """The data of each server-sent event of a reply, read to its end so that the connection can be used again.

        Only CR and LF end a line: ``httpx.Response.iter_lines`` also splits at U+2028 and others within the JSON. The
        reply of a server that does not stream is one event. Raises Refused for more than ``max_bytes``.
        """
        with self.reply("POST", url, body) as response:
            received, rest, is_plain = 0, b"", False
            for piece in chain(response.iter_bytes(), [b"\n"]):
                self._heard.at = time.monotonic()
                received += len(piece)
                if received > max_bytes:
                    raise Refused(0, f"it sends more than {max_bytes:,} bytes")
                rest += piece
                if received == len(rest):  # no line has ended yet
                    is_plain = rest.lstrip()[:1] in (b"{", b"[")
                if not is_plain and (b"\n" in piece or b"\r" in piece):
                    *lines, rest = re.split(rb"[\r\n]", rest)
                    for line in lines:
                        if line.startswith(b"data:"):
                            yield line.removeprefix(b"data:").strip()
            if is_plain:
                yield rest

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpcore's account of a request, step by step; it gives the socket of each new connection."""
        self._heard.at = time.monotonic()
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.is_cut:
                self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # not SSLSocket's, which is not thread-safe


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError, also for one that is nested too deep."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _encode(body: Mapping[str, Any]) -> bytes:
    items = (
        b"%b:%b" % (_json(name), value if isinstance(value, bytes) else _json(value)) for name, value in body.items()
    )
    return b"{%b}" % b",".join(items)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _text(response: httpx.Response, max_bytes: int, *, cut: bool = False) -> str:
    """The text of a reply; what is longer is refused, or cut."""
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > max_bytes:
            if not cut:
                raise Refused(0, f"it sends more than {max_bytes:,} bytes")
            break
    return body[:max_bytes].decode("utf-8", "replace")


def _raise_for(response: httpx.Response, message: str) -> None:
    status = response.status_code
    is_final = is_too_long(message) or (
        bool(_NO_QUOTA.search(message)) if status == 429 else status == 500 and names_system_role(message)
    )
    if status in TRANSIENT and not is_final:
        after = _seconds(response.headers.get("retry-after", ""))
        raise TransientError(f"HTTP {status}: {message[:300]}", busy=status in BUSY, after=after)
    if status in (401, 403):
        raise NotAvailable(
            f"{response.url.scheme}://{response.url.netloc.decode()} refuses the key (HTTP {status}): {message[:200]}",
            hint="export LCRAG_API_KEY=…, and name the server with --base-url",
        )
    raise Refused(status, message)


def _seconds(after: str) -> float | None:
    """The seconds of a Retry-After header, which may also be a date; None for what is neither."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]*)?", after.strip()):
        return float(after)
    if re.fullmatch(r"[0-9]+", after.strip()):
        return float("inf")
    try:
        return max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
