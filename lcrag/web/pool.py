"""Threads with a session each: they answer one question after another, first come, first served.

A session belongs to one thread, and a model in this process reads one question at a time. So there are as many threads
as the backend takes questions at once, and what comes meanwhile waits, up to a limit.
"""

from __future__ import annotations

import asyncio
import math
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from lcrag import batch
from lcrag.errors import BackendFailed, NoRoute, NotAvailable
from lcrag.ingest import Scan
from lcrag.session import Session
from lcrag.types import Emit, Event, Passage, Settings, Task, ignore

T = TypeVar("T")

MOST_WAITING: Final = 64
"""Questions that wait for a thread; the next one is refused. Assumed, not measured."""
LOOKING: Final = 0.05
"""The share of the time that goes to looking for changed files: 1,833 files take 0.12 s, so they are looked at every
2.4 s at most, and 23 files (0.5 ms) at each question."""
ENDING_SECONDS: Final = 5.0
"""How long the end waits for questions that are being answered. Assumed, not measured."""

_WARM_TEXT: Final = "Ann Holm kept the light from 1901 to 1923. She had a raven."
_WARM_QUESTION: Final = "What did Ann Holm keep?"
"""The reader is not sure of this one, so the small writer is loaded too."""


class TooBusy(NotAvailable):
    """Too many questions wait already. ``retry_after``: seconds until there should be room."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message, hint=f"try again in {retry_after} s")
        self.retry_after = retry_after


class OverTime(BackendFailed):
    """A question took longer than the server gives to one."""


class _Stopped(BaseException):
    """Nobody waits for this question any more. Not an Exception: what handles failures must not handle this."""


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[Session], Any]
    listen: Emit
    result: Future[Any] = field(default_factory=Future)
    stopped: bool = False


class _Files:
    """The files as they were seen last; looks again when the last look is long enough ago (``LOOKING``)."""

    def __init__(self, look: Callable[[], Scan]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._seen: Scan | None = None
        self._next = 0.0

    def now(self) -> Scan:
        """The same object as before if nothing has changed. Raises NoSuchPath."""
        with self._lock:
            if self._seen is None or time.monotonic() >= self._next:
                begun = time.monotonic()
                seen = self._look()
                self._next = time.monotonic() + (time.monotonic() - begun) / LOOKING
                self._seen = self._seen if seen == self._seen else seen
            return self._seen


class Pool:
    """Made from an open session, whose models and backend its threads share. ``seconds``: what a question may take, its
    wait included. ``waiting`` and ``running``: how many questions do so now."""

    def __init__(self, session: Session, seconds: float) -> None:
        self.seconds = seconds
        self.backend = session.backend
        self.running = 0
        self._first = session
        self._settings = session.settings
        self._files = _Files(session.scan)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ending = False
        self._mean_seconds = 1.0
        self._threads: list[threading.Thread] = []

    @property
    def waiting(self) -> int:
        return self._jobs.qsize()

    def start(self, settings: Settings | None = None) -> None:
        """Load the models, then start the threads. Raises what opening a session raises.

        ``settings``: of the threads' sessions, where they differ from the first one's.
        """
        self._warm()
        opened: list[Future[None]] = []
        for _ in range(batch.workers_for(self.backend, None)):
            opened.append(Future())
            thread = threading.Thread(target=self._serve, args=(settings, opened[-1]), daemon=True)
            self._threads.append(thread)
            thread.start()
        for one in opened:
            one.result()

    def close(self) -> None:
        """End the threads; a question that is being answered ends at its next event."""
        self._ending = True
        for _ in self._threads:
            self._jobs.put(None)
        deadline = time.monotonic() + ENDING_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    async def run(self, work: Callable[[Session], T], listen: Emit = ignore) -> T:
        """What ``work`` returns for a session whose index is up to date. ``listen`` hears its events, in its thread.

        Raises TooBusy at once, OverTime after ``seconds``, and what ``work`` raises. To cancel it stops the question.
        """
        if self.waiting >= MOST_WAITING:
            seconds = math.ceil(self._mean_seconds * self.waiting / max(1, len(self._threads)))
            raise TooBusy(f"{self.waiting} questions are waiting already", retry_after=max(1, seconds))
        job = _Job(work, listen)
        self._jobs.put(job)
        try:
            async with asyncio.timeout(self.seconds):
                result: T = await asyncio.wrap_future(job.result)
                return result
        except TimeoutError:
            raise OverTime(
                f"the question took more than {self.seconds:g} s", hint="lcrag serve --timeout S gives more time"
            ) from None
        finally:
            job.stopped = True

    def _warm(self) -> None:
        """Load everything that the first question would wait for."""
        with suppress(NoRoute):
            self._first.plan("What is this about?")
        if self.backend.template_tokens is None:  # it reads in this process
            passage = Passage(1, "", "", 0, len(_WARM_TEXT), _WARM_TEXT, 20)
            self.backend.run([Task("answer", _WARM_QUESTION, (passage,))], max_tokens=20)

    def _serve(self, settings: Settings | None, opened: Future[None]) -> None:
        try:
            session = self._first.fork(settings)
        except BaseException as error:  # noqa: BLE001  raised again by ``start``
            opened.set_exception(error)
            return
        with session:
            opened.set_result(None)
            seen: Scan | None = None
            while (job := self._jobs.get()) is not None:
                if not job.result.set_running_or_notify_cancel():
                    continue
                self.running += 1
                begun = time.monotonic()
                try:
                    seen = self._answer(session, job, seen)
                finally:
                    self.running -= 1
                    self._mean_seconds += 0.1 * (time.monotonic() - begun - self._mean_seconds)

    def _answer(self, session: Session, job: _Job, seen: Scan | None) -> Scan | None:
        """Do the job, on the files as they are; returns them."""
        thread = threading.get_ident()

        def emit(event: Event) -> None:
            # A backend may speak to the session that asked it last, from another session's thread.
            if (job.stopped or self._ending) and threading.get_ident() == thread:
                raise _Stopped
            job.listen(event)

        session.emit = emit
        try:
            session.select(self._settings.only, self._settings.since)  # the last question may have chosen others
            files = self._files.now()
            if files is not seen:
                session.refresh(files)
                seen = files
            job.result.set_result(job.work(session))
        except _Stopped:
            job.result.set_exception(OverTime("stopped"))
        except BaseException as error:  # noqa: BLE001  raised again by ``run``
            job.result.set_exception(error)
        return seen
