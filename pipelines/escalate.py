"""Cheap first, and more only when that finds nothing (Self-Route, Li et al. 2024, arXiv 2407.16833).

Wins when most questions are easy and the model admits what it did not find; costs the sum of what was tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from lcrag.errors import DoesNotFit
from lcrag.types import (
    Answer,
    Backend,
    CorpusReader,
    CorpusSize,
    Emit,
    Estimate,
    Event,
    Pipeline,
    Ranking,
    Workload,
)
from pipelines.chain_of_agents import ChainOfAgents
from pipelines.chunk_rag import ChunkRag
from pipelines.full_context import FullContext


@dataclass(frozen=True, slots=True)
class Escalate:
    """``tokens``: what the first step, chunk_rag, reads. Then everything: at once if it fits, otherwise by workers."""

    tokens: int = 2000
    name: ClassVar[str] = "escalate"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls(budget) for budget in (1000, 2000, 4000) if budget < size.tokens]

    def members(self) -> tuple[Pipeline, ...]:
        return ChunkRag(self.tokens), FullContext(), ChainOfAgents()

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        """The first step always, the second with the probability that the first lacks the evidence.

        An answer is right when either step has the evidence; a model that answers wrongly from too little instead of
        abstaining is what the factor in ``evidence`` stands for (provisional until calibrated: one in two admits it).
        """
        works = [member.workload(estimate, size, window) for member in self.members()]
        first = works[0]
        then = works[1] if works[1].longest_prompt <= window else works[2]
        missed = (1 - first.evidence) / 2
        return replace(
            first,
            input_tokens=first.input_tokens + round(missed * then.input_tokens),
            output_tokens=first.output_tokens + round(missed * then.output_tokens),
            calls=first.calls + then.calls,
            rounds=first.rounds + then.rounds,
            longest_prompt=max(first.longest_prompt, then.longest_prompt),
            evidence=first.evidence + missed * then.evidence,
        )

    def answer(self, question: str, corpus: CorpusReader, ranking: Ranking, backend: Backend, emit: Emit) -> Answer:
        """Raises DoesNotFit only when no step fits the backend's window."""
        done: Answer | None = None
        refused: DoesNotFit | None = None
        before: tuple[str, str] | None = None
        for member in self.members():
            if before is not None:
                emit(Event("escalate", {"from": before[0], "to": member.name, "status": before[1]}))
            try:
                answer = member.answer(question, corpus, ranking, backend, emit)
            except DoesNotFit as error:
                refused = error
                before = member.name, "does_not_fit"
                continue
            done = answer if done is None else _after(done, answer)
            if done.status != "not_retrieved":
                break
            before = member.name, done.status
        if done is None:
            assert refused is not None
            raise refused
        return done


def _after(first: Answer, then: Answer) -> Answer:
    return replace(
        then,
        usage=first.usage + then.usage,
        tokens_read=max(first.tokens_read, then.tokens_read),
        steps=first.steps + then.steps,
    )
