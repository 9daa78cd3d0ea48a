"""Markers in an answer, led back to the place in the document where the statement stands.

A marker names a passage; a citation names characters. Between the two, the statement before the marker is searched in
the passage: first as it stands, apart from white space, then by the sentence that shares most words with it. A marker
that leads nowhere is dropped, and the rest are numbered anew from 1, so that what the reader sees can be looked up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lcrag.places import line_of, page_of
from lcrag.sentences import sentences
from lcrag.types import Citation, Document, Passage
from lcrag.words import stems

MARKERS: Final = re.compile(r"\[\d{1,6}(?:\s*[,;]\s*\d{1,6})*\](?:\s*\[\d{1,6}(?:\s*[,;]\s*\d{1,6})*\])*")
BEFORE: Final = 40
"""Characters before a bracketed number that must stand before it in the source too for it to be the source's own."""
LEAST_SHARED: Final = 0.3
"""Share of the statement's stemmed words, small ones left out, that a sentence must have to be cited for it."""


@dataclass(frozen=True, slots=True)
class _Group:
    """One or more markers in a row, and the statement before them."""

    start: int
    end: int
    numbers: tuple[int, ...]
    statement: str


def cite(
    text: str, passages: Sequence[Passage], documents: Callable[[str], Document]
) -> tuple[str, tuple[Citation, ...]]:
    """The text with its markers numbered anew in order of appearance, and the citations they name.

    ``documents`` gives a document by id, for lines and pages. Each citation's ``quote`` is
    ``document.text[start:end]``; a place cited twice is one citation.
    """
    by_marker = {passage.marker: passage for passage in passages}
    citations: dict[tuple[str, int, int], Citation] = {}
    opened: dict[str, Document] = {}
    out: list[str] = []
    position = 0
    for group in _groups(text, passages):
        kept: list[int] = []
        for number in group.numbers:
            passage = by_marker.get(number)
            place = _place(group.statement, passage) if passage is not None else None
            if passage is None or place is None:
                continue
            key = (passage.document_id, *place)
            if key not in citations:
                if passage.document_id not in opened:
                    opened[passage.document_id] = documents(passage.document_id)
                citations[key] = _citation(len(citations) + 1, passage, place, opened[passage.document_id])
            kept.append(citations[key].marker)
        before = text[position : group.start]
        out.append(before if kept else before.rstrip(" "))
        out.extend(f"[{number}]" for number in dict.fromkeys(kept))
        position = group.end
    out.append(text[position:])
    return "".join(out).strip(), tuple(citations.values())


def _groups(text: str, passages: Sequence[Passage]) -> Iterator[_Group]:
    begin = 0
    for match in MARKERS.finditer(text):
        if _is_quoted(text, match.start(), match.end(), passages):
            continue
        statement = text[begin : match.start()].strip().lstrip(".,;:!?").strip()
        numbers = tuple(int(number) for number in re.findall(r"\d+", match[0]))
        yield _Group(match.start(), match.end(), numbers, statement)
        begin = match.end()


def _is_quoted(text: str, start: int, end: int, passages: Sequence[Passage]) -> bool:
    """Whether the bracketed number belongs to the words quoted: the source has it after the same words."""
    words = text[max(0, start - BEFORE) : end].split()
    if start > BEFORE:
        words = words[1:]  # the first may be cut
    if len(words) < 2:
        return False
    return any(_find(words, passage.text) is not None for passage in passages)


def _find(words: Sequence[str], text: str) -> tuple[int, int] | None:
    """Where these words stand in ``text`` in a row, whatever white space is between them."""
    match = re.search(r"\s+".join(map(re.escape, words)), text)
    return match.span() if match else None


def _pieces(passage: Passage) -> Iterator[tuple[int, str]]:
    """The passage's text in pieces that are the document's, each with its offset there."""
    position = 0
    for start, end in passage.parts or ((passage.start, passage.end),):
        yield start, passage.text[position : position + end - start]
        position += end - start + 1  # the newline that joins two parts


def _place(statement: str, passage: Passage) -> tuple[int, int] | None:
    """Offsets in the document of what supports the statement, or None."""
    words = statement.split()
    if not words:
        return None
    last = [statement[start:end].split() for start, end in sentences(statement)][-1]
    for quoted in (words, last):
        for offset, piece in _pieces(passage):
            span = _find(quoted, piece)
            if span is not None:
                return offset + span[0], offset + span[1]
    return _likest(statement, passage)


def _likest(statement: str, passage: Passage) -> tuple[int, int] | None:
    """The sentence of the passage that holds the largest share of the statement's words; the shorter one if equal."""
    wanted = set(stems(statement))
    best: tuple[float, int] = (0.0, 0)
    place: tuple[int, int] | None = None
    for offset, piece in _pieces(passage):
        for start, end in sentences(piece):
            sentence = piece[start:end]
            shared = wanted.intersection(stems(sentence))
            score = (len(shared) / max(1, len(wanted)), -len(sentence))
            if score[0] >= LEAST_SHARED and score > best:
                start += len(sentence) - len(sentence.lstrip())
                best, place = score, (offset + start, offset + start + len(sentence.strip()))
    return place


def _citation(marker: int, passage: Passage, place: tuple[int, int], document: Document) -> Citation:
    start, end = place
    return Citation(
        marker=marker,
        document_id=passage.document_id,
        source=passage.source,
        start=start,
        end=end,
        quote=document.text[start:end],
        line=line_of(document, start),
        page=page_of(document, start),
    )
