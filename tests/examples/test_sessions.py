"""The study of sessions makes follow-ups of questions with names, and counts what becomes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUESTIONS = (
    ("Where did Ann Holm live?", "Ann Holm lived in Oban."),
    ("When did Ann Holm move?", "She moved in May."),
    ("What colour is the boat of Ann?", "The boat is red."),
    ("Why did Ann sell the boat?", "Ann sold it for want of money."),
    ("Who built it?", "The boat was built by Bo."),
)


def test_turn_by_turn_counts_follow_ups(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n\n".join(text for _, text in QUESTIONS), encoding="utf-8")
    rows = [
        {"id": str(number), "question": question, "docs": ["a.txt"], "evidence": [text]}
        for number, (question, text) in enumerate(QUESTIONS)
    ]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    script = ROOT / "examples/sessions/turn_by_turn.py"
    environment = {"PYTHONPATH": str(ROOT), "LCRAG_CACHE_DIR": str(tmp_path / "cache"), "LCRAG_DENSE": "off"}
    done = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, env=os.environ | environment, check=True
    )
    first, second, *shares = done.stdout.splitlines()
    assert first.endswith("1 of 5 questions that stand alone look like follow-ups")
    assert second == "1 follow-ups, 1 seen as such, 1 with all names again"
    assert len(shares) == 3
    assert all("1.000 of the evidence" in share for share in shares)
