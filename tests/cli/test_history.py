"""``lcrag history``: what ``ask`` answered, listed and printed again as ``ask`` did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.invocation import Lcrag
from support.scripted import COST, EVIL

from lcrag.paths import state_folder


def test_history_is_empty_at_first(lcrag: Lcrag) -> None:
    result = lcrag("history")
    assert (result.code, result.out, result.err) == (0, "", "no answer has been kept yet\n")
    assert lcrag("history", "--json").json == {"schema": "lcrag.answers/1", "answers": []}
    assert lcrag("history", "--clear").err == "0 answers removed\n"


@pytest.mark.parametrize("question", ["who?", COST, "unsure", "nowhere", "evil"])
@pytest.mark.parametrize("form", [[], ["--format", "md"]])
def test_history_prints_an_answer_as_ask_did(lcrag: Lcrag, question: str, form: list[str]) -> None:
    asked = lcrag("ask", "docs", question, "--all-sources", *form)
    again = lcrag("history", "1", *form)
    assert (again.code, again.out) == (asked.code, asked.out)
    assert asked.err.endswith(again.err)
    assert (again.err == "") == (question in ("who?", "evil"))


def test_history_prints_the_same_json(lcrag: Lcrag) -> None:
    asked = lcrag("ask", "docs", "who?", "--json").json
    assert lcrag("history", "1", "--json").json == asked
    [event] = lcrag("history", "1", "--ndjson").lines
    assert event["event"] == "answer"
    assert {key: event[key] for key in asked} == asked


def test_history_lists_time_status_route_and_question(lcrag: Lcrag) -> None:
    for question in ("who?", "nowhere", f"{EVIL}\nand more {'words ' * 30}"):
        lcrag("ask", "docs", question)
    first, second, third = lcrag("history").out.splitlines()
    assert first.split()[0] == "1"
    assert first.endswith("answered       chunk_rag        who?")
    assert " not_retrieved " in second
    assert "\x1b" not in third
    assert third.endswith("…")
    assert len(third) <= 80
    rows = lcrag("history", "--json").json["answers"]
    assert [row["question"] for row in rows][:2] == ["who?", "nowhere"]
    assert rows[0]["time"].endswith("+00:00")
    assert lcrag("history", "--ndjson").lines == rows
    assert lcrag("history", "--last", "1", "--ndjson").lines == rows[2:]
    assert lcrag("history", "--format", "md").out.startswith("1. who?\n2. nowhere\n")


def test_history_keeps_nothing_with_no_log_nor_of_many_questions(lcrag: Lcrag) -> None:
    Path("q.txt").write_text("who?\n")
    lcrag("ask", "docs", "who?", "--no-log")
    lcrag("ask", "docs", "--questions", "q.txt")
    assert lcrag("history", "--json").json["answers"] == []


def test_history_clear_removes_all(lcrag: Lcrag) -> None:
    lcrag("ask", "docs", "who?")
    assert lcrag("history", "--clear").err == "1 answers removed\n"
    assert lcrag("history", "1").code == 2
    assert lcrag("history", "1", "--clear").code == 2


def test_ask_answers_although_the_answer_cannot_be_kept(lcrag: Lcrag) -> None:
    state_folder().mkdir(parents=True)
    (state_folder() / "answers.db").write_text(json.dumps("no database " * 100))
    result = lcrag("ask", "docs", "who?")
    assert result.code == 0
    assert result.out
    assert "not kept: " in result.err
    assert lcrag("history").code == 3
