"""Do two sources answer differently? Each quote of an answer is compared with sentences of the other documents read.

Sentences that are the same but for one value (a number, a date, a name that the question asks for) or for a denial
contradict each other. No more is claimed: sources that disagree in other words are not recognised, and sentences of one
document are not compared, since lists and logs say the same of many things.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from lcrag.evidence.cite import Cited, citation_of
from lcrag.evidence.support import windows
from lcrag.text.facts import Facts, facts
from lcrag.text.passages import pieces_of
from lcrag.text.questions import asks_for_name, asks_for_number
from lcrag.text.words import stems
from lcrag.types import Citation, Conflict, Document, Passage, Statement

ALIKE: Final = 0.75
"""Share of the words of both, values left out, that two sentences must have in common to be about the same. Not chosen
by a measurement; ``examples/evaluation/support.py`` prints how often pairs are called contradictory that are not."""
LEAST_SHARED: Final = 3
"""Words that they must have in common at least; not measured."""
MOST: Final = 4
"""Pairs that are shown, so that the answer stays readable."""
LONGEST_WORDS: Final = 3
"""The longest words of a quote; a passage with fewer than two of them is skipped, which saves comparing it."""

DATE: Final = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d(?:-\d\d(?:-\d\d)?)?(?!\d)")
HEADER: Final = re.compile(r"^(?:date|datum|updated|modified)\s*:\s*(.{4,60})$", re.IGNORECASE | re.MULTILINE)
HEAD: Final = 600
"""Characters in which a document's own date is looked for."""


def find_contradictions(
    question: str, cited: Cited, passages: Sequence[Passage], documents: Callable[[str], Document]
) -> tuple[Cited, tuple[Conflict, ...]]:
    """The answer, extended by the sentences that contradict it under markers of their own; and each such pair.

    ``documents`` gives a document by id.
    """
    conflicts: list[Conflict] = []
    for citation in cited.citations:
        for passage, start, text in _comparable(citation, passages):
            values = disagree(question, citation.quote, text)
            if values is None:
                continue
            document = documents(passage.document_id)
            cited, other = _include(cited, passage, start, start + len(text), document)
            pair = (citation.marker, other.marker)
            if len(conflicts) == MOST or any(set(conflict.markers) == set(pair) for conflict in conflicts):
                continue
            dates = date_of(documents(citation.document_id)), date_of(document)
            conflicts.append(Conflict(pair, values, dates))
    return cited, tuple(conflicts)


def disagree(question: str, first: str, second: str) -> tuple[str, str] | None:
    """The values in which two sentences about the same differ; None if they agree, or are about something else."""
    asked, ours, theirs = frozenset(stems(question)), facts(first), facts(second)
    if not (asked & ours.words) <= theirs.words or not (asked & theirs.words) <= ours.words:
        return None
    numbers = ours.numbers - theirs.numbers, theirs.numbers - ours.numbers
    names = (ours.names | _first_name(first)) - theirs.words, (theirs.names | _first_name(second)) - ours.words
    if any(numbers):
        if any(names) or not all(len(values) == 1 for values in numbers) or not asks_for_number(question):
            return None
        values = numbers[0] | numbers[1]
        if values & facts(question).numbers or not _are_alike(ours, theirs, values):
            return None
        return min(numbers[0]), min(numbers[1])
    if all(names):
        if not asks_for_name(question) or not _are_alike(ours, theirs, names[0] | names[1]):
            return None
        return " ".join(sorted(names[0])), " ".join(sorted(names[1]))
    denied = (ours.denied ^ theirs.denied) & ours.words & theirs.words
    if denied and ours.negates != theirs.negates and not any(names) and _are_alike(ours, theirs, frozenset()):
        word = min(denied)
        return ("", f"not {word}") if theirs.negates else (f"not {word}", "")
    return None


def _first_name(sentence: str) -> frozenset[str]:
    """The stem of a first word that is the first of a name of two: its capital alone would mean nothing."""
    words = sentence.split()[:2]
    is_name = len(words) == 2 and all(word[:1].isupper() for word in words)
    return frozenset(stems(words[0])) if is_name else frozenset()


def _are_alike(ours: Facts, theirs: Facts, values: frozenset[str]) -> bool:
    """Whether two sentences have enough words in common, apart from numbers and ``values``."""
    first, second = ours.words - ours.numbers - values, theirs.words - theirs.numbers - values
    shared = len(first & second)
    return shared >= LEAST_SHARED and shared >= ALIKE * len(first | second)


def _comparable(citation: Citation, passages: Sequence[Passage]) -> Iterator[tuple[Passage, int, str]]:
    """Sentences of other documents' passages that share the quote's longest words, with their offsets there."""
    words = sorted({word.lower() for word in re.findall(r"[^\W\d_]{4,}", citation.quote)})
    longest = sorted(words, key=len)[-LONGEST_WORDS:]
    for passage in passages:
        if passage.document_id == citation.document_id:
            continue
        text = passage.text.lower()
        if sum(word in text for word in longest) >= min(2, len(longest)):
            for start, sentence in windows(pieces_of(passage), 1):
                yield passage, start, sentence


def _include(cited: Cited, passage: Passage, start: int, end: int, document: Document) -> tuple[Cited, Citation]:
    """The answer with this sentence at its end, unless it is cited already; and its citation."""
    for citation in cited.citations:
        if citation.document_id == passage.document_id and citation.start < end and start < citation.end:
            return cited, citation
    citation = citation_of(len(cited.citations) + 1, start, end, document)
    sentence = " ".join(citation.quote.split())
    begin = len(cited.text) + 1
    statement = Statement(begin, begin + len(sentence), True, (citation.marker,))
    longer = replace(
        cited,
        text=f"{cited.text}\n{sentence} [{citation.marker}]",
        citations=(*cited.citations, citation),
        statements=(*cited.statements, statement),
    )
    return longer, citation


def date_of(document: Document) -> str | None:
    """When a document was written, as it or its name says: a header "Date:", or a year in the name; None otherwise."""
    header = HEADER.search(document.text, 0, HEAD)
    if header:
        return header[1].strip()
    date = DATE.search(document.source.replace("\\", "/").rpartition("/")[2])
    return date[0] if date else None
