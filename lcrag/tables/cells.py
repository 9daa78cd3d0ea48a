"""Words of a question that are texts of cells."""

from __future__ import annotations

import re
from typing import Final

from lcrag.tables import lexicon
from lcrag.tables.field import Field, plain_words, singular, stem_of
from lcrag.tables.tokens import Kind, Token
from lcrag.tables.view import View

_QUOTED: Final = re.compile(r"[\"“]([^\"“”]+)[\"”]|(?<!\w)['‘]([^'‘’]+)['’](?!\w)")
_WORD: Final = re.compile(r"[^\W_]+")


class Cells:
    """Finds values. ``_words``: each with the characters that it is at; ``_plain``: without case and accents."""

    def __init__(self, question: str, view: View) -> None:
        self._text, self._view = question, view
        self._words = [(match[0], match.start(), match.end()) for match in _WORD.finditer(question)]
        self._plain = [(plain_words(word) or ("",))[0] for word, _, _ in self._words]
        self._quoted = {match.start() + 1: match.end() - 1 for match in _QUOTED.finditer(question)}

    def _token(self, kind: Kind, place: int, words: int, **fields: object) -> Token:
        start, end = self._words[place][1], self._words[place + words - 1][2]
        return Token(kind, self._text[start:end], start, end, **fields)  # type: ignore[arg-type]

    def _in_quotes(self, place: int) -> tuple[Token, int]:
        """What stands in quotes is a value as a whole."""
        end = self._quoted[self._words[place][1]]
        words = sum(self._words[place][1] <= start < end for _, start, _ in self._words)
        key = tuple(self._plain[place : place + words])
        cells = tuple(self._view.values.get(key, ()))
        return self._token(Kind.VALUE if cells else Kind.UNKNOWN, place, words, cells=cells), words

    def _value(self, place: int, before: list[Token]) -> tuple[Token | None, int]:
        """The longest text of a cell that begins here; of the label, its beginning is enough."""
        for words in range(min(16, len(self._words) - place), 0, -1):
            key = tuple(self._plain[place : place + words])
            cells = self._view.values.get(key) or self._view.beginnings.get(key)
            if cells is None:  # "check-ups", "bookshelves"
                cells = next(
                    (found for last in singular(key[-1]) if (found := self._view.values.get((*key[:-1], last)))), None
                )
            if cells is None and words == 1 and len(key[0]) > 3 and key[0].endswith("s"):
                cells = self._view.stems.get(stem_of(key[0])) or self._view.stems.get(key[0][:-1])
            if not cells or not self._may_be_value(place, words, cells, before):
                continue
            return self._token(Kind.VALUE, place, words, cells=tuple(cells)), words
        return None, 0

    def _may_be_value(self, place: int, words: int, cells: list[tuple[Field, str]], before: list[Token]) -> bool:
        """Small words and bare numbers are values only after the name of their column, or as they are written."""
        if words > 1 and not all(word.isdigit() for word in self._plain[place : place + words]):
            return True
        word = self._words[place][0]
        named = [token for token in before[-2:] if token.kind != Kind.IGNORED][-1:]
        is_named = bool(named) and (
            any(one in [cell[0] for cell in cells] for one in named[0].fields)
            or (named[0].kind == Kind.ROWS and self._view.label in [cell[0] for cell in cells])
        )
        if words > 1 or word.isdigit():
            return is_named or (words > 1 and not word[0].isspace() and self._is_one_number(place, words))
        if self._text[self._words[place][2] :].startswith(("'s", "’s")) and place and word[0].isupper():
            return True  # "Bo's grade"
        is_small = (
            self._plain[place] in lexicon.IGNORED or len(word) < 3 or word.lower() in ("not", "and", "yes", "all")
        )
        is_written = place > 0 and word[0].isupper() and any(word == value for _, value in cells)
        return not is_small or is_named or (is_written and (word.isupper() or len(word) > 3))

    def _is_one_number(self, place: int, words: int) -> bool:
        """Whether digits with signs between, "1931.10", stand in one piece."""
        start, end = self._words[place][1], self._words[place + words - 1][2]
        return (
            " " not in self._text[start:end]
            and re.fullmatch(r"\d+[./-]\d+(?:[./-]\d+)*", self._text[start:end]) is not None
        )
