"""HTTP to a model server: connections kept alive, retries with back-off, a deadline, batches of calls.

The threads of a batch are daemons. At exit the interpreter waits for those of a ThreadPoolExecutor until their queue is
empty, so that Ctrl-C in a program that runs batches in threads of its own would last as long as their last reply.
"""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lcrag.backends.connection import Connection, Refused, TransientError
from lcrag.backends.limit import MAX_LIMIT, Limit
from lcrag.errors import BackendFailed, NotRunning

if TYPE_CHECKING:
    import httpx

S = TypeVar("S")
T = TypeVar("T")

TRIES: Final = 5
CONNECT_SECONDS: Final = 5.0
ONCE_SECONDS: Final = 10.0
"""For a question to the server itself, which it answers at once or not at all."""


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
        self._idle: list[Connection] = []
        weakref.finalize(self, _close, self._idle)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> str:
        """The text of a reply to a question about the server itself: one try of 10 s at most.

        Raises TransientError for whatever keeps the server from answering, BackendFailed for a refusal, NotAvailable
        for a wrong key.
        """
        import httpx

        try:
            with (
                self.connection() as connection,
                connection.cut_after(ONCE_SECONDS),
                connection.reply(method, path, body) as response,
            ):
                response.read()
                return response.text
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
            raise TransientError(_describe(error)) from error
        except Refused as error:
            raise self.failed(str(error)) from error

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

        left, reason = self.deadline, ""
        for number in range(1, TRIES + 1):
            after = None
            with self._limit.slot() if limited else nullcontext():
                if connection.is_cut:
                    break
                begun = time.monotonic()
                try:
                    with connection.cut_after(left):
                        value = call()
                    if limited:
                        self._limit.succeeded(time.monotonic() - begun)
                    return value
                except TransientError as error:
                    reason, after = str(error), error.after
                    if error.busy:
                        self._limit.busy(begun)
                except (httpx.TransportError, httpx.DecodingError) as error:
                    if connection.is_cut:
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
            connection.wait(pause)
        raise self.failed(
            f"no whole reply within {self.deadline:g} s" + (f"; the last fault: {reason}" if reason else "")
        )

    def each(self, work: Callable[[Connection, S], T], items: Sequence[S], *, width: int = MAX_LIMIT) -> list[T]:
        """``work`` on each item, ``width`` at once, each in a thread with its own connection; results in order.

        A single item is worked on in this thread. The first error, and Ctrl-C, cuts the other calls off.
        """
        if len(items) <= 1:
            with self.connection() as connection:
                return [work(connection, item) for item in items]
        waiting = deque(enumerate(items))
        done: SimpleQueue[tuple[int, T] | BaseException] = SimpleQueue()
        in_use: set[Connection] = set()
        lock = threading.Lock()

        def target() -> None:
            try:
                with self.connection() as connection:
                    with lock:
                        in_use.add(connection)
                    try:
                        while item := _next(waiting):
                            done.put((item[0], work(connection, item[1])))
                    finally:
                        with lock:  # from here on it may be another batch's
                            in_use.remove(connection)
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
                for connection in in_use:
                    connection.cut()
            raise
        for thread in threads:
            thread.join()
        return [results[number] for number in range(len(items))]

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection to use alone."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = Connection(self._new_client())
        try:
            yield connection
        finally:
            if connection.is_cut:
                connection.close()
            else:
                self._idle.append(connection)

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
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),  # the connection is cut at the deadline
            limits=httpx.Limits(max_connections=1),
            verify=self._ssl,
            trust_env=False,
        )


def _next(waiting: deque[S]) -> S | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _close(lines: list[Connection]) -> None:
    for connection in lines:
        connection.close()


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
