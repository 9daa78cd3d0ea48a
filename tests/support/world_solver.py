"""Answers a world's questions from its texts alone, so that what was generated and its gold answers can be compared.

It knows how each thing can be worded (vocabulary.py) and what a name or a code looks like (the expressions below); what
the generator knew of its world it does not see.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from worlds.vocabulary import ATTRIBUTES, GROUPS, HOPS

NAME: Final = "[A-Z][a-z]+"
SHAPES: Final = {
    "person": f"{NAME} {NAME}",
    "ship": f"[Tt]he {NAME} {NAME}",
    "company": f"{NAME} & {NAME}",
    "town": NAME,
    "project": f"Project {NAME}",
    "place": rf"{NAME} \d+",
    "code": r"\d[A-Z]-\d\d",
    "number": r"\d+",
    "thousands": r"\d{4}",
    "year": r"\d{4}",
    "time": r"\d\d:\d\d",
    "date": f"\\d+ {NAME}",
    "day": f"{NAME}day",
    "word": NAME,
    "colour": "[a-z]+",
    "animal": "[a-z]+",
    "instrument": "[a-z]+",
    "dish": "[a-z]+ [a-z]+",
    "item": "[a-z]+ [a-z]+",
}
BEGINS: Final = r"(?:(?<=\n)|(?<=\A)|(?<=[.:;-] )|(?<=\d )|(?<=\d\. ))"
"""A fact begins a line, follows another sentence, the mark of a list item, a time or the cells before it."""
SENTENCE_ENDS, ROW_ENDS = r"(?=\s|\Z)", r"(?=\n|\Z)"
STOP_WORDS: Final = frozenset(
    "a an and are at be by can did do does every for from has he how if in is it its like many must no of on or over"
    " she should that the them then there they this to was what when where which who whom whose will with would you"
    " your".split()
)


@dataclass(frozen=True, slots=True)
class Found:
    """A fact as read: its value, and where it stands (the number of the text, the character)."""

    value: str
    place: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question as read: an attribute, two in a row, or a group of ``entity``; ``task`` as world.py calls it."""

    task: str
    keys: tuple[str, ...]
    entity: str
    highest: bool = True


def any_case(entity: str) -> str:
    return f"(?:{re.escape(entity)}|{re.escape(entity[0].upper() + entity[1:])})"


def pattern(template: str, **shapes: str) -> str:
    """The template as an expression, its places filled by expressions."""
    return re.sub(r"\\{(\w)\\}", lambda place: shapes[place[1]], re.escape(template))


@cache
def expressions(key: str, entity: str) -> tuple[re.Pattern[str], ...]:
    """Everything that states ``key`` of ``entity``; the group "v" is the value."""
    who = any_case(entity)
    if key in ATTRIBUTES:
        attribute = ATTRIBUTES[key]
        shape = f"(?P<v>{SHAPES[attribute.value]})"
        sentences = [pattern(one, e=who, v=shape) for one in (*attribute.direct, attribute.diffuse)]
        row = pattern(attribute.row, e=who, v=shape)
    else:
        group = GROUPS[key]
        measured = group.task == "maxmin"
        shapes = {
            "g": who,
            "v": SHAPES[group.value] if measured else f"(?P<v>{SHAPES[group.value]})",
            "n": r"(?P<v>\d+)",
            "d": SHAPES["day"],
            "m": NAME,
        }
        sentences = [pattern(one, **shapes) for one in group.direct]
        row = pattern(group.row, **shapes)
    return (
        *(re.compile(BEGINS + one + SENTENCE_ENDS) for one in sentences),
        re.compile(rf"(?:(?<=\n)|(?<=\A)){row}{ROW_ENDS}"),
    )


def facts(key: str, entity: str, texts: Sequence[str]) -> list[Found]:
    """What the texts tell of it, in order."""
    found = []
    for number, text in enumerate(texts):
        for expression in expressions(key, entity):
            for match in expression.finditer(text):
                found.append(Found(plain(match["v"]), (number, match.start())))
    return sorted(found, key=lambda one: one.place)


def plain(entity: str) -> str:
    return entity[0].lower() + entity[1:] if entity.startswith("The ") else entity


@cache
def question_forms() -> tuple[tuple[re.Pattern[str], str, tuple[str, ...], bool], ...]:
    forms: list[tuple[str, str, str, tuple[str, ...], bool]] = []
    for key, attribute in ATTRIBUTES.items():
        forms += [(one, attribute.kind, "single", (key,), True) for one in attribute.questions]
        forms.append((attribute.indirect, attribute.kind, "para", (key,), True))
    for hop, questions in HOPS.items():
        forms += [(one, ATTRIBUTES[hop[0]].kind, "twohop", hop, True) for one in questions]
    for key, group in GROUPS.items():
        forms += [(one, group.kind, group.task, (key,), True) for one in group.questions]
        forms += [(one, group.kind, group.task, (key,), False) for one in group.lowest]
    return tuple(
        (re.compile(pattern(one, e=f"({SHAPES[kind]})", g=f"({SHAPES[kind]})")), task, keys, highest)
        for one, kind, task, keys, highest in forms
    )


def understood(question: str) -> Wanted:
    """What is asked; exactly one form must fit."""
    fits = [
        Wanted(task, keys, plain(match[1]), highest)
        for expression, task, keys, highest in question_forms()
        if (match := expression.fullmatch(question))
    ]
    assert len(fits) == 1, f"{len(fits)} ways to understand {question!r}"
    return fits[0]


def evidence(wanted: Wanted, texts: Sequence[str]) -> list[Found]:
    """The facts that the question needs, the second hop after the first; asserts that none contradicts another."""
    found = facts(wanted.keys[0], wanted.entity, texts)
    if wanted.task not in ("list", "count", "maxmin"):
        assert len(found) <= 1, f"stated twice: {found}"
    elif wanted.task != "count":
        assert len({one.value for one in found}) == len(found), f"the same twice: {found}"
    if wanted.task == "twohop" and found:
        second = facts(wanted.keys[1], found[0].value, texts)
        assert len(second) <= 1, f"stated twice: {second}"
        found += second
    return found


def solved(question: str, texts: Sequence[str]) -> list[str]:
    """The values that answer the question: several for a list only, none where nothing answers."""
    wanted = understood(question)
    found = [one.value for one in evidence(wanted, texts)]
    if not found or (wanted.task == "twohop" and len(found) < 2):
        return []
    match wanted.task:
        case "twohop":
            return found[1:]
        case "count":
            return [str(len(found))]
        case "maxmin":
            return [(max if wanted.highest else min)(found, key=int)]
        case _:
            return found


def shared_words() -> list[str]:
    """Indirect questions that share a word with a sentence that answers them: there must be none."""
    return [
        f"{attribute.key}: {shared}"
        for attribute in ATTRIBUTES.values()
        if (
            shared := _words(attribute.indirect)
            & _words(" ".join((*attribute.direct, attribute.diffuse, attribute.label)))
        )
    ]


def _words(text: str) -> set[str]:
    return set(re.findall("[a-z]+", re.sub(r"\{\w\}", "", text).lower())) - STOP_WORDS
