"""Only what matters, from the hits or from the whole text, in one prompt.

"extract", as in RECOMP (Xu et al. 2023) and Provence (Chirkova et al. 2025): sentences are kept or left out, never
rewritten, so that each still stands at its place in the document; by words, and by a reader's P(evidence) where there
is one, which of more than READ stretches reads those that rank highest. "summarise": the backend shortens the text
piece by piece, in one batch, with markers, and answers from that. Wins when evidence is spread thinly over more text
than the model uses well; extraction by words loses sentences that share none with the question, summaries cost a
reading of everything they shorten. The question itself is never touched.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import ClassVar, Final, Literal, Self

from lcrag.evidence.stretches import evidence, read
from lcrag.retrieve.passages import fenced, groups, passages, recounted, within
from lcrag.text.prompts import ANSWER_TOKENS, answer_tokens
from lcrag.text.sentences import sentences
from lcrag.text.words import stems
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
    Reranker,
    Task,
    Workload,
)
from pipelines._notes import from_notes, noted
from pipelines._run import (
    INSTRUCTION_TOKENS,
    NOTE_TOKENS,
    answered,
    check_fits,
    found_nothing,
    frame,
    nothing,
    nothing_to_read,
    run,
    too_long,
)

WIDER: Final = 2
"""How many times the budget is looked through for sentences when ``over`` is "hits": 4 keeps less evidence."""
KEPT: Final = {"hits": 0.89, "corpus": 0.79}
"""Of the evidence that as many tokens of whole chunks cover, the share that the kept sentences hold: measured at 2,000
tokens on 330 questions of five public sets, each set counting the same (nq_pool, hotpot_pool, locomo, kv_retrieval and
qmsum: .93 1.34 .50 1.00 .20 over hits, .81 1.28 .27 1.00 .15 over everything): good where evidence shares the
question's words, bad for dialogue."""
KEPT_READ: Final = {"hits": 0.93, "corpus": 0.94}
"""The same where a reader reads too: the mean of nq_pool, hotpot_pool, locomo and qmsum (383 questions: .98 1.07 .94
.71 over hits, .98 1.08 .95 .74 over everything; qmsum with words at half their weight)."""
NEIGHBOUR: Final = 0.3
"""Share of a sentence's score that its neighbours get: an answer often stands next to the words of the question."""
READ: Final = 64
"""Stretches that the reader reads, at most: 0.7 s on two cores."""
SMALLER: Final = "a smaller budget, or a model with a longer window"
PIECE: Final = 2000
"""Tokens of text that are summarised at a time: as many as most models use well."""


