"""Words that compare: superlatives, comparatives, the second most, how much longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lcrag.tables import lexicon
from lcrag.tables.tokens import Kind

ALONE: Final = ("over", "above", "exceeding", "exceeds", "exceed", "under", "below")
"""Comparatives without "than"."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``kind``, ``concept``, ``sign`` and ``number`` of a token (``lcrag.tables.tokens``); ``words`` that it takes."""

    kind: Kind
    words: int
    concept: str = ""
    sign: int = 0
    number: int = 0


def difference(words: Sequence[str]) -> Comparison | None:
    """ "How much longer", where that is how the words begin."""
    first, second, third = (*words[:3], "", "", "")[:3]
    if (first, second) != ("how", "much") or third not in lexicon.COMPARATIVES:
        return None
    concept, sign = lexicon.COMPARATIVES[third]
    return Comparison(Kind.DIFFERENCE, 3, concept, sign)


def comparison(words: Sequence[str]) -> Comparison | None:
    """The comparison that the words begin with."""
    word, after, then = (*words[:3], "", "", "")[:3]
    if word in lexicon.ORDINALS and comparison(words[1:]) is not None:
        return Comparison(Kind.ORDINAL, 1, number=lexicon.ORDINALS[word])
    return _superlative(word, after) or _comparative(word, after, then)


def _superlative(word: str, after: str) -> Comparison | None:
    sign = 1 if word in lexicon.HIGHEST or word in ("best", "most") else -1
    if word in ("most", "least") and after in lexicon.ADJECTIVES:
        concept, direction = lexicon.ADJECTIVES[after]
        return Comparison(Kind.SUPERLATIVE, 2, concept, sign * direction)
    if word in ("most", "least") and after in lexicon.FREQUENT:
        return Comparison(Kind.COMMON, 2, sign=sign)
    if after == "paid" and word in (*lexicon.HIGHEST, *lexicon.LOWEST, "best", "worst"):
        return Comparison(Kind.SUPERLATIVE, 2, "pay", sign)
    if word in ("most", "fewest", "least"):
        return Comparison(Kind.MOST, 1, sign=sign)
    if word in ("top", "bottom"):
        return Comparison(Kind.TOP, 1, sign=1 if word == "top" else -1)
    concept, direction = lexicon.SUPERLATIVES.get(word, ("", 0))
    if word in lexicon.HIGHEST | lexicon.LOWEST:
        return Comparison(Kind.EXTREME, 1, concept, sign)
    return Comparison(Kind.SUPERLATIVE, 1, concept, direction) if concept else None


def _comparative(word: str, after: str, then: str) -> Comparison | None:
    if word in ("more", "less") and after in lexicon.ADJECTIVES and then == "than":
        concept, sign = lexicon.ADJECTIVES[after]
        return Comparison(Kind.OVER if (word == "more") == (sign > 0) else Kind.UNDER, 3, concept)
    if word in lexicon.COMPARATIVES and after == "than":
        concept, sign = lexicon.COMPARATIVES[word]
        return Comparison(Kind.OVER if sign > 0 else Kind.UNDER, 2, concept)
    if word in lexicon.MORE | lexicon.LESS and (after == "than" or word in ALONE):
        return Comparison(Kind.OVER if word in lexicon.MORE else Kind.UNDER, 1 + (after == "than"))
    return None
