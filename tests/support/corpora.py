"""Small corpora for tests, and all that an index holds in a form that two indexes can be compared by."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from lcrag.index import store
from lcrag.index.corpus import Corpus, Refreshed
from lcrag.index.external import ExternalEngine
from lcrag.index.milvus import MilvusStore
from lcrag.index.postgres import PostgresStore
from lcrag.index.postgres_words import POSTING, SEGMENT
from lcrag.ingest import Scan, discover, from_text
from lcrag.types import Document, ignore

CLOCK = count(1_700_000_000_000_000_000, 1_000_000_000)
PROSE = "The harbour of Ostrava opened in 1931 with two quays. Eight ships came in its first week. "


def write(path: Path, text: str | bytes) -> None:
    """Write a file at a time of its own: two writes within one tick of the system's clock look alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    touch(path)


def touch(path: Path) -> None:
    now = next(CLOCK)
    os.utime(path, ns=(now, now))


def write_many_docs(folder: Path, number: int) -> Path:
    """Those of ``write_docs``, so many more, a copy of one, and a file that cannot be read."""
    write_docs(folder)
    for part in range(number):
        write(folder / f"{part:02}.md", f"# Part {part}\n\n" + f"Boat {part} lands herring. " * 80)
    write(folder / "copy.md", (folder / "03.md").read_bytes())
    write(folder / "empty.docx", b"PK no archive")
    return folder


def refreshed(corpus: Corpus, docs: Path, *extra: Document) -> Refreshed:
    return corpus.refresh(discover([docs]), ignore, extra)


def content(corpus: Corpus) -> dict[str, Any]:
    """All that an index holds but for row numbers, down to the postings of its lexical index."""
    chunks = list(corpus.chunks())
    ids = [chunk.id for chunk in chunks]
    assert ids == corpus.chunk_ids()
    found = corpus.lexical("harbour ship week", 999)
    if isinstance(corpus._engine, ExternalEngine) and isinstance(corpus._engine._store, MilvusStore):
        found = [(chunk, 0.0) for chunk, _ in found]  # Lite's depend on what was written together
    place = {chunk.id: (chunk.source, chunk.start) for chunk in chunks}
    postings = sorted((place[chunk], *posting) for chunk, *posting in _postings(corpus))
    documents = [corpus.document(name) for name, _, _ in corpus.documents()]
    for document in documents:
        assert document.text == "".join(chunk.text for chunk in chunks if chunk.document_id == document.id)
    return {
        "size": corpus.size,
        "documents": documents,
        "tokens": list(corpus.documents()),
        "chunks": [(c.document_id, c.source, c.start, c.end, c.text, c.tokens) for c in chunks],
        "contexts": [chunk.context for chunk in corpus.get(ids)],
        "postings": postings,
        "scores": sorted((place[chunk], round(score, 9)) for chunk, score in found),
        "failed": corpus.status().failed,
        "duplicates": corpus.status().duplicates,
    }


def _postings(corpus: Corpus) -> list[tuple[Any, ...]]:
    """What the engine knows of each chunk's words; the chunk comes first."""
    if isinstance(corpus._engine, ExternalEngine):
        inner = corpus._engine._store
        if isinstance(inner, MilvusStore):
            rows = inner._milvus.ask("query", inner._words, filter="id > 0", output_fields=["id", "words"])
            return [(row["id"], row["words"]) for row in rows]
        assert isinstance(inner, PostgresStore)
        return [
            (segment * SEGMENT + chunk, stem, weight)
            for stem, segment, postings in inner._database.rows("SELECT stem, segment, postings FROM words")
            for chunk, weight in np.frombuffer(postings, POSTING).tolist()
        ]
    with closing(sqlite3.connect(corpus.folder / store.FILE)) as db:
        db.execute("CREATE VIRTUAL TABLE temp.instances USING fts5vocab(main, lexical, instance)")
        return db.execute("SELECT doc, term, col, offset FROM instances").fetchall()


def write_docs(folder: Path) -> Path:
    """Three documents: one with sections, two without."""
    cranes = "".join(f"Crane {number} lifts ten tons. " for number in range(40))
    write(folder / "a.md", f"# Harbour\n\n{PROSE * 3}\n\n## Cranes\n\n{cranes}")
    write(folder / "b.txt", "".join(f"Maria's lighthouse {n} was built in 1870. " for n in range(30)))
    write(folder / "c.txt", "Tolls are paid at the gate. " * 5)
    return folder


def matches(corpus: Corpus, question: str) -> list[str]:
    return [chunk.text for chunk in corpus.get([chunk for chunk, _ in corpus.lexical(question, 10)])]


def index(corpus: Corpus, *texts: str) -> None:
    scan = Scan((), {})
    corpus.refresh(scan, ignore, [from_text(text, f"<{number:02}>") for number, text in enumerate(texts)])
