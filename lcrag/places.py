"""From an offset in a document to the line and page where a reader finds it."""

from __future__ import annotations

from bisect import bisect_right

from lcrag.types import Document


def line_of(document: Document, offset: int) -> int | None:
    """The line of the file, from 1, on which the character at ``offset`` stands; None where the file has no lines."""
    at = bisect_right(document.lines, offset, key=lambda pair: pair[0]) - 1
    if at < 0:
        return None
    begin, line = document.lines[at]
    return line + document.text.count("\n", begin, offset)


def page_of(document: Document, offset: int) -> int | None:
    """The page, from 1, on which the character at ``offset`` stands; None where the document has no pages."""
    return max(1, bisect_right(document.pages, offset)) if document.pages else None
