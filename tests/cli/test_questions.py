"""`lcrag ask --questions`: many questions, one line each, and resuming an earlier run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.invocation import Lcrag
from support.scripted import COST, QuestionBackend

from lcrag.backends import BACKENDS


def questions(*lines: object, name: str = "q.jsonl") -> str:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    Path(name).write_text(text + "\n", encoding="utf-8")
    return name


def test_questions_of_a_text_file_are_one_a_line_with_the_number_as_id(lcrag: Lcrag) -> None:
    file = questions("who?", "", "  # where?  ", "nowhere", name="q.txt")
    result = lcrag("ask", "docs", "--questions", file)
    assert [(line["id"], line["question"], line["status"]) for line in result.lines] == [
        ("1", "who?", "answered"),
        ("3", "# where?", "answered"),
        ("4", "nowhere", "not_retrieved"),
    ]
    assert result.code == 1
    assert len(lcrag.settings) == 1


def test_questions_of_jsonl_keep_ids_and_order(lcrag: Lcrag) -> None:
    file = questions(
        {"id": "b", "question": "who?"}, {"question": "where?", "answers": ["x"]}, {"id": 7, "question": "w?"}
    )
    result = lcrag("ask", "docs", "--questions", file, "--json")
    assert [line["id"] for line in result.lines] == ["b", "2", 7]
    assert {line["schema"] for line in result.lines} == {"lcrag.answer/1"}
    assert result.code == 0


def test_questions_of_jsonl_are_recognized_by_the_first_character(lcrag: Lcrag) -> None:
    file = questions({"id": "b", "question": "who?"}, name="q.txt")
    assert [line["question"] for line in lcrag("ask", "docs", "--questions", file).lines] == ["who?"]


def test_questions_of_csv_begin_after_the_header(lcrag: Lcrag) -> None:
    file = questions("question,answer", "who?,Ann", '"where, then?",', name="q.csv")
    assert [(line["id"], line["question"]) for line in lcrag("ask", "docs", "--questions", file).lines] == [
        ("2", "who?"),
        ("3", "where, then?"),
    ]


def test_questions_continue_after_an_error(lcrag: Lcrag) -> None:
    file = questions(*({"id": name, "question": name} for name in ("who?", "budget", "server", "nowhere", "why?")))
    result = lcrag("ask", "docs", "--questions", file)
    assert [(line["id"], line["schema"], line.get("status")) for line in result.lines] == [
        ("who?", "lcrag.answer/1", "answered"),
        ("budget", "lcrag.answer/1", "refused_by_budget"),
        ("server", "lcrag.error/1", None),
        ("nowhere", "lcrag.answer/1", "not_retrieved"),
        ("why?", "lcrag.answer/1", "answered"),
    ]
    assert result.code == 4
    refused = result.lines[1]
    assert (refused["answer"], refused["plan"], refused["steps"]) == ("", None, [])
    assert refused["usage"]["calls"] == refused["read"]["tokens"] == 0
    assert "budget: every route needs more than 10 tokens" in result.err


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (["who?"], 0),
        (["who?", COST], 0),
        (["who?", "nowhere"], 1),
        (["nowhere", "backend"], 5),
        (["package", "budget"], 4),
    ],
)
def test_questions_exit_with_the_highest_code(lcrag: Lcrag, asked: list[str], code: int) -> None:
    assert lcrag("ask", "docs", "--questions", questions(*asked, name="q.txt")).code == code


def test_questions_have_their_id_in_events(lcrag: Lcrag) -> None:
    file = questions("who?", "server", "nowhere", name="q.txt")
    events = lcrag("ask", "docs", "--questions", file, "--ndjson").lines
    assert [(event["event"], event["id"]) for event in events if event["event"] in ("plan", "answer", "error")] == [
        ("plan", "1"),
        ("answer", "1"),
        ("plan", "2"),
        ("error", "2"),
        ("plan", "3"),
        ("answer", "3"),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"question": "who?"}', "{"], "q.jsonl, line 2 is not JSON"),
        (['{"question": "who?"}', "", '{"id": "x"}'], "q.jsonl, line 3 is not an object with a question"),
        (['{"question": " "}'], "line 1 is not an object with a question"),
        (["[1]"], "line 1 is not an object with a question"),
        (['{"question": "who?", "id": [1]}'], "line 1: the id is neither a text nor a whole number"),
        (['{"question": "who?", "id": true}'], "line 1: the id is neither a text nor a whole number"),
        (['{"question": "a", "id": 2}', '{"question": "b"}'], "line 2: the id '2' comes twice"),
        ([""], "q.jsonl holds no question"),
    ],
)
def test_questions_of_a_malformed_file_are_refused_before_anything_is_read(
    lcrag: Lcrag, lines: list[str], message: str
) -> None:
    result = lcrag("ask", "docs", "--questions", questions(*lines))
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert not lcrag.settings


def test_questions_of_a_missing_or_unreadable_file_are_refused(lcrag: Lcrag) -> None:
    Path("latin.txt").write_bytes("wér?".encode("latin-1"))
    assert "no.txt: No such file" in lcrag("ask", "docs", "--questions", "no.txt").err
    assert lcrag("ask", "docs", "--questions", "latin.txt").code == 2
    assert lcrag("ask", "docs", "--questions", "no.txt", "--json").json["kind"] == "BadQuestions"
    assert lcrag("ask", "--questions", questions("who?", name="q.txt")).code == 2


def test_resume_skips_what_is_done(lcrag: Lcrag) -> None:
    file = questions(*({"id": name, "question": name} for name in ("who?", "server", "nowhere")))
    first = lcrag("ask", "docs", "--questions", file, "--resume", "out.ndjson")
    assert len(first.lines) == 3
    Path("out.ndjson").write_text("".join(first.out.splitlines(keepends=True)[:2]), encoding="utf-8")
    second = lcrag("ask", "docs", "--questions", file, "--resume", "out.ndjson")
    assert [line["id"] for line in second.lines] == ["nowhere"]
    assert second.code == 1
    assert "2 of 3 questions are done in out.ndjson" in second.err


def test_resume_with_nothing_left_prints_nothing(lcrag: Lcrag) -> None:
    file = questions("who?", name="q.txt")
    Path("out.ndjson").write_text(lcrag("ask", "docs", "--questions", file).out, encoding="utf-8")
    result = lcrag("ask", "docs", "--questions", file, "--resume", "out.ndjson")
    assert (result.code, result.out) == (0, "")


def test_resume_asks_a_cut_line_again(lcrag: Lcrag) -> None:
    file = questions("who?", "where?", name="q.txt")
    out = lcrag("ask", "docs", "--questions", file).out
    Path("out.ndjson").write_text(out[:-40], encoding="utf-8")
    result = lcrag("ask", "docs", "--questions", file, "--resume", "out.ndjson")
    assert [line["id"] for line in result.lines] == ["2"]


def test_resume_continues_from_events(lcrag: Lcrag) -> None:
    file = questions("who?", "where?", name="q.txt")
    out = lcrag("ask", "docs", "--questions", file, "--ndjson").out
    upto = out.index('"event": "answer"')
    Path("out.ndjson").write_text(out[: out.index("\n", upto) + 1], encoding="utf-8")
    left = lcrag("ask", "docs", "--questions", file, "--resume", "out.ndjson").lines
    assert [line["id"] for line in left] == ["2"]


def test_resume_refuses_a_file_of_another_kind(lcrag: Lcrag) -> None:
    file = questions({"id": "a", "question": "who?"})
    result = lcrag("ask", "docs", "--questions", file, "--resume", file)
    assert result.code == 2
    assert "q.jsonl, line 1: not an output of lcrag" in result.err


@pytest.mark.parametrize("workers", [[], ["--workers", "1"], ["--workers", "3"]])
def test_questions_are_answered_in_order_by_several_workers(
    lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch, workers: list[str]
) -> None:
    monkeypatch.setitem(BACKENDS, "embedded", lambda settings, models: QuestionBackend(concurrency=8))
    names = [f"who {number}?" for number in range(80)] + ["budget", "server", "nowhere"]
    file = questions(*names, name="q.txt")
    result = lcrag("ask", "docs", "--questions", file, *workers)
    assert [line["id"] for line in result.lines] == [str(number) for number in range(1, 84)]
    assert [line.get("status") for line in result.lines[-3:]] == ["refused_by_budget", None, "not_retrieved"]
    assert result.code == 4
    assert sorted(question for question, _, _ in lcrag.asked) == sorted(names)
    events = lcrag("ask", "docs", "--questions", file, "--ndjson", *workers).lines
    by_id = {event["id"]: event["question"] for event in events if event["event"] == "answer"}
    assert by_id["7"] == "who 6?"
    assert all("id" in event for event in events if event["event"] in ("plan", "usage", "answer", "error"))
