"""PDF text by page, through pypdfium2 (Chromium's PDF library, Apache-2.0 / BSD-3-Clause)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from lcrag.ingest.extracted import Extracted, join_pages

HYPHEN: Final = re.compile("[\ufffe\u0002\u00ad]\\s*\n?")
"""What pdfium writes for a hyphen that is there only because the line ended."""


def extract(data: bytes) -> Extracted:
    """Raises pypdfium2.PdfiumError for a file that is not a PDF or needs a password."""
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    try:
        return join_pages(_pages(document), document.get_metadata_dict().get("Title", ""))
    finally:
        document.close()


def _pages(document: Any) -> Iterator[str]:
    for page in document:
        text = page.get_textpage()
        yield HYPHEN.sub("", text.get_text_range().replace("\r\n", "\n").replace("\r", "\n")).replace("\0", "")
        text.close()
        page.close()
