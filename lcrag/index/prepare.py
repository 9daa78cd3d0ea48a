"""A file as what an index keeps of it: made without the index, so that other processes can make it."""

from __future__ import annotations

import hashlib
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from lcrag import ingest
from lcrag.index.blocks import pack
from lcrag.index.split import contexts, headings, split
from lcrag.text.tokens import count_many
from lcrag.types import Document


@dataclass(frozen=True, slots=True)
class IndexedText:
    """A document's chunks, in order: where each is, where it stands, its tokens, and the key of its vectors.

    ``blocks``: contexts and texts as they are stored (``lcrag.index.blocks``).
    """

    spans: list[tuple[int, int]]
    contexts: list[str]
    tokens: list[int]
    contents: list[bytes]
    blocks: list[bytes]


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """What came of reading a file: its document and pieces, or neither because its bytes are known, or ``failed``."""

    digest: bytes = b""
    document: Document | None = None
    pieces: IndexedText | None = None
    failed: str = ""


def parse(file: ingest.SourceFile, known: Container[bytes] = ()) -> ParsedFile:
    """The file, read no further than needed: one whose digest is ``known`` is not parsed."""
    try:
        digest = _digest(file.path)
        if digest in known:
            return ParsedFile(digest)
        document = ingest.read(file)
    except (ingest.UnreadableFile, OSError) as error:
        return ParsedFile(failed=(error.strerror if isinstance(error, OSError) else None) or str(error))
    return ParsedFile(digest, document, pieces(document))


def pieces(document: Document) -> IndexedText:
    found = headings(document)
    spans = split(document, found)
    lines = contexts(document, spans, found)
    texts = [document.text[start:end] for start, end in spans]
    contents = [content(line, text) for line, text in zip(lines, texts, strict=True)]
    return IndexedText(spans, lines, count_many(texts), contents, pack(lines, texts))


def content(context: str, text: str) -> bytes:
    """The key of a chunk's vectors: a hash of what an embedder sees of it."""
    return hashlib.blake2b(f"{context}\0{text.strip()}".encode(), digest_size=16).digest()


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
