"""Worlds that a small model learns to read on, their questions in lcrag's own prompts, and what a right reply is.

A world is a heap of facts and fillers, laid out as documents and cut into passages. Every question's answer is known
from the facts, so nothing is judged by a model. Replies begin with a space in training (" teal [3]": the tokenizer then
writes an answer as it writes the text), except a judge's, which structured output starts with a brace; ``strip`` them.
What counts of a reply that reasons is what follows its last " = ".
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from documents import Fact, Unit, documents, excerpted, passages
from fillers import filler
from vocabulary import ATTRIBUTES, COMPANY, DAYS, GROUPS, HOPS, MONTHS, PERSON, PROJECT, SHIP, TOWN, Group, name, value

from lcrag.text.prompts import NOT_FOUND, messages
from lcrag.types import Passage, Role, Task

HERE: Final = Path(__file__).parent
TASKS: Final = ("single", "para", "twohop", "list", "count", "maxmin", "absent")
ROLES: Final = ("answer", "note", "synthesise", "merge", "compress", "judge")
"""merge and compress are lcrag's role "summarise", with notes and with passages."""

TASK_WEIGHTS: Final = (16, 15, 15, 18, 16, 11, 9)
PROMPT_WEIGHT: Final = 0.1
NOTE_WEIGHT: Final = 0.6
LCRAG_ROLES: Final[dict[str, Role]] = {
    "answer": "answer",
    "note": "note",
    "synthesise": "synthesise",
    "merge": "summarise",
    "compress": "summarise",
    "judge": "judge",
}
LINES: Final = ("note", "merge", "compress")
"""Roles that reply with lines: a fact as it is in the text, and its marker."""

END_OF_TEXT, START, END = SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
WORLD_CHARACTERS: Final = 3.02
"""Characters of sentences to a token of prompt: the fences of passages and the layout take their part."""
FRAME_TOKENS: Final = 112
"""System line, fences, question and instruction of one prompt, roughly."""
TURN_TOKENS: Final = {"answer": 39, "note": 60, "compress": 41, "judge": 36}
"""A later turn less its question and reply, roughly."""

KINDS_OF_KEYS: Final = {key: stated.kind for key, stated in (ATTRIBUTES | GROUPS).items()}
ATTRIBUTES_OF: Final = {
    kind: [key for key, attribute in ATTRIBUTES.items() if attribute.kind == kind]
    for kind in (PERSON, SHIP, COMPANY, TOWN, PROJECT)
}
GROUPS_OF: Final = {
    task: [group for group in GROUPS.values() if group.task == task] for task in ("list", "count", "maxmin")
}
ALL_GROUPS: Final = list(GROUPS.values())
ALL_HOPS: Final = list(HOPS)
TOLD_OF: Final = (*[PERSON] * 4, *[SHIP] * 2, *[COMPANY] * 2, *[TOWN] * 2, PROJECT)


def chatml(listed: Iterable[dict[str, str]]) -> str:
    """The messages as the chat template of tokenizer/ renders them, the assistant's turn begun."""
    turns = "".join(f"{START}{message['role']}\n{message['content']}{END}\n" for message in listed)
    return f"{turns}{START}assistant\n"


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
    """Facts and fillers of about ``characters``; with ``forced``, one group of that kind and size is among them."""

    def __init__(self, r: random.Random, characters: float, forced: tuple[str, int] | None = None) -> None:
        self.r = r
        self.units: list[Unit] = []
        self.used = 0
        self.facts: dict[tuple[str, str], Fact] = {}
        self.groups: dict[tuple[str, str], list[Fact]] = {}
        self.entities: dict[str, list[str]] = {}
        self.names: set[str] = set()
        self.forced = self.tell_group(0, r.choice(GROUPS_OF[forced[0]]), forced[1]) if forced else None
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

    def tell_group(self, room: float, group: Group, size: int = 0) -> tuple[str, str] | None:
        """Several facts of one entity under one key, or None when they are stated already."""
        r = self.r
        entity = self._entity(group.kind, 0.3)
        if (group.key, entity) in self.groups:
            return None
        size = size or r.randint(1, max(2, min(12, int(room / 90))))
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
        return group.key, entity

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


