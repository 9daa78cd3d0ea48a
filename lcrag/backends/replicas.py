"""Several servers that run the same model, as one backend.

A server answers faster what starts like something that it has read before (prefix cache). So requests that start with
the same passage go to the same server: each server is given a random-looking number for each first passage, and the
one with the highest gets it (rendezvous hashing: Thaler and Ravishankar 1998). When a server is lost, only its passages
move, and they move back when it returns. A server that has more to do than its share is passed over (hashing with
bounded loads: Mirrokni, Thorup and Zadimoghaddam 2018). Then another reads the passage too, and from then on the less
busy of the two gets it; and of passages that nobody has read none gets many more than another. examples/scale has what
this changes.
"""

from __future__ import annotations

import hashlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from lcrag.backends import machine
from lcrag.backends.address import parse_address
from lcrag.backends.at_once import InUse, work_at_once
from lcrag.backends.limit import MAX_LIMIT
from lcrag.backends.openai_server import CONCURRENCY, OpenAIServer
from lcrag.errors import BackendFailed, NotAvailable, NotRunning
from lcrag.types import Backend, BackendIdentity, CacheState, Completion, OnToken, Task

T = TypeVar("T")

_log = logging.getLogger("lcrag")

Open = Callable[[str, str | None], OpenAIServer]
"""Opens the server at an address, with a model or the first that it lists. Raises NotRunning, NotAvailable."""

TRIES: Final = 2
"""Of a call to one server before another gets it: the second for a connection that the server had closed meanwhile."""
SHARE: Final = 1.25
"""What a server may have to do, in parts of the mean of all: the paper's example, with few passages moved. Assumed for
model servers, not measured."""
HELD: Final = 50
"""Beginnings that a server is taken to hold in its cache, the latest: of 32,000 tokens each, what one H200 has room for
beside a model of 7B (examples/scale). Assumed, not measured."""
UNEVEN: Final = 2
"""Calls that a server may have more than the least busy one and still get what nobody has read. Assumed, not
measured."""
LOOK_AGAIN: Final = 5.0
"""Seconds after which a lost server is looked at again, if there is something to ask. Assumed, not measured."""


@dataclass(eq=False, slots=True)
class _Replica:
    """``server``: None while it is lost. ``running``: our calls to it. ``looked``: when it was last looked for.
    ``holds``: the beginnings of what it was last given."""

    url: str
    root: str
    server: OpenAIServer | None = None
    running: int = 0
    looked: float = -math.inf
    holds: deque[str] = field(default_factory=lambda: deque(maxlen=HELD))


