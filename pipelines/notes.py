"""Notes on their way from those who read to the one who answers: merged in a tree when they outgrow their room.

A merge is one more call that may lose something, so nothing is merged that fits as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from lcrag.passages import groups
from lcrag.types import Backend, Completion, Emit, Event, Task, Usage
from pipelines.outcome import ANSWER_TOKENS, found_nothing, run


def noted(done: Sequence[Completion]) -> list[str]:
    """The texts of those completions that found something."""
    return [one.text for one in done if not found_nothing(one)]


def merged(
    question: str, notes: Sequence[str], backend: Backend, emit: Emit, *, room: int, note_tokens: int
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
        replies = iter(done)
        left = [note for group in several for note in (group if len(group) == 1 else noted([next(replies)]))]
    return left, usage


def from_notes(question: str, notes: Sequence[str], backend: Backend) -> tuple[Completion, Usage]:
    """The manager's answer from the notes."""
    [done], used = run(backend, [Task("synthesise", question, (), tuple(notes))], ANSWER_TOKENS)
    return done, used
