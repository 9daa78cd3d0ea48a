"""The markers of an answer, led back to the places in the documents that support it.

A marker names a passage; a citation names characters. Between the two, each sentence before the marker is searched for
in the passage and checked against it (``lcrag.evidence.support``). A marker that supports nothing is dropped and
counted, and the rest are numbered again from 1, so that what the reader sees can be looked up. A sentence without a
marker of its own is checked against the passages that the answer names elsewhere. An answer that names no passage at
all, as small models write it, is cited afterwards: each sentence is checked against the passages that share most of its
words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lcrag.evidence.support import (
    Support,
    find_complement,
    find_exact,
    find_in,
    find_words,
    hold_together,
    surroundings,
)
from lcrag.text.passages import pieces_of
from lcrag.text.places import line_of, page_of, part_of
from lcrag.text.sentences import sentences
from lcrag.text.words import STOP_WORDS, WORD, stems
from lcrag.types import Citation, Document, Passage, Statement

MARKER: Final = re.compile(r"\[\d{1,6}(?:\s*[,;]\s*\d{1,6})*\]")
AROUND: Final = 40
"""Characters next to a bracketed number that the source must have there too for the number to be the source's own. Not
measured: a few words, which no other bracket of a source is likely to follow."""
BEGINNING: Final = re.compile(r"[\s.,;:!?]*(?:(?:[-*•+>]|\d{1,3}[.)])\s+)?")
"""What comes before a statement and is not part of it: punctuation of the previous one, the mark of a list item."""
LEAST_WORDS: Final = 2
"""Stems that a sentence must have to be a statement of its own: "Yes." belongs to what follows it. Not measured."""

NEAREST: Final = 8
"""Passages that a sentence of an answer without markers is checked against. By words alone: on 500 pairs of statement
and source, cosine added nothing to words (AUROC .946 for .945, ``examples/evaluation/support.py``)."""

Places = list[tuple[Passage, Support]]


@dataclass(frozen=True, slots=True)
class Cited:
    """An answer's text with its markers numbered again in order of appearance, and the citations that they name.

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

    The last group of a text has no markers where words follow the last marker.
    """

    begin: int
    start: int
    end: int
    numbers: tuple[int, ...]


def cite(text: str, passages: Sequence[Passage], documents: Callable[[str], Document]) -> Cited:
    """Check the markers of an answer from these passages. ``documents`` gives a document by id."""
    return _Citer(text, passages, documents).cited()


class _Citer:
    """Builds the cited text of one answer, group by group."""

    def __init__(self, text: str, passages: Sequence[Passage], documents: Callable[[str], Document]) -> None:
        self._text = text
        self._passages = {passage.marker: passage for passage in passages}
        self._documents = documents
        self._groups = list(split_at_markers(text, passages))
        self._named = self._named_by([number for group in self._groups for number in group.numbers])
        self._lowered = [] if self._named else [(passage.text.lower(), passage) for passage in passages]
        self._opened: dict[str, Document] = {}
        self._citations: dict[tuple[str, int, int], Citation] = {}
        self._statements: list[Statement] = []
        self._dropped = 0
        self._out = ""

    def cited(self) -> Cited:
        for group in self._groups:
            self._add(group)
        cut = len(self._out) - len(self._out.lstrip())
        statements = [
            replace(statement, start=statement.start - cut, end=statement.end - cut) for statement in self._statements
        ]
        return Cited(self._out.strip(), tuple(self._citations.values()), tuple(statements), self._dropped)

    def _add(self, group: Group) -> None:
        """Append the group's words under the markers of the places that support them."""
        named = self._named_by(group.numbers)
        exact = self._find_exact(group, named)
        supporting: set[int] = set()
        cited: list[int] = []
        position = group.begin
        for start, end in find_statements(self._text[group.begin : group.start]):
            start, end = group.begin + start, group.begin + end
            sentence = self._text[start:end]
            places = exact or find_support(sentence, named) or self._find_elsewhere(sentence)
            supporting.update(passage.marker for passage, _ in places)
            markers = tuple(dict.fromkeys(self._marker(passage, place) for passage, place in places))
            begin = len(self._out) + start - position
            self._out += self._text[position:end]
            if not group.numbers:
                self._out += "".join(f" [{marker}]" for marker in markers)
            self._statements.append(Statement(begin, begin + end - start, bool(places), markers))
            cited.extend(markers)
            position = end
        self._out += self._text[position : group.start]
        if group.numbers:
            self._out = self._out if cited else self._out.rstrip(" ")
            self._out += "".join(f"[{marker}]" for marker in dict.fromkeys(cited))
        self._dropped += sum(number not in supporting for number in group.numbers)

    def _named_by(self, numbers: Sequence[int]) -> list[Passage]:
        return [self._passages[number] for number in dict.fromkeys(numbers) if number in self._passages]

    def _find_elsewhere(self, sentence: str) -> Places:
        """Support in the passages that the answer names; for an answer that names none, in those that share most of the
        sentence's words, one document at a time: parts of different documents make no support that nobody claimed.
        """
        if self._named:
            return find_support(sentence, self._named)
        words = {word for word in WORD.findall(sentence.lower()) if word not in STOP_WORDS}
        shared = [(sum(word in text for word in words), passage) for text, passage in self._lowered]
        best = sorted((pair for pair in shared if pair[0]), key=lambda pair: (-pair[0], pair[1].marker))[:NEAREST]
        by_document: dict[str, list[Passage]] = {}
        for _, passage in best:
            by_document.setdefault(passage.document_id, []).append(passage)
        return next(filter(None, (find_support(sentence, passages) for passages in by_document.values())), [])

    def _find_exact(self, group: Group, named: Sequence[Passage]) -> Places:
        """The places that quote all the words before the markers as they are."""
        words = self._text[group.begin : group.start]
        words = words[_beginning(words) :]
        return [(passage, place) for passage in named if (place := find_exact(words, pieces_of(passage))) is not None]

    def _marker(self, passage: Passage, place: Support) -> int:
        """The marker of this place, a new one where it was not cited before."""
        key = passage.document_id, place.start, place.end
        if key not in self._citations:
            if passage.document_id not in self._opened:
                self._opened[passage.document_id] = self._documents(passage.document_id)
            document = self._opened[passage.document_id]
            self._citations[key] = citation_of(len(self._citations) + 1, place.start, place.end, document)
        return self._citations[key].marker


