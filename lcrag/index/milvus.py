"""Chunks in Milvus, be it Lite, Standalone or Distributed: words by its BM25 function, vectors by HNSW.

pymilvus and not llama-index's MilvusVectorStore, which stores its own nodes with the texts a second time, gives no
frequencies of words, and cannot be told when to delete.

Milvus Lite 3.2 lets one process open its file, and its BM25 knows the frequencies of words in a segment only: scores
and ranks differ a little from those over all chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from lcrag.index.chunk_store import NEIGHBOURS
from lcrag.index.milvus_client import MOST_WORDS, Milvus

if TYPE_CHECKING:
    from lcrag.index.chunk_store import Ranges
    from lcrag.index.vectors import Floats

MOST_HITS: Final = 16_384
"""Milvus' own limit for the hits of a search."""
MOST_ROWS: Final = 1000
"""Of a request; a gRPC message may have 64 MB."""
AT_ONCE: Final = 16
"""Questions of a request: the hits of more could be longer than a message may be."""
SAMPLED: Final = 2000
"""Chunks by which a stem is counted that ``MOST_HITS`` have: within 10% (one standard error) if it is in one of 20."""
EXACT_FROM: Final = 64
"""Neighbours that HNSW looks through at least, as many as it returns otherwise."""


class MilvusStore:
    """The collections ``name`` and ``name``_EMBEDDER in the Milvus at ``uri``: http://HOST:19530, or a file of Lite."""

    def __init__(self, uri: str, name: str) -> None:
        self._uri = uri
        self.name = f"Milvus at {uri}"
        self._words = name

    @property
    def most_rows(self) -> int:
        return MOST_ROWS

    def exists(self) -> bool:
        return bool(self._milvus.ask("has_collection", self._words))

    def create(self) -> None:
        self._milvus.create_words(self._words)

    def clear(self) -> None:
        for name in [self._words, *self._vectors()]:
            self._milvus.ask("drop_collection", name)

    def close(self) -> None:
        """Nothing is left to do: pymilvus shares a connection between clients."""

    def settle(self) -> None:
        if self._milvus.is_lite:  # which indexes what is in its files: 8,000 chunks are searched in 0.01 s and not 2 s
            for name in [self._words, *self._vectors()]:
                self._milvus.ask("flush", name)

    def add_words(self, rows: Sequence[tuple[int, list[str]]]) -> None:
        stored = [{"id": chunk, "words": " ".join(stems)[:MOST_WORDS]} for chunk, stems in rows]
        self._milvus.ask("upsert", self._words, stored)

    def remove_words(self, ids: Sequence[int]) -> None:
        self._milvus.ask("delete", self._words, ids=ids)

    def search(self, counts: Mapping[str, int], chunks: Ranges, size: int, limit: int) -> dict[int, float]:
        [hits] = self._matches([" ".join(counts)], chunks, min(limit, MOST_HITS))
        # Lite gives scores with a minus
        return {int(hit["id"]): abs(float(hit["distance"])) for hit in hits}

    def counts(self, stems: Iterable[str], chunks: Ranges) -> dict[str, int]:
        """By their hits. Those of a frequent one are estimated, since Lite reads every text for a filter (0.3 s for
        8,000)."""
        counts: dict[str, int] = {}
        wanted = list(stems)
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            counts |= {stem: len(hits) for stem, hits in zip(some, self._matches(some, chunks, MOST_HITS), strict=True)}
        frequent = [stem for stem, count in counts.items() if count == MOST_HITS]
        if frequent:
            size = sum(last - first + 1 for first, last in chunks)
            sampled = self._sample(chunks, size)
            for stem in frequent:
                share = sum(stem in words for words in sampled) / max(len(sampled), 1)
                counts[stem] = max(MOST_HITS, round(size * share))
        return counts

    def _sample(self, chunks: Ranges, size: int) -> list[frozenset[str]]:
        """The words of some of these chunks."""
        import numpy as np

        firsts, lasts = np.array(chunks, np.int64).T
        before = np.cumsum(lasts - firsts + 1) - (lasts - firsts + 1)
        places = np.random.default_rng(0).choice(size, min(size, SAMPLED), replace=False)
        run = np.searchsorted(before, places, "right") - 1
        ids = (firsts[run] + places - before[run]).tolist()
        rows = self._milvus.read("get", self._words, ids=ids, output_fields=["words"])
        return [frozenset(row["words"].split()) for row in rows]

    def _matches(self, questions: Sequence[str], chunks: Ranges, limit: int) -> Sequence[Sequence[Any]]:
        """For each question the best of these chunks that have one of its words."""
        return self._milvus.read(  # type: ignore[no-any-return]
            "search",
            self._words,
            data=list(questions),
            anns_field="sparse",
            filter=_within(chunks),
            limit=limit,
            output_fields=["id"],  # Lite sends all fields unless told
            search_params={"metric_type": "BM25"},
        )

    def add_vectors(self, embedder: str, vectors: Mapping[str, Floats]) -> None:
        name = self._vectors_of(embedder)
        if not self._milvus.ask("has_collection", name):
            self._milvus.create_vectors(name, len(next(iter(vectors.values()))))
        self._milvus.ask("upsert", name, [{"content": key, "vector": row} for key, row in vectors.items()])

    def remove_vectors(self, contents: Sequence[str]) -> None:
        for name in self._vectors():
            self._milvus.ask("delete", name, ids=contents)

    def vectors(self, embedder: str, contents: Sequence[str]) -> dict[str, Floats]:
        name = self._vectors_of(embedder)
        if not self._milvus.ask("has_collection", name):
            return {}
        rows = self._milvus.read("get", name, ids=contents, output_fields=["content", "vector"])
        return {row["content"]: row["vector"] for row in rows}

    def products(self, embedder: str, query: Floats, contents: Sequence[str]) -> dict[str, float]:
        import numpy as np

        found = self.vectors(embedder, contents)
        return {content: float(np.asarray(vector) @ query) for content, vector in found.items()}

    def nearest(self, embedder: str, query: Floats) -> dict[str, float]:
        name = self._vectors_of(embedder)
        if not self._milvus.ask("has_collection", name):
            return {}
        limit = min(max(self._milvus.rows(name), 1), NEIGHBOURS)
        [hits] = self._milvus.read(
            "search",
            name,
            data=[query],
            anns_field="vector",
            limit=limit,
            output_fields=["content"],
            search_params={"metric_type": "IP", "params": {"ef": max(limit, EXACT_FROM)}},
        )
        return {str(hit["content"]): float(hit["distance"]) for hit in hits}

    @cached_property
    def _milvus(self) -> Milvus:
        return Milvus(self._uri)

    def _vectors(self) -> list[str]:
        """The collections of vectors, one an embedder."""
        return [name for name in self._milvus.ask("list_collections") if name.startswith(f"{self._words}_")]

    def _vectors_of(self, embedder: str) -> str:
        return f"{self._words}_{embedder}"


def _within(chunks: Ranges) -> str:
    return " or ".join(f"(id >= {first} and id <= {last})" for first, last in chunks)
