"""Notes on their way from those who read to the one who answers: merged in a tree when they outgrow their room.

A merge is one more call that may lose something, so nothing is merged that fits as it is; and what it must not lose,
the markers, is put right after each call (``lcrag.evidence.provenance``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lcrag.evidence.provenance import carried
from lcrag.retrieve.passages import groups
from lcrag.text.prompts import ANSWER_TOKENS
from lcrag.types import Backend, Completion, Emit, Event, Passage, Task, Usage
from pipelines._run import found_nothing, run


def noted(tasks: Sequence[Task], done: Sequence[Completion], read: Sequence[Passage]) -> list[str]:
    """The texts of those completions that found something, under the markers of what their tasks gave them."""
    return [
        carried(one.text, task.passages, task.notes, read)
        for task, one in zip(tasks, done, strict=True)
        if not found_nothing(one)
    ]


def merged(
    question: str,
    notes: Sequence[str],
    read: Sequence[Passage],
    backend: Backend,
    emit: Emit,
    *,
    room: int,
    note_tokens: int,
) -> tuple[list[str], Usage]:
    """The notes within ``room`` tokens: level by level, neighbours that fit it together become one, in one batch.

    A merged note has at most ``note_tokens`` tokens; at least two of them must fit the room.
    """
    left, usage = list(notes), Usage()
    while len(left) > 1 and sum(sizes := backend.count_many(left)) > room:
        several = list(groups(left, sizes, room))
        if all(len(group) == 1 for group in several):  # longer than asked for: two at a time all the same
            several = [left[place : place + 2] for place in range(0, len(left), 2)]
        tasks = [Task("summarise", question, (), tuple(group)) for group in several if len(group) > 1]
        done, used = run(backend, tasks, note_tokens)
        usage += used
        emit(Event("worker", {"index": len(done), "of": len(done), "status": "merged"}))
        replies = iter(zip(tasks, done, strict=True))
        merges = [list(group) if len(group) == 1 else _merge(*next(replies), read) for group in several]
        left = [note for merge in merges for note in merge]
    return left, usage


def _merge(task: Task, done: Completion, read: Sequence[Passage]) -> list[str]:
    return noted([task], [done], read)


def from_notes(
    question: str, notes: Sequence[str], read: Sequence[Passage], backend: Backend
) -> tuple[Completion, Usage]:
    """The manager's answer from the notes."""
    [done], used = run(backend, [Task("synthesise", question, (), tuple(notes))], ANSWER_TOKENS)
    if not found_nothing(done):
        done = replace(done, text=carried(done.text, (), notes, read))
    return done, used
