"""A real vLLM server on this machine's processor: started, asked by every pipeline, looked at, killed and stopped.

Its model has random weights, so that its words mean nothing; tokens, prefix cache, streaming and batches are real.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import tiny_model
from support.machine import NEEDED, UNBOUND, Machine

from lcrag.backends import openai_server
from lcrag.backends.openai_server import OpenAIServer
from lcrag.backends.request import Sampling
from lcrag.backends.stream import read_event
from lcrag.serve.process import session_processes
from lcrag.types import OnToken, Passage, Task

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
    return Machine(folder, UNBOUND)


@pytest.fixture(scope="module")
def machine(bare: Machine) -> Iterator[Machine]:
    up = bare.lcrag("up", "tiny")
    assert up.returncode == 0, up.stderr
    assert up.stdout.strip().startswith("http://127.0.0.1:")
    assert "KV cache of" in up.stderr
    yield bare
    bare.lcrag("down")


def test_status_shows_model_window_and_cache(machine: Machine) -> None:
    report = machine.lcrag("status").stdout
    assert "model: tiny" in report
    assert "window: 32,768 tokens" in report
    assert "KV cache:" in report


def test_up_records_the_models_whole_path(machine: Machine) -> None:
    """So that its profile is found from any folder."""
    assert machine.server["model"] == str((machine.folder / "tiny").resolve())


def test_up_reports_nothing_to_anyone(machine: Machine) -> None:
    assert list(machine.folder.rglob("*.log"))  # the next line looks where the server writes
    assert not list(machine.folder.rglob("usage_stats.json"))


def test_up_refuses_a_second_server_with_the_line_to_type(machine: Machine) -> None:
    again = machine.lcrag("up", "tiny")
    assert again.returncode == 2
    assert "lcrag down" in again.stderr


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_ask_by_every_pipeline(machine: Machine, pipeline: str) -> None:
    answer = machine.ask("--pipeline", pipeline, "How many crates does Boat 77 carry?")
    assert answer["backend"] == "server"
    assert answer["model"] == "tiny"
    assert answer["usage"]["input_tokens"] > 0
    steps = [step["pipeline"] for step in answer["steps"]]
    assert steps[0] == ("chunk_rag" if pipeline == "escalate" else pipeline)


def test_count_many_is_the_servers_own(machine: Machine) -> None:
    server = OpenAIServer(machine.url)
    assert server.tokenizer == "server/tiny"
    assert server.count_many(["hello", "", "é"]) == [5, 0, 2]  # its tokens are bytes
    many = [f"{number} é <|im_end|>" for number in range(100)]
    remote = OpenAIServer(machine.url)
    assert server.count_many(many) == [remote.count_many([text])[0] for text in many]  # in its folder, over HTTP


def test_template_tokens_are_those_of_the_template(machine: Machine) -> None:
    template = "<|im_start|>system\n<|im_end|>\n<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n"
    server = OpenAIServer(machine.url)
    assert server.template_tokens == server.count_many([template])[0] + 2


def test_run_gets_a_reply_that_nobody_watches_in_larger_pieces(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[object] = []
    monkeypatch.setattr(openai_server, "read_event", lambda *given: pieces.append(read_event(*given)) or pieces[-1])
    server = OpenAIServer(machine.url, sampling=Sampling(1.5, 7))

    def number_of_pieces(on_token: OnToken | None) -> int:
        pieces.clear()
        [done] = server.run([Task("answer", "Who?", ())], max_tokens=64, on_token=on_token)
        assert done.usage.output_tokens >= 33, "its noise ended early: another seed"
        return len([piece for piece in pieces if piece])

    assert number_of_pieces(None) <= 5
    watched = (number_of_pieces(lambda text: None) for _ in range(5))
    assert any(number >= 10 for number in watched)  # a server on a busy machine joins pieces by itself


def test_identity_has_the_type_of_the_weights(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = OpenAIServer(machine.url).identity
    assert (identity.backend, identity.model, identity.window) == ("server", "tiny", 32_768)
    monkeypatch.setenv("LCRAG_STATE_DIR", machine.environment["LCRAG_STATE_DIR"])
    assert OpenAIServer(machine.url).identity.dtype == "bfloat16"


def test_cache_state_names_the_start_of_the_server_and_counts(machine: Machine) -> None:
    server = OpenAIServer(machine.url)
    before = server.cache_state()
    server.run(tasks(1, " counted"), max_tokens=4)
    after = server.cache_state()
    assert before is not None
    assert after is not None
    assert before.server == after.server != server.root
    assert after.queried_tokens > before.queried_tokens
    assert before.capacity_tokens == after.capacity_tokens
    assert before.capacity_tokens is not None


@pytest.mark.parametrize("pipeline", ["full_context", "chain_of_agents"])
def test_ask_finds_the_documents_in_the_cache_at_the_second_question(machine: Machine, pipeline: str) -> None:
    machine.ask("--pipeline", pipeline, f"How many crates does Boat 7 carry, by {pipeline}?")
    second = machine.ask("--pipeline", pipeline, f"Where does Boat 99 go, by {pipeline}?")
    assert second["usage"]["cached_tokens"] >= 0.9 * second["read"]["tokens"]
    if pipeline == "full_context":
        assert second["usage"]["cached_tokens"] >= 0.9 * second["usage"]["input_tokens"]


def tasks(count: int, salt: str = "") -> list[Task]:
    """Tasks of different lengths that share no prefix beyond the system line, nor with those of another salt."""
    texts = [f"{number}{salt} " + WORDS[: 1000 + 37 * (number * 7 % count)] for number in range(count)]
    return [
        Task("answer", f"What about boat {number}?", (Passage(1, "d", "a.md", 0, len(text), text, 500),))
        for number, text in enumerate(texts)
    ]


def test_run_returns_a_batch_in_order(machine: Machine) -> None:
    """Each prompt has a length of its own, so that a permutation is seen."""
    server = OpenAIServer(machine.url)
    batch = tasks(32, " together")
    lengths = [completion.usage.input_tokens for completion in server.run(batch, max_tokens=8)]
    assert len(set(lengths)) == 32
    assert lengths == [server.run([task], max_tokens=1)[0].usage.input_tokens for task in batch]


def test_run_streams_the_reply(machine: Machine) -> None:
    pieces: list[str] = []
    server = OpenAIServer(machine.url, sampling=Sampling(temperature=1.5, seed=7))
    [done] = server.run(tasks(1, " streamed"), max_tokens=32, on_token=pieces.append)
    assert len(pieces) > 1
    assert "".join(pieces).strip() == done.text


def test_ask_streams_the_reply(machine: Machine) -> None:
    done = machine.lcrag(
        "ask", "docs", "--dense", "off", "--reader", "off", "--backend", "server", "--ndjson", *WILD, "Which boat?"
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(event["event"] == "token" for event in events) > 1
    assert events[-1]["event"] == "answer"


def test_run_gives_a_verdict_even_from_noise(machine: Machine) -> None:
    [task] = tasks(1)
    [done] = OpenAIServer(machine.url).run([Task("judge", task.question, task.passages)], max_tokens=40)
    assert done.text in ("yes", "no")


def test_ask_refuses_what_does_not_fit(machine: Machine) -> None:
    """A long document is read in parts; a question that is longer than the window cannot be."""
    (machine.folder / "long").mkdir(exist_ok=True)
    (machine.folder / "long" / "a.md").write_text(WORDS)
    options = ("--dense", "off", "--reader", "off", "--backend", "server", "--pipeline", "full_context")
    done = machine.lcrag("ask", "long", *options, WORDS * 9)
    assert done.returncode == 4
    assert "more than the window" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("args", "code", "reason"),
    [
        (["nowhere/model"], 2, "nowhere/model is not there"),
        (["docs"], 2, "no config.json"),
        (["tiny", "--memory", "0.01", "--window", "32768"], 5, "memory"),
    ],
)
def test_up_that_fails_gives_the_reason_and_leaves_nothing_running(
    bare: Machine, tmp_path: Path, args: list[str], code: int, reason: str
) -> None:
    other = Machine(tmp_path, UNBOUND)
    for name in ("tiny", "docs"):
        (tmp_path / name).symlink_to(bare.folder / name)
    done = other.lcrag("up", f"./{args[0]}", *args[1:])
    assert done.returncode == code, done.stderr
    assert reason in done.stderr
    assert not (tmp_path / "state" / "server.json").exists()
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in processes


def test_up_refuses_a_port_that_is_taken(bare: Machine, tmp_path: Path) -> None:
    (tmp_path / "tiny").symlink_to(bare.folder / "tiny")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = Machine(tmp_path).lcrag("up", "tiny", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "cannot be used" in done.stderr


def test_ask_runs_vllm_in_its_own_process(bare: Machine) -> None:
    done = bare.lcrag(
        "ask", "docs", "--dense", "off", "--json", "--backend", "vllm", "--model", "tiny", "-q", "Which boat?"
    )
    assert done.returncode in (0, 1), done.stderr
    answer = json.loads(done.stdout)
    assert (answer["backend"], answer["model"]) == ("vllm", "tiny")
    assert answer["usage"]["input_tokens"] > 0


def test_ask_fails_with_the_log_when_the_server_is_killed(machine: Machine) -> None:
    """The last test: it ends the server.

    Killed when the documents are found, not at the first token: on a busy machine that may be read when the answer is
    complete.
    """
    server = machine.server
    command = [
        *(sys.executable, "-m", "lcrag", "ask", "docs", "--dense", "off", "--reader", "off", "--backend", "server"),
        *("--pipeline", "full_context", "--ndjson", *WILD, "Which boat?"),
    ]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=machine.environment,
        cwd=machine.folder,
    ) as asking:
        try:
            assert asking.stdout is not None
            for line in asking.stdout:
                if json.loads(line)["event"] == "retrieve":
                    break
            os.killpg(server["pid"], signal.SIGKILL)
            _, errors = asking.communicate(timeout=120)
        finally:
            asking.kill()
    assert asking.returncode == 5
    assert server["log"] in errors
    after = machine.lcrag("ask", "docs", "--dense", "off", "Boat 77 carries how many crates?")
    assert after.returncode == 0
    assert "231 crates" in after.stdout
    assert "backend: embedded" in after.stderr
    assert machine.lcrag("down").returncode == 0
    assert session_processes(server["pid"]) == []
    status = machine.lcrag("status")
    assert status.returncode == 3
    assert "lcrag up" in status.stderr
