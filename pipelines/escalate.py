"""Cheap first, and more only when that finds nothing (Self-Route, Li et al. 2024, arXiv 2407.16833).

Wins when most questions are easy and the model admits what it did not find; costs the sum of what was tried. The second
prompt begins with the passages of the first and adds the next-ranked ones behind them, so that a server with a prefix
cache reads only what is new; the last one is the prompt of full_context (or of chain_of_agents where that does not
fit), which every question over the same documents shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Self

from lcrag.errors import DoesNotFit
from lcrag.retrieve.passages import fenced, passages, recounted, within
from lcrag.text.prompts import ANSWER_TOKENS
from lcrag.types import (
    Answer,
    Backend,
    CorpusSize,
    CorpusView,
    Emit,
    Estimate,
    Event,
    Passage,
    Ranking,
    Task,
    Workload,
)
from pipelines._run import answered, frame, run
from pipelines.chain_of_agents import ChainOfAgents
from pipelines.chunk_rag import ChunkRag
from pipelines.full_context import FullContext

GROWTH: Final = 4
"""How many times as much the second step reads as the first."""
ADMITS: Final = 0.5
"""P(a model that lacks the evidence says so instead of making an answer up). Provisional until it is calibrated."""


@dataclass(frozen=True, slots=True)
class Escalate:
    """``tokens``: what the first step reads; then GROWTH times as much, then everything."""

    tokens: int = 1000
    name: ClassVar[str] = "escalate"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls(budget) for budget in (500, 1000, 2000) if budget < size.tokens]

    @property
    def budgets(self) -> tuple[int, int]:
        """What is read in rank order, step by step, before everything is."""
        return self.tokens, GROWTH * self.tokens

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        """The first step always, each further one with the probability that those before it lack the evidence.

        An answer is right when some step has the evidence and the model admitted at each one before that it did not.
        Tokens count as read again at each step: what a prefix cache saves is the server's to tell.
        """
        steps = [ChunkRag(one).workload(estimate, size, window) for one in self.budgets if one < size.tokens]
        whole = FullContext().workload(estimate, size, window)
        if whole.longest_prompt > window:
            whole = ChainOfAgents().workload(estimate, size, window)
        steps.append(whole)
        total = replace(steps[0], input_tokens=0, output_tokens=0, calls=0, rounds=0, evidence=0.0)
        reached, seen = 1.0, 0.0
        for step in steps:
            new = max(0.0, step.evidence - seen) / max(1e-9, 1 - seen)  # P(it has what those before it had not)
            total = replace(
                total,
                input_tokens=total.input_tokens + round(reached * step.input_tokens),
                output_tokens=total.output_tokens + round(reached * step.output_tokens),
                calls=total.calls + step.calls,
                rounds=total.rounds + step.rounds,
                longest_prompt=max(total.longest_prompt, step.longest_prompt),
                evidence=total.evidence + reached * new,
                written=total.written + round(reached * step.written),
            )
            seen = max(seen, step.evidence)
            reached *= ADMITS * (1 - new)
        return total

    def answer(self, question: str, corpus: CorpusView, ranking: Ranking, backend: Backend, emit: Emit) -> Answer:
        """Raises DoesNotFit only when no step fits the backend's window."""
        done = self._by_rank(question, corpus, ranking, backend, emit)
        if done is not None and done.status != "not_retrieved":
            return done
        before: tuple[str, str] | None = None if done is None else (ChunkRag.name, done.status)
        refused: DoesNotFit | None = None
        for member in (FullContext(), ChainOfAgents()):
            if before is not None:
                emit(Event("escalate", {"from": before[0], "to": member.name, "status": before[1]}))
            try:
                answer = member.answer(question, corpus, ranking, backend, emit)
            except DoesNotFit as error:
                refused = error
                before = member.name, "does_not_fit"
                continue
            return answer if done is None else after(done, answer)
        if done is not None:
            return done
        assert refused is not None
        raise refused

    def _by_rank(
        self, question: str, corpus: CorpusView, ranking: Ranking, backend: Backend, emit: Emit
    ) -> Answer | None:
        """The steps that read in rank order; None when the window has no room for the first, there is no hit, or the
        first would read everything.
        """
        ranked = recounted((hit.chunk for hit in ranking.hits), corpus, backend)
        beside = frame("answer", question, backend) + ANSWER_TOKENS
        done: Answer | None = None
        read: list[Passage] = []
        taken = 0
        for budget in self.budgets:
            more = within(ranked, budget)[taken:]
            if not more or taken + len(more) == corpus.size.chunks:
                break
            longer = [*read, *passages(more, first=len(read) + 1)]
            if sum(fenced(longer, backend)) + beside > backend.window:
                break
            if done is not None:
                emit(Event("escalate", {"from": ChunkRag.name, "to": ChunkRag.name, "status": done.status}))
            read, taken = longer, taken + len(more)
            told = {
                "hits": taken,
                "tokens": sum(passage.tokens for passage in read),
                "sources": sorted({passage.source for passage in read}),
            }
            emit(Event("retrieve", told))
            [said], usage = run(backend, [Task("answer", question, tuple(read))], ANSWER_TOKENS)
            answer = answered(
                ChunkRag.name,
                question,
                said,
                read,
                corpus,
                emit,
                usage=usage,
                tokens_read=sum(hit.chunk.tokens for hit in ranking.hits[:taken]),
                everything=False,
            )
            done = answer if done is None else after(done, answer)
            if done.status != "not_retrieved":
                break
        return done


def after(first: Answer, then: Answer) -> Answer:
    """The second answer, with what both used and the coverage of the one that read more."""
    coverage = [one.coverage for one in (first, then) if one.coverage is not None]
    return replace(
        then,
        coverage=max(coverage, default=None),
        usage=first.usage + then.usage,
        tokens_read=max(first.tokens_read, then.tokens_read),
        steps=first.steps + then.steps,
    )
