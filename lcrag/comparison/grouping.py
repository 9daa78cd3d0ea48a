"""Which routes give the same answer to a question, by measures that judge single answers elsewhere.

Compared is what is said: the short answer if the backend gives one, else the text without its markers. Two answers
agree if one of these holds:

    the same words   by ``measures.words``: without case, punctuation and articles
    two numbers      they are equal when one is rounded as the other is, and units that both have are the same
                     ("2.13 metres" and "2.1", not "12 years" and "12 months")
    two lists        as many items, and those of one are all in the other
    anything else    one says all that the other says beyond the question: all of those words if they are few, most if
                     they are many, always all numbers, names and words that begin a sentence; and it denies nothing
                     that the other claims (``evidence.support``). A part does not say all of a list.

This compares words, not meaning: "yes" and "it is so" stay apart. Everybody in a group agrees with everybody else in
it. Routes that found nothing are a group of their own, and so are those that the budgets refused; an answer that says
that the documents disagree (``contradictory``) agrees only with others that say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lcrag.comparison.measures import ITEM_END, contained, gold_number, list_items, same_number, without_markers, words
from lcrag.comparison.scoring import ABSTAINED, REFUSED
from lcrag.evidence.support import LEAST, judge
from lcrag.text.facts import facts
from lcrag.text.sentences import sentences
from lcrag.text.words import stems

NOTHING: Final = "nothing"
FEW: Final = 6
"""Words beyond the question that must all be in the other answer: "a brown cow" and "a brown horse" differ. Not
measured."""

Answer = Mapping[str, Any]
"""A route's answer in ``lcrag.compare/1``."""


def group(question: str, answers: Mapping[str, Answer]) -> list[dict[str, Any]]:
    """The routes by what they answer: groups that agree, the largest first, those without an answer last.

    ``found``: whether the group has an answer; ``short``: its shortest short answer, None without any.
    """
    groups: list[list[str]] = []
    for name, answer in answers.items():
        joined = next(
            (names for names in groups if all(agree(question, answer, answers[other]) for other in names)), None
        )
        if joined is None:
            groups.append([name])
        else:
            joined.append(name)
    listed = [
        {
            "routes": names,
            "found": _kind(answers[names[0]]) not in (NOTHING, REFUSED),
            "short": min((short for name in names if (short := answers[name]["short"])), key=len, default=None),
        }
        for names in groups
    ]
    return sorted(listed, key=lambda one: (not one["found"], -len(one["routes"])))


def agree(question: str, a: Answer, b: Answer) -> bool:
    """Whether two answers to the question say the same, as far as their words show."""
    kind = _kind(a)
    if kind != _kind(b):
        return False
    said_a, said_b = (without_markers(one["short"] or one["answer"]) for one in (a, b))
    return kind in (NOTHING, REFUSED) or say_the_same(question, said_a, said_b)


def say_the_same(question: str, a: str, b: str) -> bool:
    """Whether two texts answer the question alike: the rule of this module."""
    if words(a) == words(b):
        return True
    if gold_number(a) and gold_number(b):
        units_a, units_b = (facts(side).words - facts(side).numbers for side in (a, b))
        return (same_number(a, b) or same_number(b, a)) and (units_a <= units_b or units_b <= units_a)
    items_a, items_b = _items(a), _items(b)
    if items_a and items_b:
        return len(items_a) == len(items_b) and 1.0 in (contained(a, b), contained(b, a))
    return (not items_b and _says_all(question, a, b)) or (not items_a and _says_all(question, b, a))


def _items(text: str) -> list[list[str]]:
    """The items of a list. They begin alike: in "Anna Holm, who came from Tolland" is only one."""
    begin_small = {part[:1].islower() for part in ITEM_END.split(text) if part}
    return list_items(text) if len(begin_small) == 1 else []


def _says_all(question: str, claim: str, text: str) -> bool:
    """Whether ``text`` says all that ``claim`` says beyond the question."""
    support, known = judge(claim, text, question), facts(question).words
    claimed = facts(claim).words - known or facts(claim).words
    lacking = claimed - facts(text).words
    if not claimed or support.denies or support.missing - known:
        return False
    if len(claimed) <= FEW:
        return not lacking
    return len(lacking) <= (1 - LEAST) * len(claimed) and not lacking & _openers(claim)


def _openers(text: str) -> set[str]:
    """The stems of the words that begin a sentence: names among them are not known as such."""
    return {stem for start, end in sentences(text) for word in text[start:end].split()[:1] for stem in stems(word)}


def _kind(answer: Answer) -> str:
    return NOTHING if answer["status"] in ABSTAINED else str(answer["status"])
