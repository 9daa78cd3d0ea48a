"""The measurements of checkable answers run on any folder of the documented form, and tell what is so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EVALUATION = ROOT / "examples/evaluation"
SALTMARSH = ROOT / "examples/saltmarsh"


def run(folder: Path, script: str, *words: str) -> str:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "LCRAG_CACHE_DIR": str(folder / "cache"),
        "LCRAG_DENSE": "off",
        "LCRAG_READER": "off",
    }
    command = [sys.executable, str(EVALUATION / script), *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dataset(folder: Path) -> Path:
    (folder / "docs").mkdir(parents=True)
    text, records = "", []
    for number in range(8):
        text += "".join(f"In {1800 + number} boat {place} brought tea on day {place}.\n\n" for place in range(30))
        fact = f"Keeper Number{number} of the light kept a tame raven called Brandt{number}."
        span = {"doc": "docs/a.txt", "start": len(text), "end": len(text) + len(fact)}
        text += f"{fact}\n\n"
        question = {"id": f"q{number}", "question": f"What was the raven of Number{number} called?"}
        records.append(question | {"answers": [f"Brandt{number}"], "docs": ["docs/a.txt"], "evidence_spans": [span]})
    absent = {"id": "x", "question": "Which whale sang in Ostrava?", "docs": ["docs/a.txt"], "unanswerable": True}
    (folder / "docs/a.txt").write_text(text)
    (folder / "questions.jsonl").write_text("".join(json.dumps(record) + "\n" for record in [*records, absent]))
    return folder


def test_answers_cite_their_evidence_and_every_quote_is_exact(tmp_path: Path) -> None:
    out = run(
        tmp_path,
        "answers.py",
        str(dataset(tmp_path / "set")),
        "--dense",
        "off",
        "--reader",
        "off",
        "--json",
        "--limit",
        "6",
    )
    rows = json.loads(out)
    assert {row["route"] for row in rows} == {
        "chunk_rag", "full_context", "chain_of_agents", "compression", "escalate"
    }  # fmt: skip
    cited = sum(row["citations"] for row in rows)
    assert sum(row["exact"] for row in rows) == cited > 0
    assert sum(row["touching"] or 0 for row in rows) > 0
    assert any(not row["answerable"] and row["status"] in ("not_found", "not_retrieved") for row in rows)
    table = run(
        tmp_path, "answers.py", str(tmp_path / "set"), "--dense", "off", "--reader", "off", "--routes", "chunk_rag"
    )
    assert "false refused" in table


def test_certificates_are_told_for_each_threshold(tmp_path: Path) -> None:
    out = run(tmp_path, "certificate.py", str(dataset(tmp_path / "set")), "--dense", "off")
    assert out.splitlines()[-1].startswith("all")
    assert "at 0.95" in out


def test_each_citation_is_found_again_at_its_place(tmp_path: Path) -> None:
    questions = tmp_path / "q.txt"
    questions.write_text("When was Wend Mill built?\nWhat is the mean depth before the sluice jammed?\n")
    names = ("mill-report.pdf", "gannet-bar.ipynb", "ida-quillan.docx", "letter-curator.eml")
    out = run(tmp_path, "places.py", *(str(SALTMARSH / name) for name in names), "--questions", str(questions))
    assert "missed" not in out
    assert "$ lcrag show" in out
    assert ".pdf     held" in out
