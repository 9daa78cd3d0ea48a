"""Notes, from the workers that read to the manager that answers: merged in a tree when they outgrow their room.

A merge is a further call that may lose something, so notes that fit are not merged; and the markers, which a merge must
not lose, are corrected after each call (``lcrag.evidence.provenance``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lcrag.evidence.provenance import restore_markers
from lcrag.pipelines._run import Run
from lcrag.planning.scale import count_notes
from lcrag.text.passages import groups
from lcrag.text.prompts import says_nothing
from lcrag.types import Answer, Completion, Event, Passage, Task

NOTE_TOKENS: Final = 512
"""The most tokens of a note, a summary or a merged answer."""


def take_notes(tasks: Sequence[Task], completions: Sequence[Completion], read: Sequence[Passage]) -> list[str]:
    """The texts of the completions that hold something, under the markers of what their tasks gave them."""
    return [
        restore_markers(completion.text, task.passages, task.notes, read)
        for task, completion in zip(tasks, completions, strict=True)
        if not says_nothing(completion.text)
    ]


def merge_notes(run: Run, notes: Sequence[str], read: Sequence[Passage], *, room: int, note_tokens: int) -> list[str]:
    """The notes within ``room`` tokens: level by level, neighbours that fit it together become one note, in one batch.

    A merged note has at most ``note_tokens`` tokens; at least two of them must fit the room.
    """
    left = list(notes)
    while len(left) > 1 and sum(sizes := count_notes(left, run.backend)) > room:
        batches = list(groups(left, sizes, room))
        if all(len(batch) == 1 for batch in batches):  # longer than asked for: still two at a time
            batches = [left[place : place + 2] for place in range(0, len(left), 2)]
        tasks = [Task("summarise", run.question, (), tuple(batch)) for batch in batches if len(batch) > 1]
        completions = run.ask(tasks, note_tokens)
        run.emit(Event("worker", {"index": len(completions), "of": len(completions), "status": "merged"}))
        merged = (take_notes([task], [done], read) for task, done in zip(tasks, completions, strict=True))
        left = [note for batch in batches for note in (batch if len(batch) == 1 else next(merged))]
    return left


def answer_from_notes(run: Run, notes: Sequence[str], read: Sequence[Passage]) -> Answer:
    """The manager's answer from the notes that were taken of ``read``."""
    [completion] = run.ask([Task("synthesise", run.question, (), tuple(notes))], run.answer_tokens)
    if not says_nothing(completion.text):
        completion = replace(completion, text=restore_markers(completion.text, (), notes, read))
    return run.cite(completion, read)
