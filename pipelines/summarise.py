"""A summary of everything, or of the best chunks: pieces are summed up, then their summaries, until one is left.

For questions that ask for a whole: every other route answers those from a part, or from more than a model uses well.
"merge": pieces in one batch, then level by level; "refine": one summary that each piece adds to (both after
BooookScore, Chang et al. 2024, arXiv 2310.00785). "extract": sentences as they are in the documents, chosen by votes
(after LaMSUM, Chhikara et al. 2024, arXiv 2406.15809). By documents: what they share, where they differ (after Godbole
et al. 2024, arXiv 2409.18454). By clusters: what is alike is summed up together (after CRAG, Akesson and Santos 2024,
arXiv 2406.00029). Prompts are our own.

By name only: with the embedded backend it is above ``chunk_rag`` on meetings and level with it on prose; with a served
SmolLM2-135M it is below it on both (``examples/evaluation``, ``examples/routing``).

A backend without prompts sums up in its own way, whatever the mode, each part in one call (``lcrag.evidence.central``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import ClassVar, Final, Literal, Self

from lcrag.pipelines._clusters import clusters, number_of_clusters
from lcrag.pipelines._run import Run
from lcrag.pipelines._summaries import lower, merge_summaries, most_tokens, write
from lcrag.pipelines._votes import ORDERS, elected
from lcrag.planning.scale import INSTRUCTION_TOKENS
from lcrag.text.passages import PASSAGE_TOKENS, groups, passages, within
from lcrag.text.prompts import NOT_FOUND, says_nothing
from lcrag.text.questions import SUMMARY_WORDS, words_asked
from lcrag.types import Answer, Chunk, Completion, CorpusSize, Estimate, Event, Passage, Task, Usage, Workload

HITS: Final = 2000
"""Tokens of the best chunks that are summed up."""
PIECE: Final = 2500
"""Tokens of a prompt's text: HITS of it with the marks around their passages, about as much as most models use well."""


