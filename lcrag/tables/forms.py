"""From the tokens of a question to the form of its program: what is asked of the rows that fit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from lcrag.tables.database import Database
from lcrag.tables.essential import essential
from lcrag.tables.filters import Condition
from lcrag.tables.listing import Listing
from lcrag.tables.selects import Program
from lcrag.tables.tokens import NOUN, WEAK, Kind, Token, fits
from lcrag.tables.view import View, is_code

KINDS: Final = ("which", "list", "name", "show", "what")
"""Words before a value that names a kind of row."""
PRONOUNS: Final = ("it", "he", "she", "they", "them", "him", "her", "his", "their")


class Writer(Listing):
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
        is_much = asks and self._tokens[0].text.lower().startswith("how much")
        is_sum = is_much and bool(self._where)
        helping = ("do", "does", "did", "have", "has", "had") if is_much else ("do", "does", "did")
        is_done = any(token.text.lower() in helping for token in self._said)
        while self._pattern.startswith(Kind.ASKS):
            self._tokens, self._pattern = self._tokens[1:], self._pattern[1:]
        self._insert_kind()
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
        if fits(".+ each (column|period) sum", self._pattern):  # "how much does each shop sell in total"
            self._tokens, self._pattern = self._tokens[-1:] + self._tokens[:-1], self._pattern[-1] + self._pattern[:-1]
        if (
            fits("mean .+ each rows", self._pattern) and self._tokens[-2].text.lower() != "by"
        ):  # "the average price per order"
            self._tokens, self._pattern = self._tokens[:-2], self._pattern[:-2]
        if Kind.SHARE in self._pattern or Kind.DIFFERENCE in self._pattern:
            return self._share() or self._difference()
        if fits("(?!top|extreme|superlative).*each.*", self._pattern):
            return self._grouped(is_much and is_done)
        is_money = is_much and "money" in self._said[0].text.lower() and _are_texts(self._tokens)
        if is_sum and (is_money or fits("rows? sum? rows?", self._pattern)):  # "how much did Ann donate"
            money = self._view.money
            return self._total(money, "") if money is not None else None
        if is_sum and fits("column (column|rows)+", self._pattern) and _are_texts(self._tokens[1:]):
            self._tokens, self._pattern = self._tokens[:1], self._pattern[:1]  # "charged for work on his boats"
        if is_sum and self._pattern == Kind.COLUMN:
            [one] = self._tokens[0].fields
            if one.adds_up and (is_done or self._tokens[0].text.endswith("s")):  # "how much did Ann pay in fines"
                return self._total(one, "")
        self._add_first()
        found = self._by_size() or self._counted() or self._added() or self._first()
        if not found and self._asks_for_what() and fits("rows*", self._pattern):
            return None  # "what does Ann do?"
        return found or (self._listed() if asks and not (is_much and _are_texts(self._tokens)) else None)

    def _asks_for_what(self) -> bool:
        """Whether it asks what somebody or something does, and not for rows."""
        words = [token.text.lower() for token in self._said[:2]]
        return words[:1] == ["what"] and words[-1] in ("do", "does", "did")

    def _insert_kind(self) -> None:
        """Put the rows where a value names them: "which strikers are", "the cheapest dessert", "the most designers"."""
        said = [token for token in self._said if token.kind not in (Kind.IGNORED, Kind.TABLE)]
        for before, token in pairwise(said):
            is_text = token.kind == Kind.FILTER and all(one.kind == "text" for one in token.fields)
            if not is_text:
                continue
            is_which = before.kind == Kind.ASKS and before.text.lower() in KINDS
            if is_which and not fits("(rows|column).*", self._pattern):
                self._insert(0, Token(Kind.ROWS, "", 0, 0))
            elif before.kind in (Kind.SUPERLATIVE, Kind.SHARE) and self._pattern == before.kind:
                self._insert(1, Token(Kind.ROWS, "", 0, 0))
            elif before.kind == Kind.MOST and fits("(column|period) most", self._pattern):
                self._insert(2, Token(Kind.ROWS, "", 0, 0))

    def _add_first(self) -> None:
        """Put what adds up before what it adds up: "how many tickets did they sell in total", "… on average"."""
        place = next((at for at, token in enumerate(self._tokens) if token.kind in (Kind.SUM, Kind.MEAN)), 0)
        if place and not any(token.sign for token in self._tokens):
            self._insert(0, self._tokens.pop(place))

    def _insert(self, place: int, token: Token) -> None:
        self._tokens.insert(place, token)
        self._pattern = "".join(one.kind for one in self._tokens)

    def _explains_verbs(self) -> bool:
        """Whether what weak verbs say is said by a column of numbers, or by a condition behind each."""
        if any(one.kind == "number" for token in self._tokens for one in token.fields):
            return True
        if {Kind.MOST, Kind.COMMON, Kind.EACH, Kind.DIFFERENT} & set(self._pattern):
            return True  # "released the most films"
        weak = [place for place, token in enumerate(self._said) if token.concept == WEAK]
        is_much = self._said[0].text.lower().startswith("how much")
        return all(self._has_condition(place, is_much) for place in weak)

    def _has_condition(self, place: int, is_much: bool) -> bool:
        """Whether a condition is next to this token, with nothing but small words between; of "paid" behind it."""
        small = (Kind.IGNORED, Kind.TO, Kind.FROM, Kind.ASKS)
        behind = next((one.kind for one in self._said[place + 1 :] if one.kind not in small), "")
        before = next((one.kind for one in self._said[:place][::-1] if one.kind not in (*small, Kind.ROWS)), "")
        is_paid = self._said[place].text.lower().startswith("pa") and not is_much
        return Kind.FILTER in ((behind,) if is_paid else (behind, before))

    @staticmethod
    def _says(concept: str, token: Token) -> bool:
        """Whether a column is what "when" or "where" asks for."""
        return any(one.is_dated if concept == "time" else one.kind == "text" for one in token.fields)

    def _insert_people(self) -> bool:
        """Put what "who" asks for in front: the rows, or the one column of people; False where there is neither."""
        people = [one for one in self._view.fields if one.is_of_people]
        joined = {one for one in self._view.other.values() if one in people and one.loaded is not self._view.loaded}
        texts = [one for one in self._view.fields if one.kind == "text" and not is_code(one)]
        if not any(token.sign for token in self._tokens):  # only the first of a row says who
            people = [one for one in people if one is texts[0]]
        if "peopl" in self._view.nouns and self._view.label is not None:
            token = Token(Kind.ROWS, "", 0, 0)
        elif len(people) == 1 or (people and people[0] is self._view.fields[0]):  # the first says whose row it is
            token = Token(Kind.COLUMN, "", 0, 0, fields=(people[0],))
        elif self._view.label is None and len(joined) == 1:  # "who was in Hamlet" of parts and members
            token = Token(Kind.COLUMN, "", 0, 0, fields=(*joined,), concept=NOUN)
        else:
            return False
        self._tokens.insert(0, token)
        self._pattern = token.kind + self._pattern
        return True


def _are_texts(tokens: Sequence[Token]) -> bool:
    """Whether nothing but rows and columns of texts are named."""
    kinds = {token.kind for token in tokens}
    return kinds <= {Kind.ROWS, Kind.COLUMN} and all(one.kind == "text" for token in tokens for one in token.fields)
