"""Markers in an answer, led back to the place in the document where the statement stands.

A marker names a passage; a citation names characters. Between the two, each sentence before the marker is searched in
the passage and checked against it (``lcrag.evidence.support``). A marker that supports nothing is dropped and counted,
and the rest are numbered anew from 1, so that what the reader sees can be looked up. A sentence without a marker of its
own is checked against the passages that the answer names elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lcrag.evidence import support
from lcrag.evidence.support import Support
from lcrag.text.places import line_of, page_of, part_of
from lcrag.text.sentences import sentences
from lcrag.text.words import stems
from lcrag.types import Citation, Document, Passage, Statement

MARKER: Final = re.compile(r"\[\d{1,6}(?:\s*[,;]\s*\d{1,6})*\]")
BESIDE: Final = 40
"""Characters beside a bracketed number that must stand there in the source too for it to be the source's own."""
BEGINNING: Final = re.compile(r"[\s.,;:!?]*(?:(?:[-*•+>]|\d{1,3}[.)])\s+)?")
"""What stands before a statement and is not part of it: the end of the one before, the mark of a list item."""
LEAST_WORDS: Final = 2
"""Stemmed words, small ones left out, that a sentence must have to stand alone: "Yes." goes with what follows it."""


@dataclass(frozen=True, slots=True)
class Cited:
    """An answer's text with its markers numbered anew in order of appearance, and the citations they name.

    Each citation's ``quote`` is ``document.text[start:end]``; a place cited twice is one citation. ``dropped``: how
    many markers led to no support.
    """

    text: str
    citations: tuple[Citation, ...]
    statements: tuple[Statement, ...]
    dropped: int


@dataclass(frozen=True, slots=True)
class Group:
    """One or more markers in a row, at ``start`` to ``end`` of a text, and the words before them, from ``begin``.

    The last one of a text may be without markers: words after which none comes.
    """

    begin: int
    start: int
    end: int
    numbers: tuple[int, ...]


Found = list[tuple[Passage, Support]]


def cite(text: str, passages: Sequence[Passage], documents: Callable[[str], Document]) -> Cited:
    """The answer's markers checked. ``documents`` gives a document by id, for lines and pages."""
    return _Citing(text, passages, documents).cited()


class _Citing:
    """One answer on its way."""

    def __init__(self, text: str, passages: Sequence[Passage], documents: Callable[[str], Document]) -> None:
        self._text = text
        self._passages = {passage.marker: passage for passage in passages}
        self._documents = documents
        self._groups = list(groups(text, passages))
        self._named = [
            self._passages[number]
            for number in dict.fromkeys(number for group in self._groups for number in group.numbers)
            if number in self._passages
        ]
        self._opened: dict[str, Document] = {}
        self._citations: dict[tuple[str, int, int], Citation] = {}
        self._statements: list[Statement] = []
        self._dropped = 0
        self._out = ""

    def cited(self) -> Cited:
        for group in self._groups:
            self._take(group)
        ahead = len(self._out) - len(self._out.lstrip())
        statements = [
            Statement(one.start - ahead, one.end - ahead, one.supported, one.citations) for one in self._statements
        ]
        return Cited(self._out.strip(), tuple(self._citations.values()), tuple(statements), self._dropped)

    def _take(self, group: Group) -> None:
        mine = [self._passages[number] for number in dict.fromkeys(group.numbers) if number in self._passages]
        found = self._whole(group, mine)
        held: set[int] = set()
        kept: list[int] = []
        position = group.begin
        for start, end in statements(self._text[group.begin : group.start]):
            start, end = group.begin + start, group.begin + end
            sentence = self._text[start:end]
            places = found or _supports(sentence, mine) or _supports(sentence, self._named)
            held.update(passage.marker for passage, _ in places)
            markers = tuple(dict.fromkeys(self._cite(passage, place) for passage, place in places))
            begin = len(self._out) + start - position
            self._out += self._text[position:end]
            if not group.numbers:
                self._out += "".join(f" [{marker}]" for marker in markers)
            self._statements.append(Statement(begin, begin + end - start, bool(places), markers))
            kept.extend(markers)
            position = end
        rest = self._text[position : group.start]
        self._out += rest if kept or not group.numbers else rest.rstrip(" ")
        if not kept and group.numbers:
            self._out = self._out.rstrip(" ")
        if group.numbers:
            self._out += "".join(f"[{marker}]" for marker in dict.fromkeys(kept))
        self._dropped += sum(number not in held for number in group.numbers)

    def _whole(self, group: Group, mine: Sequence[Passage]) -> Found:
        """Where all that stands before the markers stands as it is."""
        words = self._text[group.begin : group.start]
        words = words[_beginning(words) :].strip()
        return [
            (passage, Support(*place, words, "exact", 1.0))
            for passage in mine
            if (place := support.quoted(words, _pieces(passage))) is not None
        ]

    def _cite(self, passage: Passage, place: Support) -> int:
        """The marker of this place."""
        key = passage.document_id, place.start, place.end
        if key not in self._citations:
            if passage.document_id not in self._opened:
                self._opened[passage.document_id] = self._documents(passage.document_id)
            document = self._opened[passage.document_id]
            number = len(self._citations) + 1
            self._citations[key] = citation_at(number, passage, place.start, place.end, document)
        return self._citations[key].marker


