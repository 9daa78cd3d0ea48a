"""A real vLLM server on this machine's processor: started, asked by every route, looked at, killed and stopped.

Its model has random weights, so that its words mean nothing; tokens, prefix cache, streaming and batches are real.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import tiny_model
from support.machine import NEEDED, Machine

from lcrag.backends.openai_server import OpenAIServer
from lcrag.serve.process import group_runs
from lcrag.types import Passage, Task

pytestmark = NEEDED

PIPELINES = ["chunk_rag", "compression", "full_context", "chain_of_agents", "escalate"]
WILD = ("--temperature", "1.5", "--seed", "7")
"""Greedily the model repeats white space, which is no answer."""
WORDS = "\n\n".join(f"Boat {number} carries {number * 3} crates of tea to the island." for number in range(120))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    folder = tmp_path_factory.mktemp("vllm")
    (folder / "docs").mkdir()
    (folder / "docs" / "a.md").write_text(WORDS)
    subprocess.run([sys.executable, tiny_model.__file__, str(folder / "tiny")], check=True, capture_output=True)
    return Machine(folder)


@pytest.fixture(scope="module")
def machine(bare: Machine) -> Iterator[Machine]:
    up = bare.lcrag("up", "tiny")
    assert up.returncode == 0, up.stderr
    assert up.stdout.strip().startswith("http://127.0.0.1:")
    assert "KV cache of" in up.stderr
    yield bare
    bare.lcrag("down")


def test_status_tells_model_window_and_cache(machine: Machine) -> None:
    said = machine.lcrag("status").stdout
    assert "model: tiny" in said
    assert "window: 32,768 tokens" in said
    assert "KV cache:" in said


def test_the_model_is_remembered_so_that_its_profile_is_found_from_any_folder(machine: Machine) -> None:
    assert machine.server["model"] == str((machine.folder / "tiny").resolve())


def test_it_reports_nothing_to_anyone(machine: Machine) -> None:
    assert list(machine.folder.rglob("*.log"))  # what follows looks where it writes
    assert not list(machine.folder.rglob("usage_stats.json"))


def test_a_second_server_is_refused_with_the_line_to_type(machine: Machine) -> None:
    again = machine.lcrag("up", "tiny")
    assert again.returncode == 2
    assert "lcrag down" in again.stderr


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_pipeline_asks_it(machine: Machine, pipeline: str) -> None:
    answer = machine.ask("--pipeline", pipeline, "How many crates does Boat 77 carry?")
    assert answer["backend"] == "server"
    assert answer["model"] == "tiny"
    assert answer["usage"]["input_tokens"] > 0
    steps = [step["pipeline"] for step in answer["steps"]]
    assert steps[0] == ("chunk_rag" if pipeline == "escalate" else pipeline)


def test_tokens_are_the_servers_own(machine: Machine) -> None:
    server = OpenAIServer(machine.url)
    assert server.tokenizer == "server/tiny"
    assert server.count_many(["hello", "", "é"]) == [5, 0, 2]  # its tokens are bytes
    many = [f"{number} é <|im_end|>" for number in range(100)]
    one_by_one = OpenAIServer(machine.url)
    assert server.count_many(many) == [one_by_one.count_many([text])[0] for text in many]  # in its folder, over HTTP


@pytest.mark.parametrize("pipeline", ["full_context", "chain_of_agents"])
def test_a_second_question_finds_the_documents_read(machine: Machine, pipeline: str) -> None:
    first = machine.ask("--pipeline", pipeline, f"How many crates does Boat 7 carry, by {pipeline}?")
    second = machine.ask("--pipeline", pipeline, f"Where does Boat 99 go, by {pipeline}?")
    print(pipeline, first["usage"], second["usage"])
    assert second["usage"]["cached_tokens"] >= 0.9 * second["read"]["tokens"]
    if pipeline == "full_context":
        assert second["usage"]["cached_tokens"] >= 0.9 * second["usage"]["input_tokens"]


def tasks(count: int, said: str = "") -> list[Task]:
    """Tasks that share no prefix beyond the system line, nor with those where something else is ``said``."""
    return [
        Task("answer", f"What about boat {n}?", (Passage(1, "d", "a.md", 0, 2000, f"{n}{said} " + WORDS[:2000], 500),))
        for n in range(count)
    ]


def test_a_batch_comes_back_in_order(machine: Machine) -> None:
    server = OpenAIServer(machine.url)
    server.run(tasks(1, " before"), max_tokens=32)
    begun = time.perf_counter()
    together = server.run(tasks(32, " together"), max_tokens=32)
    seconds_together = time.perf_counter() - begun
    begun = time.perf_counter()
    alone = [server.run([task], max_tokens=32)[0] for task in tasks(32, " one by 1")]  # as many tokens as " together"
    seconds_alone = time.perf_counter() - begun
    print(f"32 together {seconds_together:.2f} s, one by one {seconds_alone:.2f} s")
    assert [one.usage.input_tokens for one in together] == [one.usage.input_tokens for one in alone]


def test_a_reply_is_streamed(machine: Machine) -> None:
    done = machine.lcrag(
        "ask", "docs", "--dense", "off", "--reader", "off", "--backend", "server", "--ndjson", *WILD, "Which boat?"
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(event["event"] == "token" for event in events) > 1
    assert events[-1]["event"] == "answer"


def test_a_verdict_has_its_shape_even_from_noise(machine: Machine) -> None:
    [task] = tasks(1)
    [done] = OpenAIServer(machine.url).run([Task("judge", task.question, task.passages)], max_tokens=40)
    assert done.text in ("yes", "no")


def test_what_does_not_fit_is_refused(machine: Machine) -> None:
    (machine.folder / "long").mkdir(exist_ok=True)
    (machine.folder / "long" / "a.md").write_text(WORDS * 9)
    done = machine.lcrag(
        "ask", "long", "--dense", "off", "--reader", "off", "--backend", "server", "--pipeline", "full_context", "Who?"
    )
    assert done.returncode == 4
    assert "more than the window" in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["nowhere/model"], 2, "nowhere/model is not there"),
        (["docs"], 2, "no config.json"),
        (["tiny", "--memory", "0.01", "--window", "32768"], 5, "memory"),
    ],
)
def test_a_start_that_fails_says_why_and_leaves_nothing_running(
    bare: Machine, tmp_path: Path, args: list[str], code: int, said: str
) -> None:
    own = Machine(tmp_path)
    for name in ("tiny", "docs"):
        (tmp_path / name).symlink_to(bare.folder / name)
    done = own.lcrag("up", *([f"./{args[0]}", *args[1:]]))
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert not (tmp_path / "state" / "server.json").exists()
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listed


def test_a_port_that_is_taken(bare: Machine, tmp_path: Path) -> None:
    (tmp_path / "tiny").symlink_to(bare.folder / "tiny")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = Machine(tmp_path).lcrag("up", "tiny", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "cannot be used" in done.stderr


def test_in_this_process_without_a_server(bare: Machine) -> None:
    done = bare.lcrag(
        "ask", "docs", "--dense", "off", "--json", "--backend", "vllm", "--model", "tiny", "-q", "Which boat?"
    )
    assert done.returncode in (0, 1), done.stderr
    answer = json.loads(done.stdout)
    assert (answer["backend"], answer["model"]) == ("vllm", "tiny")
    assert answer["usage"]["input_tokens"] > 0


def test_killed_in_the_middle_of_a_question(machine: Machine) -> None:
    """The last one: it ends the server.

    When the documents are found, not at the first token: on a busy machine that may be read when the answer is over.
    """
    server = machine.server
    asking = subprocess.Popen(
        [
            *(sys.executable, "-m", "lcrag", "ask", "docs", "--dense", "off", "--reader", "off", "--backend", "server"),
            *("--pipeline", "full_context", "--ndjson", *WILD, "Which boat?"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=machine.environment,
        cwd=machine.folder,
    )
    assert asking.stdout is not None
    for line in asking.stdout:
        if json.loads(line)["event"] == "retrieve":
            break
    os.killpg(server["pid"], signal.SIGKILL)
    _, said = asking.communicate(timeout=120)
    assert asking.returncode == 5
    assert server["log"] in said
    after = machine.lcrag("ask", "docs", "--dense", "off", "Boat 77 carries how many crates?")
    assert after.returncode == 0
    assert "231 crates" in after.stdout
    assert "backend: embedded" in after.stderr
    assert machine.lcrag("down").returncode == 0
    assert not group_runs(server["pid"])
    gone = machine.lcrag("status")
    assert gone.returncode == 3
    assert "lcrag up" in gone.stderr
