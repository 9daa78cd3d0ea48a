"""The model is asked first how to look for the answer; then that way is taken. Rivals of lcrag's own router.

"documents" (after Pre-Route, Chen et al. 2026, arXiv 2605.10235): it sees the question, and each document's name,
length and first line, and chooses between the best chunks and everything. "question" (after Adaptive-RAG, Jeong et al.
2024, arXiv 2403.14403): it sees the question alone and says how complex it is. That paper retrieves nothing for the
simplest questions and in several steps for the hardest; here these read a few chunks, and everything. As prompts: both
papers also train a small model for the choice.

Wins when the words of a question show what it needs; costs a call, and sees neither where the evidence is nor what a
model makes of long texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from typing import ClassVar, Final, Literal, Self

from lcrag.pipelines._run import Run
from lcrag.pipelines.chunk_rag import ChunkRag
from lcrag.pipelines.full_context import FullContext
from lcrag.planning.scale import INSTRUCTION_TOKENS, count_sent
from lcrag.text.shapes import parse_choice
from lcrag.types import Answer, CorpusSize, Estimate, Event, Task, Workload

CHOICE_TOKENS: Final = 32
"""The most tokens of a choice, as JSON too."""
LISTED: Final = 40
"""Documents that are listed, at most; the rest is counted."""
FIRST_LINE: Final = 80
"""Characters of a first line."""
CHOOSING: Final = INSTRUCTION_TOKENS + 18
"""Tokens of the prompt that asks for a choice, without documents: 18 more than of an answer's, counted."""
LINE_TOKENS: Final = 30
"""Tokens that are forecast of the line of a document. Assumed."""

WAYS: Final[Mapping[str, Mapping[str, str]]] = {
    "documents": {
        "retrieve": "read what matches the question best, for facts that stand in one place",
        "everything": "read all documents, for what is spread over them, counts, comparisons and summaries",
    },
    "question": {
        "simple": "for a question about one fact",
        "several": "for one that joins a few facts",
        "complex": "for one that needs many facts, or the whole",
    },
}
"""The ways by name, from the one that reads least, with what they are for."""


@dataclass(frozen=True, slots=True)
class AskFirst:
    """``by``: what the model sees as it chooses. ``tokens``: what is read of the best chunks, half of it if simple."""

    by: Literal["documents", "question"] = "documents"
    tokens: int = 4000
    name: ClassVar[str] = "ask_first"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls("documents"), cls("question")]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        """The choice, and each way as often as questions of this kind need it."""
        works = [way.workload(estimate, size, window) for way in self._ways]
        widest = sum(estimate.kinds.get(kind, 0.0) for kind in ("list", "count"))
        joining = estimate.kinds.get("hops", 0.0) if len(works) > 2 else 0.0
        shares = [1 - widest - joining, *([joining] if len(works) > 2 else []), widest]
        lines = min(LISTED, size.documents, window // 4 // LINE_TOKENS) if self.by == "documents" else 0

        def mean(values: Sequence[float]) -> float:
            return sum(share * value for share, value in zip(shares, values, strict=True))

        asked = CHOOSING + lines * LINE_TOKENS
        return replace(
            works[0],
            input_tokens=asked + round(mean([work.input_tokens for work in works])),
            output_tokens=round(mean([work.output_tokens for work in works])) + 2,
            calls=1 + max(work.calls for work in works),
            rounds=1 + max(work.rounds for work in works),
            longest_prompt=max(asked + CHOICE_TOKENS, *(work.longest_prompt for work in works)),
            evidence=mean([work.evidence for work in works]),
            read_tokens=round(mean([work.read_tokens for work in works])),
            written=round(mean([work.written for work in works])),
        )

    @property
    def _ways(self) -> Sequence[ChunkRag | FullContext]:
        """As many as there are names, in their order."""
        if self.by == "documents":
            return ChunkRag(self.tokens), FullContext()
        return ChunkRag(max(1, self.tokens // 2)), ChunkRag(self.tokens), FullContext()

    def answer(self, run: Run) -> Answer:
        """By the way that is chosen, the first where none is. Raises DoesNotFit as that does."""
        if not run.corpus.size.chunks:
            return run.nothing(())
        names = tuple(WAYS[self.by])
        notes = ["Ways:", *(f"{name}: {meant}" for name, meant in WAYS[self.by].items())]
        if self.by == "documents":
            notes += _documents(run)
        task = Task("choose", run.question, (), ("\n".join(notes),), shape=names)
        [completion] = run.ask([task], CHOICE_TOKENS)
        chosen = self._ways[names.index(parse_choice(completion.text, names) or names[0])]
        run.emit(Event("escalate", {"from": self.name, "to": chosen.name, "status": "chosen"}))
        return chosen.answer(replace(run, pipeline=chosen.name))


def _documents(run: Run) -> list[str]:
    """A line a document, as many as a quarter of the window holds: its name, with it its type, its length, how it
    begins."""
    lines = []
    for identity, source, tokens in islice(run.corpus.documents(), LISTED):
        first = run.corpus.document(identity).text.lstrip()[:FIRST_LINE].partition("\n")[0]
        lines.append(f"{source}, {tokens:,} tokens: {first}")
    used = accumulate(count_sent(lines, run.backend))
    listed = lines[: sum(tokens <= run.backend.window // 4 for tokens in used)]
    left = run.corpus.size.documents - len(listed)
    more = [f"and {left:,} more"] if left else []
    return ["Documents:", *listed, *more, f"{run.corpus.size.tokens:,} tokens in all"]