def laid_out(
    r: random.Random, world: World, tokens: int, first: int = 1, *, without: Collection[Fact] = (), role: str = "answer"
) -> tuple[Passage, ...]:
    """The world in passages, less some facts: whole documents, many short ones as retrieval brings, or extracts."""
    units = [unit for unit in world.units if unit[1] is None or unit[1] not in without]
    r.shuffle(units)
    style = r.random()
    if style < 0.1 and role == "answer":
        return passages(r, excerpted(r, units, r.randint(60, 900)), first, (20, 220), gap=0.25)
    size = r.uniform(300, 1600) if style < 0.3 else r.uniform(1500, 7000)
    lengths = r.choice(((180, 400), (180, 400), (220, 500), (220, 500), (40, 160), (40, 500)))
    if tokens < 700:
        lengths = r.choice(((40, 120), (40, 160), lengths))
    made = documents(r, units, KINDS_OF_KEYS, int(size))
    return passages(r, made, first, lengths, gap=0.1 if r.random() < 0.1 else 0.0)


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    return sorted(facts, key=lambda fact: (fact.marker, fact.order))


def answer(asked: Asked, known: Sequence[Fact]) -> str:
    """The right answer where ``known``, of the question's facts, have been read."""
    task, facts = asked.task, in_order(known)
    if task == "absent" or not facts:
        return NOT_FOUND
    if task == "twohop":
        if len(facts) < 2:
            return NOT_FOUND
        return " = ".join(_cited(fact) for fact in asked.facts)
    listed = ", ".join(map(_cited, facts))
    if task == "count":
        return f"{' '.join(f'[{fact.marker}]' for fact in facts)} = {len(facts)}"
    if task == "maxmin":
        return f"{listed} = {_cited(_extreme(asked, facts))}"
    return listed


def _cited(fact: Fact) -> str:
    return f"{fact.value} [{fact.marker}]"


def _extreme(asked: Asked, facts: Sequence[Fact]) -> Fact:
    return (max if asked.highest else min)(facts, key=lambda fact: int(fact.value))


def lines(facts: Iterable[Fact]) -> str:
    return "\n".join(map(_line, in_order(facts)))


def _line(fact: Fact) -> str:
    return f"{fact.text} [{fact.marker}]"


def verdict(found: bool) -> str:
    return f'{{"verdict": "{"yes" if found else "no"}"}}'


@dataclass(frozen=True, slots=True)
class Turn:
    """One question to passages, for a worker with what earlier ones noted: ``later`` is in parts not yet read."""

    asked: Asked
    noted: tuple[Fact, ...] = ()
    later: tuple[Fact, ...] = ()

    @property
    def here(self) -> list[Fact]:
        """What a worker writes down: a second hop only once the first one is known."""
        facts = self.asked.facts
        if len(facts) == 2 and self.asked.task == "twohop" and facts[0] in self.later:
            return []
        return [fact for fact in facts if fact not in self.noted and fact not in self.later]

    def notes(self, r: random.Random, others: Sequence[Fact]) -> tuple[str, ...]:
        """Earlier workers' notes, a few lines that do not help among them."""
        facts = [*self.noted, *(r.sample(others, min(len(others), r.randint(1, 2))) if others else ())]
        return notes_of(r, facts)


def notes_of(r: random.Random, facts: Iterable[Fact], repeated: float = 0.0) -> tuple[str, ...]:
    """The facts' lines in notes of one line or several, in order; one may say what another one says."""
    listed = [_line(fact) for fact in in_order(facts)]
    if listed and r.random() < repeated:
        repeat = r.randrange(len(listed))
        listed.insert(r.randint(repeat + 1, len(listed)), listed[repeat])
    notes = []
    size = r.choice((1, 2, 4, 9))
    while listed:
        number = r.randint(1, size)
        notes.append("\n".join(listed[:number]))
        listed = listed[number:]
    return tuple(notes)


