"""A place in a file as a reader would look at it: the quote, and what stands around it.

The file is read anew, not taken from an index, so that what is shown is what is there now.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lcrag import ingest
from lcrag.errors import InputError, NoSuchPath, UnreadableFile
from lcrag.evidence import support
from lcrag.text.places import line_of, page_of
from lcrag.text.sentences import sentences
from lcrag.types import Document

AROUND: Final = 3
"""Lines shown before and after the quote."""
LONGEST: Final = 400
"""Characters of a line shown before and after the quote."""
PLACE: Final = re.compile(
    r"(?P<file>.+?)(?::(?P<start>\d+)-(?P<end>\d+)|:p(?P<page>\d+)| p\. ?(?P<p>\d+)|:(?P<line>\d+))", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Place:
    """A file and where in it: a line or a page, from 1, or characters as lcrag reads it; all None: anywhere."""

    file: Path
    line: int | None = None
    page: int | None = None
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """The quote is ``document.text[start:end]``, what is shown ``document.text[first:last]``."""

    document: Document
    start: int
    end: int
    first: int
    last: int

    @property
    def quote(self) -> str:
        return self.document.text[self.start : self.end]


def place_of(text: str) -> Place:
    """``FILE:LINE``, ``FILE:pPAGE`` (or ``FILE p. PAGE``, as it is printed), ``FILE:START-END`` or ``FILE``.

    Raises NoSuchPath when there is no such file.
    """
    found = PLACE.fullmatch(text)
    if found is None or Path(text).is_file():
        place = Place(Path(text))
    else:
        page = found["page"] or found["p"]
        place = Place(
            Path(found["file"]),
            int(found["line"]) if found["line"] else None,
            int(page) if page else None,
            (int(found["start"]), int(found["end"])) if found["start"] else None,
        )
    if not place.file.is_file():
        raise NoSuchPath(f"no such file: {place.file}", hint="lcrag show FILE:LINE")
    return place


def show(place: Place, quote: str | None = None) -> Shown:
    """The passage at a place: with a quote, where it stands from there on, or else anywhere in the file; without one,
    the sentence that begins there, or all of a page.

    Raises InputError when the file cannot be read, has no such place, or does not hold the quote.
    """
    [file] = ingest.discover([str(place.file)]).files
    try:
        document = ingest.read(file)
    except UnreadableFile as error:
        raise InputError(f"cannot read {place.file}: {error}") from error
    start, end = _span(document, place)
    if quote is not None:
        start, end = _quoted(document, quote, start)
    elif place.page is not None:  # all of it, and no part of it more than another
        return Shown(document, start, start, start, end)
    elif place.span is None:
        start, end = _sentence(document.text, start)
    return Shown(document, start, end, *_around(document.text, start, end))


def _span(document: Document, place: Place) -> tuple[int, int]:
    length = len(document.text)
    if place.span is not None:
        start, end = place.span
        if not start < end <= length:
            raise InputError(f"{place.file} has {length:,} characters as lcrag reads it, not {start:,}-{end:,}")
        return start, end
    if place.page is not None:
        if not 1 <= place.page <= len(document.pages):
            raise InputError(f"{place.file} has {len(document.pages):,} pages: there is no page {place.page:,}")
        ends = (*document.pages[1:], length)
        return document.pages[place.page - 1], ends[place.page - 1]
    if place.line is None:
        return 0, length
    if not document.lines:
        raise InputError(f"{place.file} has no lines", hint=f"lcrag show {place.file} --quote 'its words'")
    begin = _line_start(document, place.line)
    if begin is None:
        raise InputError(f"{place.file} has nothing to read in line {place.line:,}")
    return begin, length


def _line_start(document: Document, line: int) -> int | None:
    """Where the text of the file's line begins; None where the line gave none. A line that its extractor joined to
    one before it counts as that one's.
    """
    position = 0
    best: tuple[int, int] | None = None
    for part in document.text.splitlines(keepends=True):
        at = line_of(document, position)
        if at is not None and at <= line and part.strip() and (best is None or at > best[0]):
            best = at, position
        position += len(part)
    if best is None or (line > best[0] and len(document.lines) == 1):
        return None
    return best[1]


def _quoted(document: Document, quote: str, near: int) -> tuple[int, int]:
    text = document.text
    words = quote.split()
    if words:
        for at in (near, 0):
            span = support.in_a_row(words, text[at:])
            if span is not None:
                return at + span[0], at + span[1]
    raise InputError(f"{document.source} does not hold these words in a row", hint="lcrag show FILE:LINE")


def _sentence(text: str, start: int) -> tuple[int, int]:
    block = text[start : start + 10_000]
    for first, last in sentences(block):
        sentence = block[first:last]
        if sentence.strip():
            first += len(sentence) - len(sentence.lstrip())
            return start + first, start + first + len(sentence.strip())
    return start, min(len(text), start + 1)


def _around(text: str, start: int, end: int) -> tuple[int, int]:
    """AROUND lines on both sides that are not empty, no side longer than LONGEST for each of them."""
    first = text.rfind("\n", 0, start) + 1
    lines = 0
    while first > 0 and lines < AROUND:
        before = text.rfind("\n", 0, first - 1) + 1
        lines += bool(text[before:first].strip())
        first = before
    last = len(text) if (found := text.find("\n", end)) < 0 else found
    lines = 0
    while last < len(text) and lines < AROUND:
        after = len(text) if (found := text.find("\n", last + 1)) < 0 else found
        lines += bool(text[last:after].strip())
        last = after
    return max(first, start - LONGEST * (AROUND + 1)), min(last, end + LONGEST * (AROUND + 1))


def page_shown(shown: Shown) -> int | None:
    """The page on which the quote begins, from 1."""
    return page_of(shown.document, shown.start)
