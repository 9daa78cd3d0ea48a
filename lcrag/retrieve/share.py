"""At most a share of what is read from one source: what a user said in a session does not push the documents out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lcrag.types import Chunk, Hit, Ranking

SHARE: Final = 0.25
"""Of the tokens in rank order. Assumed, not measured. A reranker, which chooses among twice as many, may double it."""


def with_share(ranking: Ranking, source: str, first: Sequence[Chunk] | None = None) -> Ranking:
    """The hits so that, of the first of any number, ``source`` has at most SHARE of the tokens while others are left.

    Its hits come later where they would have more. ``first``: all its chunks, also those without a hit, which then come
    as early as that allows. A hit that was moved has the score of the one before it.
    """
    own = [(place, hit) for place, hit in enumerate(ranking.hits) if hit.chunk.source == source]
    if first is not None:
        hit_ids = {hit.chunk.id for _, hit in own}
        own += [(0, Hit(chunk, 0.0)) for chunk in first if chunk.id not in hit_ids]
    merged: list[Hit] = []
    taken = total = 0

    def add_own(before: int) -> None:
        """Add the hits of the source that were ranked before this place, as many as have room now."""
        nonlocal taken, total
        while own and (first is not None or own[0][0] < before):
            tokens = own[0][1].chunk.tokens
            if taken + tokens > SHARE * (total + tokens):
                return
            merged.append(replace(own.pop(0)[1], score=merged[-1].score))
            taken, total = taken + tokens, total + tokens

    for place, hit in enumerate(ranking.hits):
        if hit.chunk.source != source:
            add_own(place)
            merged.append(hit)
            total += hit.chunk.tokens
    add_own(len(ranking.hits))
    least = merged[-1].score if merged else None
    left = [hit if least is None else replace(hit, score=least) for _, hit in own]
    return replace(ranking, hits=(*merged, *left))