def _split(r: random.Random, asked: Asked) -> Turn:
    """Where a worker's question has its facts: in the notes, in the passages, in parts still to come."""
    facts = asked.facts
    if asked.task == "twohop":
        chosen = r.random()
        if chosen < 0.25:
            return Turn(asked, noted=facts[:1])
        if chosen < 0.33:
            return Turn(asked, noted=facts)
        if chosen < 0.42:
            return Turn(asked, later=facts[1:])
        if chosen < 0.52:
            return Turn(asked, later=facts[:1])
        return Turn(asked, later=facts) if chosen < 0.58 else Turn(asked)
    earlier, coming = r.choice(((0, 0), (0, 0), (0.4, 0), (0.3, 0.3), (0, 0.5), (1, 0), (0, 1), (0.7, 0.3)))
    noted, later = [], []
    for fact in facts:
        chosen = r.random()
        if chosen < earlier:
            noted.append(fact)
        elif chosen < earlier + coming:
            later.append(fact)
    return Turn(asked, tuple(noted), tuple(later))


def pick_task(r: random.Random) -> str:
    return r.choices(TASKS, TASK_WEIGHTS)[0]


def training_document(r: random.Random, tokens: int, role: str) -> list[tuple[str, float]]:
    """One training text of about ``tokens`` tokens in segments (text, weight of its loss).

    The first turn is a prompt of lcrag's; the same passages are then asked more questions, so that reading them pays.
    Notes are too short for that: a text with them has one turn and the length that it needs.
    """
    if role in ("synthesise", "merge"):
        made = None
        while made is None:
            made = _from_notes(r, role, pick_task(r), None)
        return [(made.prompt, PROMPT_WEIGHT), *_reply(role, made.gold)]
    segments: list[tuple[str, float]] = []
    while not segments:  # a tiny world may have nothing to ask
        segments = _with_passages(r, tokens, role)
    return segments


def _with_passages(r: random.Random, tokens: int, role: str) -> list[tuple[str, float]]:
    room = tokens * 0.97 - FRAME_TOKENS - TURN_TOKENS[role] / 2
    world = World(r, max(90.0, room * r.uniform(0.45, 0.95) * WORLD_CHARACTERS))
    begun = role == "note" and r.random() < 0.75
    turns = _turns(r, world, role, begun, room - world.used / WORLD_CHARACTERS)
    gone = {id(fact) for turn in turns for fact in (*turn.noted, *turn.later)}
    kept = [  # what one question's notes took away cannot be asked of the passages by another
        turn
        for turn in turns
        if all(id(fact) not in gone or fact in turn.noted or fact in turn.later for fact in turn.asked.facts)
    ]
    shown, others = _laid_out_for(r, world, tokens, role, kept or turns[:1], begun)
    segments: list[tuple[str, float]] = []
    for turn in kept or turns[:1]:
        notes = turn.notes(r, others) if turn.noted or (begun and r.random() < 0.25) else ()
        task = Task(LCRAG_ROLES[role], turn.asked.question, shown if not segments else (), notes)
        listed = messages(task)
        prompt = chatml(listed if not segments else listed[1:])
        segments += [(prompt, PROMPT_WEIGHT), *_reply(role, gold_of(role, turn))]
    return segments


def _turns(r: random.Random, world: World, role: str, begun: bool, wanted: float) -> list[Turn]:
    """Questions until their turns fill ``wanted`` tokens; at least one."""
    turns: list[Turn] = []
    used: set[tuple[str, str]] = set()
    spent = 0.0
    while (spent < wanted or not turns) and len(turns) < 60:
        task = "absent" if role == "judge" and r.random() < 0.4 else pick_task(r)
        asked = world.ask(task, used) or world.ask("single", used) or world.ask("absent")
        if asked is None:
            break
        used.update(asked.keys)
        turn = _split(r, asked) if begun else Turn(asked)
        turns.append(turn)
        replies = ""
        if role == "answer":
            replies = answer(asked, asked.facts)
        elif role in LINES:
            replies = lines(asked.facts)
        spent += (TURN_TOKENS[role] if len(turns) > 1 else 0) + (len(asked.question) + len(replies)) / 3.2
    return turns


