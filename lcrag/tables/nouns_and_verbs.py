"""What nouns and verbs mean in the question to a table: its rows, what was done in every row, or a column."""

from __future__ import annotations

from typing import Final

from lcrag.tables import verbs
from lcrag.tables.field import Field, stem_of
from lcrag.tables.tokens import DONE
from lcrag.tables.view import View

_VERBS: Final = {stem_of(verb): columns for verb, columns in verbs.VERBS.items()}


_WHERE_TO: Final = ("in", "out", "over", "under", "up")


def is_noun(word: str, view: View) -> bool:
    """Whether the word means rows; "ordered" is not "orders", but "booking" is "bookings"."""
    is_verb = word.endswith(DONE) and word not in view.loaded.table.name.lower()
    is_verb = is_verb or (word in verbs.ACTS and word not in verbs.ACTS[word].split())
    return stem_of(word) in view.nouns and not is_verb


def is_act(word: str, view: View) -> bool:
    """Whether the verb says what every row is: "borrowed" of loans."""
    nouns = {stem_of(noun) for noun in verbs.ACTS.get(word, "").split()}
    return bool(nouns & (view.nouns | view.about))


def named_by_verb(word: str, view: View) -> Field | None:
    """The one column of texts that "who" asks for with this verb: the artist of "who painted"."""
    wanted = {stem_of(name) for name in verbs.VERBS.get(word, "").split()}
    fields = [one for one in view.fields if one.kind == "text" and one.says_yes is None and one.head in wanted]
    return fields[0] if len(fields) == 1 else None


def columns_of_verb(word: str, view: View) -> list[Field]:
    """What a verb may be about: "donated" the donor, "directed" the director, "released" the year."""
    stem = stem_of(word)
    means = verbs.VERBS.get(word) or (_VERBS.get(stem, "") if word.endswith(DONE) else "")  # "price" is no verb
    wanted = {stem_of(name) for name in means.split()}
    fields = [one for one in view.fields if wanted & set(one.names[0])]
    fields = [one for one in fields if len(one.names[0]) == 1] or fields  # "mark" before "max mark"
    if not fields and len(stem) >= 5:
        fields = [one for one in view.fields if any(name.startswith(stem) for name in one.names[0])]
    if not fields and len(stem) >= 6:  # "to prepare" of "prep minutes"
        fields = [one for one in view.fields if any(len(name) >= 4 and stem.startswith(name) for name in one.names[0])]
    if not fields and len(stem) >= 4:  # "flow into" of outflow
        named = [(one, one.names[0]) for one in view.fields]
        fields = [one for one, name in named if name[-1] == stem or {word + stem for word in _WHERE_TO} & set(name)]
    money = view.meant_by("money") if not fields and word in verbs.WORTH else None
    fields = [money] if money is not None else fields
    if not fields and word in verbs.TIME_VERBS:
        fields = [one for one in view.dated if one.names[0] in (("year",), ("date",))]
    return fields
