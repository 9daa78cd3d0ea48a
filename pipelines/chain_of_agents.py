"""Workers read the whole corpus piece by piece and write notes; a manager answers from the notes.

Chain of Agents (Zhang et al. 2024, arXiv 2406.02818). Wins on texts beyond the model's effective window whose evidence
is spread, since no prompt is long; costs the whole corpus and a call a piece, and evidence can be lost at each
hand-over. "sequential": each worker sees the notes so far, so that it knows what to look for, and writes down only what
it adds. "tree": the workers do not know of each other, run as one batch and take a fraction of the time. Notes that
outgrow their room are merged in a tree. Markers in notes lead to the documents throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Self

from lcrag.errors import DoesNotFit
from lcrag.planning.scale import INSTRUCTION_TOKENS
from lcrag.text.passages import PASSAGE_TOKENS, groups, passages
from lcrag.text.prompts import ANSWER_TOKENS, answer_tokens, says_nothing
from lcrag.types import Answer, Completion, CorpusSize, Estimate, Event, Passage, Task, Workload
from pipelines._notes import NOTE_TOKENS, answer_from_notes, merge_notes, take_notes
from pipelines._run import Run

APART: Final = 0.94
"""P(a worker knows what to look for without the others' notes): what one finds may only point to what another has.
Assumed, not measured."""
PIECES: Final = (2000, 8000, 32000)
"""Tokens of text for a worker that are worth comparing: the shorter, the better used; the longer, the fewer calls."""


@dataclass(frozen=True, slots=True)
class ChainOfAgents:
    """``worker_tokens``: document text of one worker; less where the window is small."""

    worker_tokens: int = 8000
    mode: Literal["sequential", "tree"] = "sequential"
    name: ClassVar[str] = "chain_of_agents"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        """Pieces that are shorter than the corpus and fit the window; the shortest in any case."""
        room = window - cls().overhead(window, INSTRUCTION_TOKENS)
        pieces = [PIECES[0], *(piece for piece in PIECES[1:] if piece < size.tokens and piece <= room)]
        return [cls(piece, mode) for mode in ("sequential", "tree") for piece in pieces]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        piece = self._piece(window, INSTRUCTION_TOKENS)
        workers = max(1, -(-size.tokens // piece))
        note = note_tokens(window)
        room = notes_room(window)
        written = workers * note // 4
        carried = workers * min(room, written) // 2 if self.mode == "sequential" else 0
        merges, levels = _merges(written, note, room)
        again = carried + merges * room + min(room, written)  # read of what was written
        return Workload(
            input_tokens=size.tokens + (workers + merges + 1) * INSTRUCTION_TOKENS + again,
            output_tokens=written + merges * note // 4 + answer_tokens(estimate.scope_tokens),
            calls=workers + merges + 1,
            rounds=(workers if self.mode == "sequential" else 1) + levels + 1,
            longest_prompt=max(
                min(piece, size.tokens) + self.overhead(window, INSTRUCTION_TOKENS),
                _manager(window, INSTRUCTION_TOKENS),
            ),
            evidence=APART if self.mode == "tree" and workers > 1 else 1.0,
            read_tokens=min(piece, size.tokens),
            surroundings="consecutive",
            reads="note",
            handovers=(*(("summarise", room) for _ in range(levels)), ("synthesise", min(room, written))),
            reusable_tokens=size.tokens,
            written=again,
            pieces=workers,
        )

    def answer(self, run: Run) -> Answer:
        """Raises DoesNotFit when the window has no room for one piece of text."""
        chunks = run.chunks()
        if not chunks:
            return run.nothing(())
        window, frame = run.backend.window, run.frame("note")
        piece = self._piece(window, frame)
        read = passages(chunks, limit=min(PASSAGE_TOKENS, piece))
        sizes = run.sizes(read)
        needed = max(max(sizes) + self.overhead(window, frame), _manager(window, frame))
        if needed > window:
            raise DoesNotFit(
                f"the workers and their manager need {needed:,} tokens at a time and the window of "
                f"{run.backend.model} is {window:,}",
                tokens=needed,
                window=window,
                hint="a model with a longer window",
            )
        workers = list(groups(read, sizes, piece))
        notes = (self._in_parallel if self.mode == "tree" else self._in_sequence)(run, workers, read)
        return answer_from_notes(run, notes, read) if notes else run.nothing(read)

    @staticmethod
    def _in_sequence(run: Run, workers: Sequence[Sequence[Passage]], read: Sequence[Passage]) -> list[str]:
        room, most = notes_room(run.backend.window), note_tokens(run.backend.window)
        notes: list[str] = []
        for number, group in enumerate(workers, 1):
            task = Task("note", run.question, tuple(group), tuple(notes))
            [completion] = run.ask([task], most)
            run.emit(_worker_event(number, len(workers), completion))
            notes = [*notes, *take_notes([task], [completion], read)]
            notes = merge_notes(run, notes, read, room=room, note_tokens=most)
        return notes

    @staticmethod
    def _in_parallel(run: Run, workers: Sequence[Sequence[Passage]], read: Sequence[Passage]) -> list[str]:
        room, most = notes_room(run.backend.window), note_tokens(run.backend.window)
        tasks = [Task("note", run.question, tuple(group)) for group in workers]
        completions = run.ask(tasks, most)
        for number, completion in enumerate(completions, 1):
            run.emit(_worker_event(number, len(workers), completion))
        return merge_notes(run, take_notes(tasks, completions, read), read, room=room, note_tokens=most)

    def _piece(self, window: int, frame: int) -> int:
        """Tokens of text that one worker can be given."""
        return max(1, min(self.worker_tokens, window - self.overhead(window, frame)))

    def overhead(self, window: int, frame: int) -> int:
        """Tokens of a worker's call without its text: ``frame`` for question and instruction, notes in and out."""
        return (notes_room(window) if self.mode == "sequential" else 0) + frame + note_tokens(window)


def _worker_event(number: int, of: int, completion: Completion) -> Event:
    status = "nothing" if says_nothing(completion.text) else "cut" if completion.finish == "length" else "noted"
    return Event("worker", {"index": number, "of": of, "status": status})


def notes_room(window: int) -> int:
    """The most tokens that notes may take of a prompt: a quarter of the window."""
    return min(4 * NOTE_TOKENS, window // 4)


def note_tokens(window: int) -> int:
    """The most tokens that one note may have: notes that together fill their room still leave space for the next."""
    return max(1, notes_room(window) // 4)


def _merges(written: int, note: int, room: int) -> tuple[int, int]:
    """Calls and levels of merging until ``written`` tokens of notes fit the room, notes being a quarter full."""
    calls = levels = 0
    while written > room:
        level = -(-written // room)
        calls, levels, written = calls + level, levels + 1, level * note // 4
    return calls, levels


def _manager(window: int, frame: int) -> int:
    """The most tokens of the manager's call."""
    return notes_room(window) + frame + ANSWER_TOKENS
