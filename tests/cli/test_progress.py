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


WAIT = Event("wait", {"server": "localhost:8000", "seconds": 12.3, "most": 120.0})
SPOKE = Event("wait", {"server": "localhost:8000", "seconds": 0.0, "most": 0.0})
LINE = "waiting for localhost:8000: 12 s (at most 120 s)"


def test_progress_has_a_line_while_a_server_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with Progress(Output("plain")) as progress:
        progress.show("questions", 1, 3)
        progress(WAIT)
        progress._bar.refresh()  # type: ignore[union-attr]
        shown = terminal.getvalue()
        progress(SPOKE)
        terminal.truncate(0)
        progress._bar.refresh()  # type: ignore[union-attr]
        assert "questions" in terminal.getvalue()
        assert LINE not in terminal.getvalue()
        progress.clear()
        progress(SPOKE)  # too late: there is no bar any more
        assert progress._bar is None
    assert LINE in shown


@pytest.mark.parametrize(("stream", "quiet"), [(io.StringIO, False), (Terminal, True)])
def test_progress_has_no_line_for_files_and_quiet_calls(
    stream: type[io.StringIO], quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream())
    output = Output("plain")
    output.configure("plain", verbose=0, quiet=quiet, no_color=False)
    with Progress(output) as progress:
        progress(WAIT)
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_progress_is_used_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[Bar] = []

    def bar(stage: object, *, colour: bool) -> Bar:
        bars.append(Bar())
        return bars[-1]

    monkeypatch.setattr("lcrag.cli.progress._bar", bar)
    monkeypatch.setattr(sys, "stderr", Terminal())
    progress = Progress(Output("plain"))
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


def impatient(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error, where what is not counted is shown after 0.05 s."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("lcrag.cli.progress.SILENT_SECONDS", 0.05)
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def shown(terminal: Terminal, text: str) -> str:
    """What is shown from now on until this text is among it."""
    begun = len(terminal.getvalue())
    while text not in terminal.getvalue()[begun:]:  # the test's time limit ends it
        time.sleep(0.02)
    return terminal.getvalue()[begun:]


def shown_within(terminal: Terminal, seconds: float) -> str:
    begun = len(terminal.getvalue())
    time.sleep(seconds)
    return terminal.getvalue()[begun:]


@pytest.mark.timeout(30)
def test_progress_shows_what_is_not_counted_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = impatient(monkeypatch)
    with Progress(Output("plain")) as progress:
        progress.begin("ranking")
        assert terminal.getvalue() == ""
        shown(terminal, "ranking: ")
        progress.clear()
        shown(terminal, "ranking: ")  # again, after what was printed meanwhile
        progress.begin("answering", 60.0)
        shown(terminal, "answering: 0 s, about 60 s left")
        progress.begin("answering", 0.1)
        shown(terminal, "longer than forecast")
        progress.show("reading", 3, 7)
        shown(terminal, "3/7")
        assert "answering" not in shown_within(terminal, 0.3)
        progress.done()
        assert shown_within(terminal, 0.3) == ""
        progress.begin("ranking")
    assert shown_within(terminal, 0.3) == ""


def test_progress_without_stages_shows_only_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = impatient(monkeypatch)
    with Progress(Output("plain"), stages=False) as progress:
        progress.begin("ranking")
        assert shown_within(terminal, 0.3) == ""


def test_progress_leaves_standard_output_alone_while_a_bar_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = impatient(monkeypatch)
    with Progress(Output("plain")) as progress:
        progress.show("reading", 3, 7)
        print("the answer")
    assert capsys.readouterr().out == "the answer\n"
    assert "the answer" not in terminal.getvalue()
