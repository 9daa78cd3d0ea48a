"""`lcrag compare` as it is typed: questions and documents, output and files, errors."""

from __future__ import annotations

import csv
import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from support.invocation import Lcrag


@pytest.fixture
def lcrag(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Lcrag:
    """The embedded backend, ranking by words alone, in a folder with three documents."""
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LCRAG_BACKEND", "embedded")
    monkeypatch.setenv("LCRAG_DENSE", "off")
    monkeypatch.setenv("COLUMNS", "140")
    work = tmp_path / "work"
    (work / "docs").mkdir(parents=True)
    for name, keeper in (("a", "Anna Holm"), ("b", "Ben Rusk"), ("c", "Cid Pell")):
        text = f"The keeper of light {name} was {keeper}, who had a raven.\n" + "The sea was calm.\n" * 80
        (work / "docs" / f"{name}.md").write_text(text)
    (work / "q.csv").write_text(
        "question,answer\nWho was the keeper of light a?,Anna Holm\nWho kept light b?,Ben Rusk\n"
    )
    monkeypatch.chdir(work)
    return Lcrag(monkeypatch, capsys)


def test_compare_prints_the_answers_alone_on_standard_output(lcrag: Lcrag) -> None:
    result = lcrag("compare", "docs", "--questions", "q.csv")
    assert result.code == 0
    assert result.out.startswith("2 questions, ")
    assert "right answer: Anna Holm" in result.out
    assert "All 5 routes agree\n" in result.out
    assert "accuracy" not in result.out
    assert "answers are kept in" in result.err
    assert "answers are kept" not in result.out
    assert len(list((Path("..") / "cache" / "compare").resolve().glob("*.ndjson"))) == 1


def test_compare_with_ten_gold_answers_prints_the_statistics(lcrag: Lcrag) -> None:
    keepers = {"a": "Anna Holm", "b": "Ben Rusk", "c": "Cid Pell"}
    lines = [
        f"{ask} light {name}?,{keeper}"
        for name, keeper in keepers.items()
        for ask in ("Who kept", "Who was the keeper of", "Which keeper had", "Who is the keeper of")
    ]
    Path("many.csv").write_text("\n".join(["question,answer", *lines]) + "\n")
    result = lcrag("compare", "docs", "--questions", "many.csv", "--pipelines", "chunk_rag,full_context")
    assert result.out.startswith("12 questions, ")
    assert "accuracy" in result.out
    assert "How sure: " in result.out


def test_compare_of_one_question_prints_answers_with_sources_and_no_accuracy(lcrag: Lcrag) -> None:
    result = lcrag("compare", "docs", "Who was the keeper of light a?")
    assert "1 question, 5 routes" in result.out
    assert "The keeper of light a was Anna Holm" in result.out
    assert "docs/a.md:1" in result.out
    assert "* the router's choice" in result.out
    assert "It is no measure of what is right" in result.out
    assert not any(word in result.out for word in ("accuracy", "McNemar", "95%", "1.000"))
    assert "\x1b" not in result.out


def test_compare_json_follows_its_schema(lcrag: Lcrag) -> None:
    value = lcrag("compare", "docs", "--questions", "q.csv", "--json", "--pipelines", "chunk_rag, full_context").json
    schema = json.loads(files("lcrag").joinpath("schemas/compare-1.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(value)
    assert [row["pipeline"] for row in value["routes"]] == ["chunk_rag", "full_context"]
    assert value["routes"][1]["accuracy"] == 1.0


def test_compare_writes_a_page_and_a_spreadsheet(lcrag: Lcrag) -> None:
    result = lcrag(
        "compare", "docs", "--questions", "q.csv", "--html", "r.html", "--csv", "r.csv", "--pipelines", "full_context"
    )
    assert "written: r.html" in result.err
    assert Path("r.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with open("r.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["route"]) for row in rows] == [
        *(("2", "full_context"), ("2", "router"), ("3", "full_context"), ("3", "router")),
    ]


def test_compare_resumed_writes_the_same_page_to_the_byte(lcrag: Lcrag) -> None:
    line = ("docs", "--questions", "q.csv", "--resume", "r.ndjson", "--html", "r.html")
    first, page = lcrag("compare", *line), Path("r.html").read_bytes()
    rows = Path("r.ndjson").read_bytes()
    again = lcrag("compare", *line)
    assert (again.out, Path("r.html").read_bytes(), Path("r.ndjson").read_bytes()) == (first.out, page, rows)


def test_compare_judges_questions_without_gold_answers(lcrag: Lcrag) -> None:
    value = lcrag("compare", "docs/a.md", "docs/b.md", "Who kept light a?", "Who kept light b?", "--json").json
    assert [item["question"] for item in value["items"]] == ["Who kept light a?", "Who kept light b?"]
    assert value["scoring"]["judged"]
    assert value["items"][0]["documents"] == 2


def test_compare_dataset_brings_its_documents(lcrag: Lcrag) -> None:
    record = {"id": "x", "question": "Who was the keeper?", "answers": ["Anna Holm"], "docs": ["docs/a.md"]}
    Path("questions.jsonl").write_text(json.dumps(record) + "\n")
    assert lcrag("compare", "--dataset", ".", "--json").json["items"][0]["documents"] == 1
    long = {"input": "Who was it?", "context": "It was Anna Holm who was it.", "answers": ["Anna Holm"], "_id": "y"}
    Path("long.jsonl").write_text(json.dumps(long) + "\n")
    [item] = lcrag("compare", "--dataset", "long.jsonl", "--json", "--pipelines", "full_context").json["items"]
    assert (item["id"], item["documents"], item["answers"]) == ("y", 1, ["Anna Holm"])
    assert item["routes"]["full_context"]["read"] == item["tokens"] > 0


def test_compare_limit(lcrag: Lcrag) -> None:
    assert lcrag("compare", "docs", "--questions", "q.csv", "--limit", "1", "--json").json["questions"] == 1


@pytest.mark.parametrize(
    ("args", "message", "line"),
    [
        ((), "say what to read", 'lcrag compare docs/ "your question" "another one"'),
        (("docs",), "the question is missing", 'lcrag compare docs/ "your question" "another one"'),
        (("no-such", "Who?"), "no such file or folder: no-such", 'lcrag compare docs/ "your question" "another one"'),
        (("--questions", "q.csv"), "say what to read", "lcrag compare docs/ --questions q.csv"),
        (("--dataset", "q.csv"), "names no documents", "lcrag compare docs/ --questions q.csv"),
        (("docs", "--dataset", "q.csv"), "brings its own documents", "lcrag compare --dataset q.csv"),
        (
            ("docs", "--questions", "q.csv", "--pipelines", "a"),
            "no pipeline 'a'",
            "one of outline, table, report, chunk_rag,",
        ),
        (("docs", "--questions", "q.csv", "--html", "no/r.html"), "there is no folder no", "mkdir -p no"),
        (("docs", "--questions", "q.csv", "--resume", "q.csv"), "not the results", "name another file"),
        (("docs", "--questions", "no.csv"), "No such file", "a folder with questions.jsonl"),
    ],
)
def test_compare_wrong_usage_exits_with_2_and_the_line_to_type(
    lcrag: Lcrag, args: tuple[str, ...], message: str, line: str
) -> None:
    result = lcrag("compare", *args)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert line in result.err


def test_compare_takes_routes_with_options(lcrag: Lcrag) -> None:
    names = "chunk_rag:tokens=50,compression:tokens=60,over=corpus,self_route"
    value = lcrag("compare", "docs", "who kept the light?", "--pipelines", names, "--json").json
    assert [row["pipeline"] for row in value["routes"]] == [
        "chunk_rag:tokens=50",
        "compression:tokens=60,over=corpus",
        "self_route",
    ]
    wrong = lcrag("compare", "docs", "who?", "--pipelines", "chunk_rag,full_context:x=1")
    assert wrong.code == 2
    assert "full_context has no option 'x'" in wrong.err
