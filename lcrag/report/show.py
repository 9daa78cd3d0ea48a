"""A place in a file as a reader would look at it: the quote and the lines around it.

The file itself is read, not an index, so that its present text is shown.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lcrag import ingest
from lcrag.errors import InputError, NoSuchPath, UnreadableFile
from lcrag.evidence import support
from lcrag.text.places import is_spreadsheet, page_of
from lcrag.text.sentences import sentences
from lcrag.types import Document

AROUND: Final = 3
"""Lines shown before and after the quote."""
LONGEST: Final = 400
"""Characters shown of a line before or after the quote."""
NEAR: Final = 240
"""Characters shown of a passage before and after the quote in a page for a browser."""
PLACE: Final = re.compile(
    r"(?P<file>.+?)(?::(?P<start>\d+)-(?P<end>\d+)|:p(?P<page>\d+)| p\. ?(?P<p>\d+)|:(?P<line>\d+))", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Place:
    """A file and where in it: a line or a page, from 1, or a span of characters of its text; all None: anywhere."""

    file: Path
    line: int | None = None
    page: int | None = None
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """The quote is ``document.text[start:end]``; ``document.text[first:last]`` is shown."""

    document: Document
    start: int
    end: int
    first: int
    last: int

    @property
    def quote(self) -> str:
        return self.document.text[self.start : self.end]


def place_of(text: str, is_there: Callable[[Path], bool] = Path.is_file) -> Place:
    """``FILE:LINE``, ``FILE:pPAGE`` (or ``FILE p. PAGE``, as citations are printed), ``FILE:START-END`` or ``FILE``.

    ``is_there``: which files there are. Raises NoSuchPath if there is no such file.
    """
    match = PLACE.fullmatch(text)
    if match is None or is_there(Path(text)):
        place = Place(Path(text))
    else:
        page = match["page"] or match["p"]
        place = Place(
            Path(match["file"]),
            int(match["line"]) if match["line"] else None,
            int(page) if page else None,
            (int(match["start"]), int(match["end"])) if match["start"] else None,
        )
    if not is_there(place.file):
        raise NoSuchPath(f"no such file: {place.file}", hint="lcrag show FILE:LINE")
    return place


def show(place: Place, quote: str | None = None) -> Shown:
    """The passage at a place of a file, as ``show_in`` has it. Raises InputError also if the file cannot be read."""
    [file] = ingest.discover([str(place.file)]).files
    try:
        document = ingest.read(file)
    except UnreadableFile as error:
        raise InputError(f"cannot read {place.file}: {error}") from error
    return show_in(document, place, quote)


def show_in(document: Document, place: Place, quote: str | None = None) -> Shown:
    """The passage at a place of a document.

    With a quote: its first occurrence from the place on, or else in the file. Without: the sentence that begins at the
    place, or the whole page. Raises InputError if the document has no such place, or lacks the quote.
    """
    start, end = _span(document, place)
    if quote is not None:
        start, end = _quoted(document, quote, start)
    elif place.page is not None:  # the whole page, nothing marked
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
        raise InputError(f"{place.file} has no text in line {place.line:,}")
    return begin, length


def _line_start(document: Document, line: int) -> int | None:
    """Where the text of a line of the file begins; None if the line has none.

    A line that the extractor joined to an earlier line counts as part of that line.
    """
    if is_spreadsheet(document):  # its lines are rows
        return None
    pairs = deque(document.lines)
    number: int | None = None
    counted = position = 0
    best: tuple[int, int] | None = None
    for text in document.text.splitlines(keepends=True):
        while pairs and pairs[0][0] <= position:
            counted, number = pairs.popleft()
        if number is not None:
            number += document.text.count("\n", counted, position)
            counted = position
        if number is not None and number <= line and text.strip() and (best is None or number > best[0]):
            best = number, position
        position += len(text)
    if best is None or (line > best[0] and len(document.lines) == 1):
        return None
    return best[1]


def _quoted(document: Document, quote: str, near: int) -> tuple[int, int]:
    text = document.text
    words = quote.split()
    if words:
        for at in (near, 0):
            span = support.find_words(words, text[at:])
            if span is not None:
                return at + span[0], at + span[1]
    raise InputError(f"{document.source} does not contain these words in a row", hint="lcrag show FILE:LINE")


def _sentence(text: str, start: int) -> tuple[int, int]:
    block = text[start : start + 10_000]
    for first, last in sentences(block):
        sentence = block[first:last]
        if sentence.strip():
            first += len(sentence) - len(sentence.lstrip())
            return start + first, start + first + len(sentence.strip())
    return start, min(len(text), start + 1)


def _around(text: str, start: int, end: int) -> tuple[int, int]:
    """AROUND lines that are not empty on both sides, each side LONGEST characters per line at most."""
    first = text.rfind("\n", 0, start) + 1
    lines = 0
    while first > 0 and lines < AROUND:
        before = text.rfind("\n", 0, first - 1) + 1
        lines += bool(text[before:first].strip())
        first = before
    last = len(text) if (newline := text.find("\n", end)) < 0 else newline
    lines = 0
    while last < len(text) and lines < AROUND:
        after = len(text) if (newline := text.find("\n", last + 1)) < 0 else newline
        lines += bool(text[last:after].strip())
        last = after
    return max(first, start - LONGEST * (AROUND + 1)), min(last, end + LONGEST * (AROUND + 1))


def surrounding_text(text: str, start: int, end: int) -> dict[str, Any]:
    """The passage that a quote stands in, cut at white space, and where in it the quote begins and ends."""
    first, last = max(0, start - NEAR), min(len(text), end + NEAR)
    while 0 < first < start and not text[first - 1].isspace():
        first += 1
    while end < last < len(text) and not text[last].isspace():
        last -= 1
    return {"text": text[first:last], "start": start - first, "end": end - first}


def page_shown(shown: Shown) -> int | None:
    """The page on which the quote begins, from 1."""
    return page_of(shown.document, shown.start)
