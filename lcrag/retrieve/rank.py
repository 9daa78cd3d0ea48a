"""A corpus and a question to ranked hits: words (BM25) and meaning (vectors) together, and the chunks next to them.

    own   = BM25 / best BM25  +  1.5 * cosine
    score = own  +  0.2 * each neighbour's  +  0.1 * that of the next ones

and over six neighbours on either side where the question asks for a discussion or the whole (``lcrag.text.questions``),
because the evidence then is a stretch of text. The scores are fused, not the ranks. Ranks forget by how much the first
is ahead, so chunks of similar meaning push an exact match (a key, a part number) down; Bruch, Gai and Ingber (2023, An
Analysis of Fusion Functions for Hybrid Retrieval) found the same. Measured over ten sources, 874 questions, the mean
over sources of the share whose evidence is wholly in the first k tokens:

    k                                                     1,000   4,000  16,000
    256-token chunks: reciprocal ranks, constant 60        .522    .759
    256-token chunks: cosine 1, best neighbour 0.2         .551    .787    .947
    128-token chunks, without kv_retrieval: cosine 1, 0.1  .553    .749    .935
        no neighbours, broad questions apart               .563    .773    .930
        as here                                            .561    .792    .946

Small chunks carry short evidence in fewer tokens (two-hop questions at 1,000 tokens: .57 for .38); the neighbours join
long evidence again (meetings at 4,000: .56 for .29). The constants were chosen on these same questions, so small
differences are uncertain: a cosine weight of 1 to 2 gives .784 to .792 at 4,000. Left out: feedback from the vectors of
the first hits (.003 at most), embedding the question's sentences one by one (nothing).

Vectors that know what is around a chunk find no more. The same share at 4,000 tokens on locomo, qmsum and financebench
(148, 105 and 37 questions): as here .845 .562 .432; moved by a tenth to four tenths towards the mean of the two chunks
on either side .831 to .838, .562 to .581, .432; pooled from the word pieces of one pass over up to 480 ("late
chunking", arXiv 2409.04701) .845 .543 .378; the mean of that and a chunk's own .845 .562 .432.

Vectors are made lazily, because two cores embed only a hundred or so chunks a second: see ``EMBED_ALL``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from lcrag.retrieve.sections import section_scores
from lcrag.text.questions import is_broad
from lcrag.types import Chunk, Embedder, Emit, Event, Hit, Ranking

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lcrag.index.corpus import Corpus

COSINE_WEIGHT: Final = 1.5

NEIGHBOURS: Final = (0.2, 0.1)
"""Weights of the first and second neighbours on either side in a chunk's score."""

NEIGHBOURS_BROAD: Final = (0.75, 0.6, 0.5, 0.4, 0.3, 0.2)
"""The same for a question about a discussion or the whole, whose evidence is a stretch of text, not a sentence."""

EMBED_ALL: Final = 512
"""A question makes all missing vectors if there are no more than this: 3 to 5 s on two idle cores, once."""

EMBED_CANDIDATES: Final = 128
"""If more are missing, it makes those of this many of the best chunks by words."""

POOL: Final = 1000
"""Hits by words that are considered, at least; more for a great depth, at 32 tokens a chunk."""

EmbedBatches = Callable[["Iterable[list[str]]"], "Iterable[npt.NDArray[np.float32]]"]
"""Embeds batches of texts, in order: a row for each text."""

SECTION_WEIGHT: Final = 0.25
"""Of the best section's summary against the best chunk. 0.5 and 1 lose more where the evidence is a sentence among
others: the shares for six sources are in ``examples/evaluation/README.md``."""

_BATCH = 256
_SORTED_FIRST = 2048
_STEPS = 64

_log = logging.getLogger("lcrag")


