"""Which beginnings of a program may still become one that runs over the tables.

The small model is held to these while it writes (as PICARD does, Scholak et al. 2021), since most of its mistakes are
names that no table has.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Final

from lcrag.tables.prompt import NO_PROGRAM

WORDS: Final = frozenset(
    "SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT JOIN ON AND OR NOT IN LIKE BETWEEN IS NULL DISTINCT ASC DESC CASE"
    " WHEN THEN ELSE END EXISTS UNION INTERSECT EXCEPT".split()
)
FUNCTIONS: Final = frozenset(
    "count sum avg min max median round total coalesce substr strftime julianday abs length lower upper replace".split()
)
LITERALS: Final = frozenset(("yes", "no", "now", "%Y", "%m", "%d", "%w", "%Y-%m"))
"""Texts that programs hold besides those of the tables."""
_PARTS: Final = re.compile(
    r"""(?P<text>'(?:[^']|'')*(?:'|$))|(?P<name>"[^"]*(?:"|$)|[^\W\d]\w*)|(?P<number>\d+(?:\.\d*)?)"""
    r"""|(?P<sign><=|>=|!=|<>|[-+*/=<>(),.!])|(?P<space> )|(?P<other>.)""",
    re.DOTALL,
)
JOINED: Final = 7
"""Parts of ``ON visits.pet = pets.code`` but its last."""
_DATE: Final = re.compile(r"\d{0,4}|\d{4}-\d{0,2}|\d{4}-\d{2}-\d{0,2}")


class Grammar:
    """``tables``: names of columns by the name of their table, with the column's texts where it is known to have no
    other. ``keys``: pairs of columns, ``visits.pet`` and ``pets.code``, by which alone tables are joined. Names are as
    programs write them."""

    def __init__(self, tables: Mapping[str, Mapping[str, Set[str] | None]], keys: Iterable[tuple[str, str]]) -> None:
        self.tables = {
            table: {column: None if texts is None else sorted(texts) for column, texts in columns.items()}
            for table, columns in tables.items()
        }
        self.columns: dict[str, set[str]] = {}
        for table, columns in tables.items():
            for column in columns:
                self.columns.setdefault(column, set()).add(table)
        self.pairs = {
            f"{one} = {other}": {
                table for table in tables if one.startswith(f"{table}.") or other.startswith(f"{table}.")
            }
            for pair in keys
            for one, other in (pair, pair[::-1])
        }
        self.texts = sorted(LITERALS.union(*(texts or () for columns in tables.values() for texts in columns.values())))
        self.names = (*WORDS, *FUNCTIONS, *self.columns, *tables)

    def allows(self, text: str) -> bool:
        """Whether a program may begin so."""
        if NO_PROGRAM.startswith(text) or "SELECT ".startswith(text):
            return True
        reading = _Reading(self, text)
        parts = list(_PARTS.finditer(text))
        return text.startswith("SELECT ") and all(reading.takes(part, part.end() == len(text)) for part in parts)


