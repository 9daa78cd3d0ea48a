"""Chunks in PostgreSQL: words by ``postgres_words``, vectors by pgvector, all compared or by HNSW."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from lcrag.index.chunk_store import NEIGHBOURS
from lcrag.index.postgres_client import Postgres
from lcrag.index.postgres_words import PostgresWords

if TYPE_CHECKING:
    from lcrag.index.vectors import Floats

MOST_ROWS: Final = 4096
"""Of a request: each holds the stems of so many chunks in memory, some 30 MB."""
MOST_COMPARED: Final = 500_000
"""Vectors that are all compared. Measured on two busy cores: of 191,299 in 0.17 s, of 1,013,411 in 0.6 to 0.8 s, where
HNSW takes 0.3 to 0.5 s for 4,000 neighbours (n = 6) of which three in ten are right (n = 3; random vectors, which are
the hardest). It is made in 14 minutes at a quarter of both cores."""
EF_SEARCH: Final = 1000
"""pgvector's own limit; it takes neighbours in rounds of so many."""
MOST_SCANNED: Final = 40_000
"""Vectors that HNSW looks at for ``NEIGHBOURS``, pgvector's hnsw.max_scan_tuples. Assumed, not measured."""
BYTES_A_NEIGHBOUR_LIST: Final = 700
"""What HNSW needs in memory for a vector besides its own bytes while it is built. Assumed, not measured."""


class PostgresStore:
    """Tables in the schema ``name`` of the database at ``uri``, which is shown as ``shown``."""

    def __init__(self, uri: str, shown: str, name: str) -> None:
        self.name = f"PostgreSQL at {shown}"
        self._database = Postgres(uri, self.name, name)
        self._words = PostgresWords(self._database)
        self.add_words = self._words.add
        self.remove_words = self._words.remove
        self.counts = self._words.counts
        self.search = self._words.search

    @property
    def most_rows(self) -> int:
        return MOST_ROWS

    def exists(self) -> bool:
        [(there,)] = self._database.rows("SELECT to_regclass(%s) IS NOT NULL", f"{self._database.schema}.words")
        return bool(there)

    def create(self) -> None:
        self._database.run(f"CREATE SCHEMA {self._database.schema}")
        self._words.create()

    def clear(self) -> None:
        self._database.run(f"DROP SCHEMA IF EXISTS {self._database.schema} CASCADE")

    def close(self) -> None:
        self._database.close()

    def settle(self) -> None:
        """Make HNSW when there are many vectors: of a million in one go, which is faster than one by one."""
        for table in self._tables():
            many = f"SELECT count(*) > %s FROM (SELECT FROM {table} LIMIT %s) AS first"
            if not self._has_hnsw(table) and self._database.rows(many, MOST_COMPARED, MOST_COMPARED + 1)[0][0]:
                self._make_hnsw(table)

    def add_vectors(self, embedder: str, vectors: Mapping[str, Floats]) -> None:
        table = f"vectors_{embedder}"
        dimensions = len(next(iter(vectors.values())))
        with self._database.transaction() as db:
            db.execute(
                f'CREATE TABLE IF NOT EXISTS {table} (content text COLLATE "C" PRIMARY KEY,'
                f" vector halfvec({dimensions}))"
            )
            db.execute(f"CREATE TEMP TABLE arrived (LIKE {table}) ON COMMIT DROP")
            with db.cursor().copy("COPY arrived FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(_copied(vectors, dimensions))
            db.execute(
                f"INSERT INTO {table} SELECT * FROM arrived"
                " ON CONFLICT (content) DO UPDATE SET vector = excluded.vector"
            )

    def remove_vectors(self, contents: Sequence[str]) -> None:
        for table in self._tables():
            self._database.run(f"DELETE FROM {table} WHERE content = ANY(%s)", list(contents))

    def vectors(self, embedder: str, contents: Sequence[str]) -> dict[str, Floats]:
        import numpy as np

        if not self._tables(embedder):
            return {}
        found = self._database.rows(
            f"SELECT content, halfvec_send(vector) FROM vectors_{embedder} WHERE content = ANY(%s)", list(contents)
        )
        return {content: np.frombuffer(sent, ">f2", offset=4).astype(np.float32) for content, sent in found}

    def products(self, embedder: str, query: Floats, contents: Sequence[str]) -> dict[str, float]:
        import numpy as np

        found = self.vectors(embedder, contents)
        if not found:
            return {}
        return dict(zip(found, np.vecdot(np.array(list(found.values())), query).tolist(), strict=True))

    def nearest(self, embedder: str, query: Floats) -> dict[str, float]:
        """By HNSW where it has been made."""
        table = f"vectors_{embedder}"
        if not self._tables(embedder):
            return {}
        has_hnsw = self._has_hnsw(table)
        settings = {
            "enable_indexscan": has_hnsw,
            "enable_seqscan": not has_hnsw,
            "hnsw.ef_search": EF_SEARCH,
            "hnsw.iterative_scan": "relaxed_order",
            "hnsw.max_scan_tuples": MOST_SCANNED,
        }
        with self._database.transaction() as db:
            db.execute(
                f"SELECT {', '.join(['set_config(%s, %s, true)'] * len(settings))}",
                [text for name, value in settings.items() for text in (name, str(value))],
            )
            found = db.execute(
                f"SELECT content, -(vector::vector <#> %(query)s::vector) FROM {table}"
                " ORDER BY vector <#> %(query)s::halfvec LIMIT %(limit)s",
                {"query": json.dumps(query.tolist()), "limit": NEIGHBOURS},
                binary=True,
            )
            return dict(found.fetchall())

    def _tables(self, embedder: str = "") -> list[str]:
        """The tables of vectors, one an embedder."""
        rows = self._database.rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s AND starts_with(tablename, %s)",
            self._database.schema,
            f"vectors_{embedder}",
        )
        return [table for (table,) in rows]

    def _has_hnsw(self, table: str) -> bool:
        [(there,)] = self._database.rows("SELECT to_regclass(%s) IS NOT NULL", f"{self._database.schema}.{table}_hnsw")
        return bool(there)

    def _make_hnsw(self, table: str) -> None:
        """In memory, with the workers that the server allows."""
        needed = f"(SELECT count(*) * (avg(pg_column_size(vector)) + %s) FROM {table})::bigint"
        allowed = "pg_size_bytes(current_setting('maintenance_work_mem'))"
        with self._database.transaction() as db:
            db.execute(
                f"SELECT set_config('maintenance_work_mem', greatest({allowed}, {needed}) / 1024 || 'kB', true)",
                (BYTES_A_NEIGHBOUR_LIST,),
            )
            db.execute(f"CREATE INDEX {table}_hnsw ON {table} USING hnsw (vector halfvec_ip_ops)")


def _copied(vectors: Mapping[str, Floats], dimensions: int) -> bytes:
    """Rows of a text and a halfvec in the binary form of COPY."""
    import numpy as np

    letters = len(next(iter(vectors)))
    rows = np.zeros(
        len(vectors),
        [
            ("columns", ">i2"),
            ("letters", ">i4"),
            ("content", f"S{letters}"),
            ("bytes", ">i4"),
            ("dimensions", ">i4"),
            ("vector", ">f2", dimensions),
        ],
    )
    rows["columns"] = 2
    rows["letters"] = letters
    rows["content"] = list(vectors)
    rows["bytes"] = 4 + 2 * dimensions
    rows["dimensions"] = dimensions << 16  # two bytes of them, two that are not used
    rows["vector"] = list(vectors.values())
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff"
