"""Checks the generated data from the outside: reads the prompts' text alone and answers again.

``python check_data.py --number 2000`` reads that many examples of every task and role, training texts besides. It knows
how each thing can be worded (vocabulary.py), what a name or a code looks like (the expressions below) and what lcrag's
prompts look like; what the generator knew of its world it does not see. It also looks for passages of the evaluation
in the training stream.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import worlds
from tokenizers import Tokenizer
from vocabulary import ATTRIBUTES, GROUPS, HOPS

from lcrag.text.prompts import NOT_FOUND

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
SENTENCE_ENDS, ROW_ENDS = r"(?=\s|\Z)", r"(?= \[|\n|\Z)"
PASSAGE: Final = re.compile(r'<passage marker="\[(\d+)\]" source="[^"\n]*">\n(.*?)\n</passage>\n', re.DOTALL)
NOTES: Final = re.compile(r"<notes>\n(.*?)</notes>\n\n", re.DOTALL)
QUESTION: Final = re.compile(r"<question>\n(.*)\n</question>\n")
LINE: Final = re.compile(r"(.*) \[(\d+)\]")
ENTRY: Final = re.compile(r"([^,=\[\]\n]*?) ?\[(\d+)\]")
STOP_WORDS: Final = frozenset(
    "a an and are at be by can did do does every for from has he how if in is it its like many must no of on or over"
    " she should that the them then there they this to was what when where which who whom whose will with would you"
    " your".split()
)

Numbered = Sequence[tuple[int, str]]
"""Texts with their markers."""


@dataclass(frozen=True, slots=True)
class Found:
    """A fact as read: its value, the words that tell it, where they stand."""

    value: str
    text: str
    marker: int
    place: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question as read: an attribute, two in a row, or a group of ``entity``; ``task`` as worlds calls it."""

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


def facts(key: str, entity: str, texts: Numbered) -> list[Found]:
    """What the texts tell of it, in order."""
    found = []
    for number, (marker, text) in enumerate(texts):
        for expression in expressions(key, entity):
            for match in expression.finditer(text):
                found.append(Found(plain(match["v"]), match[0], marker, (number, match.start())))
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


def evidence(wanted: Wanted, texts: Numbered) -> list[Found]:
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


def solved(wanted: Wanted, texts: Numbered) -> str:
    """The answer to the question, from the texts."""
    return formatted(wanted, [(one.value, one.marker) for one in evidence(wanted, texts)])


def formatted(wanted: Wanted, found: Sequence[tuple[str, int]]) -> str:
    """The answer as the model should write it."""
    if not found or (wanted.task == "twohop" and len(found) < 2):
        return NOT_FOUND
    cited = [f"{value} [{marker}]" for value, marker in found]
    if wanted.task == "twohop":
        return " = ".join(cited)
    if wanted.task == "count":
        return f"{' '.join(f'[{marker}]' for _, marker in found)} = {len(found)}"
    if wanted.task == "maxmin":
        best = (max if wanted.highest else min)(range(len(found)), key=lambda place: int(found[place][0]))
        return f"{', '.join(cited)} = {cited[best]}"
    return ", ".join(cited)


@dataclass(frozen=True, slots=True)
class Read:
    """A prompt, taken apart."""

    passages: Numbered
    notes: tuple[str, ...]
    question: str


def read(prompt: str) -> Read:
    texts = [(int(marker), text) for marker, text in PASSAGE.findall(prompt)]
    notes = NOTES.search(prompt)
    question = QUESTION.search(prompt)
    assert question is not None, prompt
    assert len({marker for marker, _ in texts}) == len(texts), "a marker twice"
    return Read(texts, tuple(notes[1].strip("\n").split("\n")) if notes else (), question[1])


def expected(role: str, prompt: Read) -> str:
    """The right reply to the prompt."""
    wanted = understood(prompt.question)
    noted = [(int(match[2]), match[1]) for one in prompt.notes if (match := LINE.fullmatch(one))]
    if role == "judge":
        return f'{{"verdict": "{"no" if solved(wanted, prompt.passages) == NOT_FOUND else "yes"}"}}'
    if role == "answer":
        return solved(wanted, prompt.passages)
    if role in ("note", "compress"):
        known = {text for _, text in noted}
        found = evidence(wanted, [*noted, *prompt.passages])
        new = sorted((one for one in found if one.text not in known), key=lambda one: one.place)
        return "\n".join(f"{one.text} [{one.marker}]" for one in new) or NOT_FOUND
    unique = list(dict.fromkeys(noted))
    if partial(prompt.notes):
        if role == "merge":
            return "\n".join(dict.fromkeys(prompt.notes))
        return formatted(wanted, list(entries(wanted, prompt.notes)))
    if role == "synthesise":
        return solved(wanted, unique)
    helping = {(one.marker, one.text) for one in evidence(wanted, unique)}
    return "\n".join(f"{text} [{marker}]" for marker, text in unique if (marker, text) in helping) or NOT_FOUND


