"""Chunks that say alike things, together: k-means over their words, so that it needs no model and no index."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from zlib import crc32

import numpy as np

from lcrag.text.words import stems
from lcrag.types import Chunk

if TYPE_CHECKING:
    import numpy.typing as npt

FEWEST, MOST = 2, 12
DIRECTIONS: Final = 512
"""Numbers of a chunk's vector; each stem counts in one of them."""
ROUNDS: Final = 20


def number_of_clusters(chunks: int) -> int:
    """About the root of half as many, FEWEST to MOST. Assumed, not measured."""
    return max(1, min(chunks, MOST, max(FEWEST, round(math.sqrt(chunks / 2)))))


def clusters(chunks: Sequence[Chunk]) -> list[list[Chunk]]:
    """The chunks in groups of those whose words are alike, none empty, the group with the first chunk first."""
    vectors = _vectors(chunks)
    middles = vectors[_far_apart(vectors, number_of_clusters(len(chunks)))]
    nearest: list[int] = []
    for _ in range(ROUNDS):
        before, nearest = nearest, np.argmax(vectors @ middles.T, axis=1).tolist()
        if nearest == before:
            break
        for place in set(nearest):
            middle = vectors[[number == place for number in nearest]].sum(axis=0)
            middles[place] = middle / max(1e-9, float(np.linalg.norm(middle)))
    together: dict[int, list[Chunk]] = {}
    for chunk, place in zip(chunks, nearest, strict=True):
        together.setdefault(place, []).append(chunk)
    return list(together.values())


def _vectors(chunks: Sequence[Chunk]) -> npt.NDArray[np.float32]:
    """Unit vectors of the stems by how rare they are, float32, shape (chunks, DIRECTIONS)."""
    words = [Counter(stems(chunk.text)) for chunk in chunks]
    often = Counter(stem for counted in words for stem in counted)
    vectors = np.zeros((len(chunks), DIRECTIONS), np.float32)
    for row, counted in enumerate(words):
        for stem, count in counted.items():
            direction = crc32(stem.encode("utf-8", "surrogatepass")) % DIRECTIONS
            vectors[row, direction] += (1 + math.log(count)) * math.log(1 + len(chunks) / often[stem])
    vectors /= np.maximum(1e-9, np.linalg.norm(vectors, axis=1, keepdims=True))
    return vectors


def _far_apart(vectors: npt.NDArray[np.float32], number: int) -> list[int]:
    """Places of so many vectors, the first, then each time the one least like those before it."""
    chosen = [0]
    while len(chosen) < number:
        likeness = (vectors @ vectors[chosen].T).max(axis=1)
        likeness[chosen] = np.inf
        chosen.append(int(np.argmin(likeness)))
    return chosen
