"""Chunks in PostgreSQL with pgvector: words by its full text and a sparse vector of BM25 weights, vectors by HNSW.

PostgreSQL's own ranks know no frequencies of words. So a chunk has its stems twice: as a tsvector, whose index finds
the chunks that have one of the question's, and as what each stem adds to a BM25 score but for its idf, which the
question brings along; pgvector multiplies the two.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from lcrag.errors import InputError, NotAvailable, NotInstalled, NotRunning
from lcrag.index.external import idf
from lcrag.index.fulltext import MAX_PHRASES, MAX_POSTINGS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import psycopg

    from lcrag.index.chunk_store import Ranges

MOST_HITS: Final = 4000
"""Neighbours of a vector; HNSW takes them in rounds of ``EF_SEARCH``. Assumed, not measured."""
MOST_COMPARED: Final = 500_000
"""Vectors that are all compared. Measured on two busy cores: of 191,299 in 0.17 s, while HNSW took 0.24 s for 4,000
neighbours of which 71% were right (n = 20, random vectors, which are the hardest)."""
EF_SEARCH: Final = 1000
"""pgvector's own limit."""
MOST_SCANNED: Final = 40_000
"""Vectors that HNSW looks at for ``MOST_HITS``, pgvector's hnsw.max_scan_tuples. Assumed, not measured."""
LEAST_VERSION: Final = (0, 8)
"""Of pgvector: the first whose HNSW goes on after ``EF_SEARCH``."""

K1, B = 1.2, 0.75  # those of FTS5
MEAN_STEMS: Final = 68
"""Of a chunk. A constant, so that a chunk's weights do not change with the others. Measured: the mean of five corpora
(64 to 76), n = 17,357 chunks."""
DIMENSIONS: Final = 1_000_000_000
"""Of a sparse vector at most; a stem's is its checksum, and two of a chunk's share one in 2 of a million chunks."""
SAMPLED: Final = 20_000
"""Chunks by which a stem is counted that is in more than ``MAX_POSTINGS``: within 3% (one standard error) if it is in
one of 20 chunks and they are independent."""
CONNECT_SECONDS: Final = 10
"""Unless the address says otherwise. Assumed, not measured."""


