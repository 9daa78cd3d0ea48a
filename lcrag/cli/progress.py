"""Progress for a person: a bar while standard error is a terminal, lines with ``--verbose``."""

from __future__ import annotations

import sys
from threading import RLock
from typing import TYPE_CHECKING, Any, Self, cast

from lcrag.cli.output import Output
from lcrag.report.objects import event_data
from lcrag.report.status import index_size
from lcrag.types import Event, Plan

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


COUNTED, WAITING = cast("TaskID", 0), cast("TaskID", 1)
"""The rows of a bar, in the order in which they are added."""


class Progress:
    """Shows events; a context manager that removes its bar at the end. May be called from several threads."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._shows = sys.stderr.isatty() and not output.quiet
        self._lock = RLock()
        self._bar: Bar | None = None

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
            case "wait", {"server": str(server), "seconds": float(seconds), "most": float(most)}:
                self._wait(f"waiting for {server}: {seconds:.0f} s (at most {most:.0f} s)" if seconds else "")
            case "plan", {"plan": Plan() as plan}:
                self._detail(f"plan: {plan.reason}")
            case ("estimate" | "retrieve" | "escalate" | "shadow" | "usage") as kind, _:
                self._detail(f"{kind}: " + _facts(event))

    def show(self, task: str, done: int, total: int | None) -> None:
        """Set the bar to ``done`` of ``total``, None if unknown."""
        self._update(COUNTED, description=task, completed=done, total=total, visible=True)

    def _wait(self, text: str) -> None:
        """Show a line below the bar; none for ""."""
        if text or self._bar is not None:
            self._update(WAITING, description=text, visible=bool(text))

    def _update(self, row: TaskID, **values: Any) -> None:
        if not self._shows:
            return
        with self._lock:
            if self._bar is None:
                self._bar = _bar(colour=self._output.colour(sys.stderr))
            self._bar.update(row, **values)

    def clear(self) -> None:
        """Remove the bar, so that something else can be printed."""
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
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


def _bar(*, colour: bool) -> Bar:
    """A row with a task, a bar, how many are done, how many a second, the time left; and a row of text below it."""
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
            for row in self.tasks:
                if row.visible:
                    yield Text(row.description) if row.id == WAITING else self.make_tasks_table([row])

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    bar = TwoRows(*columns, console=Console(stderr=True, no_color=not colour), transient=True)
    for _ in range(2):
        bar.add_task("", total=None, visible=False)
    bar.start()
    return bar
