"""``ask --session``: what is printed of a question that was made to stand alone, and what is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.invocation import Lcrag
from support.scripted import KEEPER, QuestionBackend

from lcrag.paths import state_folder
from lcrag.types import Task


def script(backend: QuestionBackend) -> None:
    def reply(task: Task) -> str:
        return "Who kept the light after Anna Holm?" if task.role == "rewrite" else f"{KEEPER} [1]."

    backend.script(reply)


def test_ask_in_a_session_prints_what_the_question_was_taken_for(lcrag: Lcrag, backend: QuestionBackend) -> None:
    script(backend)
    first = lcrag("ask", "docs", "who kept the light?", "--session", "work")
    assert (first.code, first.out.splitlines()[0]) == (0, f"{KEEPER} [1].")
    assert "understood as" not in first.err
    second = lcrag("ask", "docs", "and after her?", "--session", "work", "--stream")
    assert second.out.splitlines()[0] == f"{KEEPER} [1]."
    assert "understood as: Who kept the light after Anna Holm?\n" in second.err
    assert [question for question, *_ in lcrag.asked] == ["who kept the light?", "Who kept the light after Anna Holm?"]


def test_ask_in_a_session_json_has_both_questions(lcrag: Lcrag, backend: QuestionBackend) -> None:
    script(backend)
    lcrag("ask", "docs", "who kept the light?", "--session", "work")
    value = lcrag("ask", "docs", "and after her?", "--session", "work", "--json").json
    assert value["question"] == "and after her?"
    assert value["session"] == {"name": "work", "question": "Who kept the light after Anna Holm?", "statements": []}
    assert lcrag("history", "2", "--json").json == value
    events = lcrag("ask", "docs", "and after her?", "--session", "work", "--ndjson").lines
    assert [event["question"] for event in events if event["event"] == "rewrite"] == [value["session"]["question"]]


def test_ask_in_a_session_notes_a_statement_without_asking(lcrag: Lcrag, backend: QuestionBackend) -> None:
    result = lcrag("ask", "docs", "My budget is 400 pounds.", "--session", "work")
    assert (result.code, result.out) == (0, "")
    assert result.err.endswith("noted: My budget is 400 pounds.\n")
    assert lcrag("ask", "docs", "I live in Leeds.", "--session", "work", "--json").json == {
        "schema": "lcrag.noted/1",
        "session": "work",
        "statements": ["I live in Leeds."],
    }
    assert backend.tasks == []


def test_ask_forget_removes_the_session_and_its_answers_alone(lcrag: Lcrag) -> None:
    lcrag("ask", "docs", "My secret is a red boat. who?", "--session", "work")
    lcrag("ask", "docs", "who?", "--session", "other")
    lcrag("ask", "docs", "who?")
    assert lcrag("ask", "--session", "work", "--forget").err == "session work is forgotten\n"
    assert lcrag("ask", "--session", "work", "--forget").err == "there is no session work\n"
    assert [row["question"] for row in lcrag("history", "--json").json["answers"]] == ["who?", "who?"]
    kept = [path for folder in (state_folder(), Path("../cache")) for path in folder.rglob("*") if path.is_file()]
    assert kept
    assert not any(b"red boat" in path.read_bytes() for path in kept)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--forget"], "--forget needs the name of a session"),
        (["docs", "--session", "work", "--forget"], "--forget takes no path"),
        (["docs", "who?", "--session", "../work"], "'../work' is no name for a session"),
        (["docs", "--questions", "q.txt", "--session", "work"], "--session is for one question at a time"),
    ],
)
def test_ask_session_wrong_usage(lcrag: Lcrag, args: list[str], message: str) -> None:
    Path("q.txt").write_text("who?\n")
    result = lcrag("ask", *args)
    assert result.code == 2
    assert message in result.err
    assert lcrag.settings == []
