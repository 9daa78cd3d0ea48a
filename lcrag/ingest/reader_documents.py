"""Documents of llama-index's readers, as lcrag reads files: one for each source, its pages in order.

A reader often gives a document a page, or several a file. Nothing of llama-index is imported for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Any, Final

from lcrag.errors import NoReadableDocument
from lcrag.ingest import EXTRACTORS, document_of
from lcrag.ingest.extracted import Extracted, join_pages
from lcrag.types import Document

SOURCES: Final = ("file_path", "source", "url", "URL", "file_name", "filename")
"""Where readers say what they have read; the first that is there counts, else the document's id."""
TITLES: Final = ("title", "document_title")
PAGE: Final = "page_label"


def from_reader(documents: Iterable[Any]) -> list[Document]:
    """lcrag's documents of those of a reader; ones that are lcrag's already stay as they are.

    A page counts from 1 within its file. Lines are those of the file where the reader gave it whole, as text.
    Raises NoReadableDocument if none of them has text.
    """
    own: list[Document] = []
    by_source: dict[str, list[Any]] = {}
    for document in documents:
        if isinstance(document, Document):
            own.append(document)
        elif document.text.strip() or PAGE in document.metadata:
            by_source.setdefault(_source(document), []).append(document)
    for source, parts in by_source.items():
        if any(part.text.strip() for part in parts):
            own.append(document_of(source, _joined(source, parts)))
    if not own:
        raise NoReadableDocument("none of the documents has text")
    return own


def _source(document: Any) -> str:
    named = (document.metadata.get(key) for key in SOURCES)
    return str(next(filter(None, named), document.doc_id))


def _joined(source: str, parts: list[Any]) -> Extracted:
    title = str(next(filter(None, (parts[0].metadata.get(key) for key in TITLES)), ""))
    texts = [part.text for part in parts]
    if PAGE in parts[0].metadata:
        return join_pages(texts, title)
    if len(texts) == 1 and PurePath(source).suffix.lower() not in EXTRACTORS:
        return Extracted(texts[0], title, lines=((0, 1),))
    return Extracted("\n\n".join(text.strip() for text in texts) + "\n", title)
