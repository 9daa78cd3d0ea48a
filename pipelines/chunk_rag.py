"""The best-ranked chunks, in document order, in one prompt: retrieval-augmented generation (Lewis et al. 2020).

Wins when the evidence is easy to find and little; fails without a sign when part of it ranks below what was taken.
How much is taken follows from the estimated coverage, not from a constant. Chunks go back into document order (Yu et
al. 2024, "In Defense of RAG in the Era of Long-Context Language Models").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from lcrag.passages import passages, recounted, within
from lcrag.types import Answer, Backend, CorpusReader, CorpusSize, Emit, Estimate, Event, Ranking, Task, Workload
from pipelines.outcome import ANSWER_TOKENS, INSTRUCTION_TOKENS, answered, check_fits, nothing_to_read, run

BUDGETS: Final = (500, 1000, 2000, 4000, 8000, 16000)


@dataclass(frozen=True, slots=True)
class ChunkRag:
    """``tokens``: how much document text is taken, in rank order."""

    tokens: int = 4000
    name: ClassVar[str] = "chunk_rag"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        """Every budget that is smaller than the corpus, and the smallest one that is not."""
        smaller = [budget for budget in BUDGETS if budget < size.tokens]
        return [cls(budget) for budget in BUDGETS[: len(smaller) + 1]]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        read = min(self.tokens, size.tokens)
        prompt = read + INSTRUCTION_TOKENS
        return Workload(
            input_tokens=prompt,
            output_tokens=min(ANSWER_TOKENS, 64 + estimate.scope_tokens // 2),
            calls=1,
            rounds=1,
            longest_prompt=prompt + ANSWER_TOKENS,
            evidence=estimate.covered(read),
            read_tokens=read,
            surroundings="retrieved",
        )

    def answer(self, question: str, corpus: CorpusReader, ranking: Ranking, backend: Backend, emit: Emit) -> Answer:
        """Raises DoesNotFit when what is taken is longer than the backend's window."""
        taken = within(recounted((hit.chunk for hit in ranking.hits), corpus, backend), self.tokens)
        if not taken:
            return nothing_to_read(self.name, corpus)
        read = passages(taken)
        check_fits(read, question, backend, hint="a smaller budget, or a model with a longer window")
        tokens = sum(chunk.tokens for chunk in taken)
        emit(Event("retrieve", {"hits": len(taken), "tokens": tokens, "sources": sorted({p.source for p in read})}))
        [done], usage = run(backend, [Task("answer", question, tuple(read))], ANSWER_TOKENS)
        return answered(
            self.name,
            question,
            done,
            read,
            corpus,
            emit,
            usage=usage,
            tokens_read=sum(hit.chunk.tokens for hit in ranking.hits[: len(taken)]),
            everything=len(taken) == corpus.size.chunks,
        )
