"""How many calls run at once on a server that does not say how many it takes."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

FIRST_LIMIT: Final = 8
MAX_LIMIT: Final = 256
"""vLLM's own default for sequences at a time on most GPUs."""


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
