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
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comparison.test_compare import dataset
from support.invocation import process
from support.ray_cluster import NEEDED, Machines, machines, until

from lcrag.backends.scripted import ScriptedBackend
from lcrag.cluster.connection import Cluster, connected
from lcrag.cluster.sessions import ask_many, send
from lcrag.errors import InputError, NotAvailable
from lcrag.session import Session
from lcrag.types import Policy, Settings, ignore

pytestmark = NEEDED

ROOT = Path(__file__).parents[2]
DOCS = str(ROOT / "examples" / "saltmarsh")
ASKED = 12
LCRAG = (sys.executable, "-m", "lcrag")


@pytest.fixture(scope="module")
def two() -> Iterator[Machines]:
    with machines(2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Asks some questions of the Saltmarsh collection."""
    questions = tmp_path_factory.mktemp("questions") / "asked.jsonl"
    lines = (ROOT / "examples" / "saltmarsh-questions.jsonl").read_text().splitlines(keepends=True)
    questions.write_text("".join(lines[:ASKED]))
    return [*LCRAG, "ask", DOCS, "--questions", str(questions), "--backend", "embedded", "--no-log"]


def run(command: list[str], *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, *more], capture_output=True, text=True, check=False)


def without_seconds(line: str) -> Any:
    """An answer without what a clock has measured."""

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cut(one) for key, one in value.items() if key not in ("seconds", "t")}
        return [cut(one) for one in value] if isinstance(value, list) else value

    return cut(json.loads(line))


@pytest.mark.usefixtures("own_cache")
def test_ask_on_two_machines_gives_the_same_answers_in_the_same_order(two: Machines, command: list[str]) -> None:
    alone, there = run(command), run(command, "--ray", two.address)
    assert there.returncode == alone.returncode, there.stderr
    assert len(there.stdout.splitlines()) == ASKED
    assert list(map(without_seconds, there.stdout.splitlines())) == list(
        map(without_seconds, alone.stdout.splitlines())
    )


@pytest.mark.usefixtures("own_cache")
def test_ask_goes_on_where_a_killed_driver_stopped(two: Machines, command: list[str], tmp_path: Path) -> None:
    """And a worker is killed on the way."""
    out = tmp_path / "out.jsonl"
    command = [*command, "--ray", two.address]
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
    assert done < ASKED
    second = run(command, "--resume", str(out))
    assert f"{done} of {ASKED} questions are done" in second.stderr
    with out.open("a") as file:
        file.write(second.stdout)
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == [
        f"saltmarsh:{number}" for number in range(1, ASKED + 1)
    ]


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(
    ("settings", "backend", "message"),
    [
        ({"shadow": 0.5}, "embedded", "--shadow does not go with --ray"),
        ({"index": "milvus:http://localhost:19530"}, "embedded", "not on a server"),
        ({}, "server", "name a server that all machines"),
    ],
)
def test_send_refuses_what_other_machines_cannot_have(settings: dict[str, Any], backend: str, message: str) -> None:
    with Session.open(Settings((DOCS,), backend="embedded", dense="off", reader="off")) as session:
        session.settings = replace(session.settings, **settings)
        session.backend = ScriptedBackend(lambda task: "", name=backend)
        with pytest.raises(InputError, match=message) as refused:
            send(Cluster.__new__(Cluster), session)
    assert refused.value.hint


@pytest.mark.usefixtures("own_cache")
def test_ask_with_another_model_there_says_which(two: Machines) -> None:
    with (
        connected(two.address) as cluster,
        Session.open(Settings((DOCS,), backend="embedded", dense="off", reader="off")) as session,
    ):
        session.backend.model = "another"
        with pytest.raises(NotAvailable, match=r"the model of a machine of the Ray cluster is lexical.* another"):
            list(ask_many(cluster, session, ["Who?"], Policy(), listen=lambda place: ignore))


@pytest.mark.usefixtures("own_cache")
def test_ask_interrupted_ends_at_once(two: Machines, command: list[str]) -> None:
    with process(
        [*command, "--ray", two.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in errors


def test_compare_on_two_machines_stores_the_same_rows(two: Machines, own_cache: Path, tmp_path: Path) -> None:
    """On two sets of documents; a worker is killed on the way. What the route log learns is the same too."""
    data = dataset(tmp_path / "data", 12)
    stored, logged = [], []
    for name, more in (("alone", []), ("there", ["--ray", two.address])):
        out = tmp_path / f"{name}.ndjson"
        command = [*LCRAG, "compare", "--dataset", str(data), "--pipelines", "chunk_rag,full_context"]
        state = {"LCRAG_STATE_DIR": str(tmp_path / name)}
        command += ["--backend", "embedded", "--dense", "on", "--reader", "off", "--writer", "off"]
        command += ["--workers", "2", "--resume", str(out), *more]
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
