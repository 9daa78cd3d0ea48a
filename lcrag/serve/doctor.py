"""What this machine can do for lcrag: each part is looked at without starting, fetching or changing anything."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from lcrag.errors import LcragError
from lcrag.paths import cache_folder
from lcrag.serve.nvidia import nvidia_smi
from lcrag.types import Finding


def examine(base_url: str | None = None, index: Path | None = None, ca_file: Path | None = None) -> list[Finding]:
    """Every part in turn; a part that cannot be looked at is a finding, never an exception."""
    parts: dict[str, Callable[[str], Finding]] = {
        "lcrag": _lcrag,
        "GPU": _gpu,
        "vLLM": _vllm,
        "hf": _hf,
        "server": lambda name: _server(name, base_url, ca_file),
        "embedding model": _embedding_model,
        "writer": _writer,
        "token counts": _token_counts,
        "index": lambda name: _index(name, index or cache_folder() / "index"),
    }
    return [_examine(name, part) for name, part in parts.items()]


def _examine(name: str, part: Callable[[str], Finding]) -> Finding:
    try:
        return part(name)
    except LcragError as error:
        return Finding(name, False, str(error), error.hint)
    except OSError as error:
        return Finding(name, False, str(error))


def _lcrag(name: str) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(name, True, f"{importlib.metadata.version('lcrag')} on Python {version}")


def _gpu(name: str) -> Finding:
    try:
        gpus = nvidia_smi("name,memory.total")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name, False, f"nvidia-smi does not answer: {error}", "nvidia-smi")
    if not gpus:
        return Finding(name, False, "none: models run on the processor", "lcrag up MODEL works there too, slowly")
    return Finding(name, True, "; ".join(gpus))


def _vllm(name: str) -> Finding:
    from lcrag.backends.vllm_offline import INSTALL, installed_build

    build = installed_build()
    return Finding(name, True, build) if build else Finding(name, False, "not installed in this Python", INSTALL)


def _hf(name: str) -> Finding:
    """What ``--backend hf`` runs a model with, and what ``--compress-kv`` needs."""
    there = []
    for package in ("transformers", "kvpress"):
        try:
            there.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found = ", ".join([*there, f"no {package}"])
            return Finding(name, False, found, 'pip install "lcrag[hf]"   (for --compress-kv; 400 MB)')
    return Finding(name, True, ", ".join(there))


def _server(name: str, base_url: str | None, ca_file: Path | None) -> Finding:
    from lcrag.serve.look import look

    servers = look(base_url, ca_file)
    found = (f"{server.model} at {server.url}, window {server.window:,} tokens" for server in servers)
    return Finding(name, True, "; ".join(found))


def _embedding_model(name: str) -> Finding:
    from lcrag.retrieve.embedder import BUILT_IN, is_exported, missing_packages

    if missing := missing_packages():
        return Finding(name, False, f"needs {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return Finding(name, True, BUILT_IN if is_exported() else f"{BUILT_IN}, to be exported at the first question")


def _writer(name: str) -> Finding:
    from lcrag.writer.writer import Writer

    return Finding(name, True, Writer().name)


def _token_counts(name: str) -> Finding:
    from lcrag.text.tokens import tokenizer_name

    tokenizer = tokenizer_name()
    exact = not tokenizer.startswith("estimate")
    return Finding(name, exact, tokenizer, "" if exact else "pip install llama-index-core")


def _index(name: str, folder: Path) -> Finding:
    import sqlite3

    with closing(sqlite3.connect(":memory:")) as db:
        try:
            db.execute("CREATE VIRTUAL TABLE t USING fts5(x)")
        except sqlite3.OperationalError as error:
            return Finding(name, False, f"this Python's SQLite has no FTS5: {error}", "another Python", needed=True)
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return Finding(name, False, f"{existing} may not be written", "lcrag ask --index DIR …", needed=True)
    return Finding(name, True, f"{folder} ({shutil.disk_usage(existing).free / 1e9:,.0f} GB free)")
