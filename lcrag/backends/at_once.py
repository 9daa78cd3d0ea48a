"""Many calls at once, each over its own connection, all of which can be cut off together.

The threads are daemons. At exit the interpreter waits for those of a ThreadPoolExecutor until their queue is empty, so
that Ctrl-C in a program that runs batches in threads of its own would last as long as their last reply.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from queue import Empty, SimpleQueue
from typing import TypeVar

from lcrag.backends.connection import Connection

S = TypeVar("S")
T = TypeVar("T")


class InUse:
    """The connections that a batch uses now. One that is taken after ``cut`` is cut at once."""

    def __init__(self) -> None:
        self._connections: set[Connection] = set()
        self._is_cut = False
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, taken: AbstractContextManager[Connection]) -> Iterator[Connection]:
        """A connection for one call: what ``HttpClient.connection`` gives."""
        with taken as connection:
            with self._lock:
                self._connections.add(connection)
                if self._is_cut:
                    connection.cut()
            try:
                yield connection
            finally:
                with self._lock:  # from here on it may be another batch's
                    self._connections.remove(connection)

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            for connection in self._connections:
                connection.cut()


def work_at_once(
    work: Callable[[InUse, S], T],
    items: Sequence[S],
    *,
    width: int,
    seconds: float | None,
    late: Callable[[float], Exception],
) -> list[T]:
    """``work`` on each item, ``width`` at once, each in a thread; results in order.

    A single item is worked on in this thread. The first error, Ctrl-C and the end of ``seconds`` cut the calls off;
    ``late`` makes the error of the last.
    """
    in_use = InUse()
    if len(items) <= 1:
        return [work(in_use, item) for item in items]
    waiting = deque(enumerate(items))
    done: SimpleQueue[tuple[int, T] | BaseException] = SimpleQueue()

    def target() -> None:
        try:
            while item := _next(waiting):
                done.put((item[0], work(in_use, item[1])))
        except BaseException as error:  # noqa: BLE001  raised again in the thread that waits for the results
            done.put(error)

    until = time.monotonic() + seconds if seconds is not None else None
    threads = [threading.Thread(target=target, daemon=True) for _ in range(min(width, len(items)))]
    results: dict[int, T] = {}
    try:
        for thread in threads:
            thread.start()
        while len(results) < len(items):
            try:
                result = done.get(timeout=None if until is None else max(0.0, until - time.monotonic()))
            except Empty:
                raise late(seconds or 0.0) from None
            if isinstance(result, BaseException):
                raise result
            results[result[0]] = result[1]
    except BaseException:
        waiting.clear()
        in_use.cut()
        raise
    for thread in threads:
        thread.join()
    return [results[number] for number in range(len(items))]


def _next(waiting: deque[S]) -> S | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None
