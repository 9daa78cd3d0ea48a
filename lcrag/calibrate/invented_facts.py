"""Invented facts in plain English, the questions about them, and sentences of the same form about something else.

One function for each kind of question; ``invent`` chooses. Every choice comes from the random numbers given, so that
the same seed gives the same text.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lcrag.types import Kind

FIRST_NAMES: Final = (
    "Ada Bram Cleo Dov Edda Finn Gale Hana Ivo June Karl Lena Milo Nora Otto Pia Quinn Rosa Sven Tess".split()
)
LAST_NAMES: Final = (
    "Arden Brook Calder Dunn Esker Fenn Garth Holt Inman Jessop Kell Lorne Marsh Nye Orme Pell Rudd Sayer".split()
)
TOWNS: Final = [
    a + b for a in "Ash Bram Cold Dun Elm Fair Glen Hart Kirk Lang".split() for b in "by ford ham mere ton wick".split()
]
BUILDINGS: Final = (
    "barn bridge cellar chapel depot dock forge gate granary kiln lock mill office pump quay station".split()
)
COLOURS: Final = "amber black blue brown crimson green grey ivory orange purple red silver white yellow".split()
NUMBERS: Final = (
    "access code",
    "meter number",
    "permit number",
    "plot number",
    "stock number",
    "telephone extension",
)
GOODS: Final = (
    "apples baskets bells blankets bread brooms butter candles carpets cheese chisels cider clocks combs drums eggs "
    "flutes gloves hats honey jars kettles knives ladders lamps lanterns mirrors mugs nails needles onions paper pears "
    "plates quilts ribbons ropes saddles salt scarves shoes soap spoons stools tiles tin toys violins wax wool"
).split()
DAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
FILLERS: Final = (
    "In {town} the {colour} {building} was painted again after the winter.",
    "{person} walked from {town} to {town} and met nobody on the way.",
    "The road past the {building} is narrow, and carts have to wait there.",
    "People in {town} say that the {building} was once larger than it is now.",
    "It rained on {day}, so the meeting at the {building} was short.",
    "{person} and {person} have known each other since school.",
    "A {colour} door leads from the {building} into a yard with two old trees.",
    "The {goods} from {town} were sold before noon on {day}.",
)
PARAPHRASES: Final = (
    ("{person} keeps forty hives behind the house.", "Who could sell you honey?"),
    ("{person} cannot eat anything that is made with wheat.", "Who should not be offered a sandwich?"),
    ("{person} spent three years in the shadow of the Eiffel Tower.", "Who has lived in France?"),
    ("{person} has been deaf since birth.", "Who would not hear a bell?"),
    ("{person} pulls teeth for a living.", "Which of the people is a dentist?"),
    ("{person} owns nine cows and sells what they give.", "Who could supply milk?"),
    ("{person} flies passengers across the ocean twice a week.", "Who works as a pilot?"),
    ("{person} faints at the mere sight of blood.", "Who ought not to become a surgeon?"),
    ("{person} shoes horses at the anvil every morning.", "Which of the people is a blacksmith?"),
    ("{person} conducts eighty musicians in the concert hall.", "Who leads an orchestra?"),
)

POINTS: Final = 8
"""Statements that a summary should state."""

Distract = Callable[[random.Random], str]
"""Makes a sentence of the same form as the evidence that does not answer the question."""


@dataclass(frozen=True, slots=True)
class InventedFact:
    """Evidence sentences, the question about them, and what a right reply contains."""

    evidence: tuple[str, ...]
    question: str
    expected: tuple[str, ...]
    distract: Distract


def invent(r: random.Random, kind: Kind) -> InventedFact:
    """A fact for this kind of question. For "absent" it is one that is then left out of the text."""
    match kind:
        case "paraphrase":
            return _paraphrase(r)
        case "hops":
            return _two_hops(r)
        case "list":
            return _list(r)
        case "whole":
            return _whole(r)
        case "count":
            return _count(r) if r.random() < 0.5 else _highest(r)
        case _:
            return _single(r)


def filler(r: random.Random) -> str:
    """A sentence that answers no question."""
    text = r.choice(FILLERS)
    for slot, choose in _SLOTS.items():
        while slot in text:
            text = text.replace(slot, choose(r), 1)
    return text


def _person(r: random.Random) -> str:
    return f"{r.choice(FIRST_NAMES)} {r.choice(LAST_NAMES)}"


_SLOTS: Final[dict[str, Callable[[random.Random], str]]] = {
    "{person}": _person,
    "{town}": lambda r: r.choice(TOWNS),
    "{building}": lambda r: r.choice(BUILDINGS),
    "{colour}": lambda r: r.choice(COLOURS),
    "{goods}": lambda r: r.choice(GOODS),
    "{day}": lambda r: r.choice(DAYS),
}


def _other_town(r: random.Random, town: str) -> str:
    return r.choice([other for other in TOWNS if other != town])


def _single(r: random.Random) -> InventedFact:
    building, town, name = f"{r.choice(COLOURS)} {r.choice(BUILDINGS)}", r.choice(TOWNS), r.choice(NUMBERS)
    number = str(r.randint(10_000, 99_999))

    def distract(r: random.Random) -> str:
        where = _other_town(r, town)
        what = name if r.random() < 0.6 else r.choice(NUMBERS)
        return f"The {what} of the {building} in {where} is {r.randint(10_000, 99_999)}."

    return InventedFact(
        (f"The {name} of the {building} in {town} is {number}.",),
        f"What is the {name} of the {building} in {town}?",
        (number,),
        distract,
    )


def _paraphrase(r: random.Random) -> InventedFact:
    (sentence, question), person = r.choice(PARAPHRASES), _person(r)
    others = [other for other, _ in PARAPHRASES if other != sentence]

    def distract(r: random.Random) -> str:
        return r.choice(others).format(person=_person(r))

    return InventedFact((sentence.format(person=person),), question, (person,), distract)


def _two_hops(r: random.Random) -> InventedFact:
    colour, goods, town, person = r.choice(COLOURS), r.choice(GOODS), r.choice(TOWNS), _person(r)

    def distract(r: random.Random) -> str:
        where = _other_town(r, town)
        if r.random() < 0.5:
            return f"The mayor of {where} is {_person(r)}."
        return f"The {r.choice([other for other in COLOURS if other != colour])} {goods} were made in {where}."

    return InventedFact(
        (f"The {colour} {goods} were made in {town}.", f"The mayor of {town} is {person}."),
        f"Who is the mayor of the town where the {colour} {goods} were made?",
        (person,),
        distract,
    )


def _brought_to_the_fair(r: random.Random) -> tuple[tuple[str, ...], list[str], str, str, Distract]:
    """Evidence, goods, person, town, and what makes distracting sentences, of a list or a count."""
    person, town = _person(r), r.choice(TOWNS)
    goods = r.sample(GOODS, r.randint(2, 6))
    other_goods = [other for other in GOODS if other not in goods]

    def distract(r: random.Random) -> str:
        who = _person(r)
        where = town if who != person and r.random() < 0.5 else _other_town(r, town)
        return f"{who} brought {r.choice(other_goods)} to the fair in {where}."

    evidence = tuple(f"{person} brought {item} to the fair in {town}." for item in goods)
    return evidence, goods, person, town, distract


def _list(r: random.Random) -> InventedFact:
    evidence, goods, person, town, distract = _brought_to_the_fair(r)
    question = f"List everything that {person} brought to the fair in {town}."
    return InventedFact(evidence, question, tuple(goods), distract)


def _count(r: random.Random) -> InventedFact:
    evidence, goods, person, town, distract = _brought_to_the_fair(r)
    question = f"How many kinds of goods did {person} bring to the fair in {town}? Give the number in digits."
    return InventedFact(evidence, question, (str(len(goods)),), distract)


def _highest(r: random.Random) -> InventedFact:
    building, town = r.choice(BUILDINGS), r.choice(TOWNS)
    days = r.sample(DAYS, r.randint(2, 6))
    numbers = r.sample(range(100, 999), len(days))

    def visitors(day: str, where: str, number: int) -> str:
        return f"On {day} the {building} in {where} counted {number} visitors."

    def distract(r: random.Random) -> str:
        where = _other_town(r, town)
        return visitors(r.choice(DAYS), where, r.randint(100, 998))

    return InventedFact(
        tuple(visitors(day, town, number) for day, number in zip(days, numbers, strict=True)),
        f"What was the highest number of visitors that the {building} in {town} counted on one day?",
        (str(max(numbers)),),
        distract,
    )


def _whole(r: random.Random) -> InventedFact:
    """What a summary of a town should state: a number of each of several buildings there."""
    town = r.choice(TOWNS)
    buildings = r.sample(BUILDINGS, POINTS)
    numbers = [str(number) for number in r.sample(range(10_000, 99_999), POINTS)]

    def distract(r: random.Random) -> str:
        where, number = _other_town(r, town), r.randint(10_000, 99_999)
        return f"The {r.choice(NUMBERS)} of the {r.choice(BUILDINGS)} in {where} is {number}."

    return InventedFact(
        tuple(
            f"The {r.choice(NUMBERS)} of the {building} in {town} is {number}."
            for building, number in zip(buildings, numbers, strict=True)
        ),
        f"Sum up what is told of the buildings in {town}, with their numbers.",
        tuple(numbers),
        distract,
    )
