"""Words as they are compared: folded to one form, and outside the index also stemmed and without stop words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
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

LEAST_PART: Final = 5
"""Letters of a word that is looked for within longer ones; shorter ones are in too many by chance."""

_FUNCTION_WORDS: Final = tuple(
    frozenset(words.split())
    for words in (
        "auch auf aus bei das dem der eine einem einen einer fur im ist mit nach nicht oder sich sind und von welche"
        " welcher werden wie wird wurde zum zur",
        "aan bij een het hoe naar niet ook op van voor welke wordt zijn",
        "ar att av det ett for hur hva hvad hvilken hvor ikke inte och og pa som till til vilken vilket",
    )
)
_LETTERS_WITH_MARKS: Final = re.compile("[äöüßåæø]", re.IGNORECASE)


MONTHS: Final = "january february march april may june july august september october november december".split()
_MONTH = r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?" + (
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
# A date or a number in groups of three digits. It begins with a digit, which re finds fast.
_NUMBER = re.compile(
    r"[0-9](?<![\d,.][0-9])(?<!\d[/\-'’][0-9])(?:"
    r"[0-9]{3}([-/.])[0-9]{1,2}\1[0-9]{1,2}(?!\d)"
    r"|[0-9]?([/.])[0-9]{1,2}\2[12][0-9]{3}(?!\d)"
    rf"|[0-9]?(?:st|nd|rd|th|\.)?\s(?:of\s)?{_MONTH},?\s[12][0-9]{{3}}(?!\d)"
    r"|[0-9]?(?:st|nd|rd|th)?,?\s[12][0-9]{3}(?!\d)"
    r"|[0-9]{0,2}([,.'’ \xa0\u2007\u2009\u202f])[0-9]{3}(?:\3[0-9]{3})*(?!\d|[,.]\d))"
)
_NAMED_MONTH = re.compile(_MONTH)
_MONTH_BEFORE = re.compile(rf"\b{_MONTH}\s\Z")

# C++, C#, F#: signs that end a word and that no tokenizer keeps.
_SIGN = re.compile(r"#(?<=[^\W_]#)(?![^\W\d]|[#+])|\+\+(?<=[^\W_]\+\+)(?![^\W\d]|\+)")
_LAST_WORD = re.compile(r"[^\W_]+\Z")

# Characters that nobody sees (a soft hyphen takes its line end along), and after decomposition accents and the vowel
# marks of Hebrew and Arabic.
_UNSEEN = re.compile(
    r"\xad(?:[ \t]*\n\s*)?|[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061c"
    r"\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u180e\u1ab0-\u1aff\u1dc0-\u1dff"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\U000e0000-\U000e0fff]"
)
_UNUSUAL = re.compile("[^\0-\x7f£€–—‘’“”]")
"""What folding may change; of the rest much text has some."""
_RAISED = re.compile(r"(?<=\d)(?=[²³¹⁰⁴-⁹₀-₉¼-¾⅐-⅞])")
_LETTERS: Final = dict(zip("ıøØłŁđĐىیکة", "ioOlLdDييكه", strict=True)) | {
    "ß": "ss",
    "ẞ": "SS",
    "æ": "ae",
    "Æ": "AE",
    "œ": "oe",
    "Œ": "OE",
}
_LETTER = re.compile(f"[{''.join(_LETTERS)}]")


def fold(text: str) -> str:
    """The form in which index, questions and sentences are compared; its length is not that of ``text``.

    Characters that look or mean the same become the same (NFKC; without accents, vowel marks and unseen characters;
    ligatures taken apart, Hangul and kana composed), and so do numbers with and without groups and dates in several
    forms. C++ and C# become words. 03/05/2024 may be in March or in May and stays as it is.
    """
    text = _NUMBER.sub(_folded_number, text)
    if "#" in text or "++" in text:
        text = _SIGN.sub(_folded_sign, text)
    if text.isascii() or not _UNUSUAL.search(text):
        return text
    if not unicodedata.is_normalized("NFKD", text):
        text = unicodedata.normalize("NFKD", _RAISED.sub(" ", text))
    text = _LETTER.sub(lambda letter: _LETTERS[letter[0]], _UNSEEN.sub("", text))
    return unicodedata.normalize("NFC", text)


def _folded_number(match: re.Match[str]) -> str:
    number, separator = match[0], match[3]
    if separator is not None:
        joined = number.replace(separator, "")
        if separator == ".":  # one point is that of a decimal, three are those of an address
            return joined if number.count(".") == 2 else number
        return f"{number} {joined}" if separator == " " else joined
    first, second, *third = map(int, re.findall(r"\d+", number))
    if match[1]:
        year, month, day = first, second, *third
    elif match[2]:
        day, month, [year] = first, second, third
        if match[2] == "/" and month > 12:
            day, month = month, day
        elif match[2] == "/" and day <= 12 and day != month:
            return number
    else:
        before = match.string[max(0, match.start() - 12) : match.start()]
        named = _NAMED_MONTH.search(number) or _MONTH_BEFORE.search(before)
        if named is None:
            return number
        day, year = first, second
        month = next(place for place, name in enumerate(MONTHS, 1) if name.startswith(named[0][:3].lower()))
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return number
    return f"{number} {MONTHS[month - 1]} d{year}{month:02}{day:02} "


def _folded_sign(match: re.Match[str]) -> str:
    name = "sharp" if match[0] == "#" else "plusplus"
    word = _LAST_WORD.search(match.string[max(0, match.start() - 40) : match.start()])
    return f"{name} " if word is None or len(word[0]) == 1 else f" {word[0]}{name} "


def joins_words(question: str) -> bool:
    """Whether the question is in a language that writes compounds as one word: German, Dutch, Scandinavian.

    By two of its small words, or, where there are no small words at all, by a letter that English does not have.
    """
    words = set(WORD.findall(fold(question).lower()))
    if any(len(words & small) > 1 for small in _FUNCTION_WORDS):
        return True
    return _LETTERS_WITH_MARKS.search(question) is not None and not words & STOP_WORDS


def parts_asked(asked: Iterable[str], words: Iterable[str]) -> set[str]:
    """Those of the asked stems that are a part of a longer word: "netzgerat" of "hochspannungsnetzgerat"."""
    longer = " ".join(words)
    return {stem for stem in asked if len(stem) >= LEAST_PART and stem in longer}


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
    return [stem(word) for word in WORD.findall(spaced(fold(text)).lower()) if word not in STOP_WORDS]


@cache
def _stemmer() -> Callable[[str], str]:
    from Stemmer import Stemmer

    word: Callable[[str], str] = Stemmer("english").stemWord
    return word
