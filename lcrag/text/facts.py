"""What a text claims that another can contradict: its words, numbers and names, and what it denies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from lcrag.text.words import STOP_WORDS, stems

DENIED: Final = 3
"""Words after a negation that it denies: "did not often burn oil". Not measured."""

NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")
NUMBER_WORDS: Final = {
    word: str(value)
    for value, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
        " eighteen nineteen twenty".split(),
        2,
    )
}
"""Without "zero", and without "one", which is as often a pronoun."""
WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
NEGATION: Final = re.compile(
    r"not|no|never|none|neither|nor|without|cannot|nobody|nothing|nowhere|hardly|\w+n['’]t", re.IGNORECASE
)
THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}\b)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What two texts are compared by. All but ``negates`` are sets of stems or numbers.

    ``words`` include ``numbers``, in figures without leading zeros. ``names``: stems of words with a capital that
    begin no sentence. ``denied``: stems just after a negation. ``negates``: whether there is a negation at all.
    ``|``: the facts of two texts together.
    """

    words: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    negates: bool = False

    def __or__(self, other: Facts) -> Facts:
        return Facts(
            self.words | other.words,
            self.numbers | other.numbers,
            self.names | other.names,
            self.denied | other.denied,
            self.negates or other.negates,
        )


@lru_cache(maxsize=4096)
def facts(text: str) -> Facts:
    """The Facts of a text; those of the last 4,096 texts are remembered."""
    words = WORD.findall(text)
    numbers = frozenset(_numbers(text, words))
    return Facts(
        frozenset(stem for stem in stems(text) if not stem.isdigit() and stem not in NUMBER_WORDS) | numbers,
        numbers,
        frozenset(stem for name in _names(text) for stem in stems(name)),
        _denied(words),
        any(NEGATION.fullmatch(word) for word in words),
    )


def _numbers(text: str, words: Sequence[str]) -> Iterator[str]:
    for number in NUMBER.findall(THOUSANDS.sub("", text)):
        yield number.lstrip("0") or "0"
    yield from (NUMBER_WORDS[word.lower()] for word in words if word.lower() in NUMBER_WORDS)


def _names(text: str) -> Iterator[str]:
    """Words with a capital that do not begin a sentence."""
    for before, word in pairwise(["", *text.split()]):
        bare = word.strip("\"'“”‘’()[]{}<>.,;:!?*_—–-")
        begins = not before or before.rstrip("\"'”’)*_").endswith((".", "!", "?", ":")) or before in "-*•#>"
        if bare[:1].isupper() and not begins and bare.lower() not in STOP_WORDS and bare not in ("I", "I'm"):
            yield bare.removesuffix("'s").removesuffix("’s")


def _denied(words: Sequence[str]) -> frozenset[str]:
    """Stems of the words just after a negation."""
    return frozenset(
        stem
        for number, word in enumerate(words, 1)
        if NEGATION.fullmatch(word)
        for stem in stems(" ".join(words[number : number + DENIED]))
    )