@dataclass(frozen=True, slots=True)
class Summarise:
    """``over``: everything, or the best-ranked chunks within ``tokens``. ``by``: what is summed up first on its own.

    ``words`` of the summary; 0: as many as the question says. ``piece``: tokens of text that are summed up at a time.
    ``chained``: each merge sees the one before it, so that a level takes as many rounds as it has merges.
    """

    mode: Literal["merge", "refine", "extract"] = "merge"
    over: Literal["corpus", "hits"] = "corpus"
    by: Literal["order", "documents", "clusters"] = field(default="order", kw_only=True)
    tokens: int = field(default=HITS, kw_only=True)
    words: int = field(default=0, kw_only=True)
    piece: int = field(default=PIECE, kw_only=True)
    chained: bool = field(default=False, kw_only=True)
    name: ClassVar[str] = "summarise"

    def __post_init__(self) -> None:
        if self.mode != "merge" and (self.chained or self.by != "order"):
            raise ValueError("chained and by need mode=merge")

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        """Everything, and the best chunks where that is less."""
        return [cls(), *([cls(over="hits")] if size.tokens > HITS else [])]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        seen = min(size.tokens, self.tokens) if self.over == "hits" else size.tokens
        words = self._words(self.words or SUMMARY_WORDS, window)
        most = most_tokens(words)
        piece = self._piece(window, INSTRUCTION_TOKENS, words)
        chunk = size.tokens / max(1, size.chunks)
        parts = {"order": 1, "documents": size.documents, "clusters": number_of_clusters(round(seen / max(1, chunk)))}
        pieces = max(-(-seen // piece), min(parts[self.by], -(-seen // max(1, round(chunk)))), 1)
        read = min(piece, -(-seen // pieces))
        last, written = most // 2, most_tokens(lower(words)) // 4
        orders = ORDERS if self.mode == "extract" else 1
        again = merges = levels = 0
        if self.mode == "refine":
            again, levels, written = (pieces - 1) * last, pieces - 1, last
        elif pieces > 1 and estimate.features.get("broad", 1.0):  # else one piece holds what is asked
            fit = max(2, piece // max(1, written))
            left = pieces
            while left > 1:
                again, left, levels = again + left * written, -(-left // fit), levels + 1
                merges += left
        calls = pieces * orders + merges * orders
        return Workload(
            input_tokens=orders * (seen + again + (pieces + merges) * INSTRUCTION_TOKENS),
            output_tokens=orders * pieces * written + orders * merges * last,
            calls=calls,
            rounds=levels + 1,
            longest_prompt=read + INSTRUCTION_TOKENS + 2 * most,
            evidence=estimate.covered(seen) if self.over == "hits" else 1.0,
            read_tokens=read,
            surroundings="retrieved" if self.over == "hits" else "consecutive",
            reads="summarise",
            handovers=(("summarise", piece),) * (levels if self.mode == "merge" else 0),
            reusable_tokens=seen if self.over == "corpus" else 0,
            written=orders * again,
            pieces=pieces,
        )

    def answer(self, run: Run) -> Answer:
        """Raises DoesNotFit when the window has no room for one passage and two summaries."""
        chunks = within(run.hits, self.tokens) if self.over == "hits" else run.chunks()
        if not chunks:
            return run.nothing(())
        words = self._words(self.words or words_asked(run.question), run.backend.window)
        frame = max(run.frame(role, words) for role in ("summarise", "merge", "refine", "vote"))
        piece = self._piece(run.backend.window, frame, words)
        parts = self._parts(chunks, min(PASSAGE_TOKENS, piece))
        read = [passage for part in parts for passage in part]
        run.retrieved(read, len(chunks))
        run.check_room(max(run.sizes(read)), frame + 2 * most_tokens(words))
        if run.backend.template_tokens is None:
            text = self._sentences(run, parts, words)
        elif self.mode == "refine":
            text = self._refined(run, read, piece, words)
        elif self.mode == "extract":
            text = elected(run, read, piece, words)
        else:
            text = self._merged(run, parts, read, piece, words)
        return run.cite(Completion(text, Usage()), read)

    def _parts(self, chunks: Sequence[Chunk], limit: int) -> list[list[Passage]]:
        """The passages that are summed up together, markers rising."""
        if self.by == "order":
            return [passages(chunks, limit=limit)]
        if self.by == "clusters":
            together = clusters(chunks)
        else:
            ordered = sorted(chunks, key=lambda chunk: chunk.source)
            together = [list(same) for _, same in groupby(ordered, key=lambda chunk: chunk.source)]
        parts: list[list[Passage]] = []
        for part in together:
            parts.append(passages(part, first=1 + sum(map(len, parts)), limit=limit))
        return parts

    @staticmethod
    def _sentences(run: Run, parts: Sequence[Sequence[Passage]], words: int) -> str:
        """The sentences that the backend chooses of each part."""
        share = max(1, words // len(parts))
        tasks = [Task("summarise", run.question, tuple(part), words=share) for part in parts]
        completions = run.ask(tasks, most_tokens(words))
        return "\n".join(done.text for done in completions if not says_nothing(done.text)) or NOT_FOUND

    def _merged(
        self, run: Run, parts: Sequence[Sequence[Passage]], read: Sequence[Passage], piece: int, words: int
    ) -> str:
        pieces = [list(groups(part, run.sizes(part), piece)) for part in parts]
        count = sum(map(len, pieces))
        length = words if count == 1 else lower(words)
        tasks = [Task("summarise", run.question, tuple(group), words=length) for part in pieces for group in part]
        written = iter(write(run, tasks, read, length))
        of_parts = [[text for _ in part if (text := next(written))] for part in pieces]
        run.emit(Event("worker", {"index": count, "of": count, "status": "noted"}))
        one_each = [merge_summaries(run, part, read, piece, lower(words), self.chained) for part in of_parts]
        left = [text for text in one_each if text] if len(parts) > 1 else of_parts[0]
        if self.by == "documents" and len(left) > 1:
            return merge_summaries(run, left, read, piece, words, self.chained, last="compare")
        return merge_summaries(run, left, read, piece, words, self.chained) or NOT_FOUND

    @staticmethod
    def _refined(run: Run, read: Sequence[Passage], piece: int, words: int) -> str:
        summary = ""
        for group in groups(read, run.sizes(read), piece):
            notes = (summary,) if summary else ()
            task = Task("refine" if summary else "summarise", run.question, tuple(group), notes, words=words)
            [text] = write(run, [task], read, words)
            summary = text or summary  # a piece that adds nothing takes nothing away
        return summary or NOT_FOUND

    @staticmethod
    def _words(words: int, window: int) -> int:
        """As many as leave a window room to read."""
        while words > 1 and most_tokens(words) > window // 8:
            words //= 2
        return words

    def _piece(self, window: int, frame: int, words: int) -> int:
        """Tokens of text, or of summaries, that are summed up at a time."""
        return max(1, min(self.piece, window - frame - 2 * most_tokens(words)))
