"""Words as they are compared outside the index: lower case, stemmed, without the small words of questions."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Final

from lcrag.index.fulltext import STOP_WORDS, spaced

WORD: Final = re.compile(r"[^\W_]+")


def stems(text: str) -> list[str]:
    """Stemmed words in order, stop words left out; scripts without spaces as characters and pairs of them."""
    stem = _stemmer()
    return [stem(word) for word in WORD.findall(spaced(text).lower()) if word not in STOP_WORDS]


@cache
def _stemmer() -> Callable[[str], str]:
    from Stemmer import Stemmer

    word: Callable[[str], str] = Stemmer("english").stemWord
    return word