class PostgresStore:
    """Tables in the schema ``name`` of the database at ``uri``, which is shown as ``shown``."""

    def __init__(self, uri: str, shown: str, name: str) -> None:
        self._uri = uri
        self.name = f"PostgreSQL at {shown}"
        self._schema = name
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    @property
    def most_hits(self) -> int:
        return MOST_HITS

    def exists(self) -> bool:
        [(there,)] = self._rows("SELECT to_regclass(%s) IS NOT NULL", f"{self._schema}.words")
        return bool(there)

    def create(self) -> None:
        self._run(f"CREATE SCHEMA {self._schema}")
        self._run(
            "CREATE TABLE words (id bigint PRIMARY KEY, stems tsvector NOT NULL,"
            f" weights sparsevec({DIMENSIONS}) NOT NULL)"
        )
        self._run("CREATE INDEX ON words USING gin (stems)")

    def clear(self) -> None:
        self._run(f"DROP SCHEMA IF EXISTS {self._schema} CASCADE")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def settle(self) -> None:
        """Nothing is left to do."""

    def add_words(self, rows: Sequence[tuple[int, list[str]]]) -> None:
        last = dict(rows)  # a row of INSERT may not be replaced by another one
        self._run(
            "INSERT INTO words SELECT chunk, stems::tsvector, weights::sparsevec"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS row (chunk, stems, weights)"
            " ON CONFLICT (id) DO UPDATE SET stems = excluded.stems, weights = excluded.weights",
            list(last),
            [" ".join(dict.fromkeys(stems)) for stems in last.values()],
            [_sparse(_weights(stems)) for stems in last.values()],
        )

    def remove_words(self, ids: Sequence[int]) -> None:
        self._run("DELETE FROM words WHERE id = ANY(%s)", list(ids))

    def count(self, stem: str, chunks: Ranges, size: int) -> int:
        """Of a frequent one an estimate."""
        [(found,)] = self._rows(
            "SELECT count(*) FROM (SELECT FROM words WHERE stems @@ %s::tsquery AND id <@ %s::int8multirange LIMIT %s)"
            " AS found",
            stem,
            _multirange(chunks),
            MAX_POSTINGS + 1,
        )
        count = int(found)
        if count <= MAX_POSTINGS:
            return count
        [(having, sampled)] = self._rows(
            "SELECT count(*) FILTER (WHERE stems @@ %s::tsquery), count(*)"
            " FROM words TABLESAMPLE SYSTEM (%s) REPEATABLE (0) WHERE id <@ %s::int8multirange",
            stem,
            min(100, 100 * SAMPLED / size),
            _multirange(chunks),
        )
        return max(count, round(size * int(having) / max(int(sampled), 1)))

    def search(self, counts: Mapping[str, int], chunks: Ranges, size: int, limit: int) -> dict[int, float]:
        chosen: dict[str, float] = {}
        postings = 0
        for stem, count in sorted(counts.items(), key=lambda item: item[1])[:MAX_PHRASES]:
            postings += count
            if chosen and postings > MAX_POSTINGS:
                break
            chosen[stem] = idf(count, size)
        rows = self._rows(
            "SELECT id, -(weights <#> %s::sparsevec) AS score FROM words WHERE stems @@ %s::tsquery"
            " AND id <@ %s::int8multirange ORDER BY score DESC, id LIMIT %s",
            _sparse(chosen),
            " | ".join(chosen),
            _multirange(chunks),
            limit,
        )
        return dict(rows)

    def add_vectors(self, embedder: str, vectors: Mapping[str, npt.NDArray[np.float32]]) -> None:
        table = f"vectors_{embedder}"
        if not self._tables(table):
            dimensions = len(next(iter(vectors.values())))
            self._run(f'CREATE TABLE {table} (content text COLLATE "C" PRIMARY KEY, vector halfvec({dimensions}))')
            self._run(f"CREATE INDEX ON {table} USING hnsw (vector halfvec_ip_ops)")
        self._run(
            f"INSERT INTO {table} SELECT content, vector::halfvec FROM unnest(%s::text[], %s::text[]) AS row"
            " (content, vector) ON CONFLICT (content) DO UPDATE SET vector = excluded.vector",
            list(vectors),
            [json.dumps(row.tolist()) for row in vectors.values()],
        )

    def remove_vectors(self, contents: Sequence[str]) -> None:
        for table in self._tables("vectors_%"):
            self._run(f"DELETE FROM {table} WHERE content = ANY(%s)", list(contents))

    def vectors(self, embedder: str, contents: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        import numpy as np

        found = self._of_contents("content, vector::text", embedder, contents)
        return {content: np.array(json.loads(vector), np.float32) for content, vector in found}

    def known(self, embedder: str, contents: Sequence[str]) -> set[str]:
        return {content for (content,) in self._of_contents("content", embedder, contents)}

    def products(self, embedder: str, query: npt.NDArray[np.float32], contents: Sequence[str]) -> dict[str, float]:
        columns = "content, -(vector::vector <#> %s::vector)"
        return dict(self._of_contents(columns, embedder, contents, json.dumps(query.tolist())))

    def _of_contents(self, columns: str, embedder: str, contents: Sequence[str], *values: str) -> list[tuple[Any, ...]]:
        table = f"vectors_{embedder}"
        if not self._tables(table):
            return []
        return self._rows(f"SELECT {columns} FROM {table} WHERE content = ANY(%s)", *values, list(contents))

    def stored(self, embedder: str) -> int:
        table = f"vectors_{embedder}"
        return int(self._rows(f"SELECT count(*) FROM {table}")[0][0]) if self._tables(table) else 0

    def nearest(self, embedder: str, query: npt.NDArray[np.float32], limit: int) -> dict[str, float]:
        """By HNSW where there are more than ``MOST_COMPARED``."""
        [(vectors,)] = self._rows("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", f"vectors_{embedder}")
        settings = {
            "enable_indexscan": vectors > MOST_COMPARED,
            "enable_seqscan": vectors <= MOST_COMPARED,
            "hnsw.ef_search": EF_SEARCH,
            "hnsw.iterative_scan": "relaxed_order",
            "hnsw.max_scan_tuples": MOST_SCANNED,
        }
        with self._connected() as db, db.transaction():
            for name, value in settings.items():
                db.execute("SELECT set_config(%s, %s, true)", (name, str(value)))
            found = db.execute(
                f"SELECT content, -(vector::vector <#> %(query)s::vector) FROM vectors_{embedder}"
                " ORDER BY vector <#> %(query)s::halfvec LIMIT %(limit)s",
                {"query": json.dumps(query.tolist()), "limit": limit},
            )
            return dict(found.fetchall())

    def _tables(self, pattern: str) -> list[str]:
        rows = self._rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename LIKE %s", self._schema, pattern
        )
        return [table for (table,) in rows]

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._connected() as db:
            rows: list[tuple[Any, ...]] = db.execute(sql, values).fetchall()
        return rows

    def _run(self, sql: str, *values: Any) -> None:
        with self._connected() as db:
            db.execute(sql, values)

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """The connection, made again if it was lost."""
        try:
            import psycopg
        except ImportError as error:
            raise NotInstalled(f"psycopg cannot be imported: {error}", hint='pip install "lcrag[postgres]"') from error
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self._uri, **self._defaults(), autocommit=True)
                self._prepare(self._connection)
            yield self._connection
        except psycopg.Error as error:
            message = " ".join(str(error).split())
            raise NotRunning(f"{self.name} failed: {message}", hint=_advice(error)) from error

    def _defaults(self) -> dict[str, Any]:
        """What the address leaves open."""
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        try:
            given = conninfo_to_dict(self._uri)
        except psycopg.ProgrammingError as error:
            raise InputError(
                f"{self.name} is no address: {error}", hint="postgresql://USER@HOST:5432/DATABASE"
            ) from error
        ours = {"application_name": "lcrag", "connect_timeout": CONNECT_SECONDS}
        return {name: value for name, value in ours.items() if name not in given}

    def _prepare(self, db: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Find pgvector, wherever it is installed in the database; install it where that is allowed."""
        installed = "SELECT nspname, extversion FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace"
        installed += " WHERE extname = 'vector'"
        if not db.execute(installed).fetchall():
            db.execute("CREATE EXTENSION IF NOT EXISTS vector")
        [(schema, version)] = db.execute(installed).fetchall()
        if tuple(map(int, version.split(".")[:2])) < LEAST_VERSION:
            least = ".".join(map(str, LEAST_VERSION))
            raise NotAvailable(
                f"{self.name} has pgvector {version}, which is too old",
                hint=f"install pgvector {least} or later there, then: ALTER EXTENSION vector UPDATE",
            )
        db.execute("SELECT set_config('search_path', %s, false)", (f'{self._schema}, "{schema}"',))


def _advice(error: psycopg.Error) -> str:
    from psycopg import errors

    if isinstance(error, errors.FeatureNotSupported | errors.UndefinedFile):
        return "install pgvector there, on Debian: apt install postgresql-VERSION-pgvector"
    if isinstance(error, errors.InsufficientPrivilege):
        return "the user needs CREATE on the database, and pgvector in it: CREATE EXTENSION vector"
    return "is it running, and are user and password right? PGPASSWORD or ~/.pgpass may hold the password"


def _weights(stems: Sequence[str]) -> dict[str, float]:
    """What each stem adds to the BM25 score of its chunk, but for its idf."""
    norm = K1 * (1 - B + B * len(stems) / MEAN_STEMS)
    return {stem: count * (K1 + 1) / (count + norm) for stem, count in Counter(stems).items()}


def _sparse(weights: Mapping[str, float]) -> str:
    """As pgvector writes a sparse vector."""
    places: Counter[int] = Counter()
    for stem, weight in weights.items():
        places[1 + zlib.crc32(stem.encode()) % DIMENSIONS] += weight  # type: ignore[assignment]
    return "{{{}}}/{}".format(",".join(f"{place}:{weight:.6g}" for place, weight in places.items()), DIMENSIONS)


def _multirange(chunks: Ranges) -> str:
    return "{{{}}}".format(",".join(f"[{first},{last}]" for first, last in chunks))
