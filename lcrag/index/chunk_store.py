"""What a store of chunks outside of the catalogue must do. Milvus and PostgreSQL do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Ranges = Sequence[tuple[int, int]]
"""First and last ids."""
BATCH: Final = 1000
"""Rows of a request; a gRPC message may have 64 MB."""


class Store(Protocol):
    """Stems by chunk id; vectors by embedder (a name of eight letters) and content (hex digits).

    ``name``: how a message calls it; ``most_hits``: neighbours of a vector that a search can have. Raises NotInstalled
    and NotRunning.
    """

    @property
    def name(self) -> str: ...
    @property
    def most_hits(self) -> int: ...
    def exists(self) -> bool: ...
    def create(self) -> None: ...
    def clear(self) -> None: ...
    def close(self) -> None: ...
    def settle(self) -> None:
        """Called after each refresh."""
        ...

    def add_words(self, rows: Sequence[tuple[int, list[str]]]) -> None:
        """Store or replace the stems of these chunks, at most ``BATCH``."""
        ...

    def remove_words(self, ids: Sequence[int]) -> None: ...
    def count(self, stem: str, chunks: Ranges, size: int) -> int:
        """How many of these chunks, which are ``size``, have the stem."""
        ...

    def search(self, counts: Mapping[str, int], chunks: Ranges, size: int, limit: int) -> dict[int, float]:
        """The BM25 scores of the best of these chunks for these stems, each with its ``count``."""
        ...

    def add_vectors(self, embedder: str, vectors: Mapping[str, npt.NDArray[np.float32]]) -> None: ...
    def remove_vectors(self, contents: Sequence[str]) -> None:
        """Those of every embedder."""
        ...

    def vectors(self, embedder: str, contents: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]: ...
    def known(self, embedder: str, contents: Sequence[str]) -> set[str]:
        """The contents that have a vector."""
        ...

    def stored(self, embedder: str) -> int:
        """The number of vectors."""
        ...

    def products(self, embedder: str, query: npt.NDArray[np.float32], contents: Sequence[str]) -> dict[str, float]:
        """Those with ``query`` of the vectors that are there."""
        ...

    def nearest(self, embedder: str, query: npt.NDArray[np.float32], limit: int) -> dict[str, float]:
        """The largest products with ``query``, exact where ``limit`` is all there are."""
        ...
