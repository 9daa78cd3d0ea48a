"""The backend that extracts: what it quotes, when it abstains, and that it stays within its tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import pytest
from support.fakes import HashingEmbedder

from lcrag.backends.embedded import EmbeddedBackend, answerable, threshold, units
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Passage, Relevance, Role, Task

TEXT = (
    "# The light\n\nThe light on the Calf was lit in 1871. Its first keeper was Anna Holm. She kept a tame raven.\n\n"
    "- a brass lamp\n- a log book\n\nIn 1902 the lamp was changed. Bread was baked on Mondays.\n"
)


def task(question: str, *texts: str, role: Role = "answer", notes: tuple[str, ...] = ()) -> Task:
    passages = tuple(
        Passage(number, f"d{number}", f"{number}.md", 0, len(text), text, len(text) // 4)
        for number, text in enumerate(texts, 1)
    )
    return Task(role, question, passages, notes)


def text(one: Task, max_tokens: int = 500) -> str:
    [done] = EmbeddedBackend(HashingEmbedder()).run([one], max_tokens=max_tokens)
    return done.text


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("When was the light on the Calf lit?", "The light on the Calf was lit in 1871. [1]"),
        ("Who was the first keeper of the light?", "Its first keeper was Anna Holm. [1]"),
        ("When was the lamp changed?", "In 1902 the lamp was changed. [1]"),
    ],
)
def test_it_quotes_the_sentence_that_answers_first(question: str, quoted: str) -> None:
    assert text(task(question, TEXT)).split("\n")[0] == quoted


class Pointing:
    """A reader that takes one phrase for the answer wherever it stands."""

    name = "pointing"

    def __init__(self, phrase: str) -> None:
        self.phrase = phrase

    def read(self, question: str, texts: Sequence[str]) -> list[Relevance]:
        found = []
        for one in texts:
            start = max(0, one.find(self.phrase))
            score = 9.0 if self.phrase in one else -9.0
            places = np.array([(0, len(one))], np.int32)
            end = start + len(self.phrase)
            found.append(Relevance(score, score, (start, end), score, places, np.zeros(1, np.float32)))
        return found


@pytest.mark.parametrize(
    ("phrase", "short", "first"),
    [
        ("a tame raven", "a tame raven", "She kept a tame raven. [1]"),
        ("raven. In 1902", "raven.", "She kept a tame raven. [1]"),  # as far as its sentence goes
    ],
)
def test_the_sentence_of_the_short_answer_is_quoted_first(phrase: str, short: str, first: str) -> None:
    asked = task("Who was the first keeper of the light?", TEXT.replace("\n\n- a brass lamp\n- a log book\n\n", " "))
    [done] = EmbeddedBackend(HashingEmbedder(), Pointing(phrase)).run([asked], max_tokens=500)
    assert done.short == short
    assert done.text.split("\n") == [first, "Its first keeper was Anna Holm. [1]"]


@pytest.mark.parametrize("place", [0, 1])
def test_what_another_says_of_themselves_tells_against_an_answer(place: int) -> None:
    asked = ["What did Ann bake on Sunday?", "What did Ben bake on Sunday?"][place]
    read = EmbeddedBackend(None).read(task(asked, "Ann: I baked a cake on Sunday.\n\nBen: I burnt some toast.\n"))
    assert read.features["another_speaks"] == place


@pytest.mark.parametrize(
    "question", ["What is the boiling point of tungsten?", "Who won the chess championship in Reykjavik?"]
)
def test_it_abstains_from_what_is_not_there(question: str) -> None:
    assert text(task(question, TEXT)) == NOT_FOUND


@pytest.mark.parametrize("role", ["answer", "note", "synthesise", "summarise"])
def test_nothing_to_read_is_nothing_found(role: Role) -> None:
    assert text(task("Who?", role=role)) == NOT_FOUND
    assert text(task("Who?", "   \n", role=role)) == NOT_FOUND


def test_a_judge_says_yes_or_no() -> None:
    assert text(task("Who was the first keeper of the light?", TEXT, role="judge")) == "yes"
    assert text(task("What is the boiling point of tungsten?", TEXT, role="judge")) == "no"


def test_notes_keep_their_markers() -> None:
    notes = ("The light on the Calf was lit in 1871. [7]\nBread was baked on Mondays. [9]",)
    assert text(task("When was the light on the Calf lit?", role="synthesise", notes=notes)).startswith(
        "The light on the Calf was lit in 1871. [7]"
    )


def test_a_summary_never_abstains_and_is_in_order() -> None:
    lines = text(task("Summarise the text.", TEXT)).split("\n")
    places = [TEXT.index(line.removesuffix(" [1]")) for line in lines]
    assert places == sorted(places)
    assert len(lines) >= 2


def test_it_stays_within_its_tokens_but_says_something() -> None:
    backend = EmbeddedBackend(None)
    long = "The keeper lit the lamp and wrote the log. " * 40
    [done] = backend.run([task("Summarise the text.", long, TEXT)], max_tokens=30)
    assert 0 < done.usage.output_tokens <= 30


def test_without_an_embedder_it_works_by_words() -> None:
    [done] = EmbeddedBackend(None).run([task("Who was the first keeper of the light?", TEXT)], max_tokens=99)
    assert EmbeddedBackend(None).model == "lexical"
    assert done.usage.calls == 1


def test_a_unit_has_the_markers_it_came_with() -> None:
    found = units(task("q", "One thing here. Another there.", notes=("A note [3][4]", "bare note")))
    assert [unit.markers for unit in found] == ["[1]", "[1]", "[3][4]", ""]


def test_the_judgement_is_a_file_one_can_read() -> None:
    weights = json.loads((files("lcrag.backends") / "answerable.json").read_text())
    assert {"date", "fitted_on", "questions", "dense", "lexical"} <= weights.keys()
    for judgement in ("dense", "lexical"):
        names = weights[judgement]["weights"]
        strong = dict.fromkeys(names, 0.0) | {name: 0.9 for name, sign in names.items() if sign > 0}
        weak = dict.fromkeys(names, 0.0) | {name: 0.9 for name, sign in names.items() if sign < 0}
        assert answerable(strong, judgement) > threshold(judgement) > answerable(weak, judgement)
        assert answerable({}, judgement) == 0
