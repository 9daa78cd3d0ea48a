"""Questions with known answers, laid into text: what calibrate asks a backend to see how well it uses what it reads.

Six kinds, after what long contexts are known to break: one fact (needle in a haystack), the same without a word in
common between question and evidence (NoLiMa, Modarressi et al. 2025), two hops, list all, counts and extremes (RULER,
Hsieh et al. 2024; HoloBench, Maekawa et al. 2025), and what is not there. "consecutive" surroundings are running text;
"retrieved" ones are what ranks highest for the question, that is sentences of the same form about others. Every text
is new, so that nothing is remembered from training and no prefix is cached by chance.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Backend, Kind, Passage, Role, Surroundings, Task

PASSAGE_CHARACTERS: Final = 900

FIRST: Final = (
    "Ada Bram Cleo Dov Edda Finn Gale Hana Ivo June Karl Lena Milo Nora Otto Pia Quinn Rosa Sven Tess".split()
)
LAST: Final = (
    "Arden Brook Calder Dunn Esker Fenn Garth Holt Inman Jessop Kell Lorne Marsh Nye Orme Pell Rudd Sayer".split()
)
TOWN: Final = [
    a + b for a in "Ash Bram Cold Dun Elm Fair Glen Hart Kirk Lang".split() for b in "by ford ham mere ton wick".split()
]
THING: Final = "barn bridge cellar chapel depot dock forge gate granary kiln lock mill office pump quay station".split()
COLOUR: Final = "amber black blue brown crimson green grey ivory orange purple red silver white yellow".split()
DETAIL: Final = ("access code", "meter number", "permit number", "plot number", "stock number", "telephone extension")
GOODS: Final = (
    "apples baskets bells blankets bread brooms butter candles carpets cheese chisels cider clocks combs drums eggs "
    "flutes gloves hats honey jars kettles knives ladders lamps lanterns mirrors mugs nails needles onions paper pears "
    "plates quilts ribbons ropes saddles salt scarves shoes soap spoons stools tiles tin toys violins wax wool"
).split()
DAY: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
IDLE: Final = (
    "In {town} the {colour} {thing} was painted again after the winter.",
    "{person} walked from {town} to {town} and met nobody on the way.",
    "The road past the {thing} is narrow, and carts have to wait there.",
    "People in {town} say that the {thing} was once larger than it is now.",
    "It rained on {day}, so the meeting at the {thing} was short.",
    "{person} and {person} have known each other since school.",
    "A {colour} door leads from the {thing} into a yard with two old trees.",
    "The {goods} from {town} were sold before noon on {day}.",
)
LATENT: Final = (
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


@dataclass(frozen=True, slots=True)
class Probe:
    """A task whose right reply is known. ``right`` judges a completion's text; ``scope``: tokens of its evidence."""

    kind: Kind
    task: Task
    right: Callable[[str], bool]
    scope: int = 0


class ProbeSource(Protocol):
    """Where probes come from: generated English by default; a model that reads another language brings its own.

    ``probes`` makes one of each kind. In consecutive text they may share their passages, which a server with a prefix
    cache then reads once. ``depth`` in [0, 1): where in the text the evidence begins. For the role "note" or
    "summarise" the right reply holds the evidence; for "synthesise" it is in notes of about ``tokens``. ``filler``: a
    task to read ``tokens`` of text that nobody has read before, and to write as much as it may.
    """

    @property
    def kinds(self) -> tuple[Kind, ...]: ...
    def probes(
        self, kinds: Sequence[Kind], tokens: int, surroundings: Surroundings, seed: int, depth: float, role: Role
    ) -> list[Probe]: ...
    def filler(self, tokens: int, seed: int) -> Task: ...


class Text(Protocol):
    """What probes are laid into: paragraphs of about ``characters`` in all, the same for the same seed."""

    def consecutive(self, characters: int, seed: int) -> list[str]: ...
    def retrieved(self, question: str, characters: int, seed: int) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class _Told:
    """Evidence sentences, the question, what a right reply holds, and how sentences of the same form are made."""

    evidence: tuple[str, ...]
    question: str
    expected: tuple[str, ...]
    alike: Callable[[random.Random], str]


