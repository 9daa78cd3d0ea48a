"""A question as the words of a table: columns, values, numbers, dates, and what asks, counts, compares and groups.

Each word is read once, the longest reading first; a word that nothing explains is UNKNOWN, and then there is no answer.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from lcrag.tables import lexicon, verbs
from lcrag.tables.amounts import NUMBER, amount
from lcrag.tables.arithmetic import computed
from lcrag.tables.cells import Cells
from lcrag.tables.companions import accompanied
from lcrag.tables.comparisons import Comparison, comparison, difference
from lcrag.tables.dates import dates_in
from lcrag.tables.directions import directed
from lcrag.tables.field import Field, rank_of, stem_of
from lcrag.tables.nouns_and_verbs import columns_of_verb, is_act, is_noun, named_by_verb
from lcrag.tables.sayings import plain_sayings
from lcrag.tables.tokens import COMPARED, NEGATED, NOUN, PHRASES, WEAK, Kind, Token
from lcrag.tables.unexplained import explained
from lcrag.tables.view import View
from lcrag.text.words import MONTHS

_MONTH: Final = re.compile(rf"\b(?:{'|'.join(MONTHS)})\b", re.IGNORECASE)


BEFORE_STATES: Final = ("on", "still", "is", "are", "was", "were", "currently", "not")
"""Words before "open" that make it no verb."""
AFTER_COLUMNS: Final = frozenset(
    "number no code id figure figures information data type types kind kinds name names content contents level levels"
    " reading readings".split()
)
_CONCEPTS: Final = {word: concept for concept in lexicon.MEASURES for word in lexicon.CONCEPTS[concept]}


def read(question: str, view: View) -> list[Token]:
    """The tokens of the question; every word is in one of them."""
    return _Reading(question, view).tokens()


class _Reading(Cells):
    def __init__(self, question: str, view: View) -> None:
        question = plain_sayings(question, view)
        super().__init__(question, view)
        self._dates = dates_in(question)
        self._months = _spans(_MONTH, question)
        self._numbers = _spans(NUMBER, question)
        self._names = self._named_columns()

    def tokens(self) -> list[Token]:
        found: list[Token] = []
        place = 0
        while place < len(self._words):
            token, taken = self._next(place, found)
            found.append(token)
            place += taken
        found = accompanied(computed(directed(found, self._view), self._view), self._view)
        found = explained(found, self._view)
        return [self._by(place, found) if token.text.lower() == "by" else token for place, token in enumerate(found)]

    @staticmethod
    def _by(place: int, tokens: list[Token]) -> Token:
        """ "by" before a value says who did it; before a column it groups."""
        after = [token for token in tokens[place + 1 :] if token.kind not in (Kind.IGNORED, Kind.FROM, Kind.TABLE)][:2]
        is_noun = bool(after) and (after[0].concept == NOUN or after[0].kind == Kind.ROWS)
        if len(after) > 1 and after[0].kind == Kind.COLUMN:  # "by guests from Germany"
            is_noun = not set(after[0].fields) & {one for one, _ in after[1].cells}
        is_who = bool(after) and (after[0].kind == Kind.VALUE or (is_noun and after[-1].kind == Kind.VALUE))
        is_who = is_who or (bool(after) and after[0].kind in (*COMPARED, Kind.NUMBER))  # "delayed by more than an hour"
        return replace(tokens[place], kind=Kind.IGNORED) if is_who else tokens[place]

    def _named_columns(self) -> list[dict[tuple[str, ...], list[Field]]]:
        """Columns by what they are called: full names first, shorter ones after."""
        ranks: list[dict[tuple[str, ...], list[Field]]] = []
        for one in self._view.fields:
            for name in one.names:
                rank = rank_of(name, one)
                if rank is None:
                    continue
                while len(ranks) <= rank:
                    ranks.append({})
                ranks[rank].setdefault(name, []).append(one)
        return ranks

    def _next(self, place: int, before: list[Token]) -> tuple[Token, int]:
        """The longest reading of the words from ``place`` on, and how many words it takes."""
        if self._words[place][1] in self._quoted:
            return self._in_quotes(place)
        if place == 0 and self._plain[0] in lexicon.ASKING:
            return self._token(Kind.ASKS, 0, 1, concept="who" if self._plain[0] in ("who", "whom") else ""), 1
        if place == 0 and self._plain[0] in lexicon.ASKS_WHETHER:
            return self._token(Kind.WHETHER, 0, 1), 1
        if place == 1 and before[0].concept == "who" and (who := named_by_verb(self._plain[1], self._view)):
            return self._token(Kind.COLUMN, 1, 1, fields=(who,)), 1
        if (state := self._state(place)) is not None:
            return state, 1
        value, of_value = self._value(place, before)
        column, of_column = self._column(place)
        if value is not None and of_value >= max(of_column, 1) and (of_value > of_column or column is None):
            return value, of_value
        when = self._date(place)
        if when is not None:
            return when
        if column is not None and of_column > 1:
            return column, of_column
        after_column = bool(before) and before[-1].kind in (Kind.COLUMN, Kind.ROWS)
        if after_column and column is None and self._plain[place] in AFTER_COLUMNS:
            return self._token(Kind.IGNORED, place, 1), 1  # "the accession number of"
        if (compared := self._compared(place, difference(self._plain[place:]))) is not None:
            return compared
        if before and before[-1].kind in COMPARED and (number := self._number(place)) is not None and column is None:
            return number  # "longer than a week"
        for phrase, kind in PHRASES:
            if tuple(self._plain[place : place + len(phrase)]) == phrase and not self._is_column_word(column, phrase):
                return self._token(kind, place, len(phrase)), len(phrase)
        if (compared := self._compared(place, comparison(self._plain[place:]))) is not None:
            return compared
        if self._is_period(place):
            return self._token(Kind.PERIOD, place, 1), 1
        if column is not None:
            return column, of_column
        number = self._number(place)
        return number if number is not None else (self._single(place), 1)

    def _state(self, place: int) -> Token | None:
        """ "Open" of a column that says what is closed."""
        undone = {stem_of(done) for done in lexicon.ANTONYMS.get(self._plain[place], "").split()}
        closed = [one for one in self._view.fields if undone & set(one.names[0]) and (one.is_dated or one.says_yes)]
        is_said = place > 0 and (self._plain[place - 1] in BEFORE_STATES or self._plain[place].startswith("ow"))
        is_state = is_said and len(closed) == 1
        return self._token(Kind.COLUMN, place, 1, fields=(closed[0],), concept=NEGATED) if is_state else None

    def _is_period(self, place: int) -> bool:
        """Whether "year" or "month" is a part of the dates, and not the name of a column."""
        word, before = self._plain[place], self._plain[place - 1] if place else ""
        is_named = any(one.names[0] == (stem_of(word),) for one in self._view.fields)
        is_dated = any(one.kind == "date" for one in self._view.dated)
        is_number = before.isdigit() or before in lexicon.NUMBER_WORDS
        return word in lexicon.PERIODS and is_dated and not is_named and not is_number

    @staticmethod
    def _is_column_word(column: Token | None, phrase: tuple[str, ...]) -> bool:
        """Whether a phrase begins with the full name of a column: "Total"."""
        return column is not None and any(one.names[0] == (stem_of(phrase[0]),) for one in column.fields)

    def _date(self, place: int) -> tuple[Token, int] | None:
        start = self._words[place][1]
        if start in self._dates:
            end, dates = self._dates[start]
            words = sum(start <= at < end for _, at, _ in self._words)
            return self._token(Kind.DATE, place, words, dates=dates), words
        if start in self._months and self._view.dated:
            month = [name.lower() for name in MONTHS].index(self._plain[place]) + 1
            is_verb = self._plain[place] in ("may", "march") and not self._words[place][0][0].isupper()
            return None if is_verb else (self._token(Kind.DATE, place, 1, dates=("", f"-{month:02}")), 1)
        return None

    def _column(self, place: int) -> tuple[Token | None, int]:
        """The longest name of a column that begins here, small words between its words left out."""
        for names in self._names:
            best: tuple[Token | None, int] = None, 0
            for name, fields in names.items():
                words = self._taken(name, place)
                if words > best[1] and len(fields) == 1:
                    best = self._token(Kind.COLUMN, place, words, fields=tuple(fields)), words
                elif words > best[1]:
                    best = self._token(Kind.UNKNOWN, place, words, fields=tuple(fields)), words
            if best[0] is not None and best[0].kind == Kind.COLUMN:
                if names is not self._names[0] and best[1] == 1 and is_noun(self._plain[place], self._view):
                    return self._token(Kind.ROWS, place, 1), 1
                if best[0].fields[0] is self._view.other.get(stem_of(self._plain[place])):
                    return replace(best[0], concept=NOUN), best[1]
                if best[0].fields[0].is_dated and self._plain[place].endswith(("ing", "ings")):
                    return self._token(Kind.ROWS, place, 1), 1  # "paintings" of "year painted"
                is_label = best[0].fields[0] is self._view.label and set(best[0].fields[0].names[-1]) & self._view.nouns
                after = self._plain[place + best[1] : place + best[1] + 1]
                is_table = bool(is_label and after and after[0] in lexicon.TABLE_WORDS)
                return (replace(best[0], kind=Kind.TABLE if is_table else Kind.ROWS) if is_label else best[0]), best[1]
        return None, 0

    def _taken(self, name: tuple[str, ...], place: int) -> int:
        """How many words from ``place`` on say the name; 0 if they do not."""
        at = place
        for number, stem in enumerate(name):
            while (
                number
                and at < len(self._plain)
                and self._plain[at] in ("is", "are", "was", "were", "been", "of", "the", "for")
            ):
                at += 1
            if at >= len(self._plain) or stem_of(self._plain[at]) != stem:
                return 0
            at += 1
        return at - place

    def _compared(self, place: int, found: Comparison | None) -> tuple[Token, int] | None:
        if found is None:
            return None
        said = {"concept": found.concept, "sign": found.sign, "number": found.number}
        return self._token(found.kind, place, found.words, **said), found.words

    def _number(self, place: int) -> tuple[Token, int] | None:
        _, start, _ = self._words[place]
        first = next((at for at in range(max(0, start - 2), start + 1) if self._numbers.get(at, 0) > start), start)
        end = self._numbers.get(first, first)
        taken = sum(start <= at < end for _, at, _ in self._words)
        columns = [self._column(at)[0] is not None for at in range(place, len(self._words))]
        found = amount(self._text[first:end], self._plain[place:], taken, columns)
        if found is None:
            return None
        said = {"number": found.number, "concept": found.sign, "scale": found.scale, "unit": found.unit}
        return self._token(Kind.NUMBER, place, found.words, **said), found.words

    def _single(self, place: int) -> Token:
        """A word that stands for itself."""
        word = self._plain[place]
        stem = stem_of(word)
        if stem in self._view.other:
            return self._token(Kind.COLUMN, place, 1, fields=(self._view.other[stem],), concept=NOUN)
        if is_noun(word, self._view):
            is_name = self._plain[place + 1 : place + 2] and self._plain[place + 1] in lexicon.TABLE_WORDS
            return self._token(Kind.TABLE if is_name else Kind.ROWS, place, 1)
        if self._is_period(place):
            return self._token(Kind.PERIOD, place, 1)

        negated = self._view.flags.get(stem_of(re.sub("^(?:un|non)", "", word)))
        if negated is not None and word.startswith(("un", "non")):
            return self._token(Kind.COLUMN, place, 1, fields=(negated,), concept=NEGATED)
        if word == "times" and place and self._plain[place - 1].isalnum() and self._is_number(place - 1):
            return self._token(Kind.ROWS, place, 1)
        if (noun := self._related(place)) is not None:
            return self._token(Kind.RELATED, place, 1, concept=noun)
        verb = [] if is_act(word, self._view) else columns_of_verb(word, self._view)
        if verb:
            return self._token(Kind.COLUMN, place, 1, fields=tuple(verb))
        if word in lexicon.ASKING[:4] or (place == 0 and word in ("where", "when")) or self._begins(word, place):
            return self._token(Kind.ASKS, place, 1, concept={"where": "place", "when": "time"}.get(word, ""))
        concept = lexicon.ADJECTIVES[word][0] if word in lexicon.ADJECTIVES else _CONCEPTS.get(word, "")
        concept = "money" if word == "money" else concept
        one = self._view.meant_by(concept) if concept else None
        if one is not None:
            return self._token(Kind.COLUMN, place, 1, fields=(one,))
        if word == "amount" and self._plain[place + 1 : place + 2] == ["of"]:
            return self._token(Kind.IGNORED, place, 1)
        if word == "about" and not any(map(str.isdigit, self._plain[place + 1 : place + 2])):
            return self._token(Kind.IGNORED, place, 1)
        if (
            word in lexicon.SORTS
            and place
            and self._plain[place - 1] in ("each", "every", "per", "by", "which", "what")
        ):
            return self._token(Kind.UNKNOWN, place, 1)  # "each make"
        if word in verbs.WEAK_VERBS and not is_act(word, self._view):
            return self._token(Kind.IGNORED, place, 1, concept=WEAK)
        if word in lexicon.IGNORED or word in verbs.EMPTY_VERBS or is_act(word, self._view):
            return self._token(Kind.IGNORED, place, 1)
        return self._token(Kind.TABLE if stem in self._view.about else Kind.UNKNOWN, place, 1)

    def _related(self, place: int) -> str | None:
        """The noun of another table that has the key of these rows: itself, or behind "never" what is done there."""
        word, before = self._plain[place], self._plain[max(0, place - 3) : place]
        stem, is_not = stem_of(word), bool({"no", "without", "any", "never", "not"} & set(before))
        if stem in self._view.related:
            is_verb = word in verbs.VERBS and not is_not  # "who works in Oslo"
            return None if is_verb or word in lexicon.IGNORED else stem
        done = [noun for noun in map(stem_of, verbs.ACTS.get(word, "").split()) if noun in self._view.related]
        return done[0] if is_not and done and not is_act(word, self._view) else None

    def _is_number(self, place: int) -> bool:
        return self._plain[place].isdigit() or self._plain[place] in lexicon.NUMBER_WORDS

    def _begins(self, word: str, place: int) -> bool:
        """Whether it is the verb of a request: "please name"."""
        before = self._plain[:place]
        return word in lexicon.ASKING and all(one in lexicon.IGNORED and one not in lexicon.ASKING for one in before)


def _spans(pattern: re.Pattern[str], text: str) -> dict[int, int]:
    return {match.start(): match.end() for match in pattern.finditer(text)}
