"""The progress bar is updated by one thread at a time."""

from __future__ import annotations

import io
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lcrag.cli.output import Output
from lcrag.cli.progress import Progress
from lcrag.types import Event


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Bar:
    """A bar that notices two threads, and updates after it was stopped."""

    def __init__(self) -> None:
        self.users = self.stopped = 0
        self.faults: list[str] = []

    def update(self, *_: Any, **__: Any) -> None:
        self._use()

    def stop(self) -> None:
        self._use()
        self.stopped += 1

    def _use(self) -> None:
        self.users += 1
        time.sleep(0.001)
        if self.users > 1 or self.stopped:
            self.faults.append(f"{self.users} users, stopped {self.stopped} times")
        self.users -= 1


def test_progress_is_used_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[Bar] = []

    def bar(*, colour: bool) -> tuple[Bar, int]:
        bars.append(Bar())
        return bars[-1], 0

    monkeypatch.setattr("lcrag.cli.progress._bar", bar)
    monkeypatch.setattr(sys, "stderr", Terminal())
    progress = Progress(Output("text"))
    events = [Event("index", {"done": number, "total": 40}) for number in range(40)]
    with progress, ThreadPoolExecutor(4) as pool:
        shown = [pool.submit(progress, event) for event in events]
        cleared = [pool.submit(progress.clear) for _ in range(10)]
        for number in range(40):
            progress.show("answers", number, 40)
        for task in shown + cleared:
            task.result()
    assert bars
    assert [bar.faults for bar in bars] == [[] for _ in bars]
    assert [bar.stopped for bar in bars] == [1 for _ in bars]
