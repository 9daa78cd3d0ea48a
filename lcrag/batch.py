"""Many questions in one go: a bounded number at a time, in an order that a server's prefix cache likes.

Jobs come in groups that begin with the same text (same documents, same route). The first of a group goes alone; the
others follow when it is done and find its prefix read, instead of all reading it at once. Meanwhile other groups' first
jobs run, so that nobody waits without work. One worker needs no thread: jobs then run where they are asked for.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final, Generic, TypeVar

from lcrag.types import Backend

J = TypeVar("J")
R = TypeVar("R")

BLOCK: Final = 64
"""Questions that go together: route by route within a block, so that a kill loses little and a cache keeps much."""

Worker = Callable[[], AbstractContextManager[Callable[[J], R]]]
"""Makes what one thread works with (a session of its own), and takes it away at the end."""


def workers_for(backend: Backend, wanted: int | None) -> int:
    """How many questions at a time: a server takes many, a model in this process one."""
    if backend.concurrency == 1:
        return 1
    return backend.concurrency if wanted is None else wanted


def blocks(listed: Sequence[J], size: int = BLOCK) -> Iterator[Sequence[J]]:
    for start in range(0, len(listed), size):
        yield listed[start : start + size]


def run(groups: Iterable[Sequence[J]], worker: Worker[J, R], workers: int) -> Iterator[tuple[J, R]]:
    """Every job with its result, as they come; with one worker in the order given.

    Whatever a job raises is raised here. Leaving the iterator early (an error, Ctrl-C) starts no further job and does
    not wait for those that run: their threads end with the process.
    """
    if workers > 1:
        yield from _in_threads(_Jobs(groups), worker, workers)
        return
    with worker() as work:
        for group in groups:
            for job in group:
                yield job, work(job)


def in_order(found: Iterable[tuple[J, R]], order: Sequence[J]) -> Iterator[tuple[J, R]]:
    """The same results in the order of the jobs: each as soon as those before it are there."""
    waiting: dict[J, R] = {}
    left = deque(order)
    for job, result in found:
        waiting[job] = result
        while left and left[0] in waiting:
            first = left.popleft()
            yield first, waiting.pop(first)


class _Jobs(Generic[J]):
    """What may run now: of each group the first job, and the others once that is done."""

    def __init__(self, groups: Iterable[Sequence[J]]) -> None:
        self._ready: deque[tuple[J, Sequence[J]]] = deque((group[0], group[1:]) for group in groups if group)
        self._leading = 0
        self._stopped = False
        self._changed = threading.Condition()

    def take(self) -> tuple[J, Sequence[J]] | None:
        """A job and those that wait for it; None when no further one will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or bool(self._ready) or not self._leading)
            if self._stopped or not self._ready:
                return None
            job, followers = self._ready.popleft()
            self._leading += bool(followers)
            return job, followers

    def done(self, followers: Sequence[J]) -> None:
        """What waited comes next, before the prefix is forgotten."""
        if followers:
            with self._changed:
                self._leading -= 1
                self._ready.extendleft((job, ()) for job in reversed(followers))
                self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


def _in_threads(jobs: _Jobs[J], worker: Worker[J, R], workers: int) -> Iterator[tuple[J, R]]:
    results: queue.SimpleQueue[tuple[J, R] | BaseException | None] = queue.SimpleQueue()

    def target() -> None:
        try:
            with worker() as work:
                while (taken := jobs.take()) is not None:
                    job, followers = taken
                    results.put((job, work(job)))
                    jobs.done(followers)
        except BaseException as error:  # noqa: BLE001  raised again in the thread that waits for results
            jobs.stop()
            results.put(error)
        else:
            results.put(None)

    threads = [threading.Thread(target=target, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    left = workers
    try:
        while left:
            result = results.get()
            if isinstance(result, BaseException):
                raise result
            if result is None:
                left -= 1
            else:
                yield result
    finally:
        jobs.stop()
