"""Exact strings of a question: part numbers, versions, dates. A text about another one is no answer, however alike.

Words rank by how rare they are and vectors by what they mean; to both, AB-1235/1 is nearly AB-1234/0. So where a text
names several things of the same form, what follows the name of another one is ruled out: its row, its sentence, the
lines under its heading. Text that names none of that form is not touched, so that a question which mentions a number
by the way loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lcrag.text.words import fold

# Letters or digits, joined by signs that stand within names: AB-1234/0, v2.3.1, E45, 2022/4, RX_7, 10.1000/182.
_NAME: Final = re.compile(r"(?<![^\W_])[^\W_]+(?:[-_/.:#+][^\W_]+)*(?![^\W_])")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_DIGITS: Final = re.compile(r"\d+")
_YEAR: Final = re.compile(r"1[0-9]{3}|20[0-9]{2}")
_DATE: Final = re.compile(r"d[12]\d{7}")
_COUNTED: Final = re.compile(r"\d+(?:st|nd|rd|th|s|k|m)|\d{1,3}[.:]\d+", re.IGNORECASE)
_DASHES: Final = re.compile("[\u2010-\u2015\u2212]")


@dataclass(frozen=True, slots=True)
class ExactStrings:
    """What a question names exactly: ``names`` in lower case, and their ``forms``, in which others may be alike.

    ``kinds``: the words before names that are bare numbers, "item" of "item 48213".
    """

    names: frozenset[str]
    forms: frozenset[str]
    kinds: frozenset[str]

    @classmethod
    def of(cls, question: str) -> ExactStrings:
        named = [(name, before) for name, before in _named(question) if _is_exact(name)]
        kinds = frozenset(before for name, before in named if name.isdigit())
        return cls(frozenset(name for name, _ in named), frozenset(_form(name) for name, _ in named), kinds)

    def __bool__(self) -> bool:
        return bool(self.names)

    @property
    def are_codes(self) -> bool:
        """Whether all names have four digits or more, and none is a date: what a row of a table begins with."""
        return bool(self.names) and all(
            form != "date" and sum(map(str.isdigit, name)) >= 4 for name in self.names for form in [_form(name)]
        )

    def named_in(self, text: str) -> bool | None:
        """Whether a text names one of ours (True), others of the same form only (False), or none of them (None).

        A number is of the same form as another one if it has as many digits, and is at the start, as a key is,
        or after the same word.
        """
        named = _named(text)
        if any(name in self.names for name, _ in named):
            return True
        alike = any(
            _form(name) in self.forms and (not name.isdigit() or before in self.kinds or not before)
            for name, before in named
        )
        return False if alike else None

    def about(self, texts: Iterable[str], before: str = "") -> list[bool | None]:
        """For each text, in their order, whether what was named last is ours: by itself, or else by those before it.

        ``before``: what is above the first one, as a heading is. None where nothing of the form was named yet.
        """
        last = self.named_in(before)
        listed = []
        for text in texts:
            own = self.named_in(text)
            last = last if own is None else own
            listed.append(last)
        return listed

    def allowed(self, passages: Sequence[tuple[str, Sequence[str]]]) -> list[bool]:
        """For each text whether it may answer: not if it is about another thing of the form of one that is asked for.

        ``passages``: what is above each, and its texts. Nothing is allowed where things of that form are named and none
        of them is the one asked for. Where a code is named, which is unlikely to be part of a running text, only what
        is about it is allowed. Of dates only the texts count that name another one themselves, where some text names
        the one asked for: it may be there as "4 July".
        """
        if self.forms == {"date"}:  # what follows a date may be of another day, or of no day
            named = [self.named_in(text) for _, texts in passages for text in texts]
            return [verdict is not False or True not in named for verdict in named]
        about = [verdict for above, texts in passages for verdict in self.about(texts, above)]
        if True in about and self.are_codes:
            return [verdict is True for verdict in about]
        if False in about and True not in about:
            return [False] * len(about)
        return [verdict is not False for verdict in about]


def _named(text: str) -> list[tuple[str, str]]:
    """Names in a text, in lower case, and the word before each, "" at the start."""
    words = [match[0].lower() for match in _NAME.finditer(_DASHES.sub("-", fold(text)))]
    return list(zip(words, ["", *words], strict=False))


def _is_exact(name: str) -> bool:
    """A date, digits together with letters or with several signs, or four digits and more that are no year.

    Not "3rd", "90s" or "5k", not a decimal of up to three digits or a time, not a word: 1970.2 is a number of a thing.
    """
    if _DATE.fullmatch(name):
        return True
    if not _DIGITS.search(name) or _COUNTED.fullmatch(name):
        return False
    return not name.isdigit() or (len(name) >= 4 and not _YEAR.fullmatch(name))


def _form(name: str) -> str:
    """Its digits as "9" and, where there are four of them, its letters as "a": "a-9/9" of AB-1234/0, "il-9" of IL-6.

    Numbers keep their length; all dates are of one form.
    """
    if _DATE.fullmatch(name):
        return "date"
    if name.isdigit():
        return "9" * len(name)
    form = _DIGITS.sub("9", name)
    return _LETTERS.sub("a", form) if sum(map(str.isdigit, name)) >= 4 else form