class _Reading:
    """A program read part by part."""

    def __init__(self, grammar: Grammar, text: str) -> None:
        self._grammar, self._text = grammar, text
        self._before: list[str] = []
        self._tables: list[str] = []
        self._columns: list[str] = []
        self._depth = 0
        self._end = self._on = 0

    def takes(self, part: re.Match[str], is_last: bool) -> bool:
        """Whether this part may follow those taken before; the last one may be cut short."""
        kind, value = part.lastgroup, part[0]
        self._end = part.end()
        last = self._before[-1] if self._before else ""
        if kind == "space":
            return not self._text[: part.start()].endswith(" ")
        if kind == "text":
            allowed = self._allows_text(value, is_last)
        elif kind == "name":
            allowed = self._allows_name(value, is_last)
        elif kind == "sign":
            self._depth += (value == "(") - (value == ")")
            allowed = self._depth >= 0 and not (value == "." and last not in self._grammar.tables)
        else:
            allowed = kind == "number"
        self._before.append(value)
        return allowed

    def _allows_name(self, name: str, is_last: bool) -> bool:
        last = self._before[-1] if self._before else ""
        if "ON" in self._before[-JOINED:]:
            return any(pair.startswith(self._text[self._on : self._end]) for pair in self._grammar.pairs)
        if last == ".":
            return _fits(name, self._grammar.tables[self._before[-2]], is_last)
        if last in ("FROM", "JOIN"):
            return self._allows_table(name, is_last, is_first=last == "FROM")
        if name == "ON":
            self._on = self._end + 1
        if name in WORDS:
            self._columns = [] if name == "SELECT" else self._columns
            return True
        if name in self._grammar.columns and self._allows_column(name):
            self._columns.append(name)
            return True
        if name in FUNCTIONS or name in self._grammar.tables:
            return True
        return is_last and any(
            one.startswith(name) and (one not in self._grammar.columns or self._allows_column(one))
            for one in self._grammar.names
        )

    def _allows_table(self, name: str, is_last: bool, is_first: bool) -> bool:
        """After FROM one that has the columns selected without a table; after JOIN one with a key in common."""
        if is_first:
            fits = [
                one for one in self._grammar.tables if all(one in self._grammar.columns[it] for it in self._columns)
            ]
        else:
            joined = [pair for pair in self._grammar.pairs.values() if pair & set(self._tables)]
            fits = [one for pair in joined for one in pair if one not in self._tables]
        if name in fits:
            self._tables.append(name)
            self._columns = []
        return _fits(name, fits, is_last)

    def _allows_column(self, name: str) -> bool:
        """Whether a column without its table is one of those named, or may be of the one that FROM will name."""
        if self._tables and not self._is_selecting():
            return bool(self._grammar.columns[name] & set(self._tables))
        wanted = [*self._columns, name]
        return bool(set.intersection(*(self._grammar.columns[column] for column in wanted)))

    def _is_selecting(self) -> bool:
        """Whether this is before FROM."""
        return next(part for part in reversed(self._before) if part in ("FROM", "SELECT")) == "SELECT"

    def _allows_text(self, value: str, is_last: bool) -> bool:
        is_open = len(value) == 1 or (len(value) - len(value.rstrip("'"))) % 2 == 0
        text = value[1 : None if is_open else -1].replace("''", "'")
        known = self._texts_compared()
        if known is None and ("%" in text or _DATE.fullmatch(text)):
            return True
        allowed = [self._grammar.texts] if known is None else known
        return any(_holds(text, texts, is_open) or (is_last and _holds(f"{text}'", texts, True)) for texts in allowed)

    def _texts_compared(self) -> list[list[str]] | None:
        """All texts of the column that this one is compared with: of ``pet`` in ``pet = 'Rex'``, ``pet IN ('Rex'``."""
        before = list(self._before)
        while before and (before[-1] in ("(", ",") or before[-1].startswith("'")):
            before.pop()
        if len(before) < 2 or before.pop() not in ("=", "!=", "IN"):
            return None
        column = before[-2] if before[-1] == "NOT" else before[-1]
        tables = self._tables
        if before[-2:-1] == ["."]:
            tables = before[-3:-2]
        listed = [self._grammar.tables[table][column] for table in tables if column in self._grammar.tables[table]]
        known = [texts for texts in listed if texts is not None]
        return known if known and len(known) == len(listed) else None


def _holds(text: str, texts: Sequence[str], is_cut: bool) -> bool:
    """As ``_fits``, of texts in order, which may be thousands."""
    place = bisect_left(texts, text)
    return place < len(texts) and (texts[place] == text or (is_cut and texts[place].startswith(text)))


def _fits(name: str, names: Iterable[str], is_cut: bool) -> bool:
    return any(one == name or (is_cut and one.startswith(name)) for one in names)
