"""What a store of chunks outside of the catalogue must do. Milvus and PostgreSQL do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from lcrag.index.vectors import Floats

Ranges = Sequence[tuple[int, int]]
"""First and last ids."""

NEIGHBOURS: Final = 4000
"""Of a vector, whose products are known. Assumed, not measured."""


class Store(Protocol):
    """Stems by chunk id; vectors by embedder (a name of eight letters) and content (hex digits).

    ``name``: how a message calls it; ``most_rows``: rows of a request. Raises NotInstalled and NotRunning.
    """

    @property
    def name(self) -> str: ...
    @property
    def most_rows(self) -> int: ...
    def exists(self) -> bool: ...
    def create(self) -> None: ...
    def clear(self) -> None: ...
    def close(self) -> None: ...
    def settle(self) -> None:
        """Called after each refresh, and when many vectors have been added."""
        ...

    def add_words(self, rows: Sequence[tuple[int, list[str]]]) -> None:
        """Store or replace the stems of these chunks, at most ``most_rows``."""
        ...

    def remove_words(self, ids: Sequence[int]) -> None: ...
    def counts(self, stems: Iterable[str], chunks: Ranges) -> dict[str, int]:
        """How many of these chunks have each stem."""
        ...

    def search(self, counts: Mapping[str, int], chunks: Ranges, size: int, limit: int) -> dict[int, float]:
        """The BM25 scores of the best of these chunks, which are ``size``, for these stems, each with its count."""
        ...

    def add_vectors(self, embedder: str, vectors: Mapping[str, Floats]) -> None: ...
    def remove_vectors(self, contents: Sequence[str]) -> None:
        """Those of every embedder."""
        ...

    def vectors(self, embedder: str, contents: Sequence[str]) -> dict[str, Floats]: ...
    def products(self, embedder: str, query: Floats, contents: Sequence[str]) -> dict[str, float]:
        """Those with ``query`` of the vectors that are there."""
        ...

    def nearest(self, embedder: str, query: Floats) -> dict[str, float]:
        """The ``NEIGHBOURS`` largest products with ``query``, exact where these are all."""
        ...
