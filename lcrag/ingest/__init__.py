"""Paths → Documents. One small file per family of formats; each is imported when the first such file is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import PurePath
from typing import Final

from lcrag.errors import InputError
from lcrag.ingest.discover import Scan, SourceFile, discover
from lcrag.ingest.extracted import Extracted
from lcrag.ingest.text import decoded, heading_of
from lcrag.types import Document

__all__ = ["Scan", "SourceFile", "UnreadableFile", "discover", "from_text", "read"]

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
"""Suffix → module of this package with ``extract(data: bytes) -> Extracted``. Everything else is text as it stands."""


PROSE: Final = frozenset({"", ".md", ".markdown", ".mdx", ".rst", ".text", ".txt"})


class UnreadableFile(InputError):
    """One file that cannot be read; the others can. The message is the reason, without the file's name."""


def read(file: SourceFile) -> Document:
    """The file as a Document. Raises UnreadableFile with the reason."""
    try:
        data = file.path.read_bytes()
    except OSError as error:
        raise UnreadableFile(error.strerror or str(error)) from error
    name = EXTRACTORS.get(file.path.suffix.lower())
    if name is None:
        return from_text(decoded(data), file.source)
    try:
        extracted = import_module(f"lcrag.ingest.{name}").extract(data)
    except InputError as error:
        raise UnreadableFile(str(error)) from error
    except Exception as error:
        raise UnreadableFile(f"not a readable {name} file: {type(error).__name__}: {error}".rstrip(": ")) from error
    return _document(file.source, extracted)


def from_text(text: str, source: str) -> Document:
    """Plain text, Markdown, code, tables: kept as it stands. Raises UnreadableFile when there is nothing in it."""
    prose = PurePath(source).suffix.lower() in PROSE  # in code, "# " begins a comment
    return _document(source, Extracted(text, heading_of(text) if prose else "", (), ((0, 1),)))


def _document(source: str, found: Extracted) -> Document:
    text = found.text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be stored: "?" stands for it
    if not text.strip():
        raise UnreadableFile("there is no text in it" + (" (scanned pages need OCR first)" if found.pages else ""))
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=16).hexdigest()
    title = " ".join(found.title.split())[:200]
    return Document(digest, source, text, found.pages, found.lines, title, found.cells)


READABLE = "lcrag reads text, Markdown, reStructuredText, HTML, PDF, DOCX, PPTX, EPUB, CSV, JSON, notebooks, mail, code"


def nothing_readable(paths: Sequence[str], skipped: Mapping[str, int], failed: Sequence[tuple[str, str]]) -> str:
    """The message when these paths hold nothing that can be read, with what was skipped or failed."""
    reasons = [f"{count} {reason.replace('_', ' ')}" for reason, count in skipped.items() if count]
    reasons += [f"{source}: {reason}" for source, reason in failed]
    detail = f" ({'; '.join(reasons)})" if reasons else ""
    return f"nothing to read in {' '.join(paths)}{detail}"
