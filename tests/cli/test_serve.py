"""``lcrag serve`` as a process: it says where it is, keeps its token to itself, and ends when it is told to."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from support.invocation import Lcrag, process
from support.scripted import write_documents
from support.web import asking

ROOT = Path(__file__).parent.parent.parent
LCRAG = [sys.executable, "-W", "error", str(ROOT / "tests/support/scripted.py")]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    write_documents(tmp_path / "docs")
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "LCRAG_CACHE_DIR": str(tmp_path / "cache"),
        "LCRAG_BACKEND": "embedded",
        "LCRAG_DENSE": "off",
        "LCRAG_READER": "off",
    }


@contextmanager
def serving(environment: dict[str, str], cwd: Path, *args: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the last line that it wrote when it was ready."""
    command = [*LCRAG, "serve", "docs", "-q", "--port", "0", *args]
    with process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=cwd) as running:
        assert running.stderr is not None
        yield running, running.stderr.readline()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_serve_prints_its_token_once_answers_and_ends(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with serving(environment, tmp_path) as (running, line):
        match = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)/#token=([\w-]{20,})\n", line)
        assert match, line
        url, token = match.groups()
        reply = httpx.post(
            f"{url}/ask", json={"question": "who?"}, headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        assert reply.json()["status"] == "answered"
        assert httpx.post(f"{url}/ask", json={"question": "who?"}).status_code == 401
        running.send_signal(number)
        out, err = running.communicate(timeout=120)
    assert (running.returncode, out, err) == (code, "", "")


def test_serve_ends_while_a_question_is_answered(environment: dict[str, str], tmp_path: Path) -> None:
    with serving(environment, tmp_path) as (running, line):
        url, token = line.split()[-1].split("/#token=")
        assert running.stderr is not None
        with asking(url, "/ask", {"question": "slow"}, token):
            assert running.stderr.readline() == "waiting\n"
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=120)
    assert (running.returncode, out, err) == (0, "", "")


def test_serve_takes_its_token_from_the_environment_and_never_prints_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment["LCRAG_TOKEN"] = "a very secret word"
    command = [*LCRAG, "serve", "docs", "-v", "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with process(command, **pipes, env=environment, cwd=tmp_path) as running:
        assert running.stderr is not None
        lines = []
        while not (lines and lines[-1].startswith("listening on")):
            lines.append(running.stderr.readline())
            assert lines[-1], lines
        url = lines[-1].split()[-1]
        keys = {"Authorization": "Bearer a very secret word"}
        assert httpx.post(f"{url}/ask", json={"question": "who?"}, headers=keys, timeout=60).status_code == 200
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=120)
    assert running.returncode == 0
    assert "secret" not in "".join(lines) + err
    assert any(line.startswith("token = ***") for line in lines)


@pytest.mark.parametrize("end", ["close", "SIGTERM"])
def test_serve_over_stdio_writes_nothing_else_and_ends(environment: dict[str, str], tmp_path: Path, end: str) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    ask = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    with process([*LCRAG, "serve", "--mcp", "docs"], **pipes, env=environment, cwd=tmp_path) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(json.dumps(ask) + "\n")
        running.stdin.flush()
        assert json.loads(running.stdout.readline())["result"]["serverInfo"]["name"] == "lcrag"
        if end == "SIGTERM":
            running.send_signal(signal.SIGTERM)
            running.wait(timeout=120)
        out, _ = running.communicate(timeout=120)
    assert (running.returncode, out) == (143 if end == "SIGTERM" else 0, "")


def test_serve_without_a_token_is_for_loopback_alone(lcrag: Lcrag) -> None:
    result = lcrag("serve", "docs", "--no-token", "--host", "0.0.0.0")
    assert (result.code, result.out) == (2, "")
    assert "everybody who reaches 0.0.0.0" in result.err


def test_serve_wants_something_to_read(lcrag: Lcrag) -> None:
    assert lcrag("serve").code == 2
    assert "say what to read" in lcrag("serve").err
    assert lcrag("serve", "nowhere").code == 2


@pytest.mark.parametrize(("args", "package", "extra"), [((), "uvicorn", "serve"), (("--mcp",), "mcp", "mcp")])
def test_serve_names_the_extra_that_is_missing(
    lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], package: str, extra: str
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == package else find(name, *more))
    result = lcrag("serve", "docs", *args)
    assert result.code == 3
    assert f"needs {package}" in result.err
    assert f"pip install 'lcrag[{extra}]'" in result.err
