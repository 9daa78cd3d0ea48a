"""`lcrag ask --questions`: many questions, one line each, and going on where an earlier run stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import fake_run
from support.invocation import Lcrag


def questions(*lines: object, name: str = "q.jsonl") -> str:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    Path(name).write_text(text + "\n", encoding="utf-8")
    return name


def test_text_is_one_question_a_line_with_its_number_as_id(lcrag: Lcrag) -> None:
    file = questions("who?", "", "  # where?  ", "nowhere", name="q.txt")
    result = lcrag("ask", "docs", "--questions", file)
    assert [(line["id"], line["question"], line["status"]) for line in result.lines] == [
        ("1", "who?", "answered"),
        ("3", "# where?", "answered"),
        ("4", "nowhere", "not_found"),
    ]
    assert result.code == 1
    assert len(fake_run.opened) == 1


def test_jsonl_keeps_ids_and_order(lcrag: Lcrag) -> None:
    file = questions(
        {"id": "b", "question": "who?"}, {"question": "where?", "answers": ["x"]}, {"id": 7, "question": "w?"}
    )
    result = lcrag("ask", "docs", "--questions", file, "--json")
    assert [line["id"] for line in result.lines] == ["b", "2", 7]
    assert {line["schema"] for line in result.lines} == {"lcrag.answer/1"}
    assert result.code == 0


def test_jsonl_is_seen_by_its_first_character_too(lcrag: Lcrag) -> None:
    file = questions({"id": "b", "question": "who?"}, name="q.txt")
    assert [line["question"] for line in lcrag("ask", "docs", "--questions", file).lines] == ["who?"]


def test_csv_header_is_not_asked(lcrag: Lcrag) -> None:
    file = questions("question,answer", "who?,Ann", '"where, then?",', name="q.csv")
    assert [(line["id"], line["question"]) for line in lcrag("ask", "docs", "--questions", file).lines] == [
        ("2", "who?"),
        ("3", "where, then?"),
    ]


def test_an_error_is_a_line_and_the_run_goes_on(lcrag: Lcrag) -> None:
    file = questions(*({"id": name, "question": name} for name in ("who?", "budget", "server", "nowhere", "why?")))
    result = lcrag("ask", "docs", "--questions", file)
    assert [(line["id"], line["schema"], line.get("status")) for line in result.lines] == [
        ("who?", "lcrag.answer/1", "answered"),
        ("budget", "lcrag.answer/1", "refused_by_budget"),
        ("server", "lcrag.error/1", None),
        ("nowhere", "lcrag.answer/1", "not_found"),
        ("why?", "lcrag.answer/1", "answered"),
    ]
    assert result.code == 4
    refused = result.lines[1]
    assert (refused["answer"], refused["plan"], refused["steps"]) == ("", None, [])
    assert "budget: every route needs more than 10 tokens" in result.err


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (["who?"], 0),
        (["who?", "both"], 0),
        (["who?", "unread"], 1),
        (["nowhere", "backend"], 5),
        (["package", "budget"], 4),
    ],
)
def test_the_exit_code_sums_the_run_up(lcrag: Lcrag, asked: list[str], code: int) -> None:
    assert lcrag("ask", "docs", "--questions", questions(*asked, name="q.txt")).code == code


def test_events_of_many_questions_say_which(lcrag: Lcrag) -> None:
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
def test_a_malformed_file_is_refused_before_anything_is_read(lcrag: Lcrag, lines: list[str], message: str) -> None:
    result = lcrag("ask", "docs", "--questions", questions(*lines))
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert not fake_run.opened


def test_a_missing_or_unreadable_file(lcrag: Lcrag) -> None:
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


def test_resume_with_nothing_left(lcrag: Lcrag) -> None:
    file = questions("who?", name="q.txt")
    Path("out.ndjson").write_text(lcrag("ask", "docs", "--questions", file).out, encoding="utf-8")
    result = lcrag("ask", "docs", "--questions", file, "--resume", "out.ndjson")
    assert (result.code, result.out) == (0, "")


def test_a_line_that_was_cut_is_asked_again(lcrag: Lcrag) -> None:
    file = questions("who?", "where?", name="q.txt")
    out = lcrag("ask", "docs", "--questions", file).out
    Path("out.ndjson").write_text(out[:-40], encoding="utf-8")
    result = lcrag("ask", "docs", "--questions", file, "--resume", "out.ndjson")
    assert [line["id"] for line in result.lines] == ["2"]


def test_resume_from_events(lcrag: Lcrag) -> None:
    file = questions("who?", "where?", name="q.txt")
    out = lcrag("ask", "docs", "--questions", file, "--ndjson").out
    upto = out.index('"event": "answer"')
    Path("out.ndjson").write_text(out[: out.index("\n", upto) + 1], encoding="utf-8")
    left = lcrag("ask", "docs", "--questions", file, "--resume", "out.ndjson").lines
    assert [line["id"] for line in left] == ["2"]


def test_resume_refuses_a_file_that_is_no_output(lcrag: Lcrag) -> None:
    file = questions({"id": "a", "question": "who?"})
    result = lcrag("ask", "docs", "--questions", file, "--resume", file)
    assert result.code == 2
    assert "q.jsonl, line 1: not an output of lcrag" in result.err


@pytest.mark.parametrize("workers", [[], ["--workers", "1"], ["--workers", "3"]])
def test_a_server_is_asked_several_at_a_time_and_answers_come_in_the_order_asked(
    lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch, workers: list[str]
) -> None:
    monkeypatch.setattr(fake_run.Session, "backend_name", "server")
    names = [f"who {number}?" for number in range(80)] + ["budget", "server", "nowhere"]
    file = questions(*names, name="q.txt")
    result = lcrag("ask", "docs", "--questions", file, *workers)
    assert [line["id"] for line in result.lines] == [str(number) for number in range(1, 84)]
    assert [line.get("status") for line in result.lines[-3:]] == ["refused_by_budget", None, "not_found"]
    assert result.code == 4
    assert sorted(question for question, _, _ in fake_run.asked) == sorted(set(names) - {"budget"})
    events = lcrag("ask", "docs", "--questions", file, "--ndjson", *workers).lines
    by_id = {event["id"]: event["question"] for event in events if event["event"] == "answer"}
    assert by_id["7"] == "who 6?"
    assert all("id" in event for event in events if event["event"] in ("plan", "usage", "answer", "error"))
