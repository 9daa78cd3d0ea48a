"""The best-ranked chunks, in document order, in one prompt: retrieval-augmented generation (Lewis et al. 2020).

Wins when the evidence is easy to find and little; fails without a sign when part of it ranks below what was taken.
How much is taken follows from the estimated coverage, not from a constant. Chunks go back into document order (Yu et
al. 2024, "In Defense of RAG in the Era of Long-Context Language Models"). Where there is a reranker, it reads more than
is taken and moves up what it ranks high.

``layer``: "section" ranks a chunk by what the summary of its section says too (``lcrag.retrieve.sections``); what is
read and cited is the chunk's own text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Literal, Self

from lcrag.errors import NotAvailable
from lcrag.pipelines._run import Run
from lcrag.pipelines._stage import Stage
from lcrag.planning.scale import INSTRUCTION_TOKENS
from lcrag.text.passages import passages
from lcrag.text.prompts import ANSWER_TOKENS, answer_tokens
from lcrag.types import Answer, CorpusSize, Estimate, Workload

BUDGETS: Final = (500, 1000, 2000, 4000, 8000, 16000)


@dataclass(frozen=True, slots=True)
class ChunkRag(Stage):
    """``tokens``: how much document text is taken, in rank order; the rest is ``Stage``'s.

    ``layer``: what is found by its summary besides.
    """

    tokens: int = 4000
    layer: Literal["none", "section"] = field(default="none", kw_only=True)
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
        """Raises DoesNotFit when what is taken is longer than the backend's window, NotAvailable without summaries of
        sections where they are asked for."""
        if self.layer == "section":
            if run.ranking.by_section is None:
                raise NotAvailable(
                    "the index has no summaries of sections", hint="lcrag index PATH... --layers section"
                )
            run = replace(run, ranking=run.ranking.by_section())
        chunks = run.best_chunks(self.tokens)
        read = passages(chunks)
        run.retrieved(read, len(chunks))
        run.check_fits(read, more=self.more_tokens, budget=self.tokens)
        return self.answer_from(run, read)
