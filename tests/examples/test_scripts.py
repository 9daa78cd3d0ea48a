"""The examples that README names run as they are, and every script starts without a warning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path for path in EXAMPLES.rglob("*.py") if "argparse" in path.read_text(encoding="utf-8"))


def run(folder: Path, *command: str) -> str:
    """What the command prints; ``lcrag`` is this checkout's. ``folder``: where it may write."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "LCRAG_BACKEND": "embedded",
        "LCRAG_INDEX": str(folder / "index"),
    }
    completed = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


@pytest.mark.slow
def test_ask_prints_answers_with_their_citations(tmp_path: Path) -> None:
    out = run(tmp_path, sys.executable, "-W", "error", str(EXAMPLES / "ask.py"))
    assert "at a cost of £1,860" in out
    assert "chronicle.md:25" in out
    assert "nineteen pounds" in out
    assert "not_retrieved" in out


@pytest.mark.slow
def test_pipeline_of_your_own_is_forecast_and_answers(tmp_path: Path) -> None:
    script = EXAMPLES / "pipeline_of_your_own.py"
    assert len(script.read_text(encoding="utf-8").splitlines()) < 40
    out = run(tmp_path, sys.executable, "-W", "error", str(script))
    assert any(line.startswith("best_document ") for line in out.splitlines())
    assert "£1,860" in out.splitlines()[-1]


@pytest.mark.slow
def test_pipeline_sh_shows_every_way_to_combine_commands(tmp_path: Path) -> None:
    out = run(tmp_path, "sh", str(EXAMPLES / "pipeline.sh"))
    assert "answered (exit code 0)" in out
    assert "thirty-two trainees" in out
    assert "Beacon Down, 94 metres" in out
    assert "(the documents do not say)" in out


@pytest.mark.slow
def test_batch_sh_answers_all_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_WRITER", "off")  # the other scripts have it: 36 questions take it most of the time
    answers = tmp_path / "answers.ndjson"
    out = run(tmp_path, "sh", str(EXAMPLES / "batch.sh"), str(answers))
    questions = (EXAMPLES / "saltmarsh-questions.jsonl").read_text(encoding="utf-8").splitlines()
    lines = answers.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [json.loads(line)["id"] for line in questions]
    assert f"{len(questions)} of {len(questions)} questions" in out
    answers.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    assert run(tmp_path, "sh", str(EXAMPLES / "batch.sh"), str(answers)) == out
    assert len(answers.read_text(encoding="utf-8").splitlines()) == len(questions)


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_scripts_print_their_help(script: Path, tmp_path: Path) -> None:
    assert "usage:" in run(tmp_path, sys.executable, "-W", "error", str(script), "--help")
