"""One file as the index stores it: prepared without the index, so that other processes can do it."""

from __future__ import annotations

import hashlib
from collections.abc import Container
from dataclasses import dataclass

from lcrag import ingest
from lcrag.errors import UnreadableFile
from lcrag.index.blocks import pack
from lcrag.index.split import contexts, headings, split
from lcrag.text.tokens import count_many
from lcrag.types import Document


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
    """The result of reading a file: a document and its chunks; neither if its bytes are known; or ``failed``, why."""

    digest: bytes = b""
    document: Document | None = None
    indexed: IndexedText | None = None
    failed: str = ""


def parse(file: ingest.SourceFile, known: Container[bytes] = ()) -> ParsedFile:
    """Read a file; one whose digest is ``known`` is not parsed."""
    try:
        with open(file.path, "rb") as opened:
            digest = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).digest()
        if digest in known:
            return ParsedFile(digest)
        document = ingest.read(file)
    except (UnreadableFile, OSError) as error:
        return ParsedFile(failed=(error.strerror if isinstance(error, OSError) else None) or str(error))
    return ParsedFile(digest, document, index_text(document))


def index_text(document: Document) -> IndexedText:
    """Split a document and count its tokens."""
    above = headings(document)
    spans = split(document, above)
    lines = contexts(document, spans, above)
    texts = [document.text[start:end] for start, end in spans]
    contents = [content_key(line, text) for line, text in zip(lines, texts, strict=True)]
    return IndexedText(spans, lines, count_many(texts), contents, pack(lines, texts))


def content_key(context: str, text: str) -> bytes:
    """The key of a chunk's vectors: a hash of what an embedder sees of it."""
    return hashlib.blake2b(f"{context}\0{text.strip()}".encode(), digest_size=16).digest()
