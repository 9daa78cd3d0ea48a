"""Words as they are compared outside the index: lower case, stemmed, without stop words."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Final

WORD: Final = re.compile(r"[^\W_]+")

# Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Japanese, Chinese, Korean (whose endings stick).
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1100-\u11ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    r"\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]+"
)
_MAY_BE_UNSPACED = re.compile("[^\0-\u0dff\u2000-\u3004]")  # three times as fast where there is none

STOP_WORDS: Final = frozenset(
    word
    for line in (
        "a about all also am an and any are as at be been being but by can could d did do does doing for from had has",
        "have having he her here him his how i if in into is it its just ll m may me might my no not of on or our re s",
        "shall she should so some such t than that the their them then there these they this those to us ve was we",
        "were what when where which while who whom whose why will with would you your",
    )
    for word in line.split()
)


def spaced(text: str) -> str:
    """Separate the characters, and the pairs of characters, of scripts without spaces, so that FTS5 sees words."""
    if text.isascii() or not _MAY_BE_UNSPACED.search(text):
        return text
    return _UNSPACED.sub(lambda run: f" {' '.join(run[0])} {' '.join(_pairs(run[0]))} ", text)


def spaced_pairs(question: str) -> str:
    """The same with pairs only, which match less by chance; a single character stays as it is."""
    return _UNSPACED.sub(lambda run: f" {' '.join(_pairs(run[0]) or run[0])} ", question)


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]


def stems(text: str) -> list[str]:
    """Stemmed words in order, stop words left out; scripts without spaces as characters and pairs of them."""
    stem = _stemmer()
    return [stem(word) for word in WORD.findall(spaced(text).lower()) if word not in STOP_WORDS]


@cache
def _stemmer() -> Callable[[str], str]:
    from Stemmer import Stemmer

    word: Callable[[str], str] = Stemmer("english").stemWord
    return word
