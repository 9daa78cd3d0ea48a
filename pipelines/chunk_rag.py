"""The best-ranked chunks, in document order, in one prompt: retrieval-augmented generation (Lewis et al. 2020).

Wins when the evidence is easy to find and little; fails without a sign when part of it ranks below what was taken.
How much is taken follows from the estimated coverage, not from a constant. Chunks go back into document order (Yu et
al. 2024, "In Defense of RAG in the Era of Long-Context Language Models"). Where there is a reranker, it reads more than
is taken and moves up what it ranks high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from lcrag.pipelines._run import Run
from lcrag.pipelines._stage import Stage
from lcrag.planning.scale import INSTRUCTION_TOKENS
from lcrag.text.passages import passages
from lcrag.text.prompts import ANSWER_TOKENS, answer_tokens
from lcrag.types import Answer, CorpusSize, Estimate, Workload

BUDGETS: Final = (500, 1000, 2000, 4000, 8000, 16000)


@dataclass(frozen=True, slots=True)
class ChunkRag(Stage):
    """``tokens``: how much document text is taken, in rank order; the rest is ``Stage``'s."""

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
        work = Workload(
            input_tokens=prompt,
            output_tokens=answer_tokens(estimate.scope_tokens),
            calls=1,
            rounds=1,
            longest_prompt=prompt + ANSWER_TOKENS,
            evidence=estimate.covered(read),
            read_tokens=read,
            surroundings="retrieved",
        )
        return self.staged(work, read, estimate, size)

    def answer(self, run: Run) -> Answer:
        """Raises DoesNotFit when what is taken is longer than the backend's window."""
        chunks = run.best_chunks(self.tokens)
        read = passages(chunks)
        run.retrieved(read, len(chunks))
        run.check_fits(read, more=self.more_tokens, budget=self.tokens)
        return self.answer_from(run, read)