def citation_of(marker: int, start: int, end: int, document: Document) -> Citation:
    """The citation of ``document.text[start:end]``."""
    return Citation(
        marker=marker,
        document_id=document.id,
        source=document.source,
        start=start,
        end=end,
        quote=document.text[start:end],
        line=line_of(document, start),
        page=page_of(document, start),
        part=part_of(document, start),
    )


def find_support(statement: str, passages: Sequence[Passage]) -> Places:
    """The places that support the statement: each alone, or else several together; [] when it has no support."""
    places = [(passage, place) for passage in passages if (place := find_in(statement, passage)) is not None]
    holding = [(passage, place) for passage, place in places if place.holds]
    if holding:
        return holding
    parts = sorted(
        ((passage, place) for passage, place in places if place.holds_in_part),
        key=lambda part: (len(part[1].missing), -part[1].score),
    )
    near = "\n".join(map(surroundings, passages))
    if hold_together(statement, [place for _, place in parts], near):
        return parts
    for first, place in parts[:1]:
        for passage in passages:
            complement = find_complement(statement, place, pieces_of(passage), near)
            if complement is not None:
                return [(first, place), (passage, complement)]
    return []


def find_statements(text: str) -> list[tuple[int, int]]:
    """The sentences of a text that state something, half-open, without list marks and lines that only introduce.

    A sentence with too few words joins the next, at the end of the text the previous one.
    """
    statements: list[tuple[int, int]] = []
    short: int | None = None
    for start, end in sentences(text):
        begin = start + _beginning(text[start:end])
        end = start + len(text[start:end].rstrip())
        if begin >= end or text[:end].endswith(":"):
            continue
        begin = begin if short is None else short
        short = begin if len(stems(text[begin:end])) < LEAST_WORDS else None
        if short is None:
            statements.append((begin, end))
    if short is not None:
        end = len(text.rstrip())
        if statements and not text[statements[-1][1] : short].strip():
            short = statements.pop()[0]
        if stems(text[short:end]):
            statements.append((short, end))
    return statements


def split_at_markers(text: str, passages: Sequence[Passage]) -> Iterator[Group]:
    """The markers of a text with the words before each. Numbers in brackets that the passages quote are words."""
    begin = 0
    group: Group | None = None
    for match in MARKER.finditer(text):
        if _is_quoted(text, begin, match, passages):
            continue
        numbers = tuple(int(number) for number in re.findall(r"\d+", match[0]))
        if group is not None and not text[group.end : match.start()].strip():
            group = replace(group, end=match.end(), numbers=group.numbers + numbers)
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
    """The length of what comes before the statement itself."""
    match = BEGINNING.match(statement)
    return match.end() if match else 0


def _is_quoted(text: str, begin: int, bracket: re.Match[str], passages: Sequence[Passage]) -> bool:
    """Whether the bracketed number belongs to a quote: a passage has it too, next to the same words.

    The words before it count, from ``begin``, the end of the last marker; those after it if there are none before.
    """
    line = max(begin, text.rfind("\n", 0, bracket.start()) + 1)
    start = min(line + _beginning(text[line : bracket.start()]), bracket.start())
    cut = max(start, bracket.start() - AROUND)
    before = text[cut : bracket.start()]
    if cut > start:
        before = before.partition(" ")[2] or before  # the first word may be cut
    if before.strip():
        quote = f"{before}{bracket[0]}".split()
    else:
        after = MARKER.split(text[bracket.end() :].partition("\n")[0])[0]
        words = after[:AROUND].split()
        words = words[:-1] if len(after) > AROUND else words
        if len(words) < 2:
            return False
        quote = [*bracket[0].split(), *words]
    return any(find_words(quote, passage.text) is not None for passage in passages)
