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

MARKER: Final = re.compile(r"\[\d{1,6}(?:\s*[,;]\s*\d{1,6})*\]")
BESIDE: Final = 40
"""Characters beside a bracketed number that must stand there in the source too for it to be the source's own."""
BEGINNING: Final = re.compile(r"[\s.,;:!?]*(?:(?:[-*•+>]|\d{1,3}[.)])\s+)?")
"""What stands before a statement and is not part of it: the end of the one before, the mark of a list item."""
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
    group: _Group | None = None
    for match in MARKER.finditer(text):
        if _is_quoted(text, begin, match, passages):
            continue
        numbers = tuple(int(number) for number in re.findall(r"\d+", match[0]))
        if group is not None and not text[group.end : match.start()].strip():
            group = _Group(group.start, match.end(), group.numbers + numbers, group.statement)
        else:
            if group is not None:
                yield group
            statement = text[begin : match.start()]
            group = _Group(match.start(), match.end(), numbers, statement[_beginning(statement) :].strip())
        begin = match.end()
    if group is not None:
        yield group


def _beginning(statement: str) -> int:
    found = BEGINNING.match(statement)
    return found.end() if found else 0


def _is_quoted(text: str, begin: int, bracket: re.Match[str], passages: Sequence[Passage]) -> bool:
    """Whether the bracketed number belongs to the words quoted: the source has it too, beside the same words.

    The words before it count, from ``begin``, the end of the last marker; those after it where none are before.
    """
    line = max(begin, text.rfind("\n", 0, bracket.start()) + 1)
    start = min(line + _beginning(text[line : bracket.start()]), bracket.start())
    cut = max(start, bracket.start() - BESIDE)
    before = text[cut : bracket.start()]
    if cut > start:
        before = before.partition(" ")[2] or before  # the first word may be cut
    if before.strip():
        quoted = before + bracket[0]
    else:
        after = text[bracket.end() :].partition("\n")[0]
        after = MARKER.split(after)[0]
        words = after[:BESIDE].split()
        words = words[:-1] if len(after) > BESIDE else words
        if len(words) < 2:
            return False
        quoted = f"{bracket[0]} {' '.join(words)}"
    return any(_find(quoted.split(), passage.text) is not None for passage in passages)


def _find(words: Sequence[str], text: str) -> tuple[int, int] | None:
    """Where these words stand in ``text`` in a row, whatever white space is between them; "art" not in "start"."""
    edge = r"(?a:\b)"
    begin = edge if re.match(r"(?a:\w)", words[0]) else ""
    end = edge if re.search(r"(?a:\w)\Z", words[-1]) else ""
    match = re.search(begin + r"\s+".join(map(re.escape, words)) + end, text)
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