def partial(notes: Sequence[str]) -> bool:
    """Whether the notes are answers of parts: no line of them states a fact (a sentence or a row)."""
    return not any(re.search(r"\. \[\d+\]$|; .*; ", note) for note in notes)


def entries(wanted: Wanted, notes: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Values and markers of partial answers."""
    for note in notes:
        listed = note if wanted.task == "twohop" else note.rpartition(" = ")[0] or note
        for value, marker in ENTRY.findall(listed):
            yield value.strip(), int(marker)


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


def check_example(made: worlds.Example) -> str | None:
    """What is wrong with an example, or None."""
    prompt = read(made.prompt)
    try:
        right = expected(made.role, prompt)
        task = understood(prompt.question).task
    except AssertionError as error:
        return f"{made.role}, {made.task}: {error}"
    if made.task != "absent" and task != made.task:
        return f"{made.role}: {made.task} is a question of {task}"
    if made.task == "absent" and made.role in ("answer", "synthesise") and right != NOT_FOUND:
        return f"{made.role}: {prompt.question!r} is answered: {right!r}"
    if right != made.gold:
        return f"{made.role}, {made.task}: {prompt.question!r}: gold {made.gold!r}, read {right!r}"
    if not (worlds.correct(made, f" {made.gold}") and worlds.value_correct(made, made.gold)):
        return f"{made.role}, {made.task}: the gold reply is not judged right"
    wrong = made.gold.replace("]", "1]") if "]" in made.gold else "red [1]"
    if worlds.correct(made, wrong):
        return f"{made.role}, {made.task}: a wrong reply is judged right"
    cited = {int(marker) for marker in re.findall(r"\[(\d+)\]", worlds.final(right))}
    if made.task == "count" and made.role in ("answer", "synthesise"):
        cited = {int(marker) for marker in re.findall(r"\[(\d+)\]", right)}
    return f"{made.role}, {made.task}: markers" if made.role != "merge" and cited != set(made.markers) else None


def check_training(role: str, segments: Sequence[tuple[str, float]]) -> list[str]:
    """What is wrong with the turns of one training text."""
    wrong = []
    passages: Numbered = ()
    for place in range(0, len(segments), 3):
        prompt = read(segments[place][0])
        passages = prompt.passages or passages
        gold = segments[place + 1][0].removesuffix(worlds.END)
        try:
            right = expected(role, Read(passages, prompt.notes, prompt.question))
        except AssertionError as error:
            wrong.append(f"{role}: {error}")
            continue
        if gold != (right if role == "judge" else f" {right}"):
            wrong.append(f"{role}: {prompt.question!r}: gold {gold!r}, read {right!r}, notes {prompt.notes}")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--number", type=int, default=2000, help="examples of each task and role")
    parser.add_argument("--texts", type=int, default=2000, help="training texts of each role")
    parser.add_argument("--seed", type=int, default=1_000_000)
    given = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(worlds.HERE / "tokenizer" / "tokenizer.json"))

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    r = random.Random(given.seed)
    wrong: list[str] = [f"shared words: {one}" for one in shared_words()]
    kinds: Counter[str] = Counter()
    tested: set[str] = set()
    for role in worlds.ROLES:
        for task in worlds.TASKS:
            bad = 0
            for _ in range(given.number):
                tokens = r.choice((256, 512, 512, 1024, 1024, 2048))
                made = worlds.example(r, task, role, tokens, count)
                if made.passages and count(made.prompt) > tokens:
                    wrong.append(f"{role}, {task}: longer than {tokens}")
                tested.update(passage.text for passage in made.passages if passage.tokens > 40)
                if fault := check_example(made):
                    bad += 1
                    wrong.append(fault)
                kinds[f"{role}: {NOT_FOUND}"] += made.gold == NOT_FOUND
                kinds[f"{role}: notes"] += "<notes>" in made.prompt
            print(f"{role:10} {task:7} {given.number} examples, {bad} wrong", flush=True)
    turns: Counter[str] = Counter()
    repeated = 0
    for role in worlds.ROLES:
        for number in range(given.texts):
            stream = random.Random(number)
            segments = worlds.training_document(stream, stream.choice((256, 512, 1024, 2048)), role)
            wrong += check_training(role, segments)
            turns[role] += len(segments) // 3
            repeated += sum(text in tested for _, text in PASSAGE.findall(segments[0][0]))
    print("of the examples", dict(kinds))
    print("training turns", dict(turns))
    print(f"{repeated} passages of the {len(tested)} tested in the training texts")
    print(f"{len(wrong)} faults")
    for fault in wrong[:20]:
        print("FAULT", fault)
    if wrong or repeated:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
