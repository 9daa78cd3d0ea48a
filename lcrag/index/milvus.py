"""Chunks in Milvus, be it Lite, Standalone or Distributed: words by its BM25 function, vectors by HNSW.

Milvus has no transactions. So the catalogue stays in SQLite, and what Milvus holds counts only where the catalogue has
it: rows are written before the transaction of a refresh commits, under ids that only the committed catalogue knows, and
those that it removed are deleted after it (table ``dropped``), by the next process if this one is killed in between.

Words are stored as stems, as ASCII: then every Milvus takes a text apart alike (Lite has one tokenizer and no stemmer,
the others take Chinese apart), and as the rest of lcrag does. pymilvus and not llama-index's MilvusVectorStore, which
stores its own nodes with the texts a second time, gives no frequencies of words, and cannot be told when to delete.

Milvus Lite 3.2 lets one process open its file, and its BM25 knows the frequencies of words in a segment only: scores
and ranks differ a little from those over all chunks.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lcrag.errors import Damaged
from lcrag.index.milvus_client import MOST_WORDS, Milvus
from lcrag.text import words
from lcrag.types import Term

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lcrag.index.engine import Row

T = TypeVar("T")

MOST_HITS: Final = 16_384
"""Milvus' own limit for the hits of a search."""
BATCH: Final = 1000
"""Rows of a request; a gRPC message may have 64 MB."""
EXACT_FROM: Final = 64
"""Neighbours that HNSW looks through at least, as many as it returns otherwise."""


