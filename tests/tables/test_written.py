"""What lcrag's own model reads of tables, which of its programs are believed, and the route with set replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.fakes import corpus_of, run_pipeline

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.scripted import ScriptedBackend
from lcrag.pipelines import Table, table_for
from lcrag.retrieve.rank import retrieve
from lcrag.tables.database import Database
from lcrag.tables.loaded import Loaded
from lcrag.tables.written import MOST_TABLES, asked, chosen, overlooks_not
from lcrag.types import Answer, Document, Event, Task

PETS = "code,name,kind,weight kg\nP1,Rex,dog,31.5\nP2,Tom,cat,4.2\nP3,Ada,dog,12\n"
VISITS = "pet,date,cost\nP1,2024-03-01,40\nP2,2024-03-02,25\nP1,2024-04-11,60\n"
QUESTION = "Whose treatment set us back the most, Rex or the others?"
HEAVIEST = 'SELECT name FROM pets ORDER BY "weight kg" DESC LIMIT 1'


def tables_of(**texts: str) -> tuple[list[Loaded], Database]:
    database = Database()
    for name, text in texts.items():
        database.load(Document(name, f"{name}.csv", text))
    return database.open(texts), database


def test_asked_shows_tables_keys_and_the_values_that_the_question_speaks_of() -> None:
    (text, turned), _ = asked(QUESTION, *tables_of(pets=PETS, visits=VISITS))
    assert turned.startswith("visits, 3 rows")
    assert sorted(turned.splitlines()) == sorted(text.splitlines())
    assert text == (
        "pets, 3 rows\n- code text: 'P1', 'P2', 'P3'\n- name text: 'Rex', 'Tom', 'Ada'\n- kind text: 'dog', 'cat'\n"
        "- \"weight kg\" number: 31.5, 4.2, ...\n\nvisits, 3 rows\n- pet text: 'P1', 'P2'\n"
        "- \"date\" date: '2024-03-01', '2024-03-02', ...\n- cost number: 40, 25, ...\n\nvisits.pet = pets.code\n\n"
        f"pets.name has 'Rex'\n\nQuestion: {QUESTION}"
    )


def test_asked_shows_of_many_tables_those_that_the_question_is_near() -> None:
    texts = {f"list{number}": f"item,number\nthing {number},{number}\n" for number in range(MOST_TABLES + 3)}
    (text, _), _ = asked("How heavy is Rex?", *tables_of(**texts, pets=PETS))
    assert text.count(" rows\n") == MOST_TABLES
    assert "pets, 3 rows" in text


def test_asked_allows_programs_that_run_over_these_tables() -> None:
    _, allows = asked(QUESTION, *tables_of(pets=PETS, visits=VISITS))
    assert allows(HEAVIEST, True)
    assert allows("NONE", True)
    assert allows("SELECT name FR", False)
    assert not allows("SELECT name FR", True)
    assert not allows("SELECT owner", False)
    assert not allows("SELECT name FROM pets WHERE", True)


@pytest.mark.parametrize(
    ("replies", "wanted"),
    [
        ([[(HEAVIEST, 0.88), ("NONE", 0.1)]], HEAVIEST),
        ([[("SELECT count(*) FROM visits", 0.1), (HEAVIEST, 0.6), ("SELECT 'Rex' FROM pets LIMIT 1", 0.28)]], HEAVIEST),
        ([[(HEAVIEST, 0.9)], [("SELECT 'Rex' FROM pets LIMIT 1", 0.86)]], HEAVIEST),
        ([[(HEAVIEST, 0.9)], [("SELECT count(*) FROM visits", 0.9)]], None),
        ([[(HEAVIEST, 0.3), ("SELECT count(*) FROM visits", 0.2)]], None),
        ([[("NONE", 0.9), (HEAVIEST, 0.05)]], None),
        ([[("SELECT name FROM pets WHERE kind = 'x'", 0.9)]], None),
        ([[]], None),
    ],
)
def test_chosen_believes_a_result_that_is_likely_enough(
    replies: list[list[tuple[str, float]]], wanted: str | None
) -> None:
    _, database = tables_of(pets=PETS, visits=VISITS)
    assert chosen(QUESTION, replies, database) == wanted


@pytest.mark.parametrize(
    ("question", "overlooks"),
    [
        ("Which pets weren't treated?", True),
        ("How many visits, leaving out the free ones?", True),
        ("Which dogs are no. 3 and No 4?", False),
        ("How many pets weigh no more than 12 kg?", False),
        ("How many pets are there in Notting Hill?", False),
    ],
)
def test_overlooks_not_where_the_question_leaves_something_out(question: str, overlooks: bool) -> None:
    assert overlooks_not(question, "SELECT count(*) FROM pets") == overlooks
    assert not overlooks_not(question, "SELECT count(*) FROM pets WHERE kind != 'dog'")
    assert not overlooks_not(question, "SELECT name FROM pets WHERE code NOT IN (SELECT pet FROM visits)")
    assert not overlooks_not(question, "NONE")


def test_chosen_believes_no_program_that_overlooks_a_not() -> None:
    _, database = tables_of(pets=PETS, visits=VISITS)
    replies = [[("SELECT name FROM pets WHERE kind = 'dog'", 0.9)]]
    assert chosen("Who is a dog?", replies, database) is not None
    assert chosen("Who is not a dog?", replies, database) is None


class SetReplies:
    """A model that writes what it was made with, as far as that is allowed."""

    def __init__(self, *replies: tuple[str, float]) -> None:
        self.replies = replies
        self.read = ""

    def several(
        self, messages: Sequence[dict[str, str]], allows: Callable[[str, bool], bool], width: int, max_tokens: int
    ) -> list[tuple[str, float]]:
        self.read = messages[0]["content"]
        return [(sql, share) for sql, share in self.replies if allows(sql, True)][:width]


def answer_of(folder: Path, *replies: tuple[str, float]) -> tuple[Answer, Table | None, SetReplies]:
    model = SetReplies(*replies)
    backend = EmbeddedBackend(None, programmer=model)
    with corpus_of(folder, {"pets.csv": PETS, "visits.csv": VISITS}) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=None)
        offered = table_for(QUESTION, ranking, corpus, backend)
        return run_pipeline(Table(), QUESTION, corpus, ranking, backend), offered, model


def test_table_answers_by_the_model_where_no_rule_does(tmp_path: Path) -> None:
    most = (
        "SELECT pets.name FROM visits JOIN pets ON visits.pet = pets.code GROUP BY pets.name"
        " ORDER BY sum(visits.cost) DESC LIMIT 1"
    )
    answer, offered, model = answer_of(tmp_path, ("SELECT owner FROM pets", 0.9), (most, 0.87))
    assert offered == Table(by="writer")
    assert (answer.status, answer.short, answer.program, answer.usage.calls) == ("answered", "Rex", most, 2)
    assert answer.citations
    assert QUESTION in model.read


def test_table_answers_nothing_where_the_model_is_not_sure(tmp_path: Path) -> None:
    answer, _, _ = answer_of(tmp_path, (HEAVIEST, 0.2), ("NONE", 0.1))
    assert (answer.status, answer.program) == ("not_retrieved", None)


def test_table_by_writer_asks_no_other_model_and_says_so(tmp_path: Path) -> None:
    messages: list[str] = []

    def listen(event: Event) -> None:
        messages.extend([str(event.data["message"])] if event.kind == "usage" else [])

    def reply(task: Task) -> str:
        raise AssertionError("asked")

    with corpus_of(tmp_path, {"pets.csv": PETS}) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=None)
        answer = run_pipeline(Table(by="writer"), QUESTION, corpus, ranking, ScriptedBackend(reply), listen)
    assert (answer.status, messages) == ("not_retrieved", ["the scripted backend holds no reply to a grammar"])
