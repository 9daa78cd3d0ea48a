"""Does this place in the source support that statement? Words must be shared; numbers, names and negation must agree.

Sharing words is what a paraphrase and a near miss have in common ("lit in 1871", "lit in 1881"), so the share alone
decides nothing: a number of the statement that the place lacks, a name that nothing near it has, or a verb denied in
one and not in the other rules the place out. Chosen on pairs made of gold evidence: ``examples/evaluation/support.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from operator import or_
from typing import Final

from lcrag.text.facts import Facts, facts
from lcrag.text.passages import Piece, pieces_of
from lcrag.text.sentences import sentences
from lcrag.types import Passage

LEAST: Final = 0.55
"""The score from which a place supports a statement. ``examples/evaluation/support.py`` chooses it: the most support
that is recognised while at most 5% of the near misses pass."""
PART: Final = 0.3
"""The score from which a place may support a part of a statement, others the rest. Low, since all parts together must
then reach LEAST; not measured."""
QUOTED: Final = 0.9
"""Likeness, letter by letter, from which a place is taken for the statement's quote: a slip of a few letters, not
another wording. Not measured."""
WIDEST: Final = 3
"""Sentences in a row that may support a statement together; not measured."""
LONGER: Final = 10
"""Characters by which a quote with slips may be longer than its place; not measured."""


@dataclass(frozen=True, slots=True)
class Support:
    """A place in the document, half-open, and how well it supports a statement.

    ``text``: what is there, without the white space around it. ``score``: 0 to 1. ``missing``: numbers and names of the
    statement that are not there. ``denies``: the place denies what the statement claims, or the reverse.
    """

    start: int
    end: int
    text: str
    score: float
    missing: frozenset[str] = frozenset()
    denies: bool = False

    @property
    def holds(self) -> bool:
        return self.score >= LEAST and not self.missing and not self.denies

    @property
    def holds_in_part(self) -> bool:
        """Whether it may support a part of the statement."""
        return self.score >= PART and not self.denies


def find(statement: str, pieces: Iterable[Piece], near: str = "") -> Support | None:
    """The place in the pieces that supports the statement best, whether it holds or not; None if none shares enough.

    An exact quote comes first; else the fewest sentences in a row, at most WIDEST, that hold. ``near``: text that may
    hold the statement's names as well, such as the passage around and the name of its source.
    """
    pieces = list(pieces)
    exact = find_exact(statement, pieces)
    if exact is not None:
        return exact
    claimed = facts(statement)
    pieces = [piece for piece in pieces if _share(claimed, facts(piece[1])) >= PART]  # no sentence of it has more
    best: Support | None = None
    for width in range(1, WIDEST + 1):
        for start, text in windows(pieces, width):
            support = judge(statement, text, near, start)
            if support.score >= PART and (best is None or _quality(support) > _quality(best)):
                best = support
        if best is not None and best.holds:
            break
    return best


def find_in(statement: str, passage: Passage) -> Support | None:
    """The place in the passage that supports the statement best, as ``find`` has it."""
    return find(statement, pieces_of(passage), surroundings(passage))


def find_exact(statement: str, pieces: Iterable[Piece]) -> Support | None:
    """The first place that has the words of the statement as they are, apart from white space."""
    words = statement.split()
    for offset, text in pieces if words else ():
        span = find_words(words, text)
        if span is not None:
            return Support(offset + span[0], offset + span[1], text[slice(*span)], 1.0)
    return None


def find_complement(statement: str, first: Support, pieces: Iterable[Piece], near: str = "") -> Support | None:
    """The sentence that supports the statement together with ``first``, which does not alone; None if none does."""
    claimed, present = facts(statement), facts(first.text)
    lacking = (claimed.words - present.words) | first.missing
    best: tuple[int, Support] | None = None
    for start, text in windows(pieces, 1):
        added = facts(text)
        gain = len(lacking & (added.words | added.numbers))
        if gain > (best[0] if best else 0) and _compare(claimed, present | added, facts(near), start, text).holds:
            best = gain, judge(statement, text, near, start)
    return None if best is None else best[1]


def hold_together(statement: str, places: Sequence[Support], near: str = "") -> bool:
    """Whether several places support together what none of them does alone."""
    present = reduce(or_, (facts(place.text) for place in places), Facts())
    return len(places) > 1 and _compare(facts(statement), present, facts(near), 0, "").holds


def judge(statement: str, text: str, near: str = "", start: int = 0) -> Support:
    """How well ``text``, at ``start`` of the document, supports the statement."""
    support = _compare(facts(statement), facts(text), facts(near), start, text)
    likeness = _likeness(statement, text) if support.holds_in_part else 0.0
    return replace(support, score=max(likeness, support.score)) if likeness >= QUOTED else support


def find_words(words: Sequence[str], text: str) -> tuple[int, int] | None:
    """Where these words follow each other in ``text``, whatever white space is between them; "art" not in "start"."""
    edge = r"(?a:\b)"
    begin = edge if re.match(r"(?a:\w)", words[0]) else ""
    end = edge if re.search(r"(?a:\w)\Z", words[-1]) else ""
    match = re.search(begin + r"\s+".join(map(re.escape, words)) + end, text)
    return match.span() if match else None


def surroundings(passage: Passage) -> str:
    """Where the names of a statement may be: anywhere in the passage, and in the name of its source."""
    return f"{passage.source}\n{passage.text}"


def windows(pieces: Iterable[Piece], width: int) -> Iterator[Piece]:
    """Every ``width`` sentences in a row of one piece, without the white space around them."""
    for offset, piece in pieces:
        spans = _sentences(piece)
        for (start, _), (_, end) in zip(spans, spans[width - 1 :], strict=False):
            text = piece[start:end]
            if text.strip():
                yield offset + start + len(text) - len(text.lstrip()), text.strip()


def _compare(claimed: Facts, present: Facts, near: Facts, start: int, text: str) -> Support:
    missing = (claimed.numbers - present.numbers) | (claimed.names - present.words - present.numbers - near.words)
    shared = claimed.words & present.words
    denies = bool(shared & (claimed.denied ^ present.denied)) or (claimed.negates and not present.negates)
    return Support(start, start + len(text), text, _share(claimed, present), missing, denies)


def _share(claimed: Facts, present: Facts) -> float:
    """Of the words of a statement those that are there."""
    return len(claimed.words & present.words) / len(claimed.words) if claimed.words else 0.0


def _likeness(statement: str, text: str) -> float:
    """The share of its letters that the most similar stretch of the text has in the same order."""
    from rapidfuzz.fuzz import partial_ratio

    quote, source = (" ".join(words.split()).lower() for words in (statement, text))
    return partial_ratio(quote, source) / 100 if len(quote) <= len(source) + LONGER else 0.0


@lru_cache(maxsize=512)
def _sentences(text: str) -> list[tuple[int, int]]:
    return sentences(text)


def _quality(support: Support) -> tuple[bool, bool, int, float, int]:
    """Larger is better; of equal places the shorter."""
    return (
        support.holds,
        not support.denies,
        -len(support.missing),
        support.score,
        support.start - support.end,
    )
