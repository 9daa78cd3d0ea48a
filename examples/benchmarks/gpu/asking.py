"""A server, a backend that limits what it writes and records what each batch took, and vLLM asked directly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from lcrag.text import prompts
from lcrag.types import Backend, Completion, OnToken, Task

SPOKEN = {"answer": 1024, "note": 128, "synthesise": 128, "summarise": 128, "judge": 8}
"""Tokens written in each role, at most: noise never ends by itself, where a model that reads ends after a few lines."""


@dataclass(slots=True)
class Batch:
    """What a batch asked of the server: calls, and tokens in all of them together."""

    calls: int
    new: int
    cached: int
    out: int
    seconds: float


@dataclass
class Short:
    """The server as a backend whose replies end early; ``batches`` records what was asked since it was emptied."""

    server: Backend
    spoken: dict[str, int] = field(default_factory=lambda: dict(SPOKEN))
    batches: list[Batch] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.server, name)

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        most = min(max_tokens, max(self.spoken[task.role] for task in tasks))
        begun = time.perf_counter()
        done = self.server.run(tasks, max_tokens=most, on_token=on_token)
        seconds = time.perf_counter() - begun
        cached = sum(one.usage.cached_tokens for one in done)
        read = sum(one.usage.input_tokens for one in done)
        self.batches.append(
            Batch(len(done), read - cached, cached, sum(one.usage.output_tokens for one in done), seconds)
        )
        self.tasks = list(tasks)
        return done


@dataclass(frozen=True, slots=True)
class Raw:
    """vLLM itself, asked with token ids, so that nothing of lcrag's is between the clock and the model."""

    url: str
    model: str
    client: httpx.Client

    def ids(self, task: Task) -> list[int]:
        body = {"model": self.model, "messages": prompts.messages(task), "add_generation_prompt": True}
        return list(self.client.post(f"{self.url}/tokenize", json=body).raise_for_status().json()["tokens"])

    def forget(self) -> None:
        """Empty the prefix cache, so that what is asked next is asked cold."""
        self.client.post(f"{self.url}/reset_prefix_cache").raise_for_status()

    def seconds(self, ids: list[int], out: int = 1) -> list[float]:
        """Seconds from the request to each token."""
        return self._timed("/v1/completions", {"prompt": ids, "max_tokens": out})

    def seconds_of_text(self, task: Task) -> list[float]:
        """The same for one token after the task's messages, sent as text, which vLLM tokenises itself."""
        return self._timed("/v1/chat/completions", {"messages": prompts.messages(task), "max_tokens": 1})

    def _timed(self, path: str, asked: dict[str, Any]) -> list[float]:
        body = {"model": self.model, "temperature": 0.0, "seed": 0, "stream": True, "ignore_eos": True, **asked}
        begun = time.perf_counter()
        found = []
        with self.client.stream("POST", f"{self.url}{path}", json=body) as reply:
            reply.raise_for_status()
            for line in reply.iter_lines():
                if line.startswith("data: {") and json.loads(line[6:]).get("choices"):
                    found.append(time.perf_counter() - begun)
        return found


def start(
    folder: Path, work: Path, *, port: int, window: int, python: str, kv_bytes: int, flags: Sequence[str]
) -> Callable[[], str]:
    """``lcrag up`` in a process with its own state folder; the result waits for it and gives the address."""
    env = os.environ | {"LCRAG_STATE_DIR": str(work / f"state-{port}"), "VLLM_SERVER_DEV_MODE": "1"}
    command = [sys.executable, "-m", "lcrag", "up", str(folder), "--python", python, "--port", str(port)]
    command += ["--window", str(window), "--", "--load-format", "dummy", *flags]
    if kv_bytes:  # fixed, so that two servers that start together do not count each other's memory
        command += ["--kv-cache-memory-bytes", str(kv_bytes), "--gpu-memory-utilization", "0.1"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait() -> str:
        output, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(f"lcrag up {folder.name}: {errors[-2000:]}")
        return output.strip()

    return wait


def stop(work: Path, port: int) -> None:
    env = os.environ | {"LCRAG_STATE_DIR": str(work / f"state-{port}")}
    subprocess.run([sys.executable, "-m", "lcrag", "down"], env=env, check=True, capture_output=True)
