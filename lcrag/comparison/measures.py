"""How well a text agrees with a gold answer. Pure: texts in, numbers out; ``lcrag.comparison.scoring`` chooses one.

Sources: Rajpurkar et al. (2016), SQuAD, for words, exact match and F1; Lin (2004) for ROUGE-L; Hsieh et al. (2024),
RULER, and Yen et al. (2024), HELMET, for the gold answer word for word.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from lcrag.text.words import spaced

SHORT_WORDS: Final = 10
"""A longer gold answer is seldom repeated word for word."""
MOST_OPTIONS: Final = len(string.ascii_uppercase)

_MARKERS: Final = re.compile(r"\s*\[\d{1,6}(?:\s*[,;]\s*\d{1,6})*\]")
_ARTICLES: Final = frozenset({"a", "an", "the"})
ITEM_END: Final = re.compile(r"[,;]\s+(?:and\s+)?|\n+|\s+and\s+")
"""What separates the items of a list."""
_NUMBER: Final = re.compile(r"(?<![\w.,])[-−]?\s?(?:\d{1,3}(?:[,\u202f\u00a0]\d{3})+|\d+)(?:\.\d+)?")
_SCALES: Final = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12, "m": 6, "mn": 6, "bn": 9, "k": 3}
_SCALE: Final = re.compile(r"\s?(thousand|million|billion|trillion|mn|bn|m|k)\b", re.IGNORECASE)
_MONEY: Final = re.compile(r"[$€£¥]\s?$")
_LABEL: Final = re.compile(r"\(?([A-Z])\)?[.):]\s+")
_LETTERS: Final = re.compile(r"\W*([A-Z](?:\s*(?:,|and|&)?\s*[A-Z])*)\W*", re.DOTALL)
_CHOICE: Final = re.compile(r"(?i:answers?|options?|choices?)\s+(?i:(?:is|are)\s+)?:?\s*\(?([A-Z])\b(?![\w'’])")


def without_markers(text: str) -> str:
    """An answer's text without the markers of its citations, such as [1] and [2, 3]."""
    return _MARKERS.sub("", text).strip()


def words(text: str) -> list[str]:
    """Words as SQuAD compares them: lower case, without punctuation and articles; Chinese and Japanese by characters.

    SQuAD's script removes the punctuation of ASCII; this one that of all of Unicode, and symbols.
    """
    lowered = spaced(text.lower())
    letters = "".join(character for character in lowered if unicodedata.category(character)[0] not in "PS")
    return [word for word in letters.split() if word not in _ARTICLES]


def token_f1(text: str, gold: str) -> float:
    """F1 of the words in common, each counted as often as both texts have it; 1 for two empty texts."""
    text_words, gold_words = words(text), words(gold)
    if not text_words or not gold_words:
        return float(text_words == gold_words)
    common = (Counter(text_words) & Counter(gold_words)).total()
    return 2 * common / (len(text_words) + len(gold_words))


def rouge_l(text: str, gold: str) -> float:
    """F1 of the longest common subsequence of lower-case words."""
    from rapidfuzz.distance import LCSseq

    text_words, gold_words = (re.findall(r"[^\W_]+", spaced(side.lower())) for side in (text, gold))
    if not text_words or not gold_words:
        return 0.0
    return 2 * int(LCSseq.similarity(text_words, gold_words)) / (len(text_words) + len(gold_words))


def contained(text: str, gold: str) -> float:
    """1 if the text has the whole gold answer word for word; else the share of the gold's items that it has."""
    text_words = words(text)
    if _contains(text_words, words(gold)):
        return 1.0
    items = list_items(gold)
    return sum(_contains(text_words, item) for item in items) / len(items) if items else 0.0


def _contains(text_words: Sequence[str], phrase: Sequence[str]) -> bool:
    size = len(phrase)
    return size > 0 and any(text_words[start : start + size] == phrase for start in range(len(text_words) - size + 1))


def list_items(gold: str) -> list[list[str]]:
    """The words of each item if the gold answer is a list of short ones, else []."""
    items = [item for part in ITEM_END.split(gold) if (item := words(part))]
    return items if len(items) > 1 and all(len(item) <= SHORT_WORDS // 2 for item in items) else []


def same_number(text: str, gold: str) -> bool:
    """Whether some number in the text, rounded as the gold is, equals it: 2.13 is 2.1, and 1742 is not 1743."""
    expected = gold_number(gold)
    if expected is None:
        return False
    value, unit = expected
    return any(number == value or abs(number - value) * 2 <= unit for number, _ in _numbers(text))


def gold_number(gold: str) -> tuple[Decimal, Decimal] | None:
    """The number and the unit of its last place; None unless the gold is one number and at most two other words."""
    numbers = _numbers(gold)
    other_words = [word for word in re.findall(r"[^\W\d_]+", gold) if word.lower() not in _SCALES]
    return numbers[0] if len(numbers) == 1 and len(other_words) <= 2 else None


def _numbers(text: str) -> list[tuple[Decimal, Decimal]]:
    """Each number in the text and the unit of its last place: "3.2 million" is 3,200,000 with unit 100,000."""
    numbers = []
    for match in _NUMBER.finditer(text):
        value = Decimal(re.sub(r"[,\u202f\u00a0\s]", "", match[0]).replace("−", "-"))
        unit = Decimal(1).scaleb(int(value.as_tuple().exponent))
        scale = _SCALE.match(text, match.end())
        if scale and (len(scale[1]) > 2 or _MONEY.search(text, 0, match.start())):  # "5 m" is five metres, "£5m" is not
            power = _SCALES[scale[1].lower()]
            value, unit = value.scaleb(power), unit.scaleb(power)
        numbers.append((value, unit))
    return numbers


def chosen_options(options: Sequence[str], text: str) -> frozenset[int]:
    """Indices of the options that the text names: by letter, by their words in it, else by the highest token F1."""
    letters = string.ascii_uppercase[: len(options)]
    for match in (_LETTERS.fullmatch(text), _LABEL.match(text), _CHOICE.search(text)):
        if match and (named := [letter for letter in re.findall(r"[A-Z]", match[1]) if letter in letters]):
            return frozenset(letters.index(letter) for letter in named)
    unlabelled = without_labels(options)
    option_words = [words(option) for option in unlabelled]
    text_words = words(text)
    contained_options = [index for index, option in enumerate(option_words) if _contains(text_words, option)]
    if contained_options:
        longest = max(len(option_words[index]) for index in contained_options)
        return frozenset(index for index in contained_options if len(option_words[index]) == longest)
    scores = [token_f1(text, option) for option in unlabelled]
    best = max(scores)
    return frozenset({scores.index(best)}) if best > 0 and scores.count(best) == 1 else frozenset()


def is_right_choice(options: Sequence[str], text: str, golds: Sequence[str]) -> bool:
    """Whether the text names the options of some gold answer, which is letters or an option's text."""
    chosen = chosen_options(options, text)
    return bool(chosen) and any(chosen == _gold_options(options, gold) for gold in golds)


def _gold_options(options: Sequence[str], gold: str) -> frozenset[int]:
    same = frozenset(index for index, option in enumerate(without_labels(options)) if words(option) == words(gold))
    return same or chosen_options(options, gold)


def without_labels(options: Sequence[str]) -> list[str]:
    """The options without letters of their own, if all of them have one."""
    labels = [_LABEL.match(option) for option in options]
    if not all(labels):
        return list(options)
    return [option[label.end() :] for option, label in zip(options, labels, strict=True) if label]
