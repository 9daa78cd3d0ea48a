"""The backend that extracts: what it quotes, when it abstains, and that it stays within its tokens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.fakes import HashingEmbedder, Pointing

import lcrag
from lcrag.backends.embedded import EmbeddedBackend
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Passage, Role, Task

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


def reply(asked: Task) -> str:
    [done] = EmbeddedBackend(HashingEmbedder()).run([asked], max_tokens=500)
    return done.text


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("When was the light on the Calf lit?", "The light on the Calf was lit in 1871. [1]"),
        ("Who was the first keeper of the light?", "Its first keeper was Anna Holm. [1]"),
        ("When was the lamp changed?", "In 1902 the lamp was changed. [1]"),
    ],
)
def test_run_quotes_the_sentence_that_answers_first(question: str, quoted: str) -> None:
    assert reply(task(question, TEXT)).split("\n")[0] == quoted


@pytest.mark.parametrize(
    ("phrase", "short", "first"),
    [
        ("a tame raven", "a tame raven", "She kept a tame raven. [1]"),
        ("raven. In 1902", "raven.", "She kept a tame raven. [1]"),  # as far as its sentence goes
    ],
)
def test_run_quotes_the_sentence_of_the_short_answer_first(phrase: str, short: str, first: str) -> None:
    asked = task("Who was the first keeper of the light?", TEXT.replace("\n\n- a brass lamp\n- a log book\n\n", " "))
    [done] = EmbeddedBackend(HashingEmbedder(), Pointing(phrase)).run([asked], max_tokens=500)
    assert done.short == short
    assert done.text.split("\n") == [first, "Its first keeper was Anna Holm. [1]"]


@pytest.mark.parametrize(
    "question", ["What is the boiling point of tungsten?", "Who won the chess championship in Reykjavik?"]
)
def test_run_abstains_from_what_is_not_there(question: str) -> None:
    assert reply(task(question, TEXT)) == NOT_FOUND


@pytest.mark.parametrize("role", ["answer", "note", "synthesise", "summarise"])
def test_run_finds_nothing_in_nothing(role: Role) -> None:
    assert reply(task("Who?", role=role)) == NOT_FOUND
    assert reply(task("Who?", "   \n", role=role)) == NOT_FOUND


def test_run_rewrites_a_follow_up_by_rules() -> None:
    follow_up = Task("rewrite", "Who built it?", notes=("Who?", "Ann.", "When was the mill built?", "in 1742 [1]"))
    assert reply(follow_up) == "Who built it (the mill)?"
    assert reply(Task("rewrite", "Who built it?")) == "Who built it?"


def test_run_judges_with_yes_or_no() -> None:
    assert reply(task("Who was the first keeper of the light?", TEXT, role="judge")) == "yes"
    assert reply(task("What is the boiling point of tungsten?", TEXT, role="judge")) == "no"


def test_run_keeps_the_markers_of_notes() -> None:
    notes = ("The light on the Calf was lit in 1871. [7]\nBread was baked on Mondays. [9]",)
    assert reply(task("When was the light on the Calf lit?", role="synthesise", notes=notes)).startswith(
        "The light on the Calf was lit in 1871. [7]"
    )


def test_run_summarises_in_order_and_never_abstains() -> None:
    lines = reply(task("Summarise the text.", TEXT)).split("\n")
    places = [TEXT.index(line.removesuffix(" [1]")) for line in lines]
    assert places == sorted(places)
    assert len(lines) >= 2


def test_run_stays_within_its_tokens_but_replies() -> None:
    backend = EmbeddedBackend(None)
    long = "The keeper lit the lamp and wrote the log. " * 40
    [done] = backend.run([task("Summarise the text.", long, TEXT)], max_tokens=30)
    assert 0 < done.usage.output_tokens <= 30


def test_run_without_an_embedder_goes_by_words() -> None:
    backend = EmbeddedBackend(None)
    [done] = backend.run([task("Who was the first keeper of the light?", TEXT)], max_tokens=99)
    assert (backend.model, done.usage.calls, done.short) == ("lexical", 1, None)
    assert done.text.startswith("Its first keeper was Anna Holm. [1]")


def test_run_of_no_tasks_is_empty() -> None:
    assert EmbeddedBackend(None).run([], max_tokens=9) == []


def test_run_gives_the_cell_of_a_table_that_is_asked_for() -> None:
    rows = "".join(f"AB-{number}/1,{number / 4:.2f},depot {number % 7}\n" for number in range(1000, 1040))
    table = replace(task("", "part,price,depot\n" + rows).passages[0], source="parts.csv")
    backend = EmbeddedBackend(HashingEmbedder(), Pointing("depot"))
    for question, short in (
        ("What is the price of part AB-1017/1?", "254.25"),
        ("Which depot has AB-1017/1?", "depot 2"),
    ):
        [done] = backend.run([Task("answer", question, (table,))], max_tokens=500)
        assert (done.text, done.short) == ("AB-1017/1,254.25,depot 2 [1]", short)
    [done] = backend.run([Task("answer", "What is the price of part AB-1999/1?", (table,))], max_tokens=500)
    assert done.text == NOT_FOUND


@pytest.mark.parametrize(
    "question", ["Where is 1970.2 kept?", "Which object has the number 1970.2?", "What is 1970.2?"]
)
def test_embedded_backend_quotes_the_whole_row_of_a_number(question: str, tmp_path: Path) -> None:
    row = '1970.2,"Ship in a light bulb",c. 1965,Ewan Strand,Light Room'
    others = "\n".join(f"{1940 + n}.{n},a lamp of brass,c. 19{n:02},Ada Pell,Town Room" for n in range(20))
    (tmp_path / "inventory.csv").write_text(f"accession,object,made,donor,location\n{others}\n{row}\n")
    with lcrag.open(tmp_path, backend="embedded", dense="off", reader="off", writer="off") as documents:
        answer = documents.ask(question, pipeline="chunk_rag")
        assert row in answer.text
        assert documents.ask(question.replace("1970.2", "1970.9")).status != "answered"
