"""The whole corpus in one prompt, in document order.

Wins when the evidence is spread or much of it is needed, and nothing can be missed by retrieval; loses beyond the
model's effective window (Hsieh et al. 2024, RULER), and costs the whole corpus for every question, except where the
server has its prefix cached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from lcrag.passages import passages, recounted
from lcrag.types import Answer, Backend, CorpusReader, CorpusSize, Emit, Estimate, Event, Ranking, Task, Workload
from pipelines.outcome import ANSWER_TOKENS, INSTRUCTION_TOKENS, answered, check_fits, nothing_to_read

INSTEAD: Final = "--pipeline chain_of_agents or --pipeline chunk_rag"


@dataclass(frozen=True, slots=True)
class FullContext:
    name: ClassVar[str] = "full_context"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls()]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        prompt = size.tokens + INSTRUCTION_TOKENS
        return Workload(
            input_tokens=prompt,
            output_tokens=min(ANSWER_TOKENS, 64 + estimate.scope_tokens // 2),
            calls=1,
            rounds=1,
            longest_prompt=prompt + ANSWER_TOKENS,
            evidence=1.0,
            read_tokens=size.tokens,
            surroundings="consecutive",
        )

    def answer(self, question: str, corpus: CorpusReader, ranking: Ranking, backend: Backend, emit: Emit) -> Answer:
        """Raises DoesNotFit when the corpus is longer than the backend's window."""
        if not corpus.size.chunks:
            return nothing_to_read(self.name, corpus)
        if corpus.tokenizer == backend.tokenizer:  # known without reading the corpus
            check_fits(corpus.size.tokens, backend, hint=INSTEAD)
        chunks = recounted(corpus.chunks(), corpus, backend)
        tokens = sum(chunk.tokens for chunk in chunks)
        check_fits(tokens, backend, hint=INSTEAD)
        read = passages(chunks)
        emit(Event("retrieve", {"hits": len(chunks), "tokens": tokens, "sources": sorted({p.source for p in read})}))
        [done] = backend.run([Task("answer", question, tuple(read))], max_tokens=ANSWER_TOKENS)
        return answered(self.name, done, read, corpus, emit, usage=done.usage, tokens_read=tokens, everything=True)
