"""PDF text by page, through pypdfium2 (Chromium's PDF library, Apache-2.0 / BSD-3-Clause).

pdfium gives the text in the order of the file; columns that were written row by row are put in reading order here, and
what was filled into forms or noted in the margin follows the text of its page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from lcrag.errors import InputError
from lcrag.ingest.extracted import Extracted, join_pages, some
from lcrag.ingest.pdf_columns import in_columns
from lcrag.ingest.pdf_forms import fields_and_notes

SPLIT_WORD: Final = re.compile("(\\w[\\w'’-]*)[\ufffe\u0002]\\s*(\\w+)")
"""A word with a hyphen at the end of a line, for which pdfium writes U+FFFE, or U+0002 by its characters."""
SOFT_HYPHEN: Final = re.compile("\u00ad\\s*\n?")
WORD: Final = re.compile(r"\w+(?:[-'’]\w+)*")
PREFIXES: Final = frozenset({"non", "self", "well", "ill", "half", "cross", "quasi"})
"""Before a part of five letters or more they keep their hyphen: "non-refundable", but not "non-sense", below."""
TENS: Final = frozenset({"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"})
JOINED: Final = ("sense", "chalan", "descript")


def extract(data: bytes) -> Extracted:
    """Raises InputError for a file that needs a password, pypdfium2.PdfiumError for one that is not a PDF."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error):
            raise InputError("it needs a password") from error
        raise
    try:
        document.init_forms()
        pages = list(_pages(document))
        title = document.get_metadata_dict().get("Title", "")
    finally:
        document.close()
    texts = [text for text, _ in pages]
    scanned = [number for number, (_, is_image) in enumerate(pages, 1) if is_image]
    if any(map(str.strip, texts)):
        for number in scanned:
            texts[number - 1] = f"[Page {number} is a scanned image, not read: ocrmypdf in.pdf out.pdf adds its text.]"
    return replace(join_pages(join_split_words(texts), title), unread=_unread(scanned))


def _unread(scanned: list[int]) -> str:
    named = some([str(number) for number in scanned])
    pages = f"page {named} is a scanned image" if len(scanned) == 1 else f"pages {named} are scanned images"
    return f"{pages} (ocrmypdf in.pdf out.pdf adds the text)" if scanned else ""


def _pages(document: Any) -> Iterator[tuple[str, bool]]:
    """The text of each page, and whether it is an image without text."""
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    for page in document:
        words = page.get_textpage()
        text = in_columns(words) or words.get_text_range().replace("\r\n", "\n").replace("\r", "\n")
        text = "\n".join([text.replace("\0", ""), *fields_and_notes(document, page, words)])
        yield text, not text.strip() and next(page.get_objects([FPDF_PAGEOBJ_IMAGE]), None) is not None
        words.close()
        page.close()


def join_split_words(pages: list[str]) -> list[str]:
    """Pages with the words whole that a line end had split.

    A hyphen stays if the second part is not in lower case, or if the word has it elsewhere in the document, unless it
    is also written as one word there; else after a first part that has a hyphen itself ("mother-in-"), after a ten, and
    after ``PREFIXES``. All other words are joined: printers split words far more often than compounds.
    """
    if not any(mark in page for page in pages for mark in "\ufffe\u0002\u00ad"):
        return pages
    pages = [SOFT_HYPHEN.sub("", page) for page in pages]
    known = {word.lower() for page in pages for word in WORD.findall(SPLIT_WORD.sub(" ", page))}

    def whole(match: re.Match[str]) -> str:
        first, second = match.groups()
        return f"{first}-{second}" if _has_hyphen(first, second, known) else first + second

    return [re.sub("[\ufffe\u0002]", "-", SPLIT_WORD.sub(whole, page)) for page in pages]


def _has_hyphen(first: str, second: str, known: set[str]) -> bool:
    start, end = first.lower(), second.lower()
    if not second[0].islower():
        return True
    if start + end in known:
        return False
    return (
        f"{start}-{end}" in known
        or "-" in start
        or start in TENS
        or (start in PREFIXES and len(end) >= 5 and not end.startswith(JOINED))
    )
