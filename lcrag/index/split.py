"""Splits documents into chunks of about 128 tokens that tile the text; gives each chunk its line of headings.

In source code the definitions are the headings (``lcrag.index.definitions``), and a function of twice the size is still
one chunk.

Our own code because the well-kept splitter falls short: semantic-text-splitter, given a range of sizes, ends 27% of its
chunks in the middle of a sentence, leaves chunks of single characters, and takes minutes for 1 MB of Chinese on one
line. This code looks only at the window in which a chunk may end, so its time is linear in the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import groupby

from lcrag.index.definitions import definitions, is_code
from lcrag.text.headings import Heading, headings, is_prose
from lcrag.text.places import is_table
from lcrag.text.sentences import last_start
from lcrag.text.tokens import count
from lcrag.types import Document

TARGET_TOKENS = 128
"""The aim for a chunk. Its size in characters follows from the characters per token in this document."""

_LOW, _HIGH, _LEAST = 0.7, 1.3, 0.25  # a chunk ends between these shares of the target; a heading may end it earlier
_SAMPLE = 1000  # characters, at each of three places, from which the characters per token are measured
_WHOLE = 2.1
"""A definition of up to this share of the target is one chunk. Measured (n=264, examples/evaluation/code_questions.py),
evidence in 1,000 tokens: .52 with 1.3, .53 with 2.1, .51 with 2.6."""

_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*")
_LINE_AFTER_STOP = re.compile(r"[.!?:;…。！？)\]}\"”’][ \t\r]*\n\s*")
_LINE = re.compile(r"\n(?![ \t]*[\r\na-z])")  # not where prose is hard-wrapped
_ANY_LINE = re.compile(r"\n(?![ \t]*\r?\n)")
_SPACE = re.compile(r"\s(?!\s)")


def sections(document: Document) -> list[Heading]:
    """The definitions of a code file, the headings of any other document."""
    return definitions(document) if is_code(document) else headings(document)


def split(document: Document, known: list[Heading] | None = None) -> list[tuple[int, int]]:
    """Spans ``(start, end)`` in characters that tile ``document.text``: none empty, nothing lost, in reading order.

    A chunk ends before a heading, else between paragraphs, else at the end of a line, else of a sentence, else at
    white space, and only where there is none of these in the middle of a word. Empty text has no chunks.
    ``known``: the document's ``sections``, if the caller has them.
    """
    text = document.text
    target = TARGET_TOKENS * _characters_per_token(text)
    starts = [heading.start for heading in (sections(document) if known is None else known)]
    whole = _WHOLE if starts and is_code(document) else 0
    sizes = _Sizes(int(target * _LOW), int(target * _HIGH), max(1, int(target * _LEAST)), int(target * whole))
    boundaries = (_PARAGRAPH, _LINE_AFTER_STOP, _LINE) if is_prose(document) else (_PARAGRAPH, _ANY_LINE)
    spans = []
    at = 0
    while at < len(text):
        end = _end(text, at, sizes, starts, boundaries)
        spans.append((at, end))
        at = end
    return spans


def contexts(document: Document, spans: list[tuple[int, int]], known: list[Heading] | None = None) -> list[str]:
    """For each span the title and the ``sections`` above its start, "Title > Section > Part"; "" if there are none.

    Tables have their header line instead of headings, so that a row far down still names its columns.
    """
    if is_table(document.source):
        header = document.text.lstrip().split("\n", 1)[0].strip()[:500]
        return [_path([document.title, header if start else ""]) for start, _ in spans]
    known = sections(document) if known is None else known
    starts = [heading.start for heading in known]
    paths: list[str] = [_path([document.title])]
    above: list[Heading] = []
    for heading in known:
        above = [*(higher for higher in above if higher.level < heading.level), heading]
        paths.append(_path([document.title, *(higher.text for higher in above)]))
    return [paths[bisect_right(starts, start)] for start, _ in spans]


def _path(parts: list[str]) -> str:
    lines = (" ".join(part.split()) for part in parts)
    return " > ".join(line for line, _ in groupby(filter(None, lines)))


def _characters_per_token(text: str) -> float:
    """Between 1 and 5: prose has about 4.5, tables 3, identifiers 2, Chinese 1. In steps of a half, so that a small
    edit does not move the ends of all chunks."""
    places = [len(text) * part // 4 for part in (1, 2, 3)]
    sample = "".join(text[place : place + _SAMPLE] for place in places)
    return min(5.0, max(1.0, round(2 * len(sample) / max(1, count(sample))) / 2))


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Of chunks, in characters. ``whole``: of a definition that is not cut; 0 in what is not code."""

    low: int
    high: int
    least: int
    whole: int


def _end(text: str, at: int, sizes: _Sizes, headings: list[int], boundaries: tuple[re.Pattern[str], ...]) -> int:
    """Where the chunk that starts at ``at`` ends."""
    index = bisect_right(headings, at + sizes.least - 1)
    following = headings[index] if index < len(headings) else len(text)
    if following <= at + max(sizes.high, sizes.whole):
        return following
    left = (following if sizes.whole else len(text)) - at
    low, high = sizes.low, max(sizes.low, min(sizes.high, left - sizes.least))  # leave no tiny chunk at the end
    for boundary in boundaries:
        if end := _last(boundary, text, at + low, at + high):
            return end
    end = at + last_start(text[at : at + high])
    if end >= at + low:
        return end
    return _last(_SPACE, text, at + low, at + high) or at + high


def _last(boundary: re.Pattern[str], text: str, start: int, end: int) -> int:
    """Where the last match within the window ends, or 0."""
    return max((match.end() for match in boundary.finditer(text, start, end)), default=0)
