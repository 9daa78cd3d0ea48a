"""Words in PostgreSQL: a row has a stem's postings in ``SEGMENT`` chunks. BM25 scores are added up here.

PostgreSQL's own index of words finds the chunks that have one, but counting and ranking them reads the row of each: a
ranking of 191,299 chunks, vectors included, took 0.77 s and takes 0.39 (examples/scale/README.md).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from lcrag.index.external import idf

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import psycopg

    from lcrag.index.chunk_store import Ranges
    from lcrag.index.postgres_client import Postgres

SEGMENT: Final = 16_384
"""Chunks, by their ids. More make fewer rows, but those of a segment are read when one of its chunks is removed:
0.5 s on two busy cores (n = 1). The number is assumed."""
POSTING: Final = [("place", "<u2"), ("weight", "<f2")]
"""The chunk's place in its segment, and what the stem adds to the chunk's score but for its idf."""
EVERY: Final = ""
"""No stem: its postings are all chunks that are there."""
K1, B = 1.2, 0.75  # those of FTS5
MEAN_STEMS: Final = 68
"""Of a chunk. A constant, so that a chunk's weights do not change with the others. Measured: the mean of five corpora
(64 to 76), n = 17,357 chunks."""


class PostgresWords:
    """The table ``words`` of a database."""

    def __init__(self, database: Postgres) -> None:
        self._database = database

    def create(self) -> None:
        self._database.run(
            'CREATE TABLE words (segment int, stem text COLLATE "C", postings bytea NOT NULL,'
            " PRIMARY KEY (segment, stem))"
        )
        # not compressed, so that their number is known without reading them
        self._database.run("ALTER TABLE words ALTER postings SET STORAGE EXTERNAL")

    def add(self, rows: Sequence[tuple[int, list[str]]]) -> None:
        """Store or replace the stems of these chunks."""
        import numpy as np

        postings: defaultdict[tuple[int, str], list[tuple[int, float]]] = defaultdict(list)
        for chunk, stems in dict(rows).items():
            segment, place = divmod(chunk, SEGMENT)
            for stem, weight in {EVERY: 0.0, **_weights(stems)}.items():
                postings[segment, stem].append((place, weight))
        with self._changing() as db:
            _remove(db, [chunk for chunk, _ in rows])
            _store(db, ((*key, np.array(found, POSTING)) for key, found in postings.items()))

    def remove(self, ids: Sequence[int]) -> None:
        with self._changing() as db:
            _remove(db, ids)

    @contextmanager
    def _changing(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A transaction that no other writer comes between: rows are read, changed and written."""
        with self._database.transaction() as db:
            db.execute("LOCK TABLE words IN SHARE ROW EXCLUSIVE MODE")
            yield db

    def counts(self, stems: Iterable[str], chunks: Ranges) -> dict[str, int]:
        """How many of these chunks have each stem. Reads postings only where not all of a segment is meant."""
        counts = dict.fromkeys(stems, 0)
        segments = _segments(chunks)
        rows = self._database.rows(
            "SELECT stem, segment, octet_length(postings), CASE WHEN segment = ANY(%s) THEN postings END FROM words"
            " WHERE segment = ANY(%s) AND stem = ANY(%s)",
            [segment for segment, is_whole in segments.items() if not is_whole],
            list(segments),
            list(counts),
        )
        for stem, segment, size, postings in rows:
            counts[stem] += size // 4 if postings is None else len(_of(postings, segment, chunks)[0])
        return counts

    def search(self, counts: Mapping[str, int], chunks: Ranges, size: int, limit: int) -> dict[int, float]:
        import numpy as np

        rows = self._database.rows(
            "SELECT stem, segment, postings FROM words WHERE segment = ANY(%s) AND stem = ANY(%s) ORDER BY 2, 1",
            list(_segments(chunks)),
            list(counts),
        )
        scores = np.zeros(1 + max((last for _, last in chunks), default=0))
        for stem, segment, postings in rows:
            ids, weights = _of(postings, segment, chunks)
            scores[ids] += idf(counts[stem], size) * weights
        found = np.flatnonzero(scores)
        if len(found) > limit:
            found = found[scores[found] >= np.partition(scores[found], -limit)[-limit]]
        best = found[np.argsort(-scores[found], kind="stable")][:limit]
        return dict(zip(best.tolist(), scores[best].tolist(), strict=True))


