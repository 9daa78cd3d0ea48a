"""The best-ranked chunks, in document order, in one prompt: retrieval-augmented generation (Lewis et al. 2020).

Wins when the evidence is easy to find and little; fails without a sign when part of it ranks below what was taken.
How much is taken follows from the estimated coverage, not from a constant. Chunks go back into document order (Yu et
al. 2024, "In Defense of RAG in the Era of Long-Context Language Models"). Where there is a reader, it looks through
more than is taken and puts first what it ranks high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from lcrag.retrieve.passages import passages, recounted, within
from lcrag.text.prompts import ANSWER_TOKENS, answer_tokens
from lcrag.text.questions import is_broad
from lcrag.types import (
    Answer,
    Backend,
    Chunk,
    CorpusSize,
    CorpusView,
    Emit,
    Estimate,
    Event,
    Hit,
    Ranking,
    Relevance,
    Task,
    Workload,
)
from pipelines._run import INSTRUCTION_TOKENS, answered, check_fits, nothing_to_read, run

BUDGETS: Final = (500, 1000, 2000, 4000, 8000, 16000)
CANDIDATES: Final = 32
"""How many hits the reader looks at, at most: 0.3 s."""
WIDER: Final = 2
"""And at most so many times the budget."""
RANK_WEIGHT: Final = 0.1
"""What the reader's rank score counts beside the ranking's own."""


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
            output_tokens=answer_tokens(estimate.scope_tokens),
            calls=1,
            rounds=1,
            longest_prompt=prompt + ANSWER_TOKENS,
            evidence=estimate.covered(read),
            read_tokens=read,
            surroundings="retrieved",
        )

    def answer(self, question: str, corpus: CorpusView, ranking: Ranking, backend: Backend, emit: Emit) -> Answer:
        """Raises DoesNotFit when what is taken is longer than the backend's window."""
        chunks = recounted((hit.chunk for hit in ranking.hits), corpus, backend)
        order = self._order(question, ranking, chunks)
        taken = within([chunks[place] for place in order], self.tokens)
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
            tokens_read=sum(ranking.hits[place].chunk.tokens for place in order[: len(taken)]),
            everything=len(taken) == corpus.size.chunks,
        )

    def _order(self, question: str, ranking: Ranking, chunks: Sequence[Chunk]) -> list[int]:
        """Places of the hits, best first. Nothing is read where all that could be would be taken anyway, nor for a
        question about a discussion, whose evidence is a stretch of text: reranked, meetings came to .15 from .20.
        """
        looked = len(within(chunks, WIDER * self.tokens)[:CANDIDATES])
        if ranking.reader is None or is_broad(question) or looked <= len(within(chunks, self.tokens)):
            return list(range(len(chunks)))
        readings = ranking.reader.read(question, [chunk.text for chunk in chunks[:looked]])
        return reranked(ranking.hits, readings)


def reranked(hits: Sequence[Hit], readings: Sequence[Relevance]) -> list[int]:
    """Places of the hits, the first of them, which were read, in a new order."""
    scores = [hit.score + RANK_WEIGHT * reading.rank for hit, reading in zip(hits, readings, strict=False)]
    return [*sorted(range(len(scores)), key=lambda place: (-scores[place], place)), *range(len(scores), len(hits))]
