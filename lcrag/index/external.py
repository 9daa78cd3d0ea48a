"""Chunks in a store outside of the catalogue's file: what Milvus and PostgreSQL, each a file of its own, share.

No transaction spans SQLite and a store. So the catalogue decides, and what the store holds counts only where the
catalogue has it: rows are written before the transaction of a refresh commits, under ids that only the committed
catalogue knows, and those that it removed are deleted after it (table ``dropped``), by the next process if this one is
killed in between.

A store gets stems in ASCII letters and no text: then every store takes a text apart alike, and as the rest of lcrag
does, whatever its tokenizers and encodings are.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from lcrag.errors import Damaged
from lcrag.index.chunk_store import Ranges, Store
from lcrag.index.engine import Asked, Engine, Row
from lcrag.index.fulltext import MAX_PHRASES, MAX_POSTINGS
from lcrag.index.selection import is_selected, ranges
from lcrag.text import words
from lcrag.types import Term

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lcrag.index.vectors import Floats, Ids

T = TypeVar("T")
LAYOUT: Final = "2"
"""Of what the stores have; an index with another one is rebuilt."""
SAMPLED: Final = 1000
"""Chunks by which the mean of those far away is found. Assumed, not measured."""
MOST_LETTERS: Final = 512
"""Of a stem; more are cut off. PostgreSQL takes 2,046."""


class ExternalEngine(Engine):
    """What the catalogue has, in a store. The catalogue knows which contents have a vector there."""

    schema = """CREATE TABLE IF NOT EXISTS dropped (number INTEGER PRIMARY KEY AUTOINCREMENT, chunk INTEGER NOT NULL,
        content BLOB)"""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.form = f", {store.name} ({LAYOUT})"
        self._counted: tuple[str, dict[str, int]] = ("", {})

    def begin(self, db: sqlite3.Connection, *, is_new: bool) -> None:
        if not is_new and not self._store.exists():
            raise Damaged(f"{self._store.name} has lost the index", hint="try again: it will be rebuilt")
        if is_new:
            self.clear()
            self._store.create()
            db.execute("DELETE FROM vectors")

    def clear(self) -> None:
        self._store.clear()

    def close(self) -> None:
        self._store.close()

    def add(self, db: sqlite3.Connection, rows: Iterable[Row]) -> None:
        stored = ((chunk, _stored(f"{source}\n{line}\n{text}")) for chunk, source, line, text in rows)
        for batch in self._batched(stored):
            self._store.add_words(batch)

    def remove(self, db: sqlite3.Connection, rows: Iterable[Row]) -> None:
        ids = json.dumps([row[0] for row in rows])
        db.execute(
            "INSERT INTO dropped (chunk, content)"
            " SELECT value, content FROM json_each(?) JOIN chunks ON chunks.id = value",
            (ids,),
        )

    def settle(self, db: sqlite3.Connection) -> None:
        """What is dropped is not in the catalogue, and nobody brings it back meanwhile."""
        if db.execute("SELECT 1 FROM dropped LIMIT 1").fetchone():
            with db:
                db.execute("BEGIN IMMEDIATE")
                self._drop(db)
        self._store.settle()

    def _drop(self, db: sqlite3.Connection) -> None:
        gone = "FROM dropped WHERE"
        chunks = db.execute(f"SELECT DISTINCT chunk {gone} chunk NOT IN (SELECT id FROM chunks) ORDER BY chunk")
        for batch in self._batched(chunk for (chunk,) in chunks):
            self._store.remove_words(batch)
        contents = db.execute(f"SELECT DISTINCT hex(content) {gone} content NOT IN (SELECT content FROM chunks)")
        for batch in self._batched(content for (content,) in contents):
            self._store.remove_vectors(batch)
        db.execute("DELETE FROM dropped")

    def search(self, db: sqlite3.Connection, question: str, limit: int) -> list[tuple[int, float]]:
        chunks, size = _chunks(db)
        counts = {stem: count for stem, count in self._counts(db, _stems(question).values()).items() if count}
        scores = self._store.search(_rare(counts), chunks, size, limit) if counts else {}
        here = db.execute(
            "SELECT chunks.id FROM chunks JOIN json_each(?) ON chunks.id = value", (json.dumps(list(scores)),)
        )
        return sorted(((chunk, scores[chunk]) for (chunk,) in here), key=lambda hit: (-hit[1], hit[0]))

    def terms(self, db: sqlite3.Connection, question: str, size: int) -> tuple[Term, ...]:
        stems = _stems(question)
        counts = self._counts(db, stems.values())
        return tuple(Term(stem, counts[stored], idf(counts[stored], size)) for stem, stored in stems.items())

    def _counts(self, db: sqlite3.Connection, stems: Iterable[str]) -> dict[str, int]:
        """In how many chunks each stem is. A question is asked for them twice, so the last ones are kept."""
        chunks, _ = _chunks(db)
        now = f"{_meta(db, 'generation')} {chunks}"
        then, known = self._counted
        wanted = list(stems)
        if now != then or not known.keys() >= set(wanted):
            known = self._store.counts(wanted, chunks) if wanted and chunks else dict.fromkeys(wanted, 0)
            self._counted = (now, known)
        return {stem: known[stem] for stem in wanted}

    def read(self, db: sqlite3.Connection, ids: Sequence[int], embedder: str) -> tuple[list[int], Floats]:
        import numpy as np

        contents = _contents(db, ids)
        found: dict[str, Floats] = {}
        for batch in self._batched(dict.fromkeys(contents.values())):
            found |= self._store.vectors(_key(embedder), batch)
        known = [chunk for chunk in ids if contents.get(chunk) in found]
        if not known:
            return [], np.empty((0, 0), dtype=np.float32)
        return known, np.array([found[contents[chunk]] for chunk in known], np.float32)

    def store(self, db: sqlite3.Connection, ids: Sequence[int], embedder: str, vectors: Floats) -> None:
        contents = _contents(db, ids)
        rounded = vectors.astype("<f2").astype("<f4")  # as SQLite stores them, so that both rank alike
        rows = {contents[chunk]: row for chunk, row in zip(ids, rounded, strict=True) if chunk in contents}
        for batch in self._batched(rows.items()):
            self._store.add_vectors(_key(embedder), dict(batch))
        super().store(db, ids, embedder, rounded[:, :0])

    def cosines(self, db: sqlite3.Connection, asked: Asked) -> npt.NDArray[np.float64]:
        """The nearest and the candidates have their own. Where the store has more than it can return, the others have
        the mean of some of them: that of the last of the nearest would lift each of them above what matches."""
        import numpy as np

        ids, embedder = asked.ids, asked.embedder
        products = np.full(len(ids), np.nan)
        [(stored,)] = db.execute(
            "SELECT count(*) FROM embedders JOIN vectors ON embedder = id WHERE name = ?", (embedder,)
        )
        if not stored or not len(ids):
            return products
        near = self._store.nearest(_key(embedder), asked.query)
        found = {
            chunk: product
            for content, product in near.items()
            for (chunk,) in db.execute("SELECT id FROM chunks WHERE content = ?", (bytes.fromhex(content),))
        }
        if len(near) < stored:
            is_far = ~np.isin(ids, list(found))
            contained = int(_meta(db, "chunks"))
            if stored < contained:  # copies of a chunk, or chunks without a vector
                [(contained,)] = db.execute("SELECT count(DISTINCT content) FROM chunks")
            if stored < contained:
                is_far &= ~np.isin(ids, _without(db, embedder))
            far = ids[is_far]
            some = np.random.default_rng(0).choice(far, min(len(far), SAMPLED), replace=False)
            exact = asked.candidates[~np.isin(asked.candidates, list(found))]
            own = self._products(db, asked.query, embedder, np.union1d(some, exact))
            sampled = [own[chunk] for chunk in some.tolist() if chunk in own]
            products[is_far] = np.mean(sampled) if sampled else np.nan
            found |= own
        by_id = np.argsort(ids, kind="stable")
        chunks = np.array(list(found), np.int64)
        at = by_id[np.searchsorted(ids, chunks, sorter=by_id).clip(max=len(ids) - 1)]
        here = ids[at] == chunks
        products[at[here]] = np.array(list(found.values()))[here]
        return products

    def _products(self, db: sqlite3.Connection, query: Floats, embedder: str, ids: Ids) -> dict[int, float]:
        """By chunk, as far as it has a vector."""
        contents = _contents(db, ids.tolist())
        own: dict[str, float] = {}
        for batch in self._batched(dict.fromkeys(contents.values())):
            own |= self._store.products(_key(embedder), query, batch)
        return {chunk: own[content] for chunk, content in contents.items() if content in own}

    def _batched(self, values: Iterable[T]) -> Iterator[list[T]]:
        """As many at once as a request may have."""
        left = iter(values)
        while batch := list(islice(left, self._store.most_rows)):
            yield batch


def name_of(folder: Path) -> str:
    """What the index in ``folder`` of this machine is called in a store."""
    place = f"{platform.node()} {folder.absolute()}"
    return f"lcrag_{hashlib.blake2b(place.encode('utf-8', 'replace'), digest_size=8).hexdigest()}"


def idf(count: int, size: int) -> float:
    """Of a stem in ``count`` of ``size`` chunks: ln(1 + (N - df + 0.5) / (df + 0.5))."""
    return math.log(1 + (max(size - count, 0) + 0.5) / (count + 0.5))


def _rare(counts: Mapping[str, int]) -> dict[str, int]:
    """Without the frequent stems, as ``fulltext`` leaves them out."""
    rare: dict[str, int] = {}
    for stem, count in sorted(counts.items(), key=lambda item: item[1])[:MAX_PHRASES]:
        if rare and sum(rare.values()) + count > MAX_POSTINGS:
            break
        rare[stem] = count
    return rare


def _key(embedder: str) -> str:
    return hashlib.blake2b(embedder.encode(), digest_size=4).hexdigest()


def _chunks(db: sqlite3.Connection) -> tuple[Ranges, int]:
    """The chunks of the catalogue, or of its snapshot, or those chosen of it, and their number.

    What a store has after the last is of an unfinished refresh; what it has in between and is not here is yet to be
    dropped.
    """
    if is_selected(db):
        chosen = ranges(db)
        return chosen, sum(last - first + 1 for first, last in chosen)
    [(last,)] = db.execute("SELECT ifnull(max(id), 0) FROM chunks")
    return [(1, last)] if last else [], int(_meta(db, "chunks") or 0)


def _meta(db: sqlite3.Connection, name: str) -> str:
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def _contents(db: sqlite3.Connection, ids: Iterable[int]) -> dict[int, str]:
    """The key of each chunk's vectors."""
    rows = db.execute(
        "SELECT chunks.id, hex(content) FROM chunks JOIN json_each(?) ON chunks.id = value", (json.dumps(list(ids)),)
    )
    return dict(rows.fetchall())


def _without(db: sqlite3.Connection, embedder: str) -> list[int]:
    """The chunks that have no vector; a million are looked through in a second."""
    rows = db.execute(
        "SELECT id FROM chunks WHERE NOT EXISTS (SELECT 1 FROM vectors WHERE vectors.content = chunks.content"
        " AND embedder = (SELECT id FROM embedders WHERE name = ?))",
        (embedder,),
    )
    return [chunk for (chunk,) in rows]


def _stems(question: str) -> dict[str, str]:
    """The question's stems, each as it is stored."""
    return {stem: _ascii(stem) for stem in words.stems(question)}


def _stored(text: str) -> list[str]:
    return list(map(_ascii, words.stems(text)))


def _ascii(stem: str) -> str:
    return (stem if stem.isascii() else f"u{stem.encode().hex()}")[:MOST_LETTERS]