class MilvusEngine:
    """What the catalogue in ``folder`` has, in the Milvus at ``uri``: http://HOST:19530, or a file of Milvus Lite."""

    schema = """CREATE TABLE IF NOT EXISTS dropped (number INTEGER PRIMARY KEY AUTOINCREMENT, chunk INTEGER NOT NULL,
        content BLOB)"""

    def __init__(self, uri: str, folder: Path) -> None:
        self._uri = uri
        self.form = f", Milvus at {uri}"
        place = f"{platform.node()} {folder.absolute()}"
        self._words = f"lcrag_{hashlib.blake2b(place.encode('utf-8', 'replace'), digest_size=8).hexdigest()}"

    def begin(self, db: sqlite3.Connection, *, is_new: bool) -> None:
        there = self._milvus.ask("has_collection", self._words)
        if not is_new and not there:
            raise Damaged(f"Milvus at {self._uri} has lost the index", hint="try again: it will be rebuilt")
        if is_new:
            self.clear()
            self._milvus.create_words(self._words)

    def clear(self) -> None:
        """Remove everything that belongs to this index."""
        for name in [self._words, *self._vectors()]:
            self._milvus.ask("drop_collection", name)

    def add(self, db: sqlite3.Connection, rows: Iterable[Row]) -> None:
        stored = ({"id": chunk, "words": _stored(f"{source}\n{line}\n{text}")} for chunk, source, line, text in rows)
        for batch in _batched(stored, BATCH):
            self._milvus.ask("upsert", self._words, batch)

    def remove(self, db: sqlite3.Connection, rows: Iterable[Row]) -> None:
        ids = json.dumps([row[0] for row in rows])
        db.execute(
            "INSERT INTO dropped (chunk, content)"
            " SELECT value, content FROM json_each(?) JOIN chunks ON chunks.id = value",
            (ids,),
        )

    def settle(self, db: sqlite3.Connection) -> None:
        [(last,)] = db.execute("SELECT max(number) FROM dropped")
        if last is None:
            return
        gone = "FROM dropped WHERE number <= ? AND"
        chunks = db.execute(f"SELECT DISTINCT chunk {gone} chunk NOT IN (SELECT id FROM chunks)", (last,)).fetchall()
        for batch in _batched((chunk for (chunk,) in chunks), BATCH):
            self._milvus.ask("delete", self._words, ids=batch)
        contents = db.execute(
            f"SELECT DISTINCT hex(content) {gone} content NOT IN (SELECT content FROM chunks)", (last,)
        ).fetchall()
        for name in self._vectors():
            for batch in _batched((content for (content,) in contents), BATCH):
                self._milvus.ask("delete", name, ids=batch)
        db.execute("DELETE FROM dropped WHERE number <= ?", (last,))

    def search(self, db: sqlite3.Connection, question: str, limit: int) -> list[tuple[int, float]]:
        last = _last(db)
        stems = _stems(question)
        if not stems or not last:
            return []
        [hits] = self._milvus.ask(
            "search",
            self._words,
            data=[" ".join(stems.values())],
            anns_field="sparse",
            filter=f"id <= {last}",
            limit=min(limit, MOST_HITS),
            search_params={"metric_type": "BM25"},
        )
        scores = {int(hit["id"]): abs(float(hit["distance"])) for hit in hits}  # Lite gives them with a minus
        here = db.execute(
            "SELECT chunks.id FROM chunks JOIN json_each(?) ON chunks.id = value", (json.dumps(list(scores)),)
        )
        return sorted(((chunk, scores[chunk]) for (chunk,) in here), key=lambda hit: (-hit[1], hit[0]))

    def terms(self, db: sqlite3.Connection, question: str, size: int) -> tuple[Term, ...]:
        here = f"id <= {_last(db)} and"
        stems = _stems(question).items()
        counts = {stem: self._milvus.rows(self._words, f"{here} text_match(words, '{word}')") for stem, word in stems}
        return tuple(
            Term(stem, count, math.log(1 + (size - count + 0.5) / (count + 0.5))) for stem, count in counts.items()
        )

    def read(
        self, db: sqlite3.Connection, ids: Sequence[int], embedder: str
    ) -> tuple[list[int], npt.NDArray[np.float32]]:
        import numpy as np

        contents = _contents(db, ids)
        found = self._get(embedder, contents.values(), "vector")
        known = [chunk for chunk in ids if contents.get(chunk) in found]
        if not known:
            return [], np.empty((0, 0), dtype=np.float32)
        return known, np.array([found[contents[chunk]]["vector"] for chunk in known], np.float32)

    def missing(self, db: sqlite3.Connection, ids: Sequence[int], embedder: str) -> list[int]:
        contents = _contents(db, ids)
        found = self._get(embedder, contents.values(), "content")
        return [chunk for chunk in ids if contents.get(chunk) not in found]

    def count(self, db: sqlite3.Connection) -> dict[str, int]:
        there = self._vectors()
        names = [(name, self._vectors_of(name)) for (name,) in db.execute("SELECT name FROM embedders")]
        return {name: self._milvus.rows(collection) for name, collection in names if collection in there}

    def store(
        self, db: sqlite3.Connection, ids: Sequence[int], embedder: str, vectors: npt.NDArray[np.float32]
    ) -> None:
        contents = _contents(db, ids)
        rounded = vectors.astype("<f2").astype("<f4")  # as SQLite stores them, so that both rank alike
        rows = {
            contents[chunk]: {"content": contents[chunk], "vector": row}
            for chunk, row in zip(ids, rounded, strict=True)
            if chunk in contents
        }
        name = self._vectors_of(embedder)
        if not self._milvus.ask("has_collection", name):
            self._milvus.create_vectors(name, rounded.shape[1])
        db.execute("INSERT OR IGNORE INTO embedders (name) VALUES (?)", (embedder,))
        for batch in _batched(rows.values(), BATCH):
            self._milvus.ask("upsert", name, batch)

    def cosines(
        self,
        db: sqlite3.Connection,
        index: Path,
        generation: str,
        query: npt.NDArray[np.float32],
        embedder: str,
        ids: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.float64]:
        """The nearest ``MOST_HITS`` have their own; of more, the others that of the last of these."""
        import numpy as np

        products = np.full(len(ids), np.nan)
        name = self._vectors_of(embedder)
        if not len(ids) or not self._milvus.ask("has_collection", name):
            return products
        limit = min(max(self._milvus.rows(name), 1), MOST_HITS)
        [hits] = self._milvus.ask(
            "search",
            name,
            data=[query],
            anns_field="vector",
            limit=limit,
            search_params={"metric_type": "IP", "params": {"ef": max(limit, EXACT_FROM)}},
        )
        near = {str(hit["content"]): float(hit["distance"]) for hit in hits}
        contents = _contents(db, ids.tolist())
        products[:] = [near.get(contents.get(chunk, ""), np.nan) for chunk in ids.tolist()]
        if len(hits) == MOST_HITS:
            far = ids[np.isnan(products)].tolist()
            absent = set(self.missing(db, far, embedder))
            isfar = np.isin(ids, [chunk for chunk in far if chunk not in absent])
            products[isfar] = min(near.values())
        return products

    @cached_property
    def _milvus(self) -> Milvus:
        return Milvus(self._uri)

    def _vectors(self) -> list[str]:
        """The collections of vectors, one an embedder."""
        return [name for name in self._milvus.ask("list_collections") if name.startswith(f"{self._words}_")]

    def _vectors_of(self, embedder: str) -> str:
        return f"{self._words}_{hashlib.blake2b(embedder.encode(), digest_size=4).hexdigest()}"

    def _get(self, embedder: str, contents: Iterable[str], field: str) -> dict[str, dict[str, Any]]:
        """By content, the rows that are there."""
        name = self._vectors_of(embedder)
        if not self._milvus.ask("has_collection", name):
            return {}
        rows = (
            self._milvus.ask("get", name, ids=batch, output_fields=["content", field])
            for batch in _batched(dict.fromkeys(contents), BATCH)
        )
        return {row["content"]: row for row in chain.from_iterable(rows)}


def _batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(values)
    while batch := list(islice(left, size)):
        yield batch


def _last(db: sqlite3.Connection) -> int:
    """The last chunk of the catalogue, or of its snapshot: what Milvus has after it is of an unfinished refresh."""
    [(last,)] = db.execute("SELECT ifnull(max(id), 0) FROM chunks")
    return int(last)


def _contents(db: sqlite3.Connection, ids: Iterable[int]) -> dict[int, str]:
    """The key of each chunk's vectors."""
    rows = db.execute(
        "SELECT chunks.id, hex(content) FROM chunks JOIN json_each(?) ON chunks.id = value", (json.dumps(list(ids)),)
    )
    return dict(rows.fetchall())


def _stems(question: str) -> dict[str, str]:
    """The question's stems, each as it is stored."""
    return {stem: _ascii(stem) for stem in words.stems(question)}


def _stored(text: str) -> str:
    return " ".join(map(_ascii, words.stems(text)))[:MOST_WORDS]


def _ascii(stem: str) -> str:
    return stem if stem.isascii() else f"u{stem.encode().hex()}"
