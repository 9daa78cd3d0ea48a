"""HTTP to a model server: connections kept alive, retries with back-off, a deadline, batches of calls."""

from __future__ import annotations

import random
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar

from lcrag.backends.address import parse_address, tls
from lcrag.backends.at_once import InUse, work_at_once
from lcrag.backends.connection import Connection, Heard, Refused, TransientError
from lcrag.backends.limit import MAX_LIMIT, Limit
from lcrag.errors import BackendFailed, NotRunning
from lcrag.types import OnSilence, OnWait

if TYPE_CHECKING:
    import httpx

S = TypeVar("S")
T = TypeVar("T")

TRIES: Final = 5
CONNECT_SECONDS: Final = 5.0
ONCE_SECONDS: Final = 10.0
"""For a question to the server itself, which it answers at once or not at all."""
SILENT_SECONDS: Final = 120.0
"""Without a byte: a server that has not written any by then has stalled."""
MAX_WAIT: Final = 60.0
"""Seconds that a call waits in all because the server asks it to."""
ANNOUNCED: Final = 1.0
"""Seconds from which on a wait is announced."""


class HttpOptions(TypedDict, total=False):
    """The options of an ``HttpClient``, for those that make one."""

    log: str | None
    deadline: float
    silence: float
    backoff: float
    tries: int
    send_key: bool
    ca_file: Path | None


