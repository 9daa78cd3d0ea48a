"""Progress for a person: a bar while standard error is a terminal, lines with ``--verbose``."""

from __future__ import annotations

import sys
from threading import RLock
from typing import TYPE_CHECKING, Self

from lcrag.cli.output import Output
from lcrag.report.objects import event_data
from lcrag.report.status import index_size
from lcrag.types import Event, Plan

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


class Progress:
    """Shows events; a context manager that removes its bar at the end. May be called from several threads."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._shows = sys.stderr.isatty() and not output.quiet
        self._lock = RLock()
        self._bar: tuple[Bar, TaskID] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

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
            case "index", {"done": int(done), "total": int(total)}:
                self.show("reading", done, total)
            case "index", {"documents": _}:
                self._detail(f"index: {index_size(event.data)}, {event.data['skipped']:,} skipped")
            case "worker", {"index": int(done), "of": int(total)}:
                self.show("workers", done, total)
            case "calibrate", {"part": "cost", "done": int(done), "total": int(total)}:
                self.show("cost", done, total)
            case "calibrate", {"part": str(part), "tokens": int(tokens), "done": int(done)}:
                self.show(f"{part} at {tokens:,} tokens", done, None)
            case "plan", {"plan": Plan() as plan}:
                self._detail(f"plan: {plan.reason}")
            case ("estimate" | "retrieve" | "escalate" | "shadow" | "usage") as kind, _:
                self._detail(f"{kind}: " + _facts(event))

    def show(self, task: str, done: int, total: int | None) -> None:
        """Set the bar to ``done`` of ``total``, None if unknown."""
        if not self._shows:
            return
        with self._lock:
            if self._bar is None:
                self._bar = _bar(colour=self._output.colour(sys.stderr))
            bar, id = self._bar
            bar.update(id, description=task, completed=done, total=total)

    def clear(self) -> None:
        """Remove the bar, so that something else can be printed."""
        with self._lock:
            if self._bar is not None:
                self._bar[0].stop()
                self._bar = None

    def _detail(self, text: str) -> None:
        if self._output.verbose:
            self.clear()
            self._output.note(text)


def _facts(event: Event) -> str:
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in event_data(event).items()
    )


def _bar(*, colour: bool) -> tuple[Bar, TaskID]:
    """The task, a bar, how many are done, how many a second, the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.2g}/s" if task.speed else "", style="progress.data.speed")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    bar = Bar(*columns, console=Console(stderr=True, no_color=not colour), transient=True)
    bar.start()
    return bar, bar.add_task("", total=None)
