"""What is read: documents, their chunks, and how retrieval ranks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Document:
    """One ingested file. ``id`` is a hash of ``text``; two files with the same text share it.

    ``pages``: offsets where pages (PDF) or slides (PPTX) begin, ascending, ``()`` when the format has none.
    ``lines``: ``(offset, line of the file)`` pairs, ascending. A place at or after a pair, before the next, is on that
    pair's line plus the newlines between. Text kept as it stands in the file has ``((0, 1),)``; ``()`` when the file
    has no lines (PDF, DOCX). ``cells``: offsets where a notebook's cells begin, a spreadsheet's sheets (its
    ``lines`` are the rows of a sheet) or a mailbox's messages. ``title`` is what the document calls itself, or "".
    ``unread``: which parts of the file were not read and why, or "".
    """

    id: str
    source: str
    text: str
    pages: tuple[int, ...] = ()
    lines: tuple[tuple[int, int], ...] = ((0, 1),)
    title: str = ""
    cells: tuple[int, ...] = ()
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: ``text == document.text[start:end]``, always. Chunks tile their document.

    ``id`` is the index's row number, ascending in reading order within a document. ``tokens``: by the tokenizer of the
    index, or of a backend that has counted it; then ``index_tokens`` holds the count of the index. ``context``: the
    headings above it, "Title > Section > Part", or the line that names a table's columns, or "".
    """

    id: int
    document_id: str
    source: str
    start: int
    end: int
    text: str
    tokens: int
    index_tokens: int = 0
    context: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """Document text as a task sees it, under a marker that is unique within one answer.

    ``text == document.text[start:end]``, or for a compressed passage an extract of it (``parts`` then holds the
    offsets of the pieces, in order, whose texts joined by single newlines are ``text``). ``tokens`` are the backend's,
    ``index_tokens`` the same by the tokenizer of the index. ``context`` is that of its first chunk: a backend reads it
    and does not quote it.
    """

    marker: int
    document_id: str
    source: str
    start: int
    end: int
    text: str
    tokens: int
    parts: tuple[tuple[int, int], ...] = ()
    index_tokens: int = 0
    context: str = ""


@dataclass(frozen=True, slots=True)
class CorpusSize:
    """``longest_document``: tokens of the longest one, 0 if unknown."""

    documents: int
    chunks: int
    tokens: int
    longest_document: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the question after stemming: in how many chunks it occurs, and its BM25 idf."""

    text: str
    chunks: int
    idf: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved chunk. Ranks count from 0; None where that ranking did not return the chunk.

    ``score`` is the fused one; ``lexical_score`` is BM25 (higher is better), ``dense_score`` a cosine.
    """

    chunk: Chunk
    score: float
    lexical_rank: int | None = None
    dense_rank: int | None = None
    lexical_score: float | None = None
    dense_score: float | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """What retrieval says of a question: hits, best first, and what the estimator needs in addition.

    ``dense``: whether vectors took part. ``hits`` is cut at a depth; what is not in it ranks below all of it, and
    ``rest`` says how far below: ``(score, chunks)`` pairs, falling, scores rounded. ``search`` ranks the same documents
    for other words, while a pipeline runs; None where nothing can. ``by_section`` ranks them for the same question by
    what the summaries of their sections say too; None where there are none.
    """

    question: str
    hits: tuple[Hit, ...]
    terms: tuple[Term, ...]
    size: CorpusSize
    dense: bool
    rest: tuple[tuple[float, int], ...] = ()
    search: Callable[[str], Ranking] | None = field(default=None, compare=False, repr=False)
    by_section: Callable[[], Ranking] | None = field(default=None, compare=False, repr=False)
