"""Gold values of what the estimator predicts, for questions whose evidence is known.

    R  tokens read in rank order until every character of the evidence has been seen
    D  ln(1 + R) / ln(1 + N), where N is the number of tokens of the corpus
    S  tokens of the evidence

They follow lcrag's own ranking, so a better ranking gives better gold values. Use them to measure and to fit; an answer
never depends on them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lcrag import ingest
from lcrag.backends.embedded import EmbeddedBackend
from lcrag.comparison.dataset import Question, Span
from lcrag.comparison.scoring import merge_spans
from lcrag.errors import InputError
from lcrag.index.corpus import Corpus
from lcrag.paths import key_of
from lcrag.retrieve.rank import fill_vectors, retrieve
from lcrag.session import Session
from lcrag.text.tokens import count_many
from lcrag.types import Document, Embedder, Hit, Ranking, Settings, ignore

FILL_UP_TO = 2000
"""Corpora with at most this many chunks get all their vectors first; a larger one is ranked as for a first question."""


@dataclass(frozen=True, slots=True)
class Gold:
    """``reading``: R; ``scope``: S; ``size``: N. All in tokens, as the index counts them."""

    reading: int
    scope: int
    size: int

    @property
    def diffusion(self) -> float:
        """D, from 0 to 1."""
        return math.log1p(self.reading) / math.log1p(self.size)

    def covered(self, tokens: float) -> bool:
        """coverage(tokens): whether all the evidence is within the first ``tokens`` tokens."""
        return self.reading <= tokens


def by_documents(questions: Iterable[Question]) -> dict[tuple[Path, ...], list[Question]]:
    """The questions by the set of documents that they name."""
    groups: dict[tuple[Path, ...], list[Question]] = {}
    for question in questions:
        groups.setdefault(question.docs, []).append(question)
    return groups


def sampled(questions: Iterable[Question], limit: int | None) -> list[Question]:
    """At most ``limit`` of them, always the same: in the order of a hash of their ids."""
    return sorted(questions, key=lambda question: hashlib.sha256(question.id.encode()).digest())[:limit]


def sessions(
    questions: Iterable[Question], indexes: Path, backend: EmbeddedBackend
) -> Iterator[tuple[Session, list[Question]]]:
    """A session for each set of documents that questions name, with these questions and the backend's models.

    ``indexes``: a folder, with one index for each set. Raises what ``Session.open`` raises.
    """
    for docs, group in sorted(by_documents(questions).items()):
        with Session.open(Settings(tuple(map(str, docs)), index=indexes / key_of(docs)), backend=backend) as session:
            session.embedder, session.reranker = backend.embedder, backend.reranker
            yield session, group


def rank_questions(
    questions: Iterable[Question], embedder: Embedder | None, indexes: Path, *, fill_up_to: int = FILL_UP_TO
) -> Iterator[tuple[Question, Ranking, Gold | None]]:
    """Each question with its complete ranking over the documents that it names, and its Gold where that is known.

    Questions on the same documents come together. ``indexes``: a folder, with one index for each set of documents.
    Raises what ingest and the index raise, and InputError when a document with evidence cannot be read.
    """
    for docs, group in by_documents(questions).items():
        with Corpus.open(indexes / key_of(docs)) as corpus:
            scan = ingest.discover(docs)
            corpus.refresh(scan, ignore)
            if embedder is not None and corpus.size.chunks <= fill_up_to:
                fill_vectors(corpus, embedder, ignore)
            documents = {Path(file.path).resolve(): ingest.read(file) for file in scan.files}
            for question in group:
                ranking = retrieve(corpus, question.question, embedder=embedder, depth_tokens=corpus.size.tokens)
                yield question, ranking, gold_of(question, ranking, documents)


def gold_of(question: Question, ranking: Ranking, documents: Mapping[Path, Document]) -> Gold | None:
    """The question's Gold under a ranking of all chunks; None without evidence.

    ``documents``: those that the question names, as ingest read them. Evidence that the ranking does not hold counts
    as seen when everything has been read.
    """
    if not question.evidence or question.unanswerable:
        return None
    spans = evidence_places(question.evidence, documents)
    size = ranking.size.tokens
    reading = tokens_until(ranking.hits, spans)
    texts = {document.id: document.text for document in documents.values()}
    scope = sum(count_many([texts[document][start:end] for document, start, end in spans]))
    return Gold(size if reading is None else reading, max(1, scope), size)


def evidence_places(spans: Iterable[Span], documents: Mapping[Path, Document]) -> list[tuple[str, int, int]]:
    """The spans, merged, as ``(document id, start, end)``; ``documents`` by resolved path.

    Raises InputError for a document that could not be read.
    """
    places = []
    for span in spans:
        document = documents.get(span.doc.resolve())
        if document is None:
            raise InputError(f"{span.doc} cannot be read as a document")
        places.append((document.id, span.start, span.end))
    return merge_spans(places)


def tokens_until(hits: Iterable[Hit], spans: Sequence[tuple[str, int, int]]) -> int | None:
    """Tokens read, hit after hit, until every character of the ``(document id, start, end)`` spans has been seen.

    None if they never all are. Neither chunks nor spans may overlap.
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
