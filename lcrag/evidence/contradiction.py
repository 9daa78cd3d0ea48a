"""Do two sources answer differently? Each quote of an answer beside the sentences of other documents that were read.

Sentences that say the same but for one value (a number, a date, a name that the question asks for) or for a denial
contradict each other. No more is claimed: sources that disagree in other words are not found, and sentences of one
document are not compared, since lists and logs say the same of many things.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from lcrag.evidence import support
from lcrag.evidence.cite import Cited, citation_at
from lcrag.evidence.support import Facts, facts
from lcrag.text.sentences import sentences
from lcrag.text.words import stems
from lcrag.types import Citation, Conflict, Document, Passage, Statement

ALIKE: Final = 0.75
"""Share of the words of both, values left out, that two sentences must have in common to be about the same."""
LEAST_SHARED: Final = 3
"""Words that they must have in common at least."""
MOST: Final = 4
"""Pairs that are shown."""
TELLING: Final = 3
"""The longest words of a quote; a passage with fewer than two of them is not looked at."""

NUMERIC: Final = re.compile(
    r"\bhow (?:many|much|long|old|far|tall|big|large|high|often|deep|wide)\b|\bwhen\b"
    r"|\b(?:year|date|day|month|time|number|amount|percentage|price|cost|age|height|length|size|population)\b",
    re.IGNORECASE,
)
NAMED: Final = re.compile(r"\b(?:who|whom|whose|where|which|what)\b", re.IGNORECASE)
DATE: Final = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d(?:-\d\d(?:-\d\d)?)?(?!\d)")
HEADER: Final = re.compile(r"^(?:date|datum|updated|modified)\s*:\s*(.{4,60})$", re.IGNORECASE | re.MULTILINE)
HEAD: Final = 600
"""Characters in which a document's own date is looked for."""


def compared(
    question: str, cited: Cited, passages: Sequence[Passage], documents: Callable[[str], Document]
) -> tuple[Cited, tuple[Conflict, ...]]:
    """The answer, with what contradicts it added to it under markers of its own; and each pair that does."""
    found: list[Conflict] = []
    for citation in cited.citations:
        for passage, start, text in _others(citation, passages):
            values = disagree(question, citation.quote, text)
            if values is None:
                continue
            document = documents(passage.document_id)
            cited, other = _shown(cited, passage, start, start + len(text), document)
            pair = (citation.marker, other.marker)
            if len(found) == MOST or any(set(one.markers) == set(pair) for one in found):
                continue
            dates = date_of(documents(citation.document_id)), date_of(document)
            found.append(Conflict(pair, values, dates))
    return cited, tuple(found)


def disagree(question: str, one: str, other: str) -> tuple[str, str] | None:
    """The values in which two sentences about the same differ; None when they agree, or are about something else."""
    asked, first, second = frozenset(stems(question)), facts(one), facts(other)
    if not (asked & first.words) <= second.words or not (asked & second.words) <= first.words:
        return None
    mine, theirs = first.numbers - second.numbers, second.numbers - first.numbers
    names = (first.names | _first(one)) - second.words, (second.names | _first(other)) - first.words
    if mine or theirs:
        if any(names) or len(mine) != 1 or len(theirs) != 1 or not NUMERIC.search(question):
            return None
        values = next(iter(mine)), next(iter(theirs))
        asked_for = support.facts(question).numbers
        return values if _same(first, second, set(values)) and not asked_for & set(values) else None
    if all(names):
        both = names[0] | names[1]
        if not NAMED.search(question) or NUMERIC.search(question) or not _same(first, second, both):
            return None
        return " ".join(sorted(names[0])), " ".join(sorted(names[1]))
    denied = (first.denied ^ second.denied) & first.words & second.words
    if denied and first.negates != second.negates and not any(names) and _same(first, second, set()):
        word = sorted(denied)[0]
        return ("", f"not {word}") if second.negates else (f"not {word}", "")
    return None


def _first(sentence: str) -> frozenset[str]:
    """The stem of a first word that is the first of a name of two: its capital alone would tell nothing."""
    words = sentence.split()[:2]
    named = len(words) == 2 and all(word[:1].isupper() for word in words)
    return frozenset(stems(words[0])) if named else frozenset()


def _same(one: Facts, other: Facts, values: set[str] | frozenset[str]) -> bool:
    first, second = one.words - one.numbers - values, other.words - other.numbers - values
    both = len(first & second)
    return both >= LEAST_SHARED and both >= ALIKE * len(first | second)


def _others(citation: Citation, passages: Sequence[Passage]) -> Iterator[tuple[Passage, int, str]]:
    """Sentences of other documents' passages that share the quote's longest words, with their offsets there."""
    telling = sorted({word.lower() for word in re.findall(r"[^\W\d_]{4,}", citation.quote)}, key=len)[-TELLING:]
    for passage in passages:
        if passage.document_id == citation.document_id:
            continue
        lower = passage.text.lower()
        if sum(word in lower for word in telling) < min(2, len(telling)):
            continue
        position = 0
        for begin, end in passage.parts or ((passage.start, passage.end),):
            piece = passage.text[position : position + end - begin]
            position += end - begin + 1
            for start, stop in sentences(piece):
                text = piece[start:stop]
                if text.strip():
                    yield passage, begin + start + len(text) - len(text.lstrip()), text.strip()


def _shown(cited: Cited, passage: Passage, start: int, end: int, document: Document) -> tuple[Cited, Citation]:
    """The answer with this sentence at its end, unless it is cited already; and its citation."""
    for known in cited.citations:
        if known.document_id == passage.document_id and known.start < end and start < known.end:
            return cited, known
    other = citation_at(len(cited.citations) + 1, passage, start, end, document)
    said = " ".join(other.quote.split())
    begin = len(cited.text) + 1
    statement = Statement(begin, begin + len(said), True, (other.marker,))
    text = f"{cited.text}\n{said} [{other.marker}]"
    return (
        replace(cited, text=text, citations=(*cited.citations, other), statements=(*cited.statements, statement)),
        other,
    )


def date_of(document: Document) -> str | None:
    """When a document was written, as it or its name says: a header "Date:", or a year in the name; None otherwise."""
    header = HEADER.search(document.text, 0, HEAD)
    if header:
        return header[1].strip()
    named = DATE.search(document.source.replace("\\", "/").rpartition("/")[2])
    return named[0] if named else None
