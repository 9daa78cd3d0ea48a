"""Workers read the whole corpus piece by piece and pass notes on; a manager answers from the notes.

Chain of Agents (Zhang et al. 2024, arXiv 2406.02818). Wins on texts beyond the model's effective window whose evidence
is spread, since no prompt is long; costs the whole corpus and a call a piece, and evidence can be lost at each
hand-over. Each worker writes down only what it adds, so that a note once taken is never rewritten by the way; when the
notes outgrow their share of the window, one more call merges them. Markers in notes lead to the documents throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from lcrag.errors import DoesNotFit
from lcrag.passages import PASSAGE_TOKENS, groups, passages, recounted
from lcrag.types import Answer, Backend, CorpusReader, CorpusSize, Emit, Estimate, Event, Ranking, Task, Usage, Workload
from pipelines.outcome import ANSWER_TOKENS, INSTRUCTION_TOKENS, NOTE_TOKENS, answered, found_nothing, nothing_to_read

KEPT: Final = 0.85
"""P(a worker writes the evidence of its piece down, and the manager uses it). Provisional until it is calibrated."""


@dataclass(frozen=True, slots=True)
class ChainOfAgents:
    """``worker_tokens``: document text of one worker; less where the window is small."""

    worker_tokens: int = 8000
    name: ClassVar[str] = "chain_of_agents"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls()]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        piece = self._piece(window)
        workers = max(1, -(-size.tokens // piece))
        note = _note_tokens(window)
        notes = min(_notes_bound(window), workers * note // 4)
        return Workload(
            input_tokens=size.tokens + workers * (INSTRUCTION_TOKENS + notes // 2) + INSTRUCTION_TOKENS + notes,
            output_tokens=workers * note // 4 + min(ANSWER_TOKENS, 64 + estimate.scope_tokens // 2),
            calls=workers + 1,
            rounds=workers + 1,
            longest_prompt=max(min(piece, size.tokens) + _overhead(window), _manager(window)),
            evidence=KEPT,
            read_tokens=min(piece, size.tokens),
            surroundings="consecutive",
            links=2,
        )

    def answer(self, question: str, corpus: CorpusReader, ranking: Ranking, backend: Backend, emit: Emit) -> Answer:
        """Raises DoesNotFit when the window has no room for one piece of text."""
        chunks = recounted(corpus.chunks(), corpus, backend)
        if not chunks:
            return nothing_to_read(self.name, corpus)
        needed = max(max(chunk.tokens for chunk in chunks) + _overhead(backend.window), _manager(backend.window))
        if needed > backend.window:
            raise DoesNotFit(
                f"the workers and their manager need {needed:,} tokens at a time and the window of {backend.model} is "
                f"{backend.window:,}",
                tokens=needed,
                window=backend.window,
                hint="a model with a longer window",
            )
        piece = self._piece(backend.window)
        read = passages(chunks, limit=min(PASSAGE_TOKENS, piece))
        workers = list(groups(read, piece))
        note_tokens = _note_tokens(backend.window)
        notes: list[str] = []
        usage = Usage()
        for number, group in enumerate(workers, 1):
            [done] = backend.run([Task("note", question, tuple(group), tuple(notes))], max_tokens=note_tokens)
            usage += done.usage
            nothing = found_nothing(done)
            emit(Event("worker", {"index": number, "of": len(workers), "status": "nothing" if nothing else "noted"}))
            if not nothing:
                notes.append(done.text)
                if sum(backend.count_many(notes)) > _notes_bound(backend.window):
                    [done] = backend.run([Task("summarise", question, (), tuple(notes))], max_tokens=note_tokens)
                    usage += done.usage
                    notes = [] if found_nothing(done) else [done.text]
        if notes:
            [done] = backend.run([Task("synthesise", question, (), tuple(notes))], max_tokens=ANSWER_TOKENS)
            usage += done.usage
        return answered(
            self.name,
            done,
            read,
            corpus,
            emit,
            usage=usage,
            tokens_read=sum(chunk.tokens for chunk in chunks),
            everything=True,
        )

    def _piece(self, window: int) -> int:
        """Tokens of text that one worker can be given beside the notes."""
        return max(1, min(self.worker_tokens, window - _overhead(window)))


def _notes_bound(window: int) -> int:
    """The most tokens that notes may take of a worker's prompt: a quarter of the window."""
    return min(4 * NOTE_TOKENS, window // 4)


def _note_tokens(window: int) -> int:
    """The most tokens that one note may have: notes that together reach the bound still leave room for the next."""
    return max(1, _notes_bound(window) // 4)


def _overhead(window: int) -> int:
    """Tokens of a worker's call besides its text."""
    return _notes_bound(window) + INSTRUCTION_TOKENS + _note_tokens(window)


def _manager(window: int) -> int:
    """The most tokens of the manager's call."""
    return _notes_bound(window) + INSTRUCTION_TOKENS + ANSWER_TOKENS
