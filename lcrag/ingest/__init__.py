"""Paths → Documents. One small file per family of formats, imported when the first such file is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path, PurePath
from typing import Final

from lcrag.errors import InputError, UnreadableFile
from lcrag.ingest.discover import Scan, SourceFile, discover
from lcrag.ingest.extracted import Extracted
from lcrag.ingest.text import decode, first_heading
from lcrag.types import Document

__all__ = ["READABLE", "Scan", "SourceFile", "discover", "from_text", "nothing_readable", "read"]

EXTRACTORS: Final = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".pptx": "pptx",
    ".epub": "epub",
    ".ipynb": "notebook",
    ".eml": "mail",
}
"""Suffix → module of this package with ``extract(data: bytes) -> Extracted``. Everything else is read as text."""

PROSE: Final = frozenset({"", ".md", ".markdown", ".mdx", ".rst", ".text", ".txt"})

READABLE: Final = (
    "lcrag reads text, Markdown, reStructuredText, HTML, PDF, DOCX, PPTX, EPUB, CSV, JSON, notebooks, mail, code"
)


def read(file: SourceFile, data: bytes | None = None) -> Document:
    """The file as a Document; ``data``: its bytes, if the caller has them. Raises UnreadableFile with the reason."""
    try:
        data = Path(file.path).read_bytes() if data is None else data
    except OSError as error:
        raise UnreadableFile(error.strerror or str(error)) from error
    name = EXTRACTORS.get(PurePath(file.path).suffix.lower())
    if name is None:
        return from_text(decode(data), file.source)
    try:
        extracted = import_module(f"lcrag.ingest.{name}").extract(data)
    except InputError as error:
        raise UnreadableFile(str(error)) from error
    except Exception as error:
        raise UnreadableFile(f"not a readable {name} file: {type(error).__name__}: {error}".rstrip(": ")) from error
    return _document(file.source, extracted)


def from_text(text: str, source: str) -> Document:
    """Plain text, Markdown, code, tables: the text unchanged. Raises UnreadableFile when it is blank."""
    prose = PurePath(source).suffix.lower() in PROSE  # in code, "# " begins a comment
    return _document(source, Extracted(text, first_heading(text) if prose else "", (), ((0, 1),)))


def nothing_readable(paths: Iterable[str], skipped: Mapping[str, int], failed: Iterable[tuple[str, str]]) -> str:
    """The message for paths without a readable file, with the reasons.

    ``skipped``: entries left out, by reason, as in Scan; ``failed``: ``(source, reason)`` of files that cannot be read.
    """
    reasons = [f"{count} {reason.replace('_', ' ')}" for reason, count in skipped.items() if count]
    reasons += [f"{source}: {reason}" for source, reason in failed]
    detail = f" ({'; '.join(reasons)})" if reasons else ""
    return f"nothing to read in {' '.join(paths)}{detail}"


def _document(source: str, extracted: Extracted) -> Document:
    text = extracted.text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be stored: "?"
    if not text.strip():
        raise UnreadableFile("there is no text in it" + (" (scanned pages need OCR first)" if extracted.pages else ""))
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=16).hexdigest()
    title = " ".join(extracted.title.split())[:200]
    return Document(digest, source, text, extracted.pages, extracted.lines, title, extracted.cells)
