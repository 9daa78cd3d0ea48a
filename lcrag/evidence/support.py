"""Does this place in the source support that statement? Words must be shared; numbers, names and negation must agree.

Sharing words is what a paraphrase and a near miss have in common ("lit in 1871", "lit in 1881"), so the share alone
decides nothing: a number of the statement that the place lacks, a name that nothing near it has, or a verb denied in
one and not in the other rules the place out. Chosen on pairs made of gold evidence: ``examples/evaluation/support.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal

from lcrag.text.sentences import sentences
from lcrag.text.words import STOP_WORDS, stems

Piece = tuple[int, str]
"""Text of a document as it stands there, and its offset."""

LEAST: Final = 0.55
"""The score from which a place supports a statement."""
PART: Final = 0.3
"""The score from which a place may support a part of a statement, others the rest."""
QUOTED: Final = 0.9
"""Likeness, letter by letter, from which a place is taken for the statement's quote."""
WIDEST: Final = 3
"""Sentences in a row that may support a statement together."""
DENIED: Final = 3
"""Words after a negation that it denies."""

NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")
NUMBER_WORDS: Final = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen twenty".split()
    )
    if word not in ("zero", "one")  # "one" is as often a pronoun
}
MONTHS: Final = frozenset(
    "january february march april may june july august september october november december".split()
)
WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
NEGATION: Final = re.compile(
    r"not|no|never|none|neither|nor|without|cannot|nobody|nothing|nowhere|hardly|\w+n['’]t", re.IGNORECASE
)
THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}\b)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is compared of a text: its stemmed words and numbers; numbers; stems of names; stems of what is denied.

    ``negates``: whether anything at all is. ``|``: the facts of two texts together.
    """

    words: frozenset[str]
    numbers: frozenset[str]
    names: frozenset[str]
    denied: frozenset[str]
    negates: bool

    def __or__(self, other: Facts) -> Facts:
        return Facts(
            self.words | other.words,
            self.numbers | other.numbers,
            self.names | other.names,
            self.denied | other.denied,
            self.negates or other.negates,
        )


@dataclass(frozen=True, slots=True)
class Support:
    """A place, half-open, in the document, and how well it supports a statement.

    ``text``: what stands there, for an exact quote as the statement has it. ``score``: 0 to 1. ``missing``: numbers and
    names of the statement that are not there. ``denies``: one of the two denies what the other says.
    """

    start: int
    end: int
    text: str
    how: Literal["exact", "fuzzy", "overlap"]
    score: float
    missing: frozenset[str] = frozenset()
    denies: bool = False

    @property
    def holds(self) -> bool:
        return self.score >= LEAST and not self.missing and not self.denies

    @property
    def part(self) -> bool:
        """Whether it may support a part of the statement."""
        return self.score >= PART and not self.denies


def find(statement: str, pieces: Iterable[Piece], near: str = "") -> Support | None:
    """The place in the pieces that supports the statement best, whether it holds or not; None when none shares enough.

    First as it stands, apart from white space; else the fewest sentences in a row, at most WIDEST, that hold. ``near``:
    text in which the statement's names may stand as well, such as the passage around and its source's name.
    """
    listed = list(pieces)
    exact = quoted(statement, listed)
    if exact is not None:
        start, end = exact
        return Support(
            start,
            end,
            next(text[start - at : end - at] for at, text in listed if at <= start < at + len(text)),
            "exact",
            1.0,
        )
    best: Support | None = None
    for width in range(1, WIDEST + 1):
        for start, text in _windows(listed, width):
            one = judge(statement, text, near, start)
            if one.score >= PART and (best is None or _rank(one) > _rank(best)):
                best = one
        if best is not None and best.holds:
            break
    return best


def beside(statement: str, first: Support, pieces: Iterable[Piece], near: str = "") -> Support | None:
    """The sentence that supports the statement together with ``first``, which does not alone; None when none does."""
    said, had = facts(statement), facts(first.text)
    left = (said.words - had.words) | first.missing
    best: tuple[int, Support] | None = None
    for start, text in _windows(list(pieces), 1):
        there = facts(text)
        gain = len(left & (there.words | there.numbers))
        if gain and (best is None or gain > best[0]) and _compared(said, had | there, facts(near), start, text).holds:
            best = gain, judge(statement, text, near, start)
    return None if best is None else best[1]


def together(statement: str, places: Sequence[Support], near: str = "") -> bool:
    """Whether several places support between them what none of them does alone."""
    there = Facts(frozenset(), frozenset(), frozenset(), frozenset(), False)
    for place in places:
        there |= facts(place.text)
    return len(places) > 1 and _compared(facts(statement), there, facts(near), 0, "").holds


def judge(statement: str, text: str, near: str = "", start: int = 0) -> Support:
    """How well ``text``, which stands at ``start``, supports the statement."""
    found = _compared(facts(statement), facts(text), facts(near), start, text)
    alike = _likeness(statement, text) if found.part else 0.0
    return replace(found, how="fuzzy", score=max(alike, found.score)) if alike >= QUOTED else found


def _compared(said: Facts, there: Facts, near: Facts, start: int, text: str) -> Support:
    missing = (said.numbers - there.numbers) | (said.names - there.words - there.numbers - near.words)
    both = said.words & there.words
    share = len(both) / len(said.words) if said.words else 0.0
    denies = bool(both & (said.denied ^ there.denied)) or (said.negates and not there.negates)
    return Support(start, start + len(text), text, "overlap", share, missing, denies)


def quoted(statement: str, pieces: Iterable[Piece]) -> tuple[int, int] | None:
    """Where the statement stands as it is, apart from white space, as ``(start, end)`` in the document."""
    words = statement.split()
    if not words:
        return None
    for offset, piece in pieces:
        span = in_a_row(words, piece)
        if span is not None:
            return offset + span[0], offset + span[1]
    return None


def in_a_row(words: Sequence[str], text: str) -> tuple[int, int] | None:
    """Where these words stand in ``text`` in a row, whatever white space is between them; "art" not in "start"."""
    edge = r"(?a:\b)"
    begin = edge if re.match(r"(?a:\w)", words[0]) else ""
    end = edge if re.search(r"(?a:\w)\Z", words[-1]) else ""
    match = re.search(begin + r"\s+".join(map(re.escape, words)) + end, text)
    return match.span() if match else None


@lru_cache(maxsize=4096)
def facts(text: str) -> Facts:
    """What there is in a text to agree with."""
    listed = WORD.findall(text)
    numbers = frozenset(_numbers(text, listed))
    return Facts(
        frozenset(stem for stem in stems(text) if not stem.isdigit() and stem not in NUMBER_WORDS) | numbers,
        numbers,
        frozenset(stem for word in _names(text) for stem in stems(word)),
        _denied(listed),
        any(NEGATION.fullmatch(word) for word in listed),
    )


def _numbers(text: str, words: Sequence[str]) -> Iterator[str]:
    for number in NUMBER.findall(THOUSANDS.sub("", text)):
        yield number.lstrip("0") or "0"
    yield from (NUMBER_WORDS[word.lower()] for word in words if word.lower() in NUMBER_WORDS)


def _names(text: str) -> Iterator[str]:
    """Words with a capital that do not begin a sentence."""
    words = list(re.finditer(r"\S+", text))
    for before, word in pairwise([None, *words]):
        assert word is not None
        bare = word[0].strip("\"'“”‘’()[]{}<>.,;:!?*_—–-")
        begins = before is None or before[0].rstrip("\"'”’)*_").endswith((".", "!", "?", ":")) or before[0] in "-*•#>"
        if bare[:1].isupper() and not begins and bare.lower() not in STOP_WORDS and bare not in ("I", "I'm"):
            yield bare.removesuffix("'s").removesuffix("’s")


def _denied(words: Sequence[str]) -> frozenset[str]:
    """Stems of the words that stand just after a negation."""
    found: set[str] = set()
    for place, word in enumerate(words):
        if NEGATION.fullmatch(word):
            found.update(stems(" ".join(words[place + 1 : place + 1 + DENIED])))
    return frozenset(found)


def _likeness(statement: str, text: str) -> float:
    """Of the letters, the share that stand in the same order in the likest stretch of the text."""
    from rapidfuzz.fuzz import partial_ratio

    one, other = " ".join(statement.split()).lower(), " ".join(text.split()).lower()
    return partial_ratio(one, other) / 100 if len(one) <= len(other) + 10 else 0.0


def _windows(pieces: Sequence[Piece], width: int) -> Iterator[Piece]:
    """Every ``width`` sentences in a row, without the white space around them."""
    for offset, piece in pieces:
        spans = _spans(piece)
        for first in range(len(spans) - width + 1):
            start, end = spans[first][0], spans[first + width - 1][1]
            text = piece[start:end]
            start += len(text) - len(text.lstrip())
            if text.strip():
                yield offset + start, text.strip()


@lru_cache(maxsize=512)
def _spans(text: str) -> list[tuple[int, int]]:
    return sentences(text)


def _rank(found: Support) -> tuple[bool, bool, int, float, int]:
    return (
        found.holds,
        not found.denies,
        -len(found.missing),
        found.score,
        found.start - found.end,
    )