def retrieve(corpus: Corpus, question: str, *, embedder: Embedder | None, depth_tokens: int = 32000) -> Ranking:
    """Rank the chunks for ``question``, best first, until they hold ``depth_tokens`` tokens; at least one if any.

    With ``embedder`` None by words alone. Otherwise also by all stored vectors, after making the missing ones: all if
    they are few, else those of the best candidates by words, which are stored for the next question. Ties go to the
    chunk that comes first in reading order.
    """
    scored = Scored.of(corpus, question, embedder, depth_tokens)
    by_section = partial(scored.ranking, SECTION_WEIGHT) if corpus.has_summaries else None
    return replace(scored.ranking(), by_section=by_section)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What words and vectors say of every chunk, in reading order.

    ``words``; ``cosines``, NaN where there is no vector; ``fused``: both with their neighbours. ``best``: places of the
    best by words; ``query``: the question's vector by ``embedder``.
    """

    corpus: Corpus
    question: str
    depth_tokens: int
    ids: npt.NDArray[np.int64]
    best: npt.NDArray[np.intp]
    words: npt.NDArray[np.float64]
    cosines: npt.NDArray[np.float64]
    fused: npt.NDArray[np.float64]
    query: npt.NDArray[np.float32] | None
    embedder: str

    @classmethod
    def of(cls, corpus: Corpus, question: str, embedder: Embedder | None, depth_tokens: int = 32000) -> Self:
        """Look them up; see ``retrieve``."""
        import numpy as np

        ids, counts = corpus.layout()
        by_words = corpus.lexical(question, max(POOL, depth_tokens // 32))
        by_id = np.argsort(ids, kind="stable")
        chunks = np.array([chunk for chunk, _ in by_words], np.int64)
        best = by_id[np.searchsorted(ids, chunks, sorter=by_id)]
        words = np.zeros(len(ids))
        words[best] = [score for _, score in by_words]
        cosines, query = np.full(len(ids), np.nan), None
        if embedder is not None and len(ids):
            query = embedder.embed([question])[0]
            cosines = _cosines(corpus, query, embedder, ids, best)
        own = words / max(words.max(initial=0.0), 1e-9) + COSINE_WEIGHT * np.nan_to_num(cosines)
        fused = add_neighbours(own, counts, neighbours(question))
        name = embedder.name if embedder is not None else ""
        return cls(corpus, question, depth_tokens, ids, best, words, cosines, fused, query, name)

    def ranking(self, section_weight: float = 0.0) -> Ranking:
        """``section_weight``: what the summary of a chunk's section says counts too, so much as against the best
        chunk."""
        import numpy as np

        fused, cosines, words = self.fused, self.cosines, self.words
        if section_weight and len(fused):
            summaries = self.corpus.summaries(self.embedder)
            sections = section_scores(summaries, self.question, self.query, COSINE_WEIGHT, self.ids)
            fused = fused + section_weight * fused.max() * sections
        embedded = ~np.isnan(cosines)
        known = (words > 0) | embedded | (fused > 0)

        lexical_ranks = {place: rank for rank, place in enumerate(self.best.tolist())}
        # float32 as they are stored: a million sort in half the time
        falling = np.sort(-cosines[embedded].astype(np.float32))
        found = list(_first(self.corpus, self.ids, order(fused, known), self.depth_tokens))
        nearer = _nearer(cosines, falling, [index for index, _ in found])
        hits = tuple(
            Hit(
                chunk,
                float(fused[index]),
                lexical_rank=lexical_ranks.get(index),
                dense_rank=rank if embedded[index] else None,
                lexical_score=float(words[index]) if index in lexical_ranks else None,
                dense_score=float(cosines[index]) if embedded[index] else None,
            )
            for (index, chunk), rank in zip(found, nearer, strict=True)
        )
        rest = _rest(-np.sort(-fused[known].astype(np.float32))[len(hits) :])
        terms = self.corpus.terms(self.question)
        return Ranking(self.question, hits, terms, self.corpus.size, bool(embedded.any()), rest)


def _nearer(cosines: npt.NDArray[np.float64], falling: npt.NDArray[np.float32], places: Sequence[int]) -> list[int]:
    """For the vector of each place, how many are nearer, or as near and earlier. Any number where there is none."""
    import numpy as np

    sought = -cosines[places].astype(np.float32)
    first, after = np.searchsorted(falling, sought, "left"), np.searchsorted(falling, sought, "right")
    for place in np.flatnonzero(after - first > 1).tolist():
        first[place] += np.count_nonzero(cosines[: places[place]] == -sought[place])
    ranks: list[int] = first.tolist()
    return ranks


def order(
    scores: npt.NDArray[np.float64], known: npt.NDArray[np.bool_], first: int = _SORTED_FIRST
) -> Iterator[npt.NDArray[np.intp]]:
    """Places of the known scores, falling, ties in order, in batches. Sorts the ``first`` best before all the others:
    most callers want a few of a million."""
    import numpy as np

    left = np.flatnonzero(known)
    for many in (first, len(left)):
        if len(left) > many:
            least = np.partition(scores[left], len(left) - many)[len(left) - many]
            taken = scores[left] >= least
            some, left = left[taken], left[~taken]
        else:
            some, left = left, left[:0]
        some = some[np.argsort(-scores[some], kind="stable")]
        for start in range(0, len(some), _BATCH):
            yield some[start : start + _BATCH]


def neighbours(question: str) -> tuple[float, ...]:
    """The weights of a chunk's neighbours for this question, nearest first."""
    return NEIGHBOURS_BROAD if is_broad(question) else NEIGHBOURS


