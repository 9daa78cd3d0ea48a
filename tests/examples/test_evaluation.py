"""The evaluation scripts run on any folder in the documented format, and their figures are right."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lcrag.planning.profile import from_object

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SALTMARSH = EXAMPLES / "saltmarsh"


def run(folder: Path, script: str, *words: str) -> str:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "LCRAG_CACHE_DIR": str(folder / "cache"),
        "LCRAG_DENSE": "off",
        "LCRAG_READER": "off",
    }
    command = [sys.executable, "-W", "error", str(EXAMPLES / script), *words]
    completed = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def dataset(folder: Path, names: Sequence[str] = ("a.txt",)) -> Path:
    """Eight questions with evidence and one without, over documents of these names that are all the same."""
    (folder / "docs").mkdir(parents=True)
    text, records = "", []
    for number in range(8):
        text += "".join(f"In {1800 + number} boat {place} brought tea on day {place}.\n\n" for place in range(30))
        fact = f"Keeper Number{number} of the light kept a tame raven called Brandt{number}."
        doc = f"docs/{names[number % len(names)]}"
        span = {"doc": doc, "start": len(text), "end": len(text) + len(fact)}
        text += f"{fact}\n\n"
        question = {"id": f"q{number}", "question": f"What was the raven of Number{number} called?"}
        records.append(question | {"answers": [f"Brandt{number}"], "docs": [doc], "evidence_spans": [span]})
    absent = {"id": "x", "question": "Which whale sang in Ostrava?", "docs": [f"docs/{names[0]}"], "unanswerable": True}
    for name in names:
        (folder / "docs" / name).write_text(text)
    (folder / "questions.jsonl").write_text("".join(json.dumps(record) + "\n" for record in [*records, absent]))
    return folder


@pytest.mark.slow
def test_answers_cite_their_evidence_and_every_quote_is_exact(tmp_path: Path) -> None:
    words_alone = ("--dense", "off", "--reader", "off")
    rows = json.loads(
        run(tmp_path, "evaluation/answers.py", str(dataset(tmp_path / "set")), *words_alone, "--json", "--limit", "6")
    )
    assert {row["route"] for row in rows} == {
        "chunk_rag", "full_context", "chain_of_agents", "compression", "escalate"
    }  # fmt: skip
    citations = sum(row["citations"] for row in rows)
    assert sum(row["exact"] for row in rows) == citations > 0
    assert sum(row["overlapping"] or 0 for row in rows) > 0
    assert any(not row["answerable"] and row["status"] in ("not_found", "not_retrieved") for row in rows)
    table = run(tmp_path, "evaluation/answers.py", str(tmp_path / "set"), *words_alone, "--routes", "chunk_rag")
    assert "false refused" in table


@pytest.mark.slow
def test_certificate_reports_each_threshold(tmp_path: Path) -> None:
    out = run(tmp_path, "evaluation/certificate.py", str(dataset(tmp_path / "set")), "--dense", "off")
    assert out.splitlines()[-1].startswith("all")
    assert "at 0.95" in out


@pytest.mark.slow
def test_retrieval_reports_the_share_covered(tmp_path: Path) -> None:
    arguments = (str(dataset(tmp_path / "set")), "--dense", "off", "--tokens", "500,100000", "--json")
    fused, lexical = json.loads(run(tmp_path, "evaluation/retrieval.py", *arguments))
    assert (fused["ranking"], lexical["ranking"]) == ("fused", "lexical")
    assert fused["questions"] == 8
    assert fused["share"] == {"500": 1.0, "100000": 1.0}


@pytest.mark.slow
def test_places_finds_each_citation_at_its_place(tmp_path: Path) -> None:
    questions = tmp_path / "q.txt"
    questions.write_text("When was Wend Mill built?\nWhat is the mean depth before the sluice jammed?\n")
    names = ("mill-report.pdf", "gannet-bar.ipynb", "ida-quillan.docx", "letter-curator.eml")
    out = run(
        tmp_path, "evaluation/places.py", *(str(SALTMARSH / name) for name in names), "--questions", str(questions)
    )
    assert "missed" not in out
    assert "$ lcrag show" in out
    assert ".pdf     held" in out


@pytest.mark.slow
def test_routing_measures_every_route_and_replays_the_router(tmp_path: Path) -> None:
    answers, folder = tmp_path / "answers.jsonl", dataset(tmp_path / "set")
    measure = ("routing/measure.py", str(answers), str(folder), "--writer", "off", "--index", str(tmp_path / "index"))
    run(tmp_path, *measure)
    lines = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 9
    assert all({"chunk_rag", "full_context"} <= {route["pipeline"] for route in line["routes"]} for line in lines)
    assert "0 questions" in run(tmp_path, *measure)  # nothing is asked twice
    table = run(tmp_path, "routing/judge.py", str(answers))
    rows = {line.split()[0].strip(","): line.split() for line in table.splitlines() if line.strip()}
    assert float(rows["oracle"][1]) >= float(rows["random"][1]) > 0
    assert "router, balanced" in table
    assert "ECE of P(correct)" in table


@pytest.mark.slow
def test_routing_lets_a_route_search_while_it_runs(tmp_path: Path) -> None:
    answers, folder = tmp_path / "answers.jsonl", dataset(tmp_path / "set")
    route = "iterate:tokens=400,cycles=0"
    run(tmp_path, "routing/measure.py", str(answers), str(folder), "--writer", "off", "--limit", "2", "--routes", route)
    lines = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    assert [line["routes"][0]["calls"] for line in lines] == [2, 2]  # a probe and the answer


@pytest.mark.slow
def test_routing_fits_a_profile_that_forecasts_the_mean(tmp_path: Path) -> None:
    answers, folder = tmp_path / "answers.jsonl", dataset(tmp_path / "one")
    indexes = ("--writer", "off", "--index", str(tmp_path / "index"))
    run(tmp_path, "routing/measure.py", str(answers), str(folder), *indexes)
    again = answers.read_text(encoding="utf-8")
    answers.write_text(again + again.replace('"set": "one"', '"set": "two"'), encoding="utf-8")
    run(tmp_path, "routing/judge.py", str(answers), "--fit", "--save", str(tmp_path / "profile.json"))
    profile = from_object(json.loads((tmp_path / "profile.json").read_text(encoding="utf-8")))
    assert profile.measured
    assert all(0 <= p <= 1 for curve in profile.use.values() for _, p in curve)


def test_code_questions_have_whole_functions_without_docstrings_as_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES / "evaluation")
    code_questions = importlib.import_module("code_questions")
    chosen = [function for function in code_questions.functions(ROOT / "lcrag") if function.file.name == "split.py"]
    questions = list(code_questions.copy(chosen, tmp_path / "lcrag", ".py"))
    assert len(questions) > 3
    for question in questions:
        (span,) = question.evidence
        function = span.doc.read_text(encoding="utf-8")[span.start : span.end]
        assert function.startswith("def ")
        assert function.count("\ndef ") == 0
        assert question.question not in " ".join(function.split())


def test_figures_of_the_first_token_tell_both_kinds_of_questions_apart() -> None:
    script = importlib.import_module("evaluation.first_token")
    listed = [
        script.Case(answerable=True, first_token=0.1, judged=0.4, refused=False, refused_with_writer=False),
        script.Case(answerable=True, first_token=0.6, judged=0.9, refused=False, refused_with_writer=True),
        script.Case(answerable=False, first_token=0.8, judged=0.5, refused=False, refused_with_writer=True),
        script.Case(answerable=False, first_token=0.9, judged=0.3, refused=True, refused_with_writer=True),
    ]
    figures = script.figures(listed)
    assert (figures["n"], figures["unanswerable"]) == (4, 2)
    assert (figures["auroc_first_token"], figures["auroc_judgement"]) == (1.0, 0.75)
    assert (figures["refused"], figures["refused_with_writer"]) == (0.5, 1.0)
    assert (figures["answered"], figures["answered_with_writer"]) == (1.0, 0.5)
    assert script.figures(listed[:2])["refused"] is script.figures(listed[:2])["auroc_judgement"] is None
