"""Progress for a person: a bar while standard error is a terminal, lines with ``--verbose``.

What is counted has a bar with the time left from its first item on. What is not (a model that loads, ranks or answers)
has a line after SILENT_SECONDS, with the time left where a forecast says how long it takes.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from threading import RLock, Timer, current_thread
from typing import TYPE_CHECKING, Any, Final, Self, cast

from lcrag.cli.output import Output
from lcrag.report.objects import event_data
from lcrag.report.status import index_size
from lcrag.types import Event, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as Bar
    from rich.progress import TaskID


COUNTED, WAITING = cast("TaskID", 0), cast("TaskID", 1)
"""The rows of a bar, in the order in which they are added."""


SILENT_SECONDS: Final = 2.0
"""After which a person wonders whether anything happens (Nielsen 1993 says 1 s for flow, 10 s for attention)."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Something that is not counted: since when it runs (``time.monotonic``) and the seconds that it may take."""

    name: str
    since: float
    forecast: float | None

    def __str__(self) -> str:
        passed = time.monotonic() - self.since
        if self.forecast is None:
            return f"{self.name}: {passed:.0f} s"
        left = self.forecast - passed
        return f"{self.name}: {passed:.0f} s, " + (f"about {left:.0f} s left" if left >= 1 else "longer than forecast")


class Progress:
    """Shows events; a context manager that removes its bar at the end. May be called from several threads.

    ``stages``: whether what is not counted has a line; not where many questions run at once.
    """

    def __init__(self, output: Output, *, stages: bool = True) -> None:
        self._output = output
        self._stages = stages
        self._stage: Stage | None = None
        self._timer: Timer | None = None
        self._shows = sys.stderr.isatty() and not output.quiet
        self._lock = RLock()
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.done()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._take(event)

    def _take(self, event: Event) -> None:
        match event.kind, event.data:
            case _, {"message": str(message)}:
                self.clear()
                self._output.warn(message, event.data.get("hint", ""))
            case "index", {"embedded": int(done), "total": int(total)}:
                self.show("embedding", done, total)
            case "index", {"summed_up": int(done), "total": int(total)}:
                self.show("summaries", done, total)
            case "index", {"done": int(done), "total": int(total)}:
                self.show("reading", done, total)
            case "index", {"documents": _}:
                self.begin("ranking")
                self._detail(f"index: {index_size(event.data)}, {event.data['skipped']:,} skipped")
            case "worker", {"index": int(done), "of": int(total)}:
                self.show("workers", done, total)
            case "calibrate", {"part": "cost", "done": int(done), "total": int(total)}:
                self.show("cost", done, total)
            case "calibrate", {"part": str(part), "tokens": int(tokens), "done": int(done), "total": int(total)}:
                self.show(f"{part} at {tokens:,} tokens", done, total)
            case "wait", {"server": str(server), "seconds": float(seconds), "most": float(most)}:
                self._wait(f"waiting for {server}: {seconds:.0f} s (at most {most:.0f} s)" if seconds else "")
            case "plan", {"plan": Plan() as plan}:
                self.begin(f"answering by {plan.pipeline}", plan.chosen.seconds)
                self._detail(f"plan: {plan.reason}")
            case "escalate", {"to": str(pipeline)}:
                self.begin(f"answering by {pipeline}")
                self._detail("escalate: " + _facts(event))
            case ("estimate" | "retrieve" | "shadow" | "usage") as kind, _:
                self._detail(f"{kind}: " + _facts(event))

    def show(self, task: str, done: int, total: int) -> None:
        """Set the bar to ``done`` of ``total``."""
        with self._lock:
            self._update(COUNTED, description=task, completed=done, total=total, visible=True)
            self._stop_watching()
            if self._stage is not None and done == total:
                self._watch()  # what comes after the last item

    def begin(self, name: str, forecast: float | None = None) -> None:
        """Something begins that is not counted, and may take ``forecast`` seconds."""
        if not self._shows or not self._stages:
            return
        with self._lock:
            self._stage = Stage(name, time.monotonic(), forecast)
            self._watch()

    def done(self) -> None:
        """What had begun is over: nothing is shown any more until something else begins."""
        with self._lock:
            self._stage = None
            self.clear()

    def _watch(self) -> None:
        """Show the stage when nothing has been shown for a while."""
        self._stop_watching()
        self._timer = Timer(SILENT_SECONDS, self._show_stage)
        self._timer.daemon = True
        self._timer.start()

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _show_stage(self) -> None:
        with self._lock:
            if self._stage is not None and current_thread() is self._timer:  # not one that was stopped too late
                (self._bar or self._start()).update(COUNTED, visible=False)

    def _start(self) -> Bar:
        self._bar = _bar(lambda: self._stage, colour=self._output.colour(sys.stderr))
        return self._bar

    def _wait(self, text: str) -> None:
        """Show a line below the bar; none for ""."""
        if text or self._bar is not None:
            self._update(WAITING, description=text, visible=bool(text))

    def _update(self, row: TaskID, **values: Any) -> None:
        if not self._shows:
            return
        with self._lock:
            (self._bar or self._start()).update(row, **values)

    def clear(self) -> None:
        """Remove the bar, so that something else can be printed; what has begun is shown again later."""
        with self._lock:
            self._stop_watching()
            if self._bar is not None:
                self._bar.stop()
                self._bar = None
            if self._stage is not None:
                self._watch()

    def _detail(self, text: str) -> None:
        if self._output.verbose:
            self.clear()
            self._output.note(text)


def _facts(event: Event) -> str:
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in event_data(event).items()
    )


def _bar(stage: Callable[[], Stage | None], *, colour: bool) -> Bar:
    """A row with a task, a bar, how many are done, how many a second, the time left; or one with the stage; and a row
    of text below it."""
    from collections.abc import Iterable

    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.2g}/s" if task.speed else "", style="progress.data.speed")

    class TwoRows(Bar):
        def get_renderables(self) -> Iterable[RenderableType]:
            if not any(row.visible for row in self.tasks if row.id == COUNTED) and (now := stage()) is not None:
                yield Text(str(now))
            for row in self.tasks:
                if row.visible:
                    yield Text(row.description) if row.id == WAITING else self.make_tasks_table([row])

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    console = Console(stderr=True, no_color=not colour)
    # Not redirected: what is written to standard output while a bar is shown belongs there.
    bar = TwoRows(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
    for _ in range(2):
        bar.add_task("", total=None, visible=False)
    bar.start()
    return bar