class EnglishProbes:
    """Probes in plain English. ``text``: what they are laid into, generated by default."""

    kinds: tuple[Kind, ...] = ("fact", "paraphrase", "hops", "list", "count", "absent")

    def __init__(self, backend: Backend, text: Text | None = None) -> None:
        sample = "\n".join(_idle(random.Random(number)) for number in range(200))
        self._characters = len(sample) / max(1, backend.count_many([sample])[0])
        self._text = text

    def probes(
        self,
        kinds: Sequence[Kind],
        tokens: int,
        surroundings: Surroundings,
        seed: int,
        depth: float,
        role: Role = "answer",
    ) -> list[Probe]:
        r = random.Random(f"{seed} {tokens} {surroundings} {role}")
        told = {kind: _told(r, kind) for kind in kinds}
        room = int(tokens * self._characters)
        if surroundings == "consecutive":
            evidence = [sentence for kind, one in told.items() if kind != "absent" for sentence in one.evidence]
            read = self._laid(r, self._filler(room, seed), evidence, depth, room)
            return [self._probe(kind, one, read, role) for kind, one in told.items()]
        found = []
        for kind, one in told.items():
            around = self._around(r, one, room, seed)
            evidence = [] if kind == "absent" else list(one.evidence)
            found.append(self._probe(kind, one, self._laid(r, around, evidence, depth, room), role))
        return found

    def filler(self, tokens: int, seed: int) -> Task:
        room = int(tokens * self._characters)
        text = self._laid(random.Random(seed), self._generated(room, seed), [], 0.0, room)
        return Task("note", "What is told of each place, person and day?", text)

    def _probe(self, kind: Kind, told: _Told, read: tuple[Passage, ...], role: Role) -> Probe:
        scope = 0 if kind == "absent" else round(sum(map(len, told.evidence)) / self._characters)
        expected = () if kind == "absent" else told.expected
        if role in ("note", "summarise") and kind == "count":
            expected = told.evidence  # what is to be counted, not its number
        passages, notes = (read, ()) if role != "synthesise" else ((), _as_notes(read))
        return Probe(kind, Task(role, told.question, passages, notes), lambda text: _holds(text, expected), scope)

    def _filler(self, room: int, seed: int) -> list[str]:
        return self._text.consecutive(room, seed) if self._text is not None else self._generated(room, seed)

    def _generated(self, room: int, seed: int) -> list[str]:
        r = random.Random(f"filler {seed} {room}")
        made, length = [], 0
        while length < room:
            made.append(" ".join(_idle(r) for _ in range(4)))
            length += len(made[-1])
        return made

    def _around(self, r: random.Random, told: _Told, room: int, seed: int) -> list[str]:
        """What ranks high for the question: sentences of its form, as many as there are, then other text."""
        if self._text is not None:
            found = self._text.retrieved(told.question, room, seed)
            return [*found, *(told.alike(r) for _ in range(1 + len(found) // 4))]
        made, length = [], 0
        while length < room:
            made.append(" ".join(told.alike(r) if r.random() < 0.75 else _idle(r) for _ in range(4)))
            length += len(made[-1])
        return made

    def _laid(
        self, r: random.Random, paragraphs: Sequence[str], evidence: Sequence[str], depth: float, room: int
    ) -> tuple[Passage, ...]:
        """The evidence in the text, its first sentence at ``depth``, the others anywhere; cut into passages."""
        left = room - sum(map(len, evidence))
        texts: list[str] = []
        for paragraph in paragraphs:
            if left <= 0:
                break
            texts.append(paragraph[: max(1, left)])
            left -= len(texts[-1])
        for number, sentence in enumerate(evidence):
            place = depth if number == 0 else r.random()
            texts.insert(min(len(texts), int(place * (len(texts) + 1))), sentence)
        passages: list[Passage] = []
        held, start = "", 0
        for text in [*texts, None]:
            if held and (text is None or len(held) + len(text) > PASSAGE_CHARACTERS):
                tokens = round(len(held) / self._characters)
                source = f"part-{len(passages) // 8 + 1}.txt"
                passages.append(Passage(len(passages) + 1, source, source, start, start + len(held), held, tokens))
                held, start = "", start + len(held)
            if text is not None:
                held = f"{held}\n{text}" if held else text
        return tuple(passages)


def _holds(text: str, expected: Sequence[str]) -> bool:
    """Whether a reply has every expected word or sentence; without any, whether it says that nothing is there."""
    if not expected:
        return text.strip().strip(".").upper() == NOT_FOUND
    return all(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", text, re.IGNORECASE) for one in expected)


def _as_notes(read: Sequence[Passage]) -> tuple[str, ...]:
    return tuple(f"{passage.text} [{passage.marker}]" for passage in read)


def _person(r: random.Random) -> str:
    return f"{r.choice(FIRST)} {r.choice(LAST)}"


def _idle(r: random.Random) -> str:
    text = r.choice(IDLE)
    for name, pick in _PICKS.items():
        while name in text:
            text = text.replace(name, pick(r), 1)
    return text


_PICKS: Final[dict[str, Callable[[random.Random], str]]] = {
    "{person}": _person,
    "{town}": lambda r: r.choice(TOWN),
    "{thing}": lambda r: r.choice(THING),
    "{colour}": lambda r: r.choice(COLOUR),
    "{goods}": lambda r: r.choice(GOODS),
    "{day}": lambda r: r.choice(DAY),
}


def _told(r: random.Random, kind: Kind) -> _Told:
    match kind:
        case "paraphrase":
            return _latent(r)
        case "hops":
            return _hops(r)
        case "list":
            return _list(r)
        case "count":
            return _counted(r) if r.random() < 0.5 else _extreme(r)
        case _:
            return _fact(r)


def _fact(r: random.Random) -> _Told:
    thing, town, detail = f"{r.choice(COLOUR)} {r.choice(THING)}", r.choice(TOWN), r.choice(DETAIL)
    number = str(r.randint(10_000, 99_999))

    def alike(other: random.Random) -> str:
        where = other.choice([one for one in TOWN if one != town])
        what = detail if other.random() < 0.6 else other.choice(DETAIL)
        return f"The {what} of the {thing} in {where} is {other.randint(10_000, 99_999)}."

    return _Told(
        (f"The {detail} of the {thing} in {town} is {number}.",),
        f"What is the {detail} of the {thing} in {town}?",
        (number,),
        alike,
    )


def _latent(r: random.Random) -> _Told:
    (told, question), person = r.choice(LATENT), _person(r)
    others = [text for text, other in LATENT if other != question]
    return _Told(
        (told.format(person=person),), question, (person,), lambda r: r.choice(others).format(person=_person(r))
    )


def _hops(r: random.Random) -> _Told:
    ship, town, person = f"{r.choice(COLOUR)} {r.choice(GOODS)}", r.choice(TOWN), _person(r)

    def alike(other: random.Random) -> str:
        where = other.choice([one for one in TOWN if one != town])
        if other.random() < 0.5:
            return f"The mayor of {where} is {_person(other)}."
        what = other.choice([colour for colour in COLOUR if not ship.startswith(colour)])
        return f"The {what} {ship.split()[1]} were made in {where}."

    return _Told(
        (f"The {ship} were made in {town}.", f"The mayor of {town} is {person}."),
        f"Who is the mayor of the town where the {ship} were made?",
        (person,),
        alike,
    )


def _brought(r: random.Random) -> tuple[tuple[str, ...], list[str], str, str, Callable[[random.Random], str]]:
    person, town = _person(r), r.choice(TOWN)
    goods = r.sample(GOODS, r.randint(2, 6))
    rest = [one for one in GOODS if one not in goods]

    def alike(other: random.Random) -> str:
        who = _person(other)
        where = town if who != person and other.random() < 0.5 else other.choice([one for one in TOWN if one != town])
        return f"{who} brought {other.choice(rest)} to the fair in {where}."

    return tuple(f"{person} brought {one} to the fair in {town}." for one in goods), goods, person, town, alike


def _list(r: random.Random) -> _Told:
    evidence, goods, person, town, alike = _brought(r)
    return _Told(evidence, f"List everything that {person} brought to the fair in {town}.", tuple(goods), alike)


def _counted(r: random.Random) -> _Told:
    evidence, goods, person, town, alike = _brought(r)
    question = f"How many kinds of goods did {person} bring to the fair in {town}? Give the number in digits."
    return _Told(evidence, question, (str(len(goods)),), alike)


def _extreme(r: random.Random) -> _Told:
    thing, town = r.choice(THING), r.choice(TOWN)
    days = r.sample(DAY, r.randint(2, 6))
    numbers = r.sample(range(100, 999), len(days))

    def alike(other: random.Random) -> str:
        where = other.choice([one for one in TOWN if one != town])
        return f"On {other.choice(DAY)} the {thing} in {where} counted {other.randint(100, 998)} visitors."

    return _Told(
        tuple(f"On {day} the {thing} in {town} counted {n} visitors." for day, n in zip(days, numbers, strict=True)),
        f"What was the highest number of visitors that the {thing} in {town} counted on one day?",
        (str(max(numbers)),),
        alike,
    )