class Replicas(Backend):
    """A backend over the servers at ``urls``, for any number of threads.

    Those that do not answer are left out until they do. Raises NotRunning when none answers, NotAvailable when one does
    not serve the model that the first one serves, InputError for an address or a key that makes no sense.
    """

    name = "server"

    def __init__(self, urls: Sequence[str], open_server: Open, model: str | None = None) -> None:
        self._open = open_server
        roots = {parse_address(url).root: url for url in urls}
        self._replicas = [_Replica(url, root) for root, url in roots.items()]
        self._lock = threading.Lock()
        faults = []
        for replica in self._replicas:
            try:
                replica.server = open_server(replica.url, model)
            except NotRunning as error:
                _log.warning("%s; it is left out until it answers", error)
                replica.looked = time.monotonic()
                faults.append(error)
            else:
                model = replica.server.model
        if model is None or not self._servers:
            raise faults[0]
        self.model = model
        self.window = min(server.window for server in self._servers)

    @property
    def root(self) -> str:
        """The addresses of all."""
        return ", ".join(replica.root for replica in self._replicas)

    @property
    def tokenizer(self) -> str:
        return self._first.tokenizer

    @property
    def concurrency(self) -> int:
        return CONCURRENCY * len(self._replicas)

    @property
    def template_tokens(self) -> int:
        return self._first.template_tokens

    @property
    def identity(self) -> BackendIdentity:
        device = f"{len(self._replicas)} servers on {machine.device(self._replicas[0].root)}"
        return replace(self._first.identity, window=self.window, device=device)

    def cache_state(self) -> CacheState | None:
        """What all were asked for, and what the smallest cache holds: a prefix is on one server, whichever it is."""
        states = [server.cache_state() for server in self._servers]
        known = [state for state in states if state is not None]
        if not known or len(known) < len(states):
            return None
        return CacheState(
            ", ".join(state.server for state in known),
            sum(state.queried_tokens for state in known),
            min((state.capacity_tokens for state in known if state.capacity_tokens is not None), default=None),
        )

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return self._somewhere("counts", lambda server: server.count_many(texts))

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        """All tasks, concurrently; completions in the tasks' order. ``on_token`` is called for a single task only.

        Raises DoesNotFit for a prompt that is longer than the window, BackendFailed when every server failed or at the
        deadline.
        """
        begun = time.perf_counter()
        speak = on_token if len(tasks) == 1 else None

        def work(in_use: InUse, task: Task) -> Completion:
            def ask(server: OpenAIServer) -> Completion:
                with in_use.hold(server.http.connection()) as connection:
                    return server.complete(connection, task, max_tokens, speak, begun)

            return self._somewhere(_beginning(task), ask)

        return work_at_once(work, tasks, width=MAX_LIMIT, seconds=self.max_seconds, late=self._too_slow)

    @property
    def _servers(self) -> list[OpenAIServer]:
        return [replica.server for replica in self._replicas if replica.server is not None]

    @property
    def _first(self) -> OpenAIServer:
        """The first that answers, as far as we know; looked for if there is none."""
        return next(iter(self._servers), None) or self._any_lost(self._replicas)[1]

    def _somewhere(self, beginning: str, ask: Callable[[OpenAIServer], T]) -> T:
        """What ``ask`` gets from the server for requests that begin so, or else of another."""
        begun = time.monotonic()
        tried: dict[_Replica, BackendFailed] = {}
        while True:
            try:
                replica, server = self._place(beginning, tried)
            except NotAvailable as error:
                raise next(reversed(tried.values()), error) from error
            server.max_seconds, server.on_wait, server.on_silence = self.max_seconds, self.on_wait, self.on_silence
            try:
                return ask(server)
            except BackendFailed as error:
                if not error.is_lost:
                    raise
                tried[replica] = error
                self._lose(replica, server)
                is_late = self.max_seconds is not None and time.monotonic() - begun >= self.max_seconds
                if is_late or len(tried) == len(self._replicas):
                    raise
                if self.on_wait is not None:
                    self.on_wait(f"{error}; asking another server")
            finally:
                with self._lock:
                    replica.running -= 1

    def _place(self, beginning: str, tried: Collection[_Replica]) -> tuple[_Replica, OpenAIServer]:
        """The server for requests that begin so, of those that were not ``tried``; one call more runs there now.

        Raises NotRunning when none of them answers.
        """
        ranked = sorted(self._replicas, key=lambda replica: _number(replica, beginning))
        left = [replica for replica in ranked if replica not in tried]
        self._look_for_lost()
        with self._lock:
            chosen = _choose(left, beginning)
            if chosen is not None:
                replica = chosen[0]
                replica.running += 1
                if beginning in replica.holds:
                    replica.holds.remove(beginning)
                replica.holds.append(beginning)
                return chosen
        replica, server = self._any_lost(left)
        with self._lock:
            replica.running += 1
        return replica, server

    def _too_slow(self, seconds: float) -> BackendFailed:
        return BackendFailed(f"no whole reply within {seconds:g} s", hint=f"look at the logs of {self.root}")

    def _lose(self, replica: _Replica, server: OpenAIServer) -> None:
        with self._lock:
            if replica.server is server:  # it was not found again meanwhile
                replica.server, replica.looked = None, time.monotonic()

    def _look_for_lost(self) -> None:
        """Look at each lost server in a thread, at most every few seconds: no question waits for it."""
        with self._lock:
            now = time.monotonic()
            due = [lost for lost in self._replicas if lost.server is None and now - lost.looked >= LOOK_AGAIN]
            for replica in due:
                replica.looked = now
        for replica in due:
            threading.Thread(target=self._look_for, args=(replica,), daemon=True).start()

    def _look_for(self, replica: _Replica) -> None:
        try:
            self._reopen(replica)
        except NotAvailable:
            return  # it is still lost, or serves another model by now

    def _any_lost(self, replicas: Iterable[_Replica]) -> tuple[_Replica, OpenAIServer]:
        """The first of these that answers again. Raises NotRunning when none does."""
        fault: NotAvailable = NotRunning(f"no server answers at {self.root}", hint="lcrag up MODEL")
        for replica in replicas:
            try:
                return replica, self._reopen(replica)
            except NotAvailable as error:
                fault = error
        raise fault

    def _reopen(self, replica: _Replica) -> OpenAIServer:
        server = self._open(replica.url, self.model)
        with self._lock:
            replica.server = server
            self.window = min(self.window, server.window)
            for other in self._replicas:  # what it had goes back to it
                other.holds.clear()
        return server


def _choose(ranked: Sequence[_Replica], beginning: str) -> tuple[_Replica, OpenAIServer] | None:
    """Of those that hold what is asked about the least busy; where none does, the first that is not much busier than
    others. Only such as have less to do than their share. None when all are lost.
    """
    there = [(replica, replica.server) for replica in ranked if replica.server is not None]
    if not there:
        return None
    running = sum(replica.running for replica, _ in there) + 1
    share = max(CONCURRENCY, math.ceil(SHARE * running / len(there)))
    room = [pair for pair in there if pair[0].running < share]
    if holding := [pair for pair in room if beginning in pair[0].holds]:
        return min(holding, key=lambda pair: pair[0].running)
    most = min(replica.running for replica, _ in room) + UNEVEN
    return next(pair for pair in room if pair[0].running < most)


def _beginning(task: Task) -> str:
    """What a prompt starts with: its first passage, which decides about all after it; else its question."""
    if not task.passages:
        return f"{task.role} {task.question}"
    first = task.passages[0]
    return f"{first.document_id} {first.start}"


def _number(replica: _Replica, beginning: str) -> bytes:
    text = f"{replica.root} {beginning}"
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
