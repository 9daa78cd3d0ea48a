"""A world: facts about people, ships, companies, towns and projects, among sentences that say nothing of use.

Every question's answer follows from the facts that it is made of, so that no model judges it.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from worlds.documents import Fact, Unit, documents, excerpted, passages
from worlds.fillers import filler
from worlds.vocabulary import (
    ATTRIBUTES,
    COMPANY,
    DAYS,
    GROUPS,
    HOPS,
    MONTHS,
    PERSON,
    PROJECT,
    SHIP,
    TOWN,
    Group,
    name,
    value,
)

from lcrag.types import Passage

TASKS: Final = ("single", "para", "twohop", "list", "count", "maxmin", "absent")
"""Kinds of question; "para" asks for a single fact in other words than the text's."""
TASK_WEIGHTS: Final = (16, 15, 15, 18, 16, 11, 9)
WORLD_CHARACTERS: Final = 3.02
"""Characters of sentences to a token of prompt: the fences of passages and the layout take their part."""

KINDS_OF_KEYS: Final = {key: stated.kind for key, stated in (ATTRIBUTES | GROUPS).items()}
ATTRIBUTES_OF: Final = {
    kind: [key for key, attribute in ATTRIBUTES.items() if attribute.kind == kind]
    for kind in (PERSON, SHIP, COMPANY, TOWN, PROJECT)
}
ALL_GROUPS: Final = list(GROUPS.values())
ALL_HOPS: Final = list(HOPS)
TOLD_OF: Final = (*[PERSON] * 4, *[SHIP] * 2, *[COMPANY] * 2, *[TOWN] * 2, PROJECT)


def capital(text: str) -> str:
    return text[0].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the facts that answer it: none where nothing does, one of a two-hop question's where one does."""

    task: str
    question: str
    facts: tuple[Fact, ...]
    highest: bool = True
    keys: tuple[tuple[str, str], ...] = ()


class World:
    """Facts and fillers of about ``characters``, the same for the same random state."""

    def __init__(self, r: random.Random, characters: float) -> None:
        self.r = r
        self.units: list[Unit] = []
        self.used = 0
        self.facts: dict[tuple[str, str], Fact] = {}
        self.groups: dict[tuple[str, str], list[Fact]] = {}
        self.entities: dict[str, list[str]] = {}
        self.names: set[str] = set()
        fillers = r.uniform(0.02, 0.3)
        while self.used < characters:
            chosen = r.random()
            if chosen < fillers:
                self._add(filler(r), None)
            elif chosen < fillers + 0.12:
                self.tell_hops()
            elif chosen < fillers + 0.36:
                self.tell_group(characters - self.used, r.choice(ALL_GROUPS))
            else:
                kind = r.choice(TOLD_OF)
                self.tell(r.choice(ATTRIBUTES_OF[kind]), self._entity(kind, 0.6))

    def tell(self, key: str, entity: str) -> Fact:
        """The fact of this key and entity, stated if it is not yet."""
        if (key, entity) in self.facts:
            return self.facts[key, entity]
        r, attribute = self.r, ATTRIBUTES[key]
        stated = self._entity(attribute.value, 0.4) if attribute.value in ATTRIBUTES_OF else value(r, attribute.value)
        diffuse = r.random() < 0.25
        template = attribute.diffuse if diffuse else r.choice(attribute.direct)
        text = capital(template.format(e=entity, v=stated))
        fact = Fact(key, entity, stated, text, capital(attribute.row.format(e=entity, v=stated)), diffuse)
        self.facts[key, entity] = fact
        self._add(text, fact)
        return fact

    def tell_hops(self) -> None:
        """Two facts that lead on from each other; one in ten lacks the second."""
        first, second = self.r.choice(ALL_HOPS)
        fact = self.tell(first, self._entity(ATTRIBUTES[first].kind, 0.3))
        if self.r.random() < 0.9:
            self.tell(second, fact.value)

    def tell_group(self, room: float, group: Group) -> None:
        """Several facts of one entity under one key, unless they are stated already."""
        r = self.r
        entity = self._entity(group.kind, 0.3)
        if (group.key, entity) in self.groups:
            return
        size = r.randint(1, max(2, min(12, int(room / 90))))
        facts: list[Fact] = []
        seen = {entity}
        while len(facts) < size:
            what, number = value(r, group.value), value(r, "number")
            counted = number if group.task == "maxmin" else what
            if counted in seen:
                continue
            seen.add(counted)
            filled = {"g": entity, "v": what, "n": number, "d": r.choice(DAYS), "m": r.choice(MONTHS)}
            text = capital(r.choice(group.direct).format(**filled))
            facts.append(Fact(group.key, entity, counted, text, capital(group.row.format(**filled))))
            self._add(text, facts[-1])
        self.groups[group.key, entity] = facts

    def ask(self, task: str, used: Collection[tuple[str, str]] = ()) -> Asked | None:
        """A question of this kind about what is not in ``used`` (keys and entities), or None."""
        if task in ("single", "para"):
            return self._ask_one(task, used)
        if task == "twohop":
            return self._ask_two(used)
        if task == "absent":
            return self._ask_absent()
        r = self.r
        there = [place for place in self.groups if GROUPS[place[0]].task == task and place not in used]
        if not there:
            return None
        place = r.choice(there)
        group = GROUPS[place[0]]
        highest = task != "maxmin" or r.random() < 0.5
        question = r.choice(group.questions if highest else group.lowest).format(g=place[1])
        return Asked(task, question, tuple(self.groups[place]), highest, (place,))

    def _ask_one(self, task: str, used: Collection[tuple[str, str]]) -> Asked | None:
        r = self.r
        there = [fact for place, fact in self.facts.items() if place not in used]
        if task == "para" and r.random() < 0.6:
            there = [fact for fact in there if fact.diffuse] or there
        if not there:
            return None
        fact = r.choice(there)
        return Asked(task, self._question(fact.key, fact.entity, task == "single"), (fact,), keys=(_place(fact),))

    def _ask_two(self, used: Collection[tuple[str, str]]) -> Asked | None:
        there = [
            (first, self.facts[hop[1], first.value], hop)
            for first in self.facts.values()
            if _place(first) not in used
            for hop in _HOPS_FROM.get(first.key, ())
            if (hop[1], first.value) in self.facts
        ]
        if not there:
            return None
        first, second, hop = self.r.choice(there)
        question = self.r.choice(HOPS[hop]).format(e=first.entity)
        return Asked("twohop", question, (first, second), keys=(_place(first), _place(second)))

    def _ask_absent(self) -> Asked | None:
        """What nothing states: of a known entity, an unknown one (often a similar name), a missing hop or group."""
        r = self.r
        keys = [key for key, _ in self.facts] or list(ATTRIBUTES)
        for _ in range(20):
            chosen, direct = r.random(), r.random() < 0.6
            if chosen < 0.45 and self.facts:
                known = r.choice(list(self.facts.values()))
                key = r.choice(ATTRIBUTES_OF[KINDS_OF_KEYS[known.key]])
                if (key, known.entity) not in self.facts:
                    return Asked("absent", self._question(key, known.entity, direct), ())
            elif chosen < 0.75:
                key = r.choice(keys)
                entity = self._unknown(KINDS_OF_KEYS[key])
                if entity:
                    return Asked("absent", self._question(key, entity, direct), ())
            elif chosen < 0.88:
                half = [
                    (fact, hop)
                    for fact in self.facts.values()
                    for hop in _HOPS_FROM.get(fact.key, ())
                    if (hop[1], fact.value) not in self.facts
                ]
                if half:
                    fact, hop = r.choice(half)
                    return Asked("absent", r.choice(HOPS[hop]).format(e=fact.entity), (fact,), keys=(_place(fact),))
            else:
                group = r.choice(ALL_GROUPS)
                there = self.entities.get(group.kind)
                entity = r.choice(there) if there and r.random() < 0.5 else self._unknown(group.kind)
                if entity and (group.key, entity) not in self.groups:
                    return Asked("absent", r.choice((*group.questions, *group.lowest)).format(g=entity), ())
        return None

    def _question(self, key: str, entity: str, direct: bool) -> str:
        attribute = ATTRIBUTES[key]
        return capital((self.r.choice(attribute.questions) if direct else attribute.indirect).format(e=entity))

    def _unknown(self, kind: str) -> str | None:
        r = self.r
        entity = name(r, kind)
        if kind == PERSON and len(self.entities.get(PERSON, ())) > 1 and r.random() < 0.4:
            entity = _crossed(r, r.choice(self.entities[PERSON]), r.choice(self.entities[PERSON]))
        return None if entity in self.names else entity

    def _entity(self, kind: str, known: float) -> str:
        """A known entity with this probability, else a new one: one person in seven shares a name with another."""
        r = self.r
        there = self.entities.setdefault(kind, [])
        if there and r.random() < known:
            return r.choice(there)
        while True:
            made = name(r, kind)
            if kind == PERSON and there and r.random() < 0.15:
                made = _crossed(r, r.choice(there), made)
            if made not in self.names:
                break
        self.names.add(made)
        there.append(made)
        return made

    def _add(self, text: str, fact: Fact | None) -> None:
        self.units.append((text, fact))
        self.used += len(text) + 3