def _laid_out_for(
    r: random.Random, world: World, tokens: int, role: str, turns: Sequence[Turn], begun: bool
) -> tuple[tuple[Passage, ...], list[Fact]]:
    """The passages without what the turns' notes hold or later parts will, and facts for notes that do not help."""
    gone = [fact for turn in turns for fact in (*turn.noted, *turn.later)]
    wanted = {id(fact) for turn in turns for fact in turn.asked.facts}
    others = []
    if begun:
        there = [fact for _, fact in world.units if fact is not None and id(fact) not in wanted]
        others = r.sample(there, min(len(there), r.choice((0, 0, 1, 3))))
    first = 1
    if begun:
        first = r.randint(4, 130)
    elif r.random() < (0.5 if role in LINES else 0.25):
        first = r.randint(2, 120)
    shown = laid_out(r, world, tokens, first, without={*gone, *others}, role=role)
    for number, fact in enumerate([*gone, *others]):
        fact.marker, fact.order = r.randint(1, max(1, first - 1)), number - 1e6
    return shown, others


def gold_of(role: str, turn: Turn) -> str:
    """The right reply to a question with passages."""
    if role in LINES:
        return lines(turn.here) or NOT_FOUND
    right = answer(turn.asked, turn.asked.facts)
    return verdict(right != NOT_FOUND) if role == "judge" else right


