"""The test bed's trainer at its smallest sizes: it trains, resumes, saves what others load, and measures."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
TESTBED = ROOT / "examples" / "testbed"
MISSING = [name for name in ("torch", "transformers", "safetensors") if importlib.util.find_spec(name) is None]


def module(name: str) -> ModuleType:
    if str(TESTBED) not in sys.path:
        sys.path.insert(0, str(TESTBED))
    return importlib.import_module(name)


evaluate = module("evaluate")


def script(name: str, *args: str | Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(TESTBED / name), *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed")
def test_train_trains_resumes_and_measures(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    sizes = ("--tiny", "--seconds", "3", "--total", "60")
    assert "greedy replies are the same" in script("train.py", first, *sizes)
    assert "greedy replies are the same" in script("train.py", second, *sizes, "--resume", first)
    before, after = (json.loads((folder / "training.json").read_text()) for folder in (first, second))
    assert (before["run"], after["run"]) == (1, 2)
    assert after["steps"] > before["steps"] > 0
    assert {row["role"] for row in after["evaluation"]} == {*evaluate.ROLES}
    script("evaluate.py", second, "--number", "7", "--lengths", "256", "--json", tmp_path / "measured.json")
    assert json.loads((tmp_path / "measured.json").read_text()) == after["evaluation"]


def test_cells_have_their_own_repeatable_examples() -> None:
    cell = evaluate.Cell("answer", "list", 512)
    one, again, other = (
        evaluate._item(cell, number, series).example.prompt for number, series in ((0, "a"), (0, "a"), (0, "b"))
    )
    assert one == again != other
    assert evaluate._item(evaluate.Cell("note", evaluate.ALL, 512), 9, "a").example.task == evaluate.TASKS[2]


def test_messages_of_reads_a_prompt_back() -> None:
    made = evaluate.example(random.Random(1), "single", "answer", 400, lambda text: len(text) // 3)
    system, user = evaluate.messages_of(made.prompt)
    assert (system["role"], user["role"]) == ("system", "user")
    assert made.question in user["content"]


def test_results_count_right_replies_by_cell_and_task() -> None:
    cell = evaluate.Cell("judge", evaluate.ALL, 512)
    items = [evaluate._item(cell, number, "test") for number in range(7)]
    measured = evaluate.results(items, [item.example.gold for item in items[:6]] + ["no idea"])
    assert {one.task: (one.exact, one.number) for one in measured} == {
        **dict.fromkeys(evaluate.TASKS[:6], (1, 1)),
        "absent": (0, 1),
        evaluate.ALL: (6, 7),
    }
    assert evaluate.results(items, [None] * 7) == []
    assert "| judge | all | 0.86 / 0.86 |" in evaluate.table(measured)


def test_wilson_gives_the_interval_of_a_share() -> None:
    assert evaluate.wilson(256, 256) == (pytest.approx(0.9852, abs=1e-4), 1.0)
    assert evaluate.wilson(5, 10) == (pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4))
