"""Gold values: where the evidence of a question is known, what the estimator predicts is computed instead.

    R  tokens read in rank order until every character of the evidence has been seen
    D  ln(1 + R) / ln(1 + N), N = tokens of the corpus
    S  tokens of the evidence

under lcrag's own ranking, so that a better ranking makes better gold. For measuring and fitting, never for answering.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lcrag import ingest
from lcrag.comparison.dataset import Question
from lcrag.comparison.scoring import merge_spans
from lcrag.errors import InputError
from lcrag.index.corpus import Corpus
from lcrag.paths import key_of
from lcrag.retrieve.rank import fill_vectors, retrieve
from lcrag.text.tokens import count_many
from lcrag.types import Document, Embedder, Event, Hit, Ranking

FILL_UP_TO = 2000
"""Chunks of a corpus whose vectors are all made first; a larger one is ranked as a user's first question would be."""


@dataclass(frozen=True, slots=True)
class Gold:
    """``reading``: R; ``scope``: S; ``size``: N. All in tokens, as the index counts them."""

    reading: int
    scope: int
    size: int

    @property
    def diffusion(self) -> float:
        """D, 0 to 1."""
        return math.log1p(self.reading) / math.log1p(self.size)

    def covered(self, tokens: float) -> bool:
        """coverage(tokens): whether all the evidence is within the first ``tokens`` tokens."""
        return self.reading <= tokens


def ranked(
    questions: Iterable[Question], embedder: Embedder | None, indexes: Path, *, fill_up_to: int = FILL_UP_TO
) -> Iterator[tuple[Question, Ranking, Gold | None]]:
    """Each question ranked to the end over the documents that it names; its Gold where the evidence is known.

    Questions of the same documents come together. Indexes are kept in the folder ``indexes``, one for each set of
    documents. Raises what ingest and the index raise, and InputError when a document with evidence cannot be read.
    """
    by_docs: dict[tuple[Path, ...], list[Question]] = {}
    for question in questions:
        by_docs.setdefault(question.docs, []).append(question)
    for docs, asked in by_docs.items():
        with Corpus.open(indexes / key_of(docs)) as corpus:
            scan = ingest.discover(docs)
            corpus.refresh(scan, _quiet)
            if embedder is not None and corpus.size.chunks <= fill_up_to:
                fill_vectors(corpus, embedder, _quiet)
            texts = {Path(file.path).resolve(): ingest.read(file) for file in scan.files}
            for question in asked:
                ranking = retrieve(corpus, question.question, embedder=embedder, depth_tokens=corpus.size.tokens)
                yield question, ranking, gold(question, ranking, texts)


def gold(question: Question, ranking: Ranking, texts: Mapping[Path, Document]) -> Gold | None:
    """The question's Gold under a ranking of all chunks; None without evidence. ``texts``: its documents as ingested.

    Evidence that the ranking does not hold counts as found when everything has been read.
    """
    if not question.evidence or question.unanswerable:
        return None
    for span in question.evidence:
        if span.doc not in texts:
            raise InputError(f"{span.doc} cannot be read as a document")
    spans = merge_spans((span.doc, span.start, span.end) for span in question.evidence)
    size = ranking.size.tokens
    reading = tokens_until(ranking.hits, [(texts[doc].id, start, end) for doc, start, end in spans])
    scope = sum(count_many([texts[doc].text[start:end] for doc, start, end in spans]))
    return Gold(size if reading is None else reading, max(1, scope), size)


def tokens_until(hits: Iterable[Hit], spans: Sequence[tuple[str, int, int]]) -> int | None:
    """Tokens read, hit after hit, until every character of ``(document id, start, end)`` spans has been seen.

    None if they never all are. Neither chunks nor spans overlap.
    """
    unseen = sum(end - start for _, start, end in spans)
    read = 0
    for hit in hits:
        chunk = hit.chunk
        read += chunk.tokens
        for document, start, end in spans:
            if document == chunk.document_id:
                unseen -= max(0, min(end, chunk.end) - max(start, chunk.start))
        if unseen == 0:
            return read
    return None


def _quiet(event: Event) -> None:
    """Progress is not shown."""
