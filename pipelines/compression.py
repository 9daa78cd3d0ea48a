"""Only what matters, from the hits or from the whole text, in one prompt.

The best sentences, as they are in the documents (``pipelines/_prune.py``). Wins when evidence is spread thinly over
more text than the model uses well; extraction by words loses sentences that share none with the question. The question
itself is never touched. ``sufficient`` (after ECoRAG, Jeong et al. 2025, arXiv 2506.05167) takes few sentences first,
and twice as many until the backend judges that they suffice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Literal, Self

from lcrag.pipelines._prune import fits, score_sentences
from lcrag.pipelines._run import Run
from lcrag.pipelines._stage import Stage
from lcrag.planning.scale import INSTRUCTION_TOKENS
from lcrag.text.passages import passages, within
from lcrag.text.prompts import ANSWER_TOKENS, answer_tokens, parse_verdict
from lcrag.types import Answer, CorpusSize, Estimate, Passage, Task, Workload

WIDER: Final = 2
"""How many times the budget is searched for sentences when ``over`` is "hits"; with 4 less evidence remains."""
RETAINED: Final = {"hits": 0.89, "corpus": 0.79}
"""Of the evidence that as many tokens of whole chunks cover, the share that the extracts hold: measured at 2,000 tokens
on 330 questions of five public sets, each set counting the same (nq_pool, hotpot_pool, locomo, kv_retrieval and
qmsum: .93 1.34 .50 1.00 .20 over hits, .81 1.28 .27 1.00 .15 over everything): good where evidence shares the
question's words, bad for dialogue."""
RETAINED_RERANKED: Final = {"hits": 0.93, "corpus": 0.94}
"""The same where a reranker reads too: the mean of nq_pool, hotpot_pool, locomo and qmsum (383 questions: .98 1.07 .94
.71 over hits, .98 1.08 .95 .74 over everything; qmsum with words at half their weight)."""
JUDGE_TOKENS: Final = INSTRUCTION_TOKENS - 11
"""Tokens of a judgement's prompt without its passages: 11 less than of an answer's, counted."""
VERDICT: Final = 64
"""The most tokens of a judgement: 'yes' or 'no', or JSON with it."""


@dataclass(frozen=True, slots=True)
class Compression(Stage):
    """``tokens``: the budget of what is read. ``over``: compress the best-ranked chunks, or the whole corpus.

    ``sufficient``: begin with few sentences, and take more until the backend says that they suffice. The rest is
    ``Stage``'s.
    """

    tokens: int = 2000
    over: Literal["hits", "corpus"] = "hits"
    sufficient: bool = field(default=False, kw_only=True)
    name: ClassVar[str] = "compression"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [
            *(cls(budget, "hits") for budget in (1000, 2000, 4000) if budget < size.tokens),
            *(cls(budget, "corpus") for budget in (2000, 4000) if budget < size.tokens),
        ]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        seen = min(size.tokens, self.tokens * WIDER) if self.over == "hits" else size.tokens
        read = min(self.tokens, seen)
        prompt = read + INSTRUCTION_TOKENS
        retained = (RETAINED_RERANKED if estimate.reranker else RETAINED)[self.over]
        work = Workload(
            input_tokens=prompt,
            output_tokens=answer_tokens(estimate.scope_tokens),
            calls=1,
            rounds=1,
            longest_prompt=prompt + ANSWER_TOKENS,
            evidence=retained * estimate.covered(read),
            read_tokens=read,
            surroundings="retrieved",
        )
        if self.sufficient:
            return self._until_sufficient(work, seen, retained, estimate, size)
        return self.staged(work, read, estimate, size)

    def _until_sufficient(
        self, work: Workload, seen: int, retained: float, estimate: Estimate, size: CorpusSize
    ) -> Workload:
        """Each budget is judged and, where that says yes, answered from; else the next one is, whose workload leaves
        out the answer that was not asked for."""
        budgets = [budget for budget in self._budgets if budget < seen] + [min(self.tokens, seen)]
        answers = []
        for budget in budgets:
            evidence = retained * estimate.covered(budget)
            plain = replace(work, input_tokens=budget + INSTRUCTION_TOKENS, read_tokens=budget, evidence=evidence)
            answers.append(replace(self.staged(plain, budget, estimate, size), then=None))
        chain: Workload | None = None
        for place in range(len(budgets) - 1, -1, -1):
            answer, before = answers[place], answers[place - 1] if place else None
            is_judged = place < len(budgets) - 1
            chain = replace(
                answer,
                input_tokens=answer.input_tokens
                + is_judged * (budgets[place] + JUDGE_TOKENS)
                - (before.input_tokens if before else 0),
                output_tokens=is_judged + (answer.output_tokens if before is None else 0),
                calls=is_judged + (answer.calls if before is None else 0),
                rounds=max(1, is_judged + (answer.rounds if before is None else 0)),
                then=chain,
            )
        assert chain is not None
        return chain

    @property
    def _budgets(self) -> tuple[int, ...]:
        """What is tried before everything that ``tokens`` allow."""
        return tuple(self.tokens // share for share in (8, 4, 2) if self.tokens // share)

    def answer(self, run: Run) -> Answer:
        """Raises DoesNotFit when what is extracted is longer than the backend's window."""
        chunks = within(run.hits, self.tokens * WIDER) if self.over == "hits" else run.chunks()
        if not chunks:
            return run.nothing(())
        whole = passages(chunks)
        extracts = self._extracted(run, whole)
        before, after = (sum(passage.tokens for passage in read) for read in (whole, extracts))
        run.retrieved(extracts, len(chunks), compressed_from=before, ratio=round(before / max(1, after), 2))
        run.check_fits(extracts, more=self.more_tokens, budget=self.tokens)
        return self.answer_from(run, extracts)

    def _extracted(self, run: Run, whole: list[Passage]) -> list[Passage]:
        """The best sentences: as many as ``tokens`` allow, or as the backend says that suffice."""
        if fits(whole, self.tokens) and not self.sufficient:
            return whole
        scored = score_sentences(run.question, whole, run.backend, run.ranking, run.reranker)
        for budget in self._budgets if self.sufficient else ():
            extracts = scored.within(budget)
            if extracts == whole or not run.fits(extracts):
                return extracts
            [verdict] = run.ask([Task("judge", run.question, tuple(extracts))], VERDICT)
            if parse_verdict(verdict.text) == "yes":
                return extracts
        return scored.within(self.tokens)