@dataclass(frozen=True, slots=True)
class Compression:
    """``tokens``: the budget of what is kept. ``over``: compress the best-ranked chunks, or the whole corpus.

    ``mode``: keep sentences, or have the backend write summaries.
    """

    tokens: int = 2000
    over: Literal["hits", "corpus"] = "hits"
    mode: Literal["extract", "summarise"] = "extract"
    name: ClassVar[str] = "compression"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [
            *(cls(budget, "hits") for budget in (1000, 2000, 4000) if budget < size.tokens),
            *(cls(budget, "corpus") for budget in (2000, 4000) if budget < size.tokens),
            *(cls(budget, "hits", "summarise") for budget in (2000,) if budget < size.tokens),
        ]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        seen = min(size.tokens, self.tokens * WIDER) if self.over == "hits" else size.tokens
        kept = min(self.tokens, seen)
        prompt = kept + INSTRUCTION_TOKENS
        if self.mode == "summarise":
            piece = min(seen, self._piece(window, INSTRUCTION_TOKENS))
            pieces = -(-seen // max(1, piece))
            summary = self._summary(max(1, pieces))
            written = pieces * summary // 4
            return Workload(
                input_tokens=seen + pieces * INSTRUCTION_TOKENS + written + INSTRUCTION_TOKENS,
                output_tokens=written + answer_tokens(estimate.scope_tokens),
                calls=pieces + 1,
                rounds=2,
                longest_prompt=max(piece + INSTRUCTION_TOKENS + summary, prompt + ANSWER_TOKENS),
                evidence=estimate.covered(seen),
                read_tokens=piece,
                surroundings="retrieved" if self.over == "hits" else "consecutive",
                reads="summarise",
                handovers=(("synthesise", written),),
                reusable_tokens=seen if self.over == "corpus" else 0,
                written=written,
            )
        return Workload(
            input_tokens=prompt,
            output_tokens=answer_tokens(estimate.scope_tokens),
            calls=1,
            rounds=1,
            longest_prompt=prompt + ANSWER_TOKENS,
            evidence=(KEPT_READ if estimate.reader else KEPT)[self.over] * estimate.covered(kept),
            read_tokens=kept,
            surroundings="retrieved",
        )

    def answer(self, question: str, corpus: CorpusView, ranking: Ranking, backend: Backend, emit: Emit) -> Answer:
        """Raises DoesNotFit when what is kept is longer than the backend's window."""
        listed = [hit.chunk for hit in ranking.hits] if self.over == "hits" else list(corpus.chunks())
        chunks = recounted(listed, corpus, backend)
        if self.over == "hits":
            chunks = within(chunks, self.tokens * WIDER)
        if not chunks:
            return nothing_to_read(self.name, corpus)
        seen = sum(chunk.tokens for chunk in listed[: len(chunks)])  # as the index counts them
        whole = passages(chunks)
        if self.mode == "summarise":
            return self._summarised(question, whole, seen, len(chunks) == corpus.size.chunks, corpus, backend, emit)
        kept = compressed(question, whole, self.tokens, backend, ranking)
        check_fits(kept, question, backend, hint=SMALLER)
        before = sum(passage.tokens for passage in whole)
        after = sum(passage.tokens for passage in kept)
        emit(_retrieved(kept, len(chunks), before, after))
        [done], usage = run(backend, [Task("answer", question, tuple(kept))], ANSWER_TOKENS)
        return answered(
            self.name,
            question,
            done,
            kept,
            corpus,
            emit,
            usage=usage,
            tokens_read=round(seen * after / max(1, before)),
            everything=len(chunks) == corpus.size.chunks and after == before,
        )

    def _summarised(
        self,
        question: str,
        whole: Sequence[Passage],
        seen: int,
        everything: bool,
        corpus: CorpusView,
        backend: Backend,
        emit: Emit,
    ) -> Answer:
        beside = frame("summarise", question, backend)
        sizes = fenced(whole, backend)
        pieces = list(groups(whole, sizes, self._piece(backend.window, beside)))
        most = self._summary(len(pieces))
        longest = max(max(sizes) + most, min(self.tokens, len(pieces) * most) + ANSWER_TOKENS)
        too_long(longest, beside, backend, hint=SMALLER)
        tasks = [Task("summarise", question, tuple(piece)) for piece in pieces]
        done, usage = run(backend, tasks, most)
        for number, one in enumerate(done, 1):
            status = "nothing" if found_nothing(one) else "noted"
            emit(Event("worker", {"index": number, "of": len(done), "status": status}))
        notes = noted(tasks, done, whole)
        emit(_retrieved(whole, len(whole), sum(p.tokens for p in whole), sum(backend.count_many(notes))))
        if not notes:
            return nothing(self.name, usage, seen, everything=everything)
        last, used = from_notes(question, notes, whole, backend)
        return answered(
            self.name, question, last, whole, corpus, emit, usage=usage + used, tokens_read=seen, everything=everything
        )

    def _piece(self, window: int, beside: int) -> int:
        """Tokens of text that are summarised at a time."""
        return max(1, min(PIECE, window - beside - NOTE_TOKENS))

    def _summary(self, pieces: int) -> int:
        """The most tokens of one summary: together they keep to the budget."""
        return max(1, min(NOTE_TOKENS, self.tokens // pieces))


def _retrieved(read: Sequence[Passage], hits: int, before: int, after: int) -> Event:
    told = {
        "hits": hits,
        "tokens": after,
        "sources": sorted({passage.source for passage in read}),
        "compressed_from": before,
        "ratio": round(before / max(1, after), 2),
    }
    return Event("retrieve", told)


def compressed(
    question: str, whole: Sequence[Passage], budget: int, backend: Backend, ranking: Ranking
) -> list[Passage]:
    """The passages' best sentences within ``budget`` tokens, the best one in any case, in their order.

    A passage with none left is dropped. Each passage keeps its marker; ``parts`` tells where its pieces stand in the
    document. Nothing is left out when all of it fits.

    With a reader, P(evidence), the words and the standing of the hit count the same. On 50 questions each of
    hotpot_pool and locomo, of the evidence that 2,000 tokens of whole chunks cover, 1.07 and 1.00 are kept so, without
    the words 1.02 and 1.00, with the standing halved 1.07 and .92; on generated worlds, where evidence has the
    question's words and nothing else has, words alone keep more.
    """
    if sum(passage.tokens for passage in whole) <= budget:
        return list(whole)
    places = [
        (number, passage.start + start, passage.start + end)
        for number, passage in enumerate(whole)
        for start, end in sentences(passage.text)
        if passage.text[start:end].strip()
    ]
    texts = [
        whole[number].text[start - whole[number].start : end - whole[number].start] for number, start, end in places
    ]
    counts = backend.count_many(texts)
    scores = _smoothed(places, _relevance(question, texts))
    if ranking.reader is not None:
        shares = standing(ranking, [(whole[number].document_id, start) for number, start, _ in places])
        found = _smoothed(places, _evidence(question, places, texts, shares, ranking.reader))
        scores = [sum(three) for three in zip(found, scores, shares, strict=True)]
    kept: set[int] = set()
    left = budget
    for place in sorted(range(len(places)), key=lambda place: (-scores[place], place)):
        if counts[place] <= left or not kept:
            kept.add(place)
            left -= counts[place]
    return [
        _extract(whole[number], [places[place][1:] for place in same], backend)
        for number, same in groupby(sorted(kept), key=lambda place: places[place][0])
    ]


def _relevance(question: str, texts: Sequence[str]) -> list[float]:
    """BM25 over stems, 1 for the best: all evidence kept on 190 of the 330 questions (165 over everything); with whole
    words on 176 (150).
    """
    from rank_bm25 import BM25Plus

    words = [stems(text) or [""] for text in texts]
    scores = BM25Plus(words).get_scores(stems(question))
    return [float(score) for score in scores / (scores.max() or 1.0)]


def standing(ranking: Ranking, places: Sequence[tuple[str, int]]) -> list[float]:
    """The score of the hit in which each ``(document id, offset)`` lies, as a share of the best one's; 0 for none."""
    best = max((hit.score for hit in ranking.hits), default=0.0) or 1.0
    starts: dict[str, list[tuple[int, int, float]]] = {}
    for hit in sorted(ranking.hits, key=lambda hit: hit.chunk.start):
        starts.setdefault(hit.chunk.document_id, []).append((hit.chunk.start, hit.chunk.end, hit.score / best))
    found = []
    for document, offset in places:
        listed = starts.get(document, [])
        at = bisect_right(listed, offset, key=lambda one: one[0]) - 1
        found.append(listed[at][2] if at >= 0 and offset < listed[at][1] else 0.0)
    return found


def _evidence(
    question: str,
    places: Sequence[tuple[int, int, int]],
    texts: Sequence[str],
    standing: Sequence[float],
    reader: Reranker,
) -> list[float]:
    """P(evidence) of each sentence; 0 for what is not read, because it stands too low."""
    found = evidence(read(question, [number for number, _, _ in places], texts, standing, reader, READ))
    return [found.get(place, 0.0) for place in range(len(texts))]


def _smoothed(places: Sequence[tuple[int, int, int]], scores: Sequence[float]) -> list[float]:
    def score(place: int) -> float:
        same = 0 <= place < len(places)
        return scores[place] if same else 0.0

    return [scores[place] + NEIGHBOUR * max(score(place - 1), score(place + 1)) for place in range(len(places))]


def _extract(passage: Passage, spans: Sequence[tuple[int, int]], backend: Backend) -> Passage:
    """The passage with these spans alone, neighbours joined."""
    parts: list[tuple[int, int]] = []
    for start, end in spans:
        if parts and parts[-1][1] == start:
            parts[-1] = (parts[-1][0], end)
        else:
            parts.append((start, end))
    pieces = [passage.text[start - passage.start : end - passage.start] for start, end in parts]
    text = "\n".join(pieces)
    [tokens] = backend.count_many([text])
    return replace(
        passage,
        start=parts[0][0],
        end=parts[-1][1],
        text=text,
        tokens=tokens,
        parts=tuple(parts),
    )
