"""Words that are not in the table, nor of the English of questions: a synonym of a word that is, or a verb that says no
more than that the rows are there. Any other word stays unexplained, and with it the question unanswered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lcrag.tables.field import Field, rank_of, stem_of
from lcrag.tables.lexicon import EVERY, GROWING, ORDINALS
from lcrag.tables.synonyms import CROWDS, SYNONYMS
from lcrag.tables.tokens import SYNONYM, WEAK, Kind, Token
from lcrag.tables.units import MONEY_WORDS, SIZES
from lcrag.tables.verbs import NEUTRAL, TELLING
from lcrag.tables.view import View

_SYNONYMS: Final[dict[str, set[str]]] = {}
for _word, _others in SYNONYMS.items():  # "unit" and "units" have one stem
    _SYNONYMS.setdefault(stem_of(_word), set()).update(map(stem_of, _others))
_CROWDS: Final = {stem_of(word) for word in CROWDS}
_UNITS: Final = {stem_of(word) for word in (*SIZES, *MONEY_WORDS) if len(word) > 3}
_NEUTRAL: Final = {stem_of(word) for word in NEUTRAL}
_TELLING: Final = {stem_of(word) for word in TELLING}
_SUBJECTS: Final = (Kind.VALUE, Kind.COLUMN, Kind.ROWS, Kind.EACH, Kind.TABLE, Kind.IGNORED, Kind.PERIOD)


def explained(tokens: Sequence[Token], view: View) -> list[Token]:
    """The tokens, UNKNOWN ones in the place of which another can stand replaced."""
    found = list(tokens)
    is_asked = any(token.kind == Kind.ASKS and token.concept for token in tokens)
    is_asked = is_asked and not any(token.kind == Kind.MOST for token in tokens)
    is_much = bool(tokens) and tokens[0].text.lower() == "how much"
    is_growth = any(token.kind == Kind.DIFFERENCE for token in tokens)
    for place, token in enumerate(found):
        if token.kind != Kind.UNKNOWN:
            continue
        said = {one for other in found if other.kind == Kind.COLUMN for one in other.fields} & set(token.fields)
        if len(said) == 1:  # "won more than 200 matches" of matches won
            found[place] = replace(token, kind=Kind.COLUMN, fields=tuple(said))
        elif token.fields:  # of more than one column: "did each driver drive"
            found[place] = replace(token, kind=Kind.IGNORED, fields=()) if _is_of_subject(found, place) else token
        if token.fields:
            continue
        stem = stem_of(token.text.lower())
        if token.text.lower() in EVERY:
            found[place] = replace(token, kind=Kind.IGNORED)
            found += [
                Token(Kind.EACH, "per", token.end, token.end),
                replace(token, kind=Kind.PERIOD, text=EVERY[token.text.lower()]),
            ]
            continue
        first = [one for one in view.fields if one.is_dated and one.names[0][0] == "first"]
        if place and found[place - 1].text.lower() == "first" and len(first) == 1:  # "first climbed" of "First ascent"
            found[place - 1] = replace(found[place - 1], kind=Kind.IGNORED, sign=0)
            found[place] = replace(token, kind=Kind.COLUMN, fields=(first[0],))
            continue
        if is_growth and token.text.lower() in GROWING:
            found[place] = replace(token, kind=Kind.IGNORED)
            continue
        meant = _synonym(token, stem, found, view)
        if meant is not None:
            found[place] = meant
        elif any(stem in one.names[0] for other in found for one in other.fields if len(other.fields) == 1):
            found[place] = replace(token, kind=Kind.IGNORED)  # "scored below 50 on the test" of test score
        elif (rank := _rank(found, place, view)) is not None:
            found[place] = replace(token, kind=Kind.COLUMN, fields=(rank,))
            found.insert(place + 1, replace(token, kind=Kind.NUMBER, number=ORDINALS[token.text.lower()]))
        elif is_much and place and _counts(found[place - 1]) and (stem not in _TELLING or stem == "fell"):
            found[place] = replace(token, kind=Kind.IGNORED)  # "how much rain fell"
        elif is_asked:
            continue  # "who wrote", "when was it built"
        elif _is_of_subject(found, place) and stem not in _TELLING:
            found[place] = replace(token, kind=Kind.IGNORED)
        elif stem in _NEUTRAL:
            found[place] = replace(token, kind=Kind.IGNORED, concept=WEAK)
    return found


def _synonym(token: Token, stem: str, tokens: Sequence[Token], view: View) -> Token | None:
    """The one column, or the rows, that a synonym of the word names."""
    meant = _SYNONYMS.get(stem, set())
    if stem in ("peopl", "person"):
        crowds = [one for one in view.fields if one.kind == "number" and _CROWDS & set(one.names[0])]
        if len(crowds) == 1:
            return replace(token, kind=Kind.COLUMN, fields=(crowds[0],))
        is_counted = any(one.kind == "number" for other in tokens for one in other.fields)
        return replace(token, kind=Kind.IGNORED) if is_counted else None
    if stem in _UNITS and any(one.kind == "number" for other in tokens for one in other.fields):
        return replace(token, kind=Kind.IGNORED)  # "how many tonnes of glass"
    is_timed = any(one.dimension == "time" for other in tokens for one in other.fields)
    if stem == "time" and is_timed:  # "the total cooking time" of minutes
        return replace(token, kind=Kind.IGNORED)
    if meant & view.nouns:
        return replace(token, kind=Kind.ROWS, concept=SYNONYM)
    ranked = [
        (rank, one)
        for one in view.fields
        for other in meant
        if (rank := rank_of((other,), one)) is not None and (other,) in one.names and one.head == other
    ]
    best = min((rank for rank, _ in ranked), default=0)
    fields = {one for rank, one in ranked if rank == best}
    if len(fields) != 1:
        return None
    [one] = fields
    kind = Kind.ROWS if one is view.label else Kind.COLUMN
    return replace(token, kind=kind, fields=(one,), concept=SYNONYM)


def _counts(token: Token) -> bool:
    return token.kind == Kind.COLUMN and any(one.kind == "number" for one in token.fields)


def _rank(tokens: Sequence[Token], place: int, view: View) -> Field | None:
    """The column of ranks, where "third" is one: "who came third"."""
    word, before = tokens[place].text.lower(), tokens[place - 1].text.lower() if place else ""
    if word not in ORDINALS or before not in ("came", "come", "finished", "placed", "was", "finish"):
        return None
    ranks = [one for one in view.fields if one.kind == "number" and one.is_called("rank")]
    return ranks[0] if len(ranks) == 1 else None


def _is_of_subject(tokens: Sequence[Token], place: int) -> bool:
    """Whether it is the verb of "how many films did Ann direct": behind "did" and its subject, where what is asked for
    stands before "did"."""
    did = next((at for at in range(place - 1, -1, -1) if tokens[at].text.lower() in ("do", "does", "did")), None)
    if did is None or did == 0 or tokens[0].kind == Kind.WHETHER:
        return False
    subject = [token.kind for token in tokens[did + 1 : place]]
    if not tokens[place].text.islower() or subject[-1:] in ([], [Kind.IGNORED]):
        return False
    has_subject = bool({Kind.VALUE, Kind.COLUMN, Kind.ROWS} & set(subject)) and all(one in _SUBJECTS for one in subject)
    asked = {token.kind for token in tokens[:did]} & {Kind.ROWS, Kind.COLUMN}
    return has_subject and bool(asked)