_HOPS_FROM: Final = {first: [hop for hop in HOPS if hop[0] == first] for first, _ in HOPS}


def _place(fact: Fact) -> tuple[str, str]:
    return fact.key, fact.entity


def _crossed(r: random.Random, one: str, other: str) -> str:
    (first, last), (other_first, other_last) = one.split(" "), other.split(" ")
    return f"{first} {other_last}" if r.random() < 0.5 else f"{other_first} {last}"


def laid_out(r: random.Random, world: World, tokens: int) -> tuple[Passage, ...]:
    """The world in passages: whole documents, many short ones as retrieval brings, or extracts."""
    units = list(world.units)
    r.shuffle(units)
    style = r.random()
    if style < 0.1:
        return passages(r, excerpted(r, units, r.randint(60, 900)), (20, 220), gap=0.25)
    size = r.uniform(300, 1600) if style < 0.3 else r.uniform(1500, 7000)
    lengths = r.choice(((180, 400), (180, 400), (220, 500), (220, 500), (40, 160), (40, 500)))
    if tokens < 700:
        lengths = r.choice(((40, 120), (40, 160), lengths))
    made = documents(r, units, KINDS_OF_KEYS, int(size))
    return passages(r, made, lengths, gap=0.1 if r.random() < 0.1 else 0.0)


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    return sorted(facts, key=lambda fact: (fact.marker, fact.order))


def answer(asked: Asked) -> str:
    """The right answer in as few words as can be; "" where nothing answers."""
    values = [fact.value for fact in asked.facts]
    match asked.task:
        case "absent":
            return ""
        case "twohop":
            return values[1]
        case "count":
            return str(len(values))
        case "maxmin":
            return (max if asked.highest else min)(values, key=int)
        case _:
            return ", ".join(values)


def worker_note(facts: Iterable[Fact]) -> str:
    """The facts as a worker notes them: each as it is worded, with its marker."""
    return "\n".join(f"{fact.text} [{fact.marker}]" for fact in in_order(facts))


def pick_task(r: random.Random) -> str:
    return r.choices(TASKS, TASK_WEIGHTS)[0]
