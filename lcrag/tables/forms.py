"""The forms of questions that are known, each a short pattern of tokens, and the program of each."""

from __future__ import annotations

from typing import Final

from lcrag.tables.comparing import Comparing
from lcrag.tables.database import Database
from lcrag.tables.essential import essential
from lcrag.tables.field import Field, plain_words, stem_of
from lcrag.tables.filters import Condition
from lcrag.tables.lexicon import ADDED_UP, PAID
from lcrag.tables.selects import Program
from lcrag.tables.tokens import WEAK, Kind, Token, fits
from lcrag.tables.units import MEASURED_IN
from lcrag.tables.view import CATEGORY_SHARE, View, is_code

TOP: Final = 10
"""Rows of a "top" without a number. Assumed, not measured."""


HOW_OFTEN: Final = ("how often", "how many times")
PRONOUNS: Final = ("it", "he", "she", "they", "them", "him", "her", "his", "their")
PAYMENTS: Final = {stem_of(word) for word in PAID}
"""Nouns of rows that are amounts of money."""


class Writer(Comparing):
    """Writes the program of one reading."""

    def __init__(self, view: View, database: Database, where: list[Condition], tokens: list[Token]) -> None:
        super().__init__(view, database, where)
        self._said = tokens
        self._tokens = essential(tokens)
        self._pattern = "".join(token.kind for token in self._tokens)

    def program(self) -> Program | None:
        if not self._explains_verbs():
            return None
        if self._pattern.startswith(Kind.WHETHER):
            return self._whether()
        asks = self._pattern.startswith(Kind.ASKS)
        concept = self._tokens[0].concept if asks else ""
        is_sum = asks and self._tokens[0].text.lower().startswith("how much") and bool(self._where)
        while self._pattern.startswith(Kind.ASKS):
            self._tokens, self._pattern = self._tokens[1:], self._pattern[1:]
        pronouns = any(token.text.lower() in PRONOUNS for token in self._said)
        if not self._where and (pronouns or (concept and not self._tokens)):
            return None  # "who gave it?", "where?"
        if concept == "who":
            named = any(
                token.kind == Kind.ROWS or any(one.kind == "text" for one in token.fields) for token in self._tokens
            )
            if not named and not self._insert_people():
                return None
            columns = [one for token in self._tokens if token.kind == Kind.COLUMN for one in token.fields]
            if fits("(rows|column|and)+", self._pattern) and any(one.kind != "text" for one in columns):
                return None  # no number says who
        elif concept and not any(self._says(concept, token) for token in self._tokens):
            meant = self._view.meant_by(concept)
            if meant is None:
                return None
            self._tokens.insert(0, Token(Kind.COLUMN, "", 0, 0, fields=(meant,)))
            self._pattern = Kind.COLUMN + self._pattern
        if fits("mean .+ each rows", self._pattern):  # "the average price per order"
            self._tokens, self._pattern = self._tokens[:-2], self._pattern[:-2]
        if Kind.SHARE in self._pattern or Kind.DIFFERENCE in self._pattern:
            return self._share() or self._difference()
        if fits("(?!top|extreme|superlative).*each.*", self._pattern):
            return self._grouped()
        if is_sum and fits("rows? sum? rows?", self._pattern):  # "how much did Ann donate"
            money = self._view.meant_by("money")
            return self._total(money, "") if money is not None and money.kind == "number" else None
        if (
            is_sum and self._pattern == Kind.COLUMN and self._tokens[0].text.endswith("s")
        ):  # "how much did Ann pay in fines"
            [one] = self._tokens[0].fields
            return self._total(one, "") if one.kind == "number" else None
        found = self._by_size() or self._counted() or self._added() or self._first()
        return found or (self._listed() if asks else None)

    def _explains_verbs(self) -> bool:
        """Whether what weak verbs say is said by a column of numbers, or by a condition behind each."""
        if any(one.kind == "number" for token in self._tokens for one in token.fields):
            return True
        weak = [place for place, token in enumerate(self._said) if token.concept == WEAK]
        is_paid = any(self._said[place].text.lower().startswith("pa") for place in weak)
        return not is_paid and all(self._has_condition(place) for place in weak)

    def _has_condition(self, place: int) -> bool:
        """Whether a condition is next to this token, with nothing but small words between."""
        small = (Kind.IGNORED, Kind.TO, Kind.FROM)
        behind = next((one.kind for one in self._said[place + 1 :] if one.kind not in small), "")
        before = next((one.kind for one in self._said[:place][::-1] if one.kind not in small), "")
        return Kind.FILTER in (behind, before)

    @staticmethod
    def _says(concept: str, token: Token) -> bool:
        """Whether a column is what "when" or "where" asks for."""
        return any(one.is_dated if concept == "time" else one.kind == "text" for one in token.fields)

    def _insert_people(self) -> bool:
        """Put what "who" asks for in front: the rows, or the one column of people; False where there is neither."""
        people = [one for one in self._view.fields if one.is_of_people]
        texts = [one for one in self._view.fields if one.kind == "text" and not is_code(one)]
        if not any(token.sign for token in self._tokens):  # only the first of a row says who
            people = [one for one in people if one is texts[0]]
        if "peopl" in self._view.nouns and self._view.label is not None:
            token = Token(Kind.ROWS, "", 0, 0)
        elif len(people) == 1 or (people and people[0] is self._view.fields[0]):  # the first says whose row it is
            token = Token(Kind.COLUMN, "", 0, 0, fields=(people[0],))
        else:
            return False
        self._tokens.insert(0, token)
        self._pattern = token.kind + self._pattern
        return True

    def _matched(self, pattern: str) -> list[Token] | None:
        return self._tokens if fits(pattern, self._pattern) else None

    def _counted(self, group: str = "") -> Program | None:
        if self._tokens and self._tokens[0].text.lower() in HOW_OFTEN:
            return self._aggregate("count(*)", group, ()) if self._asks_how_often() else None
        tokens = self._matched("sum? count different? (rows|column rows?) sum?")
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
            return self._total(one, group) if one is not None and one.kind == "number" else None
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
            return (
                f"count(DISTINCT {one.sql})"
                if is_different and one is not None
                else None
                if is_different
                else "count(*)"
            )
        if one is None or one.kind not in ("text", "year") or one.says_yes:
            return None
        if is_different or (one.kind == "text" and (one.share < CATEGORY_SHARE or one in self._view.other.values())):
            return f"count(DISTINCT {one.sql})"
        return f"count({one.sql})" if one is self._view.label else None

    def _total(self, one: Field, group: str) -> Program | None:
        """The number that a row gives, or the sum of several: "how many launches did the Prudence have"."""
        return self._aggregate(f"sum({one.sql})", group, (one,))

    def _added(self, group: str = "") -> Program | None:
        tokens = self._matched(
            "rows? (sum|mean) column rows?|extreme column rows?|rows? column (sum|mean)"
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

    def _grouped(self) -> Program | None:
        """A count, sum or mean for each text of a column, or for each year or month."""
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
        is_sum = self._pattern == Kind.COLUMN and {*rest[0].text.lower().split()} & ADDED_UP
        if is_sum and rest[0].fields[0].kind == "number":  # "the revenue per month"
            return self._total(rest[0].fields[0], group)
        return self._counted(group) or self._added(group)

    def _first(self) -> Program | None:
        """The rows or groups that come first by a column, a sum, a mean or a number of rows; so many of them."""
        numbers = [token for token in self._tokens if token.kind == Kind.NUMBER]
        tokens = [token for token in self._tokens if token.kind not in (Kind.NUMBER, Kind.ORDINAL)]
        ordinal = next((int(token.number) for token in self._tokens if token.kind == Kind.ORDINAL), 1)
        pattern = "".join(token.kind for token in tokens)
        is_top = pattern.startswith(Kind.TOP)
        if len(numbers) > 1 or (numbers and not 1 <= numbers[0].number <= 1000):
            return None
        if numbers and ordinal > 1:
            return None
        self._skipped = ordinal - 1
        most = int(numbers[0].number) if numbers else TOP if is_top else 1
        found = next((token for token in tokens if token.sign), None)
        if found is None:
            return None
        columns = [token.fields[0] for token in tokens if token.kind == Kind.COLUMN and token.fields]
        is_timed = found.concept == "time" and bool(columns) and columns[-1].is_dated
        if is_timed and fits("rows column superlative|superlative rows column", pattern):  # "launched first"
            return self._extreme(Token(Kind.ROWS, "", 0, 0), columns[-1], found.sign, most)
        what = next((token for token in tokens if token.kind in (Kind.ROWS, Kind.COLUMN, Kind.PERIOD)), None)
        if fits("superlative (rows|column)|(rows|column) superlative|top? (rows|column) superlative", pattern):
            by = self._view.meant_by(found.concept)
            sign = found.sign
            if by is None and found.text.lower() in ("oldest", "youngest", "newest"):
                by, sign = self._by_age(found.text.lower())
            if by is None or what is None:
                return None
            return self._extreme(what, by, sign, most)
        if fits("column superlative rows|superlative rows column", pattern) and not numbers:
            by = self._view.meant_by(found.concept)
            return self._top_rows(by, found.sign, 1, columns[0]) if by is not None else None
        if fits("column rows extreme column", pattern) and not numbers:
            return self._extreme(Token(Kind.ROWS, "", 0, 0), columns[1], found.sign, 1, columns[0])
        if fits("(extreme|superlative) rows each column", pattern):
            return self._extreme(tokens[1], columns[0], found.sign, most)
        if fits("extreme rows", pattern) and found.concept:
            by = self._view.meant_by(found.concept)
            return self._extreme(tokens[1], by, found.sign, most) if by is not None else None
        if fits("column most column", pattern) and columns[-1].kind == "number" and columns[0] is not self._view.label:
            return self._top_groups(tokens[0], f"sum({columns[-1].sql})", (columns[-1],), found.sign, most)
        by_column = "(rows|column) ((extreme|most) column|column most)|top (rows|column) each column"
        if fits(by_column, pattern) and what is not None:
            return self._extreme(what, columns[-1], found.sign, most)
        if fits("extreme column|top column", pattern) and (numbers or ordinal > 1) and columns[0].kind == "number":
            return self._top_rows(columns[0], found.sign, most)
        if what is None:
            return None
        by_rows = "(column|period) rows? most rows|common column|column common rows?|extreme count rows column"
        if fits(f"{by_rows}|top (column|period) each count rows", pattern):
            return self._top_groups(what, "count(*)", (), found.sign, most)
        by_sum = "(column|period) rows? (extreme (sum|mean)|most sum) column|top (column|period) each (sum|mean) column"
        if fits(by_sum, pattern) and columns[-1].kind == "number":
            name = next((self._adding(token) for token in tokens if token.kind == Kind.MEAN), "sum")
            return self._top_groups(what, f"{name}({columns[-1].sql})", (columns[-1],), found.sign, most)
        return None

    def _listed(self) -> Program | None:
        """Cells of the rows that fit; of a column alone its different texts."""
        if not self._pattern and self._names_kind():  # "which strikers are under 25"
            return self._rows([self._view.label]) if self._view.label is not None else None
        match = fits("different? (rows|column) (and? column)* rows?", self._pattern)
        if match is None:
            return None
        fields = [self._field(token) for token in self._tokens if token.kind == Kind.COLUMN]
        is_rows = Kind.ROWS in self._pattern
        if len(fields) > 4:
            return None
        if len(fields) > 1 and Kind.AND not in self._pattern:
            return None
        if f"{Kind.ROWS}{Kind.COLUMN}" in self._pattern:
            return None  # "objects that have a note", perhaps
        label = self._view.label
        if is_rows and not fields:
            return self._rows([label]) if label is not None else None
        plain = [one for one in fields if one is not None]
        if (
            len(plain) == 1
            and plain[0].kind == "number"
            and plain[0].names[0][0] == "total"
            and Kind.ROWS in self._pattern[1:]
        ):
            return self._total(plain[0], "")  # "the total price of all bookings"
        if len(plain) == 1 and not is_rows:
            return self._cells(plain[0])
        return self._rows([label, *plain] if label is not None and not self._names_one_row() else plain)

    def _names_kind(self) -> bool:
        """Whether a value stands where the rows are named: "which strikers", "list the dramas"."""
        first = next((token for token in self._said if token.kind not in (Kind.ASKS, Kind.IGNORED)), None)
        said = self._said[0].text.lower()
        is_text = first is not None and first.kind == Kind.FILTER and all(one.kind == "text" for one in first.fields)
        return is_text and said in ("which", "list", "name", "show") and len(self._conditions) > 1

    def _cells(self, one: Field) -> Program | None:
        """One cell, or the different texts of a column."""
        if self._where and self._names_one_row():
            return self._rows([one])
        if one.kind == "number" and one.names[0][0] == "total":
            return self._total(one, "")
        if one.kind == "number" and self._where:
            found = self._database.run(f"SELECT DISTINCT {one.sql} FROM {self._view.source}{self._clause()} LIMIT 2")
            if len(found.rows) == 1:  # the same in all of its rows
                sql = f"SELECT DISTINCT {one.sql} FROM {self._view.source}{self._clause()}"
                unit = one.column.reader.unit
                return Program(sql, "groups", self._used(), self._view.loaded, read=(one,), unit=unit)
        if one.kind == "text" and (self._where or one.share < CATEGORY_SHARE or Kind.DIFFERENT in self._pattern):
            where = self._clause([*self._where, f"{one.sql} IS NOT NULL"])
            sql = f"SELECT DISTINCT {one.sql} FROM {self._view.source}{where} ORDER BY {one.sql}"
            return Program(sql, "groups", self._used(), self._view.loaded, (one,))
        label = self._view.label
        is_few = bool(self._where) and label is not None and one is not label and one.kind != "number"
        return self._rows([label, one]) if is_few else None
