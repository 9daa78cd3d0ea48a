"""Questions on a Ray cluster: the answers of one machine, in their order, whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from comparison.test_compare import dataset
from support.invocation import process
from support.ray_cluster import NEEDED, Machines, machines, until

pytestmark = NEEDED

ROOT = Path(__file__).parents[2]
DOCS = str(ROOT / "examples" / "saltmarsh")
QUESTIONS = str(ROOT / "examples" / "saltmarsh-questions.jsonl")
LCRAG = (sys.executable, "-m", "lcrag")


@pytest.fixture(scope="module")
def two() -> Iterator[Machines]:
    with machines(2) as cluster:
        yield cluster


def ask(cache: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [*LCRAG, "ask", DOCS, "--questions", QUESTIONS, "--backend", "embedded", "--no-log", *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def without_seconds(line: str) -> Any:
    """An answer without what a clock has measured."""

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cut(one) for key, one in value.items() if key not in ("seconds", "t")}
        return [cut(one) for one in value] if isinstance(value, list) else value

    return cut(json.loads(line))


def test_ask_on_two_machines_gives_the_same_answers_in_the_same_order(two: Machines, own_cache: Path) -> None:
    alone, there = ask(own_cache), ask(own_cache, "--ray", two.address)
    assert there.returncode == alone.returncode, there.stderr
    assert len(there.stdout.splitlines()) == len(Path(QUESTIONS).read_text().splitlines())
    assert list(map(without_seconds, there.stdout.splitlines())) == list(
        map(without_seconds, alone.stdout.splitlines())
    )


def test_ask_goes_on_where_a_killed_driver_stopped(two: Machines, own_cache: Path, tmp_path: Path) -> None:
    """And a worker is killed in each run."""
    alone = [json.loads(line)["id"] for line in ask(own_cache).stdout.splitlines()]
    out = tmp_path / "out.jsonl"
    command = [*LCRAG, "ask", DOCS, "--questions", QUESTIONS, "--backend", "embedded", "--ray", two.address]
    with out.open("w") as file, process(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for number, line in enumerate(child.stdout, 1):
            json.loads(line)  # nothing else is on standard output
            file.write(line)
            if number == 3:
                next(worker for worker, _ in two.workers()).kill()
            if number == 6:
                child.send_signal(signal.SIGKILL)
                break
    done = len(out.read_text().splitlines())
    assert done < len(alone)
    second = subprocess.run([*command, "--resume", str(out)], capture_output=True, text=True, check=False)
    assert f"{done} of {len(alone)} questions are done" in second.stderr
    with out.open("a") as file:
        file.write(second.stdout)
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == alone


def test_ask_with_a_server_that_nobody_named(two: Machines, own_cache: Path) -> None:
    result = ask(own_cache, "--ray", two.address, "--shadow", "0.5")
    assert result.returncode == 2
    assert "--shadow does not go with --ray" in result.stderr


def test_compare_on_two_machines_stores_the_same_rows(two: Machines, own_cache: Path, tmp_path: Path) -> None:
    """On two sets of documents; a worker is killed on the way. What the route log learns is the same too."""
    data = dataset(tmp_path / "data", 12)
    stored, logged = [], []
    for name, more in (("alone", []), ("there", ["--ray", two.address])):
        out = tmp_path / f"{name}.ndjson"
        command = [*LCRAG, "compare", "--dataset", str(data), "--pipelines", "chunk_rag,full_context"]
        state = {"LCRAG_STATE_DIR": str(tmp_path / name)}
        command += ["--backend", "embedded", "--dense", "on", "--workers", "2", "--resume", str(out), *more]
        with process(command, env=os.environ | state, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            if more:
                until(lambda out=out: out.exists() and out.read_bytes().count(b"\n") > 5)
                next(worker for worker, name in two.workers() if name == "ray::_run").kill()
            _, errors = child.communicate()
        assert child.returncode == 0, errors
        rows = [without_seconds(line) for line in out.read_text().splitlines()[1:]]
        stored.append({(row["id"], row["route"]): {**row, "at_once": None} for row in rows})
        assert len(rows) == len(stored[-1]) == 36, "nothing is asked twice"
        with closing(sqlite3.connect(tmp_path / name / "routes.db")) as db:
            known = "SELECT pipeline, route, quality, status, tokens, correct FROM routes"
            logged.append(sorted(db.execute(known)))
    assert stored[0] == stored[1]
    assert logged[0] == logged[1]
