"""PDF text by page, through pypdfium2 (Chromium's own reader, Apache-2.0 / BSD-3-Clause)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from lcrag.ingest.extracted import Extracted, paged

HYPHEN: Final = re.compile("[\ufffe\u0002\u00ad]\\s*\n?")
"""What pdfium writes for a hyphen that only the line's end called for."""


def extract(data: bytes) -> Extracted:
    """Raises pypdfium2.PdfiumError for what is no PDF or needs a password."""
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    try:
        return paged(_pages(document), document.get_metadata_dict().get("Title", ""))
    finally:
        document.close()


def _pages(document: Any) -> Iterator[str]:
    for page in document:
        text = page.get_textpage()
        yield HYPHEN.sub("", text.get_text_range().replace("\r\n", "\n").replace("\r", "\n")).replace("\0", "")
        text.close()
        page.close()
