"""Workers read the whole corpus piece by piece and write notes; a manager answers from the notes.

Chain of Agents (Zhang et al. 2024, arXiv 2406.02818). Wins on texts beyond the model's effective window whose evidence
is spread, since no prompt is long; costs the whole corpus and a call a piece, and evidence can be lost at each
hand-over. "sequential": each worker sees the notes so far, so that it knows what to look for, and writes down only what
it adds. "tree": the workers do not know of each other, run as one batch and take a fraction of the time. "rounds"
(after ExtAgents, arXiv 2505.21471): as a tree; where the manager finds nothing in the notes, or nothing with support,
all workers read again with the notes of all, and add what these make worth noting. Notes that outgrow their room are
merged in a tree. Markers in notes lead to the documents throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Literal, Self

from lcrag.errors import DoesNotFit
from lcrag.pipelines._notes import NOTE_TOKENS, answer_from_notes, merge_notes, take_notes
from lcrag.pipelines._run import Run
from lcrag.planning.scale import INSTRUCTION_TOKENS
from lcrag.text.passages import PASSAGE_TOKENS, groups, passages
from lcrag.text.prompts import ANSWER_TOKENS, answer_tokens, says_nothing
from lcrag.types import Answer, Completion, CorpusSize, Estimate, Event, Passage, Task, Workload

APART: Final = 0.94
"""P(a worker knows what to look for without the others' notes): what one finds may only point to what another has.
Assumed, not measured."""
SEEN_AGAIN: Final = 0.6
"""P(a worker that reads again with the others' notes sees what it did not know to look for). Assumed, not measured."""
MOST_ROUNDS: Final = 3
"""What the third round does not find, further ones hardly will. Assumed, not measured."""
PIECES: Final = (2000, 8000, 32000)
"""Tokens of text for a worker that are worth comparing: the shorter, the better used; the longer, the fewer calls."""


@dataclass(frozen=True, slots=True)
class ChainOfAgents:
    """``worker_tokens``: document text of one worker; less where the window is small. ``rounds``: at most, of the mode
    of that name.
    """

    worker_tokens: int = 8000
    mode: Literal["sequential", "tree", "rounds"] = "sequential"
    rounds: int = field(default=2, kw_only=True)
    name: ClassVar[str] = "chain_of_agents"

    def __post_init__(self) -> None:
        if not 1 <= self.rounds <= MOST_ROUNDS:
            raise ValueError(f"rounds is from 1 to {MOST_ROUNDS}")
        if self.rounds != 2 and self.mode != "rounds":
            raise ValueError("rounds needs mode=rounds")

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
        work = Workload(
            input_tokens=size.tokens + (workers + merges + 1) * INSTRUCTION_TOKENS + again,
            output_tokens=written + merges * note // 4 + answer_tokens(estimate.scope_tokens),
            calls=workers + merges + 1,
            rounds=(workers if self.mode == "sequential" else 1) + levels + 1,
            longest_prompt=max(
                min(piece, size.tokens) + self.overhead(window, INSTRUCTION_TOKENS),
                _manager(window, INSTRUCTION_TOKENS),
            ),
            evidence=APART if self.mode != "sequential" and workers > 1 else 1.0,
            read_tokens=min(piece, size.tokens),
            surroundings="consecutive",
            reads="note",
            handovers=(*(("summarise", room) for _ in range(levels)), ("synthesise", min(room, written))),
            reusable_tokens=size.tokens,
            written=again,
            pieces=workers,
        )
        return self._in_rounds(work, workers * min(room, written)) if self.mode == "rounds" and workers > 1 else work

    def _in_rounds(self, first: Workload, notes: int) -> Workload:
        """Each round, followed by the next one, whose workers are given ``notes`` tokens in addition."""
        again = replace(first, input_tokens=first.input_tokens + notes, written=first.written + notes)
        work: Workload | None = None
        for number in range(self.rounds - 1, 0, -1):
            work = replace(again, evidence=1 - (1 - APART) * (1 - SEEN_AGAIN) ** number, then=work)
        return replace(first, then=work)

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
        if self.mode == "sequential":
            notes = self._in_sequence(run, workers, read)
        else:
            notes = self._in_parallel(run, workers, read, [])
        if not notes:
            return run.nothing(read)
        answer = answer_from_notes(run, notes, read)
        return self._again(run, workers, read, notes, answer) if self.mode == "rounds" else answer

    def _again(
        self,
        run: Run,
        workers: Sequence[Sequence[Passage]],
        read: Sequence[Passage],
        notes: Sequence[str],
        answer: Answer,
    ) -> Answer:
        """The answer, or that of further rounds while it has no support and the workers add something."""
        for _ in range(self.rounds - 1 if len(workers) > 1 else 0):
            if not answer.is_unsupported:
                break
            before, notes = notes, self._in_parallel(run, workers, read, notes)
            if notes == before:
                return replace(answer, usage=run.usage, steps=(replace(answer.steps[0], usage=run.usage),))
            run.emit(Event("escalate", {"from": self.name, "to": self.name, "status": answer.status}))
            following = answer_from_notes(run, notes, read)
            is_better = answer.status != "answered" or not following.is_unsupported
            answer = following if is_better else replace(answer, usage=run.usage, steps=following.steps)
        return answer

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
    def _in_parallel(
        run: Run, workers: Sequence[Sequence[Passage]], read: Sequence[Passage], notes: Sequence[str]
    ) -> list[str]:
        """These notes and what the workers add, who all see them."""
        room, most = notes_room(run.backend.window), note_tokens(run.backend.window)
        tasks = [Task("note", run.question, tuple(group), tuple(notes)) for group in workers]
        completions = run.ask(tasks, most)
        for number, completion in enumerate(completions, 1):
            run.emit(_worker_event(number, len(workers), completion))
        added = take_notes(tasks, completions, read)
        added = _new_lines(added, notes) if notes else added
        return merge_notes(run, [*notes, *added], read, room=room, note_tokens=most) if added else list(notes)

    def _piece(self, window: int, frame: int) -> int:
        """Tokens of text that one worker can be given."""
        return max(1, min(self.worker_tokens, window - self.overhead(window, frame)))

    def overhead(self, window: int, frame: int) -> int:
        """Tokens of a worker's call without its text: ``frame`` for question and instruction, notes in and out."""
        return (notes_room(window) if self.mode != "tree" else 0) + frame + note_tokens(window)


def _worker_event(number: int, of: int, completion: Completion) -> Event:
    status = "nothing" if says_nothing(completion.text) else "cut" if completion.finish == "length" else "noted"
    return Event("worker", {"index": number, "of": of, "status": status})


def _new_lines(added: Sequence[str], notes: Sequence[str]) -> list[str]:
    """What was added without the lines that are in the notes already, or in what another worker added."""
    known = {line for note in notes for line in note.splitlines()}
    left: list[str] = []
    for note in added:
        lines = [line for line in note.splitlines() if line not in known]
        known.update(lines)
        if lines:
            left.append("\n".join(lines))
    return left


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