def _segments(chunks: Ranges) -> dict[int, bool]:
    """The segments that have some of these chunks, and whether all that they have is meant."""
    segments: dict[int, bool] = {}
    for first, last in chunks:
        for segment in range(first // SEGMENT, last // SEGMENT + 1):
            whole = first <= max(1, segment * SEGMENT) and last >= (segment + 1) * SEGMENT - 1
            segments[segment] = segments.get(segment, False) or whole
    return segments


def _of(postings: bytes, segment: int, chunks: Ranges) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Those of these chunks: ids, weights."""
    import numpy as np

    read = np.frombuffer(postings, POSTING)
    ids = read["place"] + np.int64(segment * SEGMENT)
    weights = read["weight"].astype(np.float32)
    firsts, lasts = np.array(chunks, np.int64).T
    is_meant = ids <= lasts[np.searchsorted(firsts, ids, "right") - 1]
    is_meant &= ids >= firsts[0]
    return ids[is_meant], weights[is_meant]


def _remove(db: psycopg.Connection[tuple[Any, ...]], ids: Iterable[int]) -> None:
    """Write the rows again that have postings of these chunks."""
    import numpy as np

    by_segment: defaultdict[int, list[int]] = defaultdict(list)
    for chunk in ids:
        by_segment[chunk // SEGMENT].append(chunk % SEGMENT)
    there = "SELECT stem, postings FROM words WHERE segment = %s"
    for segment, places in by_segment.items():
        is_gone = np.zeros(SEGMENT, np.bool_)
        is_gone[places] = True
        every = db.execute(f"{there} AND stem = %s", (segment, EVERY), binary=True).fetchall()
        if not any(is_gone[np.frombuffer(postings, POSTING)["place"]].any() for _, postings in every):
            continue
        left = dict(_left(db.execute(there, (segment,), binary=True).fetchall(), is_gone))
        db.execute("DELETE FROM words WHERE segment = %s AND stem = ANY(%s)", (segment, list(left)))
        _store(db, ((segment, stem, postings) for stem, postings in left.items() if len(postings)))


def _left(
    rows: Sequence[tuple[str, bytes]], is_gone: npt.NDArray[np.bool_]
) -> Iterator[tuple[str, npt.NDArray[np.void]]]:
    """Of a segment, the stems that chunks have which are gone, with the postings that they still have."""
    import numpy as np

    read = np.frombuffer(b"".join(postings for _, postings in rows), POSTING)
    ends = np.cumsum([len(postings) // read.itemsize for _, postings in rows])
    gone = is_gone[read["place"]]
    for row in np.unique(np.searchsorted(ends, np.flatnonzero(gone), "right")).tolist():
        own = slice(ends[row - 1] if row else 0, ends[row])
        yield rows[row][0], read[own][~gone[own]]


def _store(db: psycopg.Connection[tuple[Any, ...]], rows: Iterable[tuple[int, str, npt.NDArray[np.void]]]) -> None:
    """Add postings to what is there of their stems in their segments."""
    segments, stems, postings = [], [], []
    for segment, stem, found in rows:
        segments.append(segment)
        stems.append(stem)
        postings.append(found.tobytes())
    db.execute(
        "INSERT INTO words SELECT * FROM unnest(%s::int[], %s::text[], %b::bytea[]) ON CONFLICT (segment, stem)"
        " DO UPDATE SET postings = words.postings || excluded.postings",
        (segments, stems, postings),
    )


def _weights(stems: Sequence[str]) -> dict[str, float]:
    """What each stem adds to the BM25 score of its chunk, but for its idf."""
    norm = K1 * (1 - B + B * len(stems) / MEAN_STEMS)
    return {stem: count * (K1 + 1) / (count + norm) for stem, count in Counter(stems).items()}
