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
from lcrag.passages import groups, passages, recounted
from lcrag.types import Answer, Backend, CorpusReader, CorpusSize, Emit, Estimate, Event, Ranking, Task, Usage, Workload
from pipelines.outcome import ANSWER_TOKENS, INSTRUCTION_TOKENS, NOTE_TOKENS, answered, found_nothing, nothing_to_read

KEPT: Final = 0.85
"""P(a worker writes the evidence of its piece down, and the manager uses it). Provisional until it is calibrated."""
SMALLEST_WORKER: Final = 256


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
        notes = min(_notes_bound(window), workers * NOTE_TOKENS // 4)
        return Workload(
            input_tokens=size.tokens + workers * (INSTRUCTION_TOKENS + notes // 2) + INSTRUCTION_TOKENS + notes,
            output_tokens=workers * NOTE_TOKENS // 4 + min(ANSWER_TOKENS, 64 + estimate.scope_tokens // 2),
            calls=workers + 1,
            rounds=workers + 1,
            longest_prompt=min(piece, size.tokens) + _notes_bound(window) + INSTRUCTION_TOKENS + NOTE_TOKENS,
            evidence=KEPT,
            read_tokens=min(piece, size.tokens),
            surroundings="consecutive",
            links=2,
        )

    def answer(self, question: str, corpus: CorpusReader, ranking: Ranking, backend: Backend, emit: Emit) -> Answer:
        """Raises DoesNotFit when the window has no room for one piece of text."""
        chunks = recounted(corpus.chunks(), corpus, backend)
        if not chunks:
            return nothing_to_read(self.name)
        piece = self._piece(backend.window)
        longest = max(chunk.tokens for chunk in chunks)
        if piece < min(SMALLEST_WORKER, longest):
            needed = SMALLEST_WORKER + _notes_bound(backend.window) + INSTRUCTION_TOKENS + NOTE_TOKENS
            raise DoesNotFit(
                f"a worker needs {needed:,} tokens and the window of {backend.model} is {backend.window:,}",
                tokens=needed,
                window=backend.window,
                hint="a model with a longer window",
            )
        read = passages(chunks, limit=min(512, piece))
        workers = list(groups(read, piece))
        notes: list[str] = []
        usage = Usage()
        for number, group in enumerate(workers, 1):
            [done] = backend.run([Task("note", question, tuple(group), tuple(notes))], max_tokens=NOTE_TOKENS)
            usage += done.usage
            nothing = found_nothing(done)
            emit(Event("worker", {"index": number, "of": len(workers), "status": "nothing" if nothing else "noted"}))
            if not nothing:
                notes.append(done.text)
                if sum(backend.count_many(notes)) > _notes_bound(backend.window):
                    [done] = backend.run([Task("summarise", question, (), tuple(notes))], max_tokens=NOTE_TOKENS)
                    usage += done.usage
                    notes = [done.text]
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
        return min(self.worker_tokens, window - _notes_bound(window) - INSTRUCTION_TOKENS - NOTE_TOKENS)


def _notes_bound(window: int) -> int:
    """The most tokens that notes may take of a prompt: a quarter of the window."""
    return min(4 * NOTE_TOKENS, window // 4)
