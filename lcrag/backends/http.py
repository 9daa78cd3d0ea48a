"""HTTP to a model server: connections kept alive, retries with back-off, an adaptive limit, an event stream.

Every call in flight has a connection to itself, which another thread can cut: on Ctrl-C, when another task of the batch
fails, at the deadline. Closing an ``httpx.Client`` does not wake a thread that reads from it, and before the reply's
headers come only the connection's owner knows its socket; some servers send them after the whole prompt is read.

The threads of a batch are daemons. At exit the interpreter waits for those of a ThreadPoolExecutor until their queue is
empty, so that Ctrl-C in a program that runs batches in threads of its own would last as long as their last reply.
"""

from __future__ import annotations

import json
import math
import os
import random
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from itertools import chain
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lcrag.errors import BackendFailed, NotAvailable, NotRunning

if TYPE_CHECKING:
    import httpx

S = TypeVar("S")
T = TypeVar("T")

TRIES: Final = 5
FIRST_LIMIT: Final = 8
MAX_LIMIT: Final = 256
"""vLLM's own default for sequences at a time on most GPUs."""
TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
BUSY: Final = frozenset({429, 503})
CONNECT_SECONDS: Final = 5.0
ONCE_SECONDS: Final = 10.0
"""For a question to the server itself, which it answers at once or not at all."""


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


