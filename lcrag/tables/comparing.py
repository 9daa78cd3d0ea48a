"""Programs that set one part of the rows against another: shares, differences, whether there is any, groups by size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lcrag.tables.field import Field
from lcrag.tables.filters import Condition
from lcrag.tables.lexicon import ANY, ANYONE, LINKS
from lcrag.tables.selects import Program, Selects
from lcrag.tables.tokens import COMPARED, Kind, Token, fits
from lcrag.tables.verbs import ACTS, EMPTY_VERBS, WEAK_VERBS

IS: Final = ("is", "are", "was", "were")
SHRINKING: Final = ("fall", "fell", "fallen", "drop", "dropped", "shrink", "shrank", "decrease", "decreased", "decline")
HIGHER: Final = {"higher": "height", "lower": "height", "larger": "size", "bigger": "size"}
"""What is compared where no column is named: "how much higher is A than B"."""
LESSER: Final = ("less", "fewer", "lower")


class Comparing(Selects):
    """``_said``: every token of the question; ``_tokens`` and ``_pattern``: what is left of it without conditions."""

    _tokens: list[Token]
    _pattern: str

    def _share(self) -> Program | None:
        """What percentage of rows, or of the sum of a column, is in those that fit."""
        if fits("share sum? (rows|column)", self._pattern) is None or not self._conditions:
            return None
        what = self._tokens[-1]
        if what.kind == Kind.COLUMN and what.fields[0] in [one.field for one in self._conditions]:
            what = Token(Kind.ROWS, "", 0, 0)  # "what share of the Web team works at home"
        part, base = self._parted()
        if not part:
            return None
        fit = " AND ".join(one.sql for one in part)
        source = f"{self._view.source}{self._clause([one.sql for one in base])}"
        if what.kind == Kind.ROWS and Kind.SUM not in self._pattern:
            sql = f"SELECT 100.0 * count(CASE WHEN {fit} THEN 1 END) / count(*) FROM {source}"
            return Program(sql, "value", self._used(), self._view.loaded, read=self._read(()), unit="%")
        one = self._field(what)
        if one is None or one.kind != "number":
            return None
        sql = f"SELECT 100.0 * sum(CASE WHEN {fit} THEN {one.sql} ELSE 0 END) / sum({one.sql}) FROM {source}"
        return Program(sql, "value", self._used(), self._view.loaded, read=self._read((one,)), unit="%")

    def _parted(self) -> tuple[list[Condition], list[Condition]]:
        """The conditions behind the verb, which the part must meet, and those before it, which all rows must."""
        if len(self._conditions) == 1:
            return list(self._conditions), []
        begin = next(token.start for token in self._said if token.kind == Kind.SHARE)
        small = [token for token in self._said if token.start > begin and token.kind in (Kind.IGNORED, Kind.COLUMN)]
        links = [token.start for token in small if _is_link(token.text.lower())]
        place = links[0] if links else len(self._said[-1].text) + self._said[-1].end
        part = [one for one in self._conditions if one.start > place]
        return part, [one for one in self._conditions if one not in part]

    def _whether(self) -> Program | None:
        """Yes or no: of a named row whether it fits; else whether any row does."""
        rest = self._pattern[1:]
        if rest not in ("", Kind.ROWS, Kind.COLUMN) or not self._conditions:
            return None
        if rest == Kind.COLUMN and (self._tokens[1].fields[0].kind != "text" or len(self._tokens[1].fields) > 1):
            return None
        words = {token.text.lower() for token in self._said}
        is_any = bool(words & ANY)
        if words & ANYONE and "peopl" not in self._view.nouns and not self._view.names_people:
            return None
        named = [one for one in self._conditions if one.field is self._view.label and len(one.texts) == 1]
        others = [one for one in self._conditions if one not in named]
        if len(named) == 1 and others and not is_any:
            return self._of_one_row(named, others)
        verb = self._said[0].text.lower()
        if verb in IS and not rest and len(self._conditions) > 2:  # "is the rate of Colne in 2022 above 50%"
            by_place = sorted(self._conditions, key=lambda one: one.start)
            compared = [one for one in by_place if one.field.kind == "number"]
            return self._of_one_row([one for one in by_place if one not in compared], compared) if compared else None
        if not is_any and (verb in IS or rest or len(self._conditions) < 2):
            return None  # "are the boats red": all of them, perhaps
        sql = f"SELECT CASE WHEN count(*) > 0 THEN 'yes' ELSE 'no' END FROM {self._view.source}{self._clause()}"
        return Program(sql, "value", self._used(), self._view.loaded, read=self._read(()))

    def _of_one_row(self, named: Sequence[Condition], others: Sequence[Condition]) -> Program | None:
        where = self._clause([one.sql for one in named])
        if self._database.run(f"SELECT count(*) FROM {self._view.source}{where}").rows[0][0] != 1:
            return None
        fit = " AND ".join(one.sql for one in others)
        sql = f"SELECT CASE WHEN {fit} THEN 'yes' WHEN NOT ({fit}) THEN 'no' END FROM {self._view.source}{where}"
        used = f"SELECT {self._view.rowid} FROM {self._view.source}{where}"
        return Program(sql, "value", used, self._view.loaded, read=self._read(()))

    def _difference(self) -> Program | None:
        """Between the highest and the lowest cell, or between two values: of a cell, a sum, a mean, a count."""
        kept = [token for token in self._tokens if token.kind not in (Kind.THAN, Kind.BETWEEN)]
        pattern = "".join(token.kind for token in kept)
        columns = [token.fields[0] for token in kept if token.kind == Kind.COLUMN]
        if fits("difference extreme column? and extreme column", pattern) or fits(
            "difference superlative and superlative rows", pattern
        ):
            one = columns[-1] if columns else self._view.meant_by(kept[1].concept)
            extremes = [token for token in kept if token.sign]
            if one is None or one.kind != "number" or any(other is not one for other in columns):
                return None
            if extremes[0].sign == extremes[1].sign:
                return None
            return self._aggregate(f"max({one.sql}) - min({one.sql})", "", (one,))
        if pattern == Kind.DIFFERENCE:  # "how much longer"
            said = kept[0].text.lower().split()[-1]
            one = self._view.meant_by(kept[0].concept or HIGHER.get(said, ""))
            asked = ["how", "much", "less" if kept[0].sign < 0 or said in LESSER else "more"]
            return self._between(asked, "", one) if one is not None and one.kind == "number" else None
        match = fits(
            "difference ((?:sum|mean)?) (column|count rows|rows)",
            pattern.removesuffix(Kind.ROWS) if columns else pattern,
        )
        if match is None:
            return None
        asked = kept[0].text.lower().split()
        if match[2] != Kind.COLUMN:
            return self._between(asked, "count", None)
        if columns[0].kind != "number":
            return None
        added = next((self._adding(token) for token in kept if token.kind in (Kind.SUM, Kind.MEAN)), "")
        return self._between(asked, added or ("sum" if "many" in asked else ""), columns[0])

    def _between(self, asked: Sequence[str], function: str, one: Field | None) -> Program | None:
        """The difference between what two values of a column have."""
        if (
            one is not None
            and not function
            and (ranged := [first for first in self._conditions if len(first.ends) == 2])
        ):
            return self._growth(ranged, one)
        pairs = [[first] for first in self._conditions if len(first.texts) == 2]
        pairs += [
            [first, second]
            for place, first in enumerate(self._conditions)
            for second in self._conditions[place + 1 :]
            if first.field is second.field and len(first.texts) == len(second.texts) == 1
        ]
        if len(pairs) != 1:
            return None
        [pair] = pairs
        column, texts = pair[0].field, [text for condition in pair for text in condition.texts]
        base = [condition.sql for condition in self._conditions if condition not in pair]
        either = self._either(column, texts)
        if not function:
            for text in texts:
                rows = f"SELECT count(*) FROM {self._view.source}{self._clause([*base, self._either(column, [text])])}"
                if self._database.run(rows).rows[0][0] != 1:
                    return None
            function = "max"
        cell = one.sql if one is not None else "1"
        parts = [f"{function}(CASE WHEN {self._either(column, [text])} THEN {cell} END)" for text in texts]
        if asked[-1] in LESSER:
            parts.reverse()
        difference = " - ".join(parts)
        if asked[0] == "difference":
            difference = f"abs({difference})"
        where = self._clause([*base, either])
        unit = one.column.reader.unit if one is not None else ""
        used = f"SELECT {self._view.rowid} FROM {self._view.source}{where}"
        sql = f"SELECT {difference} FROM {self._view.source}{where}"
        numbers = (one,) if one is not None else ()
        return Program(sql, "value", used, self._view.loaded, read=self._read(numbers), unit=unit)

    def _growth(self, ranged: Sequence[Condition], one: Field) -> Program | None:
        """What a cell has on the last day more than on the first: "by how much did it grow from 2001 to 2021"."""
        base = [first.sql for first in self._conditions if first not in ranged]
        first, last = ranged[0].ends
        for end in (first, last):
            rows = f"SELECT count(*) FROM {self._view.source}{self._clause([*base, end])}"
            if len(ranged) != 1 or self._database.run(rows).rows[0][0] != 1:
                return None
        where = self._clause([*base, f"({first} OR {last})"])
        parts = [f"max(CASE WHEN {end} THEN {one.sql} END)" for end in (last, first)]
        if any(token.text.lower() in SHRINKING for token in self._said):
            parts.reverse()
        used = f"SELECT {self._view.rowid} FROM {self._view.source}{where}"
        sql = f"SELECT {' - '.join(parts)} FROM {self._view.source}{where}"
        return Program(sql, "value", used, self._view.loaded, read=self._read((one,)), unit=one.column.reader.unit)

    def _by_size(self) -> Program | None:
        """Groups with more or fewer rows than a number, or how many such groups there are."""
        match = fits("(count?) column (over|under|at_least|at_most) number count? rows", self._pattern)
        if match is None:
            return None
        what = next(token for token in self._tokens if token.kind == Kind.COLUMN)
        number = next(token.number for token in self._tokens if token.kind == Kind.NUMBER)
        sign = next(
            COMPARED[token.kind]
            for token in self._tokens
            if token.kind in (Kind.OVER, Kind.UNDER, Kind.AT_LEAST, Kind.AT_MOST)
        )
        group = self._group(what)
        if group is None:
            return None
        where = self._clause([*self._where, f"{group} IS NOT NULL"])
        sized = f"FROM {self._view.source}{where} GROUP BY {group} HAVING count(*) {sign} {number}"
        used = self._used([f"{group} IN (SELECT {group} {sized})"])
        if match[1]:
            return Program(f"SELECT count(*) FROM (SELECT {group} {sized})", "value", used, self._view.loaded)
        sql = f"SELECT {group}, count(*) {sized} ORDER BY count(*) DESC"
        return Program(sql, "groups", used, self._view.loaded, self._shown(group))


def _is_link(word: str) -> bool:
    return word in LINKS or word in EMPTY_VERBS or word in WEAK_VERBS or word in ACTS
