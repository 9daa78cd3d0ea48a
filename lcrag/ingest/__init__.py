"""Paths → Documents. One small file per family of formats, imported when the first such file is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path, PurePath
from shlex import quote
from typing import Final

from lcrag.errors import InputError, UnreadableFile
from lcrag.ingest.discover import Scan, SourceFile, discover
from lcrag.ingest.extracted import Extracted, squeeze
from lcrag.ingest.text import decode, first_heading
from lcrag.text.places import SHEETS
from lcrag.types import Document

__all__ = ["READABLE", "Scan", "SourceFile", "discover", "from_text", "nothing_readable", "read"]

EXTRACTORS: Final = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".epub": "epub",
    ".ipynb": "notebook",
    ".eml": "mail",
    ".mbox": "mbox",
    ".msg": "outlook",
    ".rtf": "rtf",
    **dict.fromkeys((".docx", ".docm", ".dotx", ".dotm"), "docx"),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx", ".ppsm", ".potx"), "pptx"),
    **dict.fromkeys((".odt", ".ott", ".odp", ".otp"), "odf"),
    **dict.fromkeys(SHEETS, "sheet"),
}
"""Suffix → module of this package with ``extract(data: bytes) -> Extracted``. Everything else is read as text."""

MAILBOX: Final = re.compile(rb"From [^\r\n]*\d{4}[^\r\n]*\r?\n[A-Z][\w-]*:")
"""How a mailbox begins, which often has no suffix."""

BLANK: Final = "it is blank"
"""Why a text without a word is not read. Nothing is lost with it, so no warning names it."""

PROSE: Final = frozenset({"", ".md", ".markdown", ".mdx", ".rst", ".text", ".txt"})

READABLE: Final = (
    "lcrag reads text, Markdown, reStructuredText, HTML, PDF, Word (.docx), PowerPoint (.pptx), Excel, OpenDocument, "
    "RTF, EPUB, CSV, JSON, notebooks, mail (.eml, .mbox, .msg), code"
)


def read(file: SourceFile, data: bytes | None = None) -> Document:
    """The file as a Document; ``data``: its bytes, if the caller has them. Raises UnreadableFile with the reason."""
    try:
        data = Path(file.path).read_bytes() if data is None else data
    except OSError as error:
        raise UnreadableFile(error.strerror or str(error)) from error
    suffix = PurePath(file.path).suffix.lower()
    name = EXTRACTORS.get(suffix)
    if not suffix and data.startswith(b"From ") and MAILBOX.match(data):
        name = "mbox"
    if name is None:
        return from_text(decode(data), file.source)
    try:
        extracted = import_module(f"lcrag.ingest.{name}").extract(data)
    except InputError as error:
        raise UnreadableFile(str(error)) from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in a library written in Rust is no Exception
        raise UnreadableFile(f"not a readable {name} file: {type(error).__name__}: {error}".rstrip(": ")) from error
    return document_of(file.source, extracted)


def from_text(text: str, source: str) -> Document:
    """Plain text, Markdown, code, tables: the text unchanged. Raises UnreadableFile when it is blank."""
    if not text.strip():
        raise UnreadableFile(BLANK)
    prose = PurePath(source).suffix.lower() in PROSE  # in code, "# " begins a comment
    return document_of(source, Extracted(text, first_heading(text) if prose else "", (), ((0, 1),)))


def nothing_readable(
    paths: Iterable[str], skipped: Mapping[str, Sequence[str]], failed: Iterable[tuple[str, str]]
) -> str:
    """The message for paths without a readable file, with the reasons.

    ``skipped``: as in Scan; ``failed``: ``(source, reason)`` of files that cannot be read.
    """
    reasons = [f"{len(sources)} {reason.replace('_', ' ')}" for reason, sources in skipped.items()]
    reasons += [f"{source}: {reason}" for source, reason in failed]
    detail = f" ({'; '.join(reasons)})" if reasons else ""
    return f"nothing to read in {' '.join(paths)}{detail}"


def document_of(source: str, extracted: Extracted) -> Document:
    """What was extracted as a Document. Raises UnreadableFile if there is no text."""
    encoded = extracted.text.encode("utf-8", "replace")  # a lone surrogate cannot be stored: "?"
    text = encoded.decode("utf-8")
    if not text.strip():
        raise UnreadableFile(
            "there is no text in it"
            + (
                f" (scanned pages need OCR: ocrmypdf {quote(source)} out.pdf)"
                if source.lower().endswith(".pdf")
                else ""
            )
        )
    digest = hashlib.blake2b(encoded, digest_size=16).hexdigest()
    title = squeeze(extracted.title)[:200]
    return Document(digest, source, text, extracted.pages, extracted.lines, title, extracted.cells, extracted.unread)