def _reply(role: str, gold: str) -> list[tuple[str, float]]:
    """The assistant's turn, with the space that it begins with, and the line end after it."""
    text = gold if role == "judge" else f" {gold}"
    return [(f"{text}{END}", NOTE_WEIGHT if role in LINES else 1.0), ("\n", 0.0)]


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and its right reply. ``markers``: those that the answer must cite; ``needed``: of all needed facts."""

    task: str
    role: str
    prompt: str
    gold: str
    markers: tuple[int, ...]
    question: str
    passages: tuple[Passage, ...]
    needed: tuple[int, ...]


def example(r: random.Random, task: str, role: str, tokens: int, count: Callable[[str], int]) -> Example:
    """An example whose prompt has at most ``tokens`` tokens as ``count`` counts, and nearly that many.

    With notes instead of passages it is as long as they are. The size of groups does not depend on the length, so that
    lengths can be compared.
    """
    forced_size = 10 if tokens > 400 else 5
    share, tries = 0.98, 0
    while True:
        forced = (task, r.randint(2, forced_size)) if task in GROUPS_OF else None
        if role in ("synthesise", "merge"):
            made = _from_notes(r, role, task, forced)
            if made is not None:
                return made
            continue
        made = _from_passages(r, role, task, forced, tokens, share)
        if made is None:
            continue
        length, tries = count(made.prompt), tries + 1
        if length <= tokens and (length > 0.93 * tokens or tries > 4):
            return made
        share *= 0.965 if length > tokens else 1.03


def _from_passages(
    r: random.Random, role: str, task: str, forced: tuple[str, int] | None, tokens: int, share: float
) -> Example | None:
    world = World(r, max(60.0, (tokens - FRAME_TOKENS) * share * WORLD_CHARACTERS), forced)
    asked = world.ask(task, [place for place in world.groups if place != world.forced] if forced else ())
    if asked is None:
        return None
    begun = role == "note" and r.random() < 0.5
    turn = _split(r, asked) if begun else Turn(asked)
    shown, others = _laid_out_for(r, world, tokens, role, [turn], begun)
    notes = turn.notes(r, others) if turn.noted else ()
    prompt = chatml(messages(Task(LCRAG_ROLES[role], asked.question, shown, notes)))
    facts = turn.here if role in LINES else list(asked.facts)
    return _example(asked, role, prompt, gold_of(role, turn), shown, facts)


def _example(
    asked: Asked, role: str, prompt: str, gold: str, shown: tuple[Passage, ...], facts: Sequence[Fact]
) -> Example:
    needed = tuple(fact.marker for fact in in_order(facts))
    if role in LINES:
        cited = needed
    elif role == "judge" or gold == NOT_FOUND:
        cited = ()
    elif asked.task == "twohop":
        cited = (asked.facts[1].marker,)
    else:
        cited = (_extreme(asked, facts).marker,) if asked.task == "maxmin" else needed
    return Example(asked.task, role, prompt, gold, cited, asked.question, shown, needed)


def _from_notes(r: random.Random, role: str, task: str, forced: tuple[str, int] | None) -> Example | None:
    """Notes of several workers, or the partial answers of several parts, put together."""
    world = World(r, r.uniform(300, 1600), forced)
    asked = world.ask(task, [place for place in world.groups if place != world.forced] if forced else ())
    if asked is None:
        return None
    laid_out(r, world, 2000, r.randint(1, 120), role=role)
    kept = list(asked.facts) if forced or r.random() < 0.92 else [fact for fact in asked.facts if r.random() < 0.6]
    if task == "twohop" and asked.facts[0] not in kept:
        kept = []
    wanted = {id(fact) for fact in asked.facts}
    there = [fact for _, fact in world.units if fact is not None and id(fact) not in wanted]
    if kept and task != "absent" and not (task == "twohop" and len(kept) < 2) and r.random() < 0.25:
        notes = _partial_answers(r, asked, kept)
        gold = answer(asked, kept) if role == "synthesise" else "\n".join(dict.fromkeys(notes))
    else:
        most = r.choice((0, 0, 2, 4) if role == "synthesise" and kept else (1, 3, 6))
        others = r.sample(there, min(len(there), most))
        if not kept and not others:
            return None
        notes = notes_of(r, [*kept, *others], repeated=0.3 if role == "merge" else 0.1)
        gold = answer(asked, kept) if role == "synthesise" else lines(kept) or NOT_FOUND
    if role == "merge" and len(notes) < 2:
        return None
    prompt = chatml(messages(Task(LCRAG_ROLES[role], asked.question, (), notes)))
    return _example(asked, role, prompt, gold, (), kept)


def _partial_answers(r: random.Random, asked: Asked, kept: Sequence[Fact]) -> tuple[str, ...]:
    """What parts of a text that was read in parts answered, each from its own facts."""
    facts = in_order(kept)
    if asked.task not in GROUPS_OF:
        return (answer(asked, facts),)
    cuts = sorted(r.sample(range(1, len(facts)), min(len(facts) - 1, r.randint(1, 3))))
    parts = [facts[start:end] for start, end in zip([0, *cuts], [*cuts, len(facts)], strict=True)]
    return tuple(answer(asked, part) for part in parts)


def final(reply: str) -> str:
    """What counts of an answer: what follows its last " = "."""
    return reply.split(" = ")[-1].strip()


def bare(text: str) -> str:
    """The text without markers."""
    return _MARKER.sub("", text).strip()


def correct(example: Example, reply: str) -> bool:
    """Whether a reply is right, markers included: lists and lines in any order; a count with the markers it counts."""
    if example.role in LINES:
        return sorted(_lines(reply)) == sorted(_lines(example.gold))
    if example.role == "judge" or example.gold == NOT_FOUND:
        return reply.strip() == example.gold
    if example.task == "list":
        return sorted(_entries(reply)) == sorted(_entries(example.gold))
    if example.task == "count" and set(_CITED.findall(reply)) != set(_CITED.findall(example.gold)):
        return False
    return final(reply) == final(example.gold)


def value_correct(example: Example, reply: str) -> bool:
    """Whether a reply says the right thing, whatever it cites."""
    if example.role in LINES:
        return sorted(map(bare, _lines(reply))) == sorted(map(bare, _lines(example.gold)))
    if example.task == "list":
        return sorted(map(bare, _entries(reply))) == sorted(map(bare, _entries(example.gold)))
    return bare(final(reply)) == bare(final(example.gold))


def lines_found(example: Example, reply: str) -> float:
    """The share of the right lines (of a list: entries) that a reply has, markers included."""
    split = _lines if example.role in LINES else _entries
    wanted, found = split(example.gold), set(split(reply))
    return sum(line in found for line in wanted) / len(wanted)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",")]


_MARKER: Final = re.compile(r" ?\[\d+\]")
_CITED: Final = re.compile(r"\[\d+\]")