class Limit:
    """How many calls run at once, adapted to the server as TCP adapts its window to a network.

    Each reply raises it by one, which doubles it per round, until the server is first busy; then by one per round. It
    halves when the server is busy, once for all calls that were in flight together. It grows only while replies take
    less than ``patience`` seconds: a server that queues without a word would otherwise run into the deadline.
    """

    def __init__(self, patience: float) -> None:
        self.value = float(FIRST_LIMIT)
        self._patience = patience
        self._running = 0
        self._waiting: deque[threading.Event] = deque()
        self._halved = -math.inf
        self._lock = threading.Lock()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Room for one call: first come, first served, so that a call that is tried again does not overtake others."""
        turn = threading.Event()
        with self._lock:
            self._waiting.append(turn)
            self._admit()
        try:
            turn.wait()
            yield
        finally:
            with self._lock:
                if turn.is_set():
                    self._running -= 1
                else:  # interrupted
                    self._waiting.remove(turn)
                self._admit()

    def _admit(self) -> None:
        while self._waiting and self._running < int(self.value):
            self._running += 1
            self._waiting.popleft().set()

    def succeeded(self, seconds: float) -> None:
        """A call took this long. To be called within its slot, whose end admits as many as the new limit allows."""
        with self._lock:
            if seconds < self._patience:
                self.value = min(MAX_LIMIT, self.value + (1 if self._halved == -math.inf else 1 / self.value))

    def busy(self, begun: float) -> None:
        """A call that began then (``time.monotonic()``) was refused because the server is busy."""
        with self._lock:
            if begun > self._halved:
                self.value = max(1.0, self.value / 2)
                self._halved = time.monotonic()


class Line:
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
        """Sleep, until the line is cut at the latest."""
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


class HttpClient:
    """Calls to the server at ``url``, from any thread; connections stay open for as long as the client is used.

    ``deadline``: seconds that one call may take in all, its tries and the waits between them included. Without it a
    server that has stalled would hold a question for as many time-outs as there are tries. ``log``: the server's log
    file, for the hints of errors.
    """

    def __init__(self, url: str, *, log: str | None = None, deadline: float = 600.0, backoff: float = 0.5) -> None:
        import httpx

        self.root = url.rstrip("/").removesuffix("/v1")
        self.deadline = deadline
        self._log = log
        self._backoff = backoff
        self._limit = Limit(deadline / 4)
        self._ssl = httpx.create_ssl_context(verify=self.root.startswith("https:"))  # reading certificates takes 15 ms
        self._idle: list[Line] = []
        weakref.finalize(self, _close, self._idle)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> str:
        """The text of a reply to a question about the server itself: one try of 10 s at most.

        Raises TransientError for whatever keeps the server from answering, BackendFailed for a refusal, NotAvailable
        for a wrong key.
        """
        import httpx

        try:
            with self.line() as line, line.cut_after(ONCE_SECONDS), line.reply(method, path, body) as response:
                response.read()
                return response.text
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
            raise TransientError(_describe(error)) from error
        except Refused as error:
            raise self.failed(str(error)) from error

    def attempt(
        self, line: Line, call: Callable[[], T], *, limited: bool = False, repeatable: Callable[[], bool] | None = None
    ) -> T:
        """The value of ``call``, tried again after transient faults: exponential waits with jitter.

        ``limited``: only as many at once as the server takes well. ``repeatable``: whether it may be tried again.
        Raises BackendFailed after the last try or at the deadline, NotAvailable for a wrong key.
        """
        import httpx

        left, reason = self.deadline, ""
        for number in range(1, TRIES + 1):
            after = None
            with self._limit.slot() if limited else nullcontext():
                if line.is_cut:
                    break
                begun = time.monotonic()
                try:
                    with line.cut_after(left):
                        value = call()
                    if limited:
                        self._limit.succeeded(time.monotonic() - begun)
                    return value
                except TransientError as error:
                    reason, after = str(error), error.after
                    if error.busy:
                        self._limit.busy(begun)
                except (httpx.TransportError, httpx.DecodingError) as error:
                    if line.is_cut:
                        break
                    reason = _describe(error)
                except Refused as error:
                    raise self.failed(str(error)) from error
            if number == TRIES or (repeatable and not repeatable()):
                raise self.failed(reason)
            pause = self._backoff * 2 ** (number - 1) * random.uniform(0.5, 1.5) if after is None else after
            left -= time.monotonic() - begun + pause
            if left <= 0:
                break
            line.wait(pause)
        raise self.failed(
            f"no whole reply within {self.deadline:g} s" + (f"; the last fault: {reason}" if reason else "")
        )

    def each(self, work: Callable[[Line, S], T], items: Sequence[S], *, width: int = MAX_LIMIT) -> list[T]:
        """``work`` on each item, ``width`` at once, each in a thread with a line of its own; results in their order.

        A single item is worked on in this thread. The first error, and Ctrl-C, cuts the other calls off.
        """
        if len(items) <= 1:
            with self.line() as line:
                return [work(line, item) for item in items]
        waiting = deque(enumerate(items))
        done: SimpleQueue[tuple[int, T] | BaseException] = SimpleQueue()
        in_use: set[Line] = set()
        lock = threading.Lock()

        def target() -> None:
            try:
                with self.line() as line:
                    with lock:
                        in_use.add(line)
                    try:
                        while item := _next(waiting):
                            done.put((item[0], work(line, item[1])))
                    finally:
                        with lock:  # from here on it may be another batch's
                            in_use.remove(line)
            except BaseException as error:  # noqa: BLE001  raised again in the thread that waits for the results
                done.put(error)

        threads = [threading.Thread(target=target, daemon=True) for _ in range(min(width, len(items)))]
        results: dict[int, T] = {}
        try:
            for thread in threads:
                thread.start()
            while len(results) < len(items):
                result = done.get()
                if isinstance(result, BaseException):
                    raise result
                results[result[0]] = result[1]
        except BaseException:
            waiting.clear()
            with lock:
                for line in in_use:
                    line.cut()
            raise
        for thread in threads:
            thread.join()
        return [results[number] for number in range(len(items))]

    @contextmanager
    def line(self) -> Iterator[Line]:
        """A connection to use alone."""
        try:
            line = self._idle.pop()
        except IndexError:
            line = Line(self._new_client())
        try:
            yield line
        finally:
            if line.is_cut:
                line.close()
            else:
                self._idle.append(line)

    def failed(self, reason: str) -> BackendFailed:
        where = f"its log: {self._log}" if self._log else f"look at the log of the server at {self.root}"
        return BackendFailed(f"the server at {self.root} failed: {reason}", hint=where)

    def not_running(self, error: TransientError) -> NotRunning:
        return NotRunning(
            f"no server answers at {self.root}: {error}",
            hint="lcrag up MODEL, or --backend embedded to answer without a model",
        )

    def _new_client(self) -> httpx.Client:
        import httpx

        key = os.environ.get("LCRAG_API_KEY")
        return httpx.Client(
            base_url=self.root,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),  # a line is cut at the deadline
            limits=httpx.Limits(max_connections=1),
            verify=self._ssl,
            trust_env=False,
        )


def _next(waiting: deque[S]) -> S | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _close(lines: list[Line]) -> None:
    for line in lines:
        line.close()


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


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
