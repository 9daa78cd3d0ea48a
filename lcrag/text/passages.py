"""Chunks as passages: what a task is given to read, in document order, under markers that citations can name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

from lcrag.types import Chunk, Passage

T = TypeVar("T")
Piece = tuple[int, str]
"""Text of a document as it is there, and its offset."""

PASSAGE_TOKENS: Final = 512
"""Where long text is cut into passages: about four chunks, so that a marker still points to a few paragraphs."""


def within(ranked: Sequence[Chunk], tokens: int) -> list[Chunk]:
    """The first chunks that together have at most ``tokens`` tokens; the first chunk in any case."""
    taken: list[Chunk] = []
    total = 0
    for chunk in ranked:
        if taken and total + chunk.tokens > tokens:
            break
        taken.append(chunk)
        total += chunk.tokens
    return taken


def passages(chunks: Iterable[Chunk], *, first: int = 1, limit: int = PASSAGE_TOKENS) -> list[Passage]:
    """Passages in document order, neighbours joined up to ``limit`` tokens, markers from ``first``.

    Documents come by source; ``text == document.text[start:end]`` for each.
    """
    ordered = sorted(chunks, key=lambda chunk: (chunk.source, chunk.start))
    return [_join(run, marker) for marker, run in enumerate(_runs(ordered, limit), first)]


def groups(items: Iterable[T], sizes: Iterable[float], limit: float) -> Iterator[list[T]]:
    """Consecutive items in groups whose sizes add up to at most ``limit``; a larger item is a group of its own."""
    group: list[T] = []
    total = 0.0
    for item, size in zip(items, sizes, strict=True):
        if group and total + size > limit:
            yield group
            group, total = [], 0
        group.append(item)
        total += size
    if group:
        yield group


def pieces_of(passage: Passage) -> Iterator[Piece]:
    """The pieces of the document that make up the passage: several for an extract (``Passage.parts``)."""
    position = 0
    for start, end in passage.parts or ((passage.start, passage.end),):
        yield start, passage.text[position : position + end - start]
        position += end - start + 1  # the newline that joins two pieces


def _runs(ordered: Sequence[Chunk], limit: int) -> Iterator[list[Chunk]]:
    run: list[Chunk] = []
    tokens = 0
    for chunk in ordered:
        tokens += chunk.tokens
        if run and (chunk.document_id != run[-1].document_id or chunk.start != run[-1].end or tokens > limit):
            yield run
            run, tokens = [], chunk.tokens
        run.append(chunk)
    if run:
        yield run


def _join(run: Sequence[Chunk], marker: int) -> Passage:
    return Passage(
        marker=marker,
        document_id=run[0].document_id,
        source=run[0].source,
        start=run[0].start,
        end=run[-1].end,
        text="".join(chunk.text for chunk in run),
        tokens=sum(chunk.tokens for chunk in run),
        index_tokens=sum(chunk.index_tokens or chunk.tokens for chunk in run),
        context=run[0].context,
    )