def citation_at(marker: int, passage: Passage, start: int, end: int, document: Document) -> Citation:
    """The citation of ``document.text[start:end]``, which stands in the passage."""
    return Citation(
        marker=marker,
        document_id=passage.document_id,
        source=passage.source,
        start=start,
        end=end,
        quote=document.text[start:end],
        line=line_of(document, start),
        page=page_of(document, start),
        part=part_of(document, start),
    )


def _supports(statement: str, passages: Sequence[Passage]) -> Found:
    """The places that support the statement: each alone, or else several together; [] when it has no support."""
    found = [
        (passage, place)
        for passage in passages
        if (place := support.find(statement, _pieces(passage), _near(passage))) is not None
    ]
    holding = [one for one in found if one[1].holds]
    if holding:
        return holding
    parts = sorted((one for one in found if one[1].part), key=lambda one: (len(one[1].missing), -one[1].score))
    near = "\n".join(_near(passage) for passage in passages)
    if support.together(statement, [place for _, place in parts], near):
        return parts
    for first, place in parts[:1]:
        for passage in passages:
            other = support.beside(statement, place, _pieces(passage), near)
            if other is not None:
                return [(first, place), (passage, other)]
    return []


def statements(text: str) -> list[tuple[int, int]]:
    """The sentences of a text that say something, half-open. List marks and lines that only lead on are left out."""
    found: list[tuple[int, int]] = []
    waiting: int | None = None
    for start, end in sentences(text):
        begin = start + _beginning(text[start:end])
        end = start + len(text[start:end].rstrip())
        if begin >= end or text[:end].endswith(":"):
            continue
        begin = begin if waiting is None else waiting
        waiting = begin if len(stems(text[begin:end])) < LEAST_WORDS else None
        if waiting is None:
            found.append((begin, end))
    if waiting is not None:
        end = len(text.rstrip())
        if found and not text[found[-1][1] : waiting].strip():
            waiting = found.pop()[0]
        if stems(text[waiting:end]):
            found.append((waiting, end))
    return found


def groups(text: str, passages: Sequence[Passage]) -> Iterator[Group]:
    """The markers of a text with the words before each. Numbers in brackets that the source itself has are words."""
    begin = 0
    group: Group | None = None
    for match in MARKER.finditer(text):
        if _is_quoted(text, begin, match, passages):
            continue
        numbers = tuple(int(number) for number in re.findall(r"\d+", match[0]))
        if group is not None and not text[group.end : match.start()].strip():
            group = Group(group.begin, group.start, match.end(), group.numbers + numbers)
        else:
            if group is not None:
                yield group
            group = Group(begin, match.start(), match.end(), numbers)
        begin = match.end()
    if group is not None:
        yield group
    if text[begin:]:
        yield Group(begin, len(text), len(text), ())


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
    return any(support.in_a_row(quoted.split(), passage.text) is not None for passage in passages)


def _pieces(passage: Passage) -> Iterator[tuple[int, str]]:
    """The passage's text in pieces that are the document's, each with its offset there."""
    position = 0
    for start, end in passage.parts or ((passage.start, passage.end),):
        yield start, passage.text[position : position + end - start]
        position += end - start + 1  # the newline that joins two parts


def _near(passage: Passage) -> str:
    """Where the names of a statement may stand: around its place, and in the source's name."""
    return f"{passage.source}\n{passage.text}"