class HttpClient:
    """Calls to the server at ``url``, from any thread; connections stay open for as long as the client is used.

    ``deadline``: seconds that one call may take in all, its tries and the waits between them included; ``silence``:
    seconds without a byte on any connection. Without them a server that has stalled would hold a question for as many
    time-outs as there are ``tries`` of a call. ``send_key``: whether the user named this address, so that
    LCRAG_API_KEY is for it. ``ca_file``: the certificates to trust. ``log``: the server's log file, for the hints of
    errors.

    ``max_seconds`` may be set between calls: no call then takes longer, and no batch. ``on_wait`` gets a line for each
    wait, ``on_silence`` is called each second of a longer silence; threads may call them at once. ``apis``: what may
    come before "/chat/completions", the likeliest first.
    Raises InputError for an address or a key that makes no sense.
    """

    def __init__(
        self,
        url: str,
        *,
        log: str | None = None,
        deadline: float = 600.0,
        silence: float = SILENT_SECONDS,
        backoff: float = 0.5,
        tries: int = TRIES,
        send_key: bool = True,
        ca_file: Path | None = None,
    ) -> None:
        self.address = parse_address(url, send_key=send_key)
        self.root = self.address.root
        self.apis = self.address.apis
        self.deadline = deadline
        self.max_seconds: float | None = None
        self.on_wait: OnWait | None = None
        self.on_silence: OnSilence | None = None
        self._silence = silence
        self._log = log
        self._backoff = backoff
        self._tries = tries
        self._limit = Limit(min(deadline, silence) / 4)
        self._ssl = tls(ca_file) if self.root.startswith("https:") else False  # reading certificates takes 15 ms
        self._heard = Heard()
        self._idle: list[Connection] = []
        weakref.finalize(self, _close, self._idle)

    def ask(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> str:
        """The text of a reply to a question about the server itself: one try of 10 s at most.

        ``url``: whole, or a path below ``root``. Raises TransientError for whatever keeps the server from answering,
        Refused for what it refuses, NotAvailable for a wrong key.
        """
        import httpx

        with self.connection() as connection:
            try:
                with connection.cut_after(ONCE_SECONDS, ONCE_SECONDS, self._silent):
                    return connection.text(method, url, body)
            except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
                late = f"no whole reply within {ONCE_SECONDS:g} s"
                raise TransientError(late if connection.is_cut else self._describe(error)) from error

    def attempt(
        self,
        connection: Connection,
        call: Callable[[], T],
        *,
        limited: bool = False,
        repeatable: Callable[[], bool] | None = None,
    ) -> T:
        """The value of ``call``, tried again after transient faults: exponential waits with jitter.

        ``limited``: only as many at once as the server takes well. ``repeatable``: whether it may be tried again.
        Raises BackendFailed after the last try or at the deadline, NotAvailable for a wrong key.
        """
        import httpx

        seconds = left = min(self.deadline, self.max_seconds or self.deadline)
        patience, reason = MAX_WAIT, ""
        for number in range(1, self._tries + 1):
            after = None
            with self._limit.slot() if limited else nullcontext():
                if connection.is_cut:
                    break
                begun = time.monotonic()
                try:
                    with connection.cut_after(left, self._silence, self._silent):
                        value = call()
                    if limited:
                        self._limit.succeeded(time.monotonic() - begun)
                    return value
                except TransientError as error:
                    if connection.is_cut:
                        break
                    reason, after = str(error), error.after
                    if error.busy:
                        self._limit.busy(begun)
                except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
                    if connection.is_cut:
                        break
                    reason = self._describe(error)
                except Refused as error:
                    raise self.failed(str(error)) from error
            may_repeat = repeatable is None or repeatable()
            if number == self._tries or not may_repeat:
                raise self.failed(reason, is_lost=may_repeat)
            if after is None:
                pause = self._backoff * 2 ** (number - 1) * random.uniform(0.5, 1.5)
            else:
                pause = min(after, patience)
                if pause < after and patience < MAX_WAIT:
                    raise self.failed(f"{reason}; it asks to wait longer than {MAX_WAIT:g} s", is_lost=True)
                patience -= pause
            left -= time.monotonic() - begun + pause
            if left <= 0:
                break
            if self.on_wait is not None and pause >= ANNOUNCED:
                self.on_wait(f"the server at {self.root} fails ({reason}): trying again in {pause:.0f} s")
            connection.wait(pause)
        if connection.fell_silent:
            is_lost = repeatable is None or repeatable()
            raise self.failed(f"it has been silent for {self._silence:g} s", is_lost=is_lost)
        raise self.too_slow(seconds, reason)

    def each(self, work: Callable[[Connection, S], T], items: Sequence[S], *, width: int = MAX_LIMIT) -> list[T]:
        """``work`` on each item, ``width`` at once, each over its own connection; results in order.

        A single item is worked on in this thread. The first error, Ctrl-C and ``max_seconds`` cut the calls off.
        """

        def one(in_use: InUse, item: S) -> T:
            with in_use.hold(self.connection()) as connection:
                return work(connection, item)

        return work_at_once(one, items, width=width, seconds=self.max_seconds, late=self.too_slow)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection to use alone."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = Connection(self._new_client(), self.address.masked, self._heard)
        try:
            yield connection
        finally:
            if connection.is_cut:
                connection.close()
            else:
                self._idle.append(connection)

    def failed(self, reason: str, *, is_lost: bool = False) -> BackendFailed:
        where = f"its log: {self._log}" if self._log else f"look at the log of the server at {self.root}"
        message = f"the server at {self.root} failed: {self.address.masked(reason)}"
        return BackendFailed(message, hint=where, is_lost=is_lost)

    def too_slow(self, seconds: float, reason: str = "") -> BackendFailed:
        return self.failed(f"no whole reply within {seconds:g} s" + (f"; the last fault: {reason}" if reason else ""))

    def not_running(self, error: Exception) -> NotRunning:
        reason = self.address.masked(str(error))
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            return NotRunning(
                f"the certificate of the server at {self.root} is not trusted: {reason}",
                hint="export SSL_CERT_FILE=…, the certificate of its authority",
            )
        if "loading" in reason.lower():  # llama.cpp's answer to everything until its model is loaded
            return NotRunning(f"the server at {self.root} is not ready: {reason}", hint="try again in a minute")
        return NotRunning(
            f"no server answers at {self.root}: {reason}",
            hint="lcrag up MODEL, or --backend embedded to answer without a model",
        )

    def _silent(self, seconds: float, most: float) -> None:
        if self.on_silence is not None:
            self.on_silence(self.root.partition("//")[2], seconds, most)

    def _describe(self, error: Exception) -> str:
        return self.address.masked(f"{type(error).__name__}: {error}".rstrip(": "))

    def _new_client(self) -> httpx.Client:
        import httpx

        return httpx.Client(
            base_url=self.root,
            headers={**self.address.headers, "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=1),
            verify=self._ssl,
            trust_env=False,
        )


def _close(lines: list[Connection]) -> None:
    for connection in lines:
        connection.close()
