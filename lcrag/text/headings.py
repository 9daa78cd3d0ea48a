"""The headings of a document: what its chunks stand under, and its outline."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from lcrag.text.places import is_spreadsheet
from lcrag.types import Document

LONGEST_HEADING = 200
"""Characters of a heading that stand in a context, which every chunk under it has."""

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


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading at ``start``; ``level`` counts from 1."""

    start: int
    level: int
    text: str


def headings(document: Document) -> list[Heading]:
    """Markdown's ``#`` headings (as in the text of every extracted format) and underlined ones, outside fenced code.

    Underlines take their level from the order in which their characters appear, as in reStructuredText. Source code
    and data have no headings. A sheet's is its name and its first row, so that a row far down still names its columns.
    """
    if is_spreadsheet(document):
        return [_sheet(document, start) for start in document.cells]
    if not is_prose(document):
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


def is_prose(document: Document) -> bool:
    """Whether it is text for people, with paragraphs and headings, and not source code or data."""
    return bool(_PROSE.fullmatch(PurePath(document.source).suffix.lower()))
