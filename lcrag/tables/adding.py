"""Programs that count, add and average: of all rows that fit, or for each text of a column."""

from __future__ import annotations

from typing import Final

from lcrag.tables.comparing import Comparing
from lcrag.tables.field import Field, plain_words, stem_of
from lcrag.tables.lexicon import ADDED_UP, PAID
from lcrag.tables.selects import Program
from lcrag.tables.tokens import NOUN, Kind, Token, fits
from lcrag.tables.units import MEASURED_IN
from lcrag.tables.view import CATEGORY_SHARE

HOW_OFTEN: Final = ("how often", "how many times")
PAYMENTS: Final = {stem_of(word) for word in PAID}
"""Nouns of rows that are amounts of money."""


class Adding(Comparing):
    """Counts, sums and means."""

    def _matched(self, pattern: str) -> list[Token] | None:
        return self._tokens if fits(pattern, self._pattern) else None

    def _counted(self, group: str = "") -> Program | None:
        if self._tokens and self._tokens[0].text.lower() in HOW_OFTEN:
            return self._aggregate("count(*)", group, ()) if self._asks_how_often() else None
        made = [one for token in self._tokens for one in token.fields if one.column not in one.loaded.columns]
        if len(made) == 1 and fits("count rows column", self._pattern):  # "how many medals, gold plus silver"
            return self._total(made[0], group)
        tokens = self._matched("sum? count different? (rows|column rows?)")
        if tokens is None:  # "how many ferries are there", where a column says which ships are ferries
            is_kind = (
                self._pattern == Kind.COUNT and self._conditions and self._conditions[0].field is not self._view.label
            )
            return self._aggregate("count(*)", group, ()) if is_kind else None

        what = next(
            token for token in tokens if token.kind in (Kind.ROWS, Kind.COLUMN)
        )  # of both, the first is counted
        expression = self._count(what, is_different=Kind.DIFFERENT in self._pattern)
        if expression is None:
            one = self._field(what)
            adds_up = one is not None and (one.adds_up or self._names_one_row())
            return self._total(one, group) if one is not None and one.kind == "number" and adds_up else None
        return self._aggregate(expression, group, ())

    def _asks_how_often(self) -> bool:
        """Whether nothing but the number of rows with a value that repeats is asked for: "how often did Bella come"."""

        texts = [one.field for one in self._conditions if one.texts]
        is_named = bool(texts) and all(one.share < 1 or one.loaded is not self._view.loaded for one in texts)
        return is_named and fits("count (rows|column)*", self._pattern) is not None

    def _count(self, what: Token, is_different: bool) -> str | None:
        """How many rows, or different texts of a column."""
        one = self._field(what)
        if what.kind == Kind.ROWS:
            if not is_different:
                return "count(*)"
            return f"count(DISTINCT {one.sql})" if one is not None else None
        if one is None or one.kind not in ("text", "year") or one.says_yes or not _is_head(what, one):
            return None
        if is_different or (one.kind == "text" and (one.share < CATEGORY_SHARE or one in self._view.other.values())):
            return f"count(DISTINCT {one.sql})"
        return f"count({one.sql})" if one is self._view.label else None

    def _total(self, one: Field, group: str) -> Program | None:
        """The number that a row gives, or the sum of several: "how many launches did the Prudence have"."""
        return self._aggregate(f"sum({one.sql})", group, (one,))

    def _added(self, group: str = "") -> Program | None:
        tokens = self._matched(
            "(sum|mean) count? rows? column rows?|extreme column rows?"
            "|superlative column|column superlative|(sum|mean) rows"
        )
        if tokens is None:
            return None
        if fits("superlative column|column superlative", self._pattern):
            what = next(token for token in tokens if token.kind == Kind.SUPERLATIVE)
            return self._extreme_cell(
                what, next(token for token in tokens if token.kind == Kind.COLUMN).fields[0], group
            )
        if tokens[-1].kind == Kind.ROWS and len(tokens) == 2:  # "the average donation"
            money = self._view.meant_by("money") if self._view.nouns & PAYMENTS else None
            return self._aggregate(f"{self._adding(tokens[0])}({money.sql})", group, (money,)) if money else None
        what = next(token for token in tokens if token.kind in (Kind.SUM, Kind.MEAN, Kind.EXTREME))
        if f"{Kind.COLUMN}{Kind.ROWS}" in self._pattern and tokens[-1].start - tokens[-2].end <= 1:
            return None  # "the highest value object" is a row
        one = next(token for token in tokens if token.kind == Kind.COLUMN).fields[0]
        name = self._adding(what)
        if not (one.kind == "number" or (what.kind == Kind.EXTREME and one.is_dated)):
            return None
        return self._aggregate(f"{name}({one.sql})", group, (one,))

    def _extreme_cell(self, what: Token, one: Field, group: str) -> Program | None:
        """The cheapest fare, the fastest time."""
        is_time = what.concept == "speed" and one.is_called("taken")
        units = set(MEASURED_IN.get(what.concept, "").split()) & set(plain_words(one.column.name.replace("_", " ")))
        if one.kind != "number" or not (is_time or one.is_called(what.concept) or units):
            return None
        name = "max" if (what.sign > 0) != is_time else "min"
        return self._aggregate(f"{name}({one.sql})", group, (one,))

    def _grouped(self, is_sum: bool = False) -> Program | None:
        """A count, sum or mean for each text of a column, or for each year or month. ``is_sum``: whether a column alone
        is added up."""
        match = fits("each (?:column|period) (.+)|(.+) each (?:column|period)", self._pattern)
        if match is None:
            return None
        at = 1 if match[1] else len(self._tokens) - 1
        group = self._group(self._tokens[at])
        if group is None:
            return None
        rest = self._tokens[2:] if match[1] else self._tokens[:-2]
        rest = [
            token
            for place, token in enumerate(rest)
            if token.kind != Kind.ASKS and not (place and token.kind == Kind.EACH)
        ]
        if rest and rest[-1].kind == Kind.COLUMN and rest[-1].fields == self._tokens[at].fields:
            rest = rest[:-1]
        self._tokens, self._pattern = rest, "".join(token.kind for token in rest)
        if fits("mean count rows", self._pattern) and rest[0].text.lower() != "median":
            filled = [f"{group} IS NOT NULL"]
            sql = f"SELECT 1.0 * count(*) / count(DISTINCT {group}) FROM {self._view.source}"
            where = self._clause([*self._where, *filled])
            return Program(sql + where, "value", self._used(filled), self._view.loaded)
        if self._pattern == Kind.ROWS and self._said[0].kind == Kind.ROWS:  # "flights per airline"
            return self._aggregate("count(*)", group, ())
        is_sum = is_sum or (self._pattern == Kind.COLUMN and bool({*rest[0].text.lower().split()} & ADDED_UP))
        if is_sum and self._pattern == Kind.COLUMN and rest[0].fields[0].kind == "number":  # "the revenue per month"
            return self._total(rest[0].fields[0], group)
        return self._counted(group) or self._added(group)


def _is_head(token: Token, one: Field) -> bool:
    """Whether the word says what the cells are: "sexes" of patient_sex, and not "patients"."""
    said = [stem_of(word) for word in plain_words(token.text)]
    parts = {*one.names[0], *(stem for name in one.names for stem in name)}
    return token.concept == NOUN or one.head in said or not set(said) & parts