def add_neighbours(
    scores: npt.NDArray[np.float64], counts: Sequence[int] | npt.NDArray[np.int64], weights: Sequence[float]
) -> npt.NDArray[np.float64]:
    """Each chunk's score, at least 0, plus those of its neighbours in the same document times ``weights``.

    ``counts``: chunks of each document, in the order of ``scores``; ``weights[i]`` is for the neighbours i + 1 away.
    So evidence that crosses a border, or an answer that follows the passage that matches, ranks higher.
    """
    import numpy as np

    own = np.maximum(scores, 0.0)
    documents = np.repeat(np.arange(len(counts)), counts)
    total = own.copy()
    for away, weight in enumerate(weights, 1):
        same = documents[away:] == documents[:-away]
        total[away:] += weight * np.where(same, own[:-away], 0.0)
        total[:-away] += weight * np.where(same, own[away:], 0.0)
    return total


def _rest(falling: npt.NDArray[np.float32]) -> tuple[tuple[float, int], ...]:
    """Falling scores in at most ``_STEPS`` groups, each as its mean score and its number of chunks."""
    import numpy as np

    groups = np.array_split(falling, min(_STEPS, len(falling))) if len(falling) else []
    return tuple((float(group.mean(dtype=np.float64)), len(group)) for group in groups)


def _first(
    corpus: Corpus, ids: npt.NDArray[np.int64], order: Iterator[npt.NDArray[np.intp]], depth_tokens: int
) -> Iterator[tuple[int, Chunk]]:
    """The places in ``order`` with their chunks, until these have ``depth_tokens`` tokens; at least one."""
    left = depth_tokens
    first = True
    for batch in order:
        for index, chunk in zip(batch.tolist(), corpus.get(ids[batch].tolist()), strict=True):
            left -= chunk.tokens
            if left < 0 and not first:
                return
            yield index, chunk
            first = False


def fill_vectors(corpus: Corpus, embedder: Embedder, emit: Emit, embed: EmbedBatches | None = None) -> int:
    """Make the vectors of all chunks that have none yet; returns their number.

    ``embed``: makes them instead of ``embedder``, where other machines have it too.

    Stored batch by batch, so that the next call resumes an interrupted one. ``emit`` gets ``index`` events
    ``{embedded, total}``.
    """
    missing = corpus.missing_vectors(corpus.chunk_ids(), embedder.name)
    batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
    texts = (_texts(corpus, batch) for batch in batches)
    done = 0
    for batch, vectors in zip(batches, embed(texts) if embed else map(embedder.embed, texts), strict=True):
        while not corpus.store_vectors(batch, embedder.name, vectors):
            emit(Event("index", {"message": "waiting for another process that is indexing"}))
        done += len(batch)
        emit(Event("index", {"embedded": done, "total": len(missing)}))
    if missing:
        corpus.settle()
    return len(missing)


def _texts(corpus: Corpus, ids: list[int]) -> list[str]:
    """What is embedded of a chunk: its headings, then its text."""
    return [f"{chunk.context}\n{chunk.text}" if chunk.context else chunk.text for chunk in corpus.get(ids)]


def _cosines(
    corpus: Corpus,
    query: npt.NDArray[np.float32],
    embedder: Embedder,
    ids: npt.NDArray[np.int64],
    candidates: npt.NDArray[np.intp],
) -> npt.NDArray[np.float64]:
    """The cosine of each chunk's vector with ``query``, in the order of ``ids``; NaN where there is no vector."""
    import numpy as np

    cosines = corpus.cosines(query, embedder.name, ids, ids[candidates])
    absent = np.isnan(cosines)
    few = np.count_nonzero(absent) <= EMBED_ALL
    wanted = np.arange(len(ids)) if few else candidates[:EMBED_CANDIDATES]
    wanted = wanted[absent[wanted]]
    if len(wanted):
        missing: list[int] = ids[wanted].tolist()
        _log.info("embedding %d chunks", len(missing))
        fresh = embedder.embed(_texts(corpus, missing))
        corpus.keep_vectors(missing, embedder.name, fresh)
        # Stored vectors are rounded to 16 bits; rounding these makes the first ranking the same as the next.
        cosines[wanted] = np.vecdot(fresh.astype(np.float16).astype(np.float32), query)
    return cosines
