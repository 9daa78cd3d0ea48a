"""Cheap first, and more only if that finds nothing (Self-Route, Li et al. 2024, arXiv 2407.16833).

Wins when most questions are easy and the model admits what it did not find; costs the sum of what was tried. The second
prompt begins with the passages of the first and adds the next-ranked ones behind them, so that a server with a prefix
cache reads only what is new; the last one is the prompt of full_context (or of chain_of_agents where that does not
fit), which every question over the same documents shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Self

from lcrag.errors import BackendFailed, DoesNotFit
from lcrag.pipelines._run import Pipeline, Run
from lcrag.pipelines.chain_of_agents import ChainOfAgents
from lcrag.pipelines.chunk_rag import ChunkRag
from lcrag.pipelines.full_context import FullContext
from lcrag.text.passages import passages, within
from lcrag.types import Answer, CorpusSize, Estimate, Event, Passage, Workload

GROWTH: Final = 4
"""How many times as much the second step reads as the first."""


@dataclass(frozen=True, slots=True)
class Escalate:
    """``tokens``: what the first step reads; then GROWTH times as much, ``steps`` times in all; then everything."""

    tokens: int = 1000
    steps: int = field(default=2, kw_only=True)
    name: ClassVar[str] = "escalate"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls(budget) for budget in (500, 1000, 2000) if budget < size.tokens]

    @property
    def budgets(self) -> tuple[int, ...]:
        """What is read in rank order, step by step, before everything is."""
        return tuple(self.tokens * GROWTH**step for step in range(self.steps))

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        """Each step, followed by the next one.

        Tokens count as read again at each step: only the server knows what its prefix cache saves.
        """
        whole = FullContext().workload(estimate, size, window)
        if whole.longest_prompt > window:
            whole = ChainOfAgents().workload(estimate, size, window)
        for budget in reversed([budget for budget in self.budgets if budget < size.tokens]):
            whole = replace(ChunkRag(budget).workload(estimate, size, window), then=whole)
        return whole

    def answer(self, run: Run) -> Answer:
        """Raises DoesNotFit only when no step fits the backend's window."""
        answer = self._by_rank(run)
        if answer is not None and answer.status != "not_retrieved":
            return answer
        before: tuple[str, str] | None = (ChunkRag.name, answer.status) if answer is not None else None
        refused: DoesNotFit | None = None
        members: tuple[Pipeline, ...] = (FullContext(), ChainOfAgents())
        for member in members:
            if before is not None:
                run.emit(Event("escalate", {"from": before[0], "to": member.name, "status": before[1]}))
            try:
                last = member.answer(run.step(member.name))
            except DoesNotFit as error:
                refused = error
                before = member.name, "does_not_fit"
            except BackendFailed as error:
                if answer is None:
                    raise
                run.emit(Event("usage", {"message": f"{member.name} failed: {error}"}))
                return answer
            else:
                return last if answer is None else answer.followed_by(last)
        if answer is None:
            assert refused is not None
            raise refused
        return answer

    def _by_rank(self, run: Run) -> Answer | None:
        """The steps that read in rank order; None when the window has no room for the first, there is no hit, or the
        first would read everything.
        """
        answer: Answer | None = None
        read: list[Passage] = []
        taken = 0
        for budget in self.budgets:
            more = within(run.hits, budget)[taken:]
            longer = [*read, *passages(more, first=len(read) + 1)]
            if not more or taken + len(more) == run.corpus.size.chunks or not run.fits(longer):
                break
            if answer is not None:
                run.emit(Event("escalate", {"from": ChunkRag.name, "to": ChunkRag.name, "status": answer.status}))
            read, taken = longer, taken + len(more)
            step = run.step(ChunkRag.name)
            step.retrieved(read, taken)
            following = step.answer(read)
            answer = following if answer is None else answer.followed_by(following)
            if answer.status != "not_retrieved":
                break
        return answer
