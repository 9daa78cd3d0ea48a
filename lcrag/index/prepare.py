"""One file as the index stores it: prepared without the index, so that other processes can do it."""

from __future__ import annotations

import hashlib
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lcrag import ingest
from lcrag.errors import NotAvailable, UnreadableFile
from lcrag.index.blocks import pack
from lcrag.index.split import contexts, sections, split
from lcrag.ingest.extracted import squeeze
from lcrag.text.tokens import count_many
from lcrag.types import Document

LONGEST_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class IndexedText:
    """A document's chunks, in order: span in characters, context line, tokens, and key of the vectors of each.

    ``blocks``: contexts and texts as they are stored (``lcrag.index.blocks``).
    """

    spans: list[tuple[int, int]]
    contexts: list[str]
    tokens: list[int]
    contents: list[bytes]
    blocks: list[bytes]


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """The result of reading a file: a document and its chunks; neither if its bytes are known; or ``failed``, why.

    A failure without a ``digest`` is not that of the content: the file is read again the next time.
    """

    digest: bytes = b""
    document: Document | None = None
    indexed: IndexedText | None = None
    failed: str = ""


def parse(file: ingest.SourceFile, known: Container[bytes] = ()) -> ParsedFile:
    """Read a file; one whose digest is ``known`` is not parsed. The bytes that are hashed are those that are parsed.

    Whatever goes wrong is this file's failure, a panic in a library too.
    """
    digest = b""
    try:
        data = Path(file.path).read_bytes()
        digest = digest_of(data)
        if digest in known:
            return ParsedFile(digest)
        document = ingest.read(file, data)
        return ParsedFile(digest, document, index_text(document))
    except (KeyboardInterrupt, SystemExit, NotAvailable):
        raise
    except BaseException as error:  # noqa: BLE001  a panic in Rust is no Exception
        return ParsedFile(digest if _is_of_content(error) else b"", failed=_reason(error))


def digest_of(data: bytes) -> bytes:
    """The key of a file's bytes, or of other bytes."""
    return hashlib.blake2b(data, digest_size=16).digest()


def _is_of_content(error: BaseException | None) -> bool:
    """Whether reading the same bytes again would fail again: no package is missing, and the system refused nothing."""
    while error is not None:
        if isinstance(error, ImportError) or (isinstance(error, OSError) and error.errno is not None):
            return False
        error = error.__cause__
    return True


def _reason(error: BaseException) -> str:
    """On one line of ``LONGEST_REASON`` characters at most, whatever a library puts into its message."""
    return squeeze(_message(error))[:LONGEST_REASON]


def _message(error: BaseException) -> str:
    if isinstance(error.__cause__ or error, MemoryError):
        return "reading it takes too much memory"
    if isinstance(error, UnreadableFile):
        return str(error)
    return (error.strerror if isinstance(error, OSError) else None) or f"{type(error).__name__}: {error}".rstrip(": ")


def index_text(document: Document) -> IndexedText:
    """Split a document and count its tokens."""
    above = sections(document)
    spans = split(document, above)
    lines = contexts(document, spans, above)
    texts = [document.text[start:end] for start, end in spans]
    contents = [content_key(line, text) for line, text in zip(lines, texts, strict=True)]
    return IndexedText(spans, lines, count_many(texts), contents, pack(lines, texts))


def content_key(context: str, text: str) -> bytes:
    """The key of a chunk's vectors: a hash of what an embedder sees of it."""
    return digest_of(f"{context}\0{text.strip()}".encode())
