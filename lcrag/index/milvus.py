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

from lcrag.index.milvus_client import MOST_WORDS, Milvus

if TYPE_CHECKING:
    from lcrag.index.chunk_store import Ranges
    from lcrag.index.vectors import Floats

MOST_HITS: Final = 16_384
"""Milvus' own limit for the hits of a search."""
MOST_ROWS: Final = 1000
"""Of a request; a gRPC message may have 64 MB."""
EXACT_FROM: Final = 64
"""Neighbours that HNSW looks through at least, as many as it returns otherwise."""


class MilvusStore:
    """The collections ``name`` and ``name``_EMBEDDER in the Milvus at ``uri``: http://HOST:19530, or a file of Lite."""

    def __init__(self, uri: str, name: str) -> None:
        self._uri = uri
        self.name = f"Milvus at {uri}"
        self._words = name

    @property
    def most_hits(self) -> int:
        return MOST_HITS

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
            self._milvus.ask("flush", self._words)

    def add_words(self, rows: Sequence[tuple[int, list[str]]]) -> None:
        stored = [{"id": chunk, "words": " ".join(stems)[:MOST_WORDS]} for chunk, stems in rows]
        self._milvus.ask("upsert", self._words, stored)

    def remove_words(self, ids: Sequence[int]) -> None:
        self._milvus.ask("delete", self._words, ids=ids)

    def search(self, counts: Mapping[str, int], chunks: Ranges, size: int, limit: int) -> dict[int, float]:
        hits = self._matches(" ".join(counts), chunks, limit)
        # Lite gives scores with a minus
        return {int(hit["id"]): abs(float(hit["distance"])) for hit in hits}

    def counts(self, stems: Iterable[str], chunks: Ranges) -> dict[str, int]:
        return {stem: self._count(stem, chunks) for stem in stems}

    def _count(self, stem: str, chunks: Ranges) -> int:
        """By its hits, since Lite reads every text for a filter (0.3 s for 8,000)."""
        hits = len(self._matches(stem, chunks, MOST_HITS))
        if hits < MOST_HITS:
            return hits
        return self._milvus.rows(self._words, f"({_within(chunks)}) and text_match(words, '{stem}')")

    def _matches(self, words: str, chunks: Ranges, limit: int) -> Sequence[Any]:
        """The best of these chunks that have one of these words."""
        if not words or not chunks:
            return []
        [hits] = self._milvus.read(
            "search",
            self._words,
            data=[words],
            anns_field="sparse",
            filter=_within(chunks),
            limit=min(limit, MOST_HITS),
            output_fields=["id"],  # Lite sends all fields unless told
            search_params={"metric_type": "BM25"},
        )
        return hits  # type: ignore[no-any-return]

    def add_vectors(self, embedder: str, vectors: Mapping[str, Floats]) -> None:
        name = self._vectors_of(embedder)
        if not self._milvus.ask("has_collection", name):
            self._milvus.create_vectors(name, len(next(iter(vectors.values()))))
        self._milvus.ask("upsert", name, [{"content": key, "vector": row} for key, row in vectors.items()])

    def remove_vectors(self, contents: Sequence[str]) -> None:
        for name in self._vectors():
            self._milvus.ask("delete", name, ids=contents)

    def vectors(self, embedder: str, contents: Sequence[str]) -> dict[str, Floats]:
        return {row["content"]: row["vector"] for row in self._get(embedder, contents, "vector")}

    def _get(self, embedder: str, contents: Sequence[str], field: str) -> list[dict[str, Any]]:
        name = self._vectors_of(embedder)
        if not self._milvus.ask("has_collection", name):
            return []
        return self._milvus.read("get", name, ids=contents, output_fields=["content", field])  # type: ignore[no-any-return]

    def products(self, embedder: str, query: Floats, contents: Sequence[str]) -> dict[str, float]:
        import numpy as np

        found = self.vectors(embedder, contents)
        return {content: float(np.asarray(vector) @ query) for content, vector in found.items()}

    def nearest(self, embedder: str, query: Floats) -> dict[str, float]:
        name = self._vectors_of(embedder)
        if not self._milvus.ask("has_collection", name):
            return {}
        limit = min(max(self._milvus.rows(name), 1), MOST_HITS)
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
