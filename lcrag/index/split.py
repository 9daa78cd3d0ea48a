"""Splits documents into chunks of about 128 tokens that tile the text; gives each chunk its line of headings.

Our own code because the well-kept splitter falls short: semantic-text-splitter, given a range of sizes, ends 27% of its
chunks in the middle of a sentence, leaves chunks of single characters, and takes minutes for 1 MB of Chinese on one
line. This code looks only at the window in which a chunk may end, so its time is linear in the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePath

from lcrag.text.places import TABLES, is_spreadsheet
from lcrag.text.sentences import last_start
from lcrag.text.tokens import count
from lcrag.types import Document

TARGET_TOKENS = 128
"""The aim for a chunk. Its size in characters follows from the characters per token in this document."""

LONGEST_HEADING = 200
"""Characters of a heading that stand in a context, which every chunk under it has."""

_LOW, _HIGH, _LEAST = 0.7, 1.3, 0.25  # a chunk ends between these shares of the target; a heading may end it earlier
_SAMPLE = 1000  # characters, at each of three places, from which the characters per token are measured

_PROSE = re.compile(
    r"|\.(md|markdown|mdx|rst|adoc|org|tex|txt|text|x?html?|pdf|do[ct][xm]|o[dt][tp]|p[po][tst][xm]|epub|ipynb|eml|mbox|msg|rtf)"
)

UNDERLINES = "=-~*#^\"'`+.:_"


def _rule(characters: str) -> str:
    """Three or more of one of the characters. A group that refers to itself would take 100 bytes for each."""
    return "(?:" + "|".join(f"{re.escape(character)}{{3,}}" for character in characters) + ")"


# A fenced block, a # heading, or after a blank line a heading with a line under (and perhaps over) it, but not
# --- over it, which opens front matter. Each starts with the newline before it, which re finds fast.
_FENCE_OR_HEADING = re.compile(
    r"\n(?:(?P<fence>```|~~~)(?s:.)*?(?:\n(?P=fence)|\Z)"
    r"|(?P<marks>\#{1,6})[ \t]+(?P<atx>[^\s#][^\r\n]*)"
    rf"|(?:(?<=\n\n)|(?<=\n\r\n))(?:{_rule('=~*#^')}[ \t]*\r?\n)?"
    rf"(?P<text>[^\s#>|=\-~*+^][^\r\n]{{0,200}})\r?\n(?P<line>{_rule(UNDERLINES)})(?=[ \t\r]*(?:\n|\Z)))"
)
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*")
_LINE_AFTER_STOP = re.compile(r"[.!?:;…。！？)\]}\"”’][ \t\r]*\n\s*")
_LINE = re.compile(r"\n(?![ \t]*[\r\na-z])")  # not where prose is hard-wrapped
_ANY_LINE = re.compile(r"\n(?![ \t]*\r?\n)")
_SPACE = re.compile(r"\s(?!\s)")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading at ``start``; ``level`` counts from 1."""

    start: int
    level: int
    text: str


def split(document: Document, known: list[Heading] | None = None) -> list[tuple[int, int]]:
    """Spans ``(start, end)`` in characters that tile ``document.text``: none empty, nothing lost, in reading order.

    A chunk ends before a heading, else between paragraphs, else at the end of a line, else of a sentence, else at
    white space, and only where there is none of these in the middle of a word. Empty text has no chunks.
    ``known``: the document's ``headings``, if the caller has them.
    """
    text = document.text
    target = TARGET_TOKENS * _characters_per_token(text)
    low, high, least = int(target * _LOW), int(target * _HIGH), max(1, int(target * _LEAST))
    starts = [heading.start for heading in (headings(document) if known is None else known)]
    boundaries = (_PARAGRAPH, _LINE_AFTER_STOP, _LINE) if _is_prose(document) else (_PARAGRAPH, _ANY_LINE)
    spans = []
    at = 0
    while at < len(text):
        end = _end(text, at, low, high, least, starts, boundaries)
        spans.append((at, end))
        at = end
    return spans


def contexts(document: Document, spans: list[tuple[int, int]], known: list[Heading] | None = None) -> list[str]:
    """For each span the title and the headings above its start, "Title > Section > Part"; "" if there are none.

    Tables have their header line instead of headings, so that a row far down still names its columns.
    """
    if _suffix(document) in TABLES:
        header = document.text.lstrip().split("\n", 1)[0].strip()[:500]
        return [_path([document.title, header if start else ""]) for start, _ in spans]
    known = headings(document) if known is None else known
    starts = [heading.start for heading in known]
    paths: list[str] = [_path([document.title])]
    above: list[Heading] = []
    for heading in known:
        above = [*(higher for higher in above if higher.level < heading.level), heading]
        paths.append(_path([document.title, *(higher.text for higher in above)]))
    return [paths[bisect_right(starts, start)] for start, _ in spans]


def headings(document: Document) -> list[Heading]:
    """Markdown's ``#`` headings (as in the text of every extracted format) and underlined ones, outside fenced code.

    Underlines take their level from the order in which their characters appear, as in reStructuredText. Source code
    and data have no headings. A sheet's is its name and its first row, so that a row far down still names its columns.
    """
    if is_spreadsheet(document):
        return [_sheet(document, start) for start in document.cells]
    if not _is_prose(document):
        return []
    listed = []
    underlines: list[str] = []
    for match in _FENCE_OR_HEADING.finditer("\n\n" + document.text):
        start = match.start() - 1
        if match["marks"]:
            listed.append(Heading(start, len(match["marks"]), match["atx"][:LONGEST_HEADING].rstrip(" \t#")))
        elif match["line"]:
            line = match["line"][0]
            if line not in underlines:
                underlines.append(line)
            listed.append(Heading(start, underlines.index(line) + 1, match["text"].strip()))
    return listed


def _sheet(document: Document, start: int) -> Heading:
    name, header = document.text[start : start + 500].split("\n")[:2]
    return Heading(start, 1, f"{name.removeprefix('# ')} > {header}")


def _is_prose(document: Document) -> bool:
    return bool(_PROSE.fullmatch(_suffix(document)))


def _suffix(document: Document) -> str:
    return PurePath(document.source).suffix.lower()


def _path(parts: list[str]) -> str:
    lines = (" ".join(part.split()) for part in parts)
    return " > ".join(line for line, _ in groupby(filter(None, lines)))


def _characters_per_token(text: str) -> float:
    """Between 1 and 5: prose has about 4.5, tables 3, identifiers 2, Chinese 1. In steps of a half, so that a small
    edit does not move the ends of all chunks."""
    places = [len(text) * part // 4 for part in (1, 2, 3)]
    sample = "".join(text[place : place + _SAMPLE] for place in places)
    return min(5.0, max(1.0, round(2 * len(sample) / max(1, count(sample))) / 2))


def _end(
    text: str, at: int, low: int, high: int, least: int, headings: list[int], boundaries: tuple[re.Pattern[str], ...]
) -> int:
    """Where the chunk that starts at ``at`` ends."""
    index = bisect_right(headings, at + least - 1)
    if index < len(headings) and headings[index] <= at + high:
        return headings[index]
    left = len(text) - at
    if left <= high:
        return len(text)
    high = max(low, min(high, left - least))  # leave no tiny chunk at the end
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
