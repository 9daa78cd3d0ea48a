"""Where lcrag keeps its files, and how it writes them: the user's own folders, or those the environment names."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Indexes and exported models, all of which can be rebuilt: ``LCRAG_CACHE_DIR``."""
    from platformdirs import user_cache_path

    named = os.environ.get("LCRAG_CACHE_DIR")
    return Path(named) if named else user_cache_path("lcrag")


def state_folder() -> Path:
    """The record and the log of the server that ``lcrag up`` started: ``LCRAG_STATE_DIR``."""
    from platformdirs import user_state_path

    named = os.environ.get("LCRAG_STATE_DIR")
    return Path(named) if named else user_state_path("lcrag")


def config_folder() -> Path:
    """The user's ``lcrag.toml`` and profiles."""
    from platformdirs import user_config_path

    return user_config_path("lcrag")


def key_of(paths: Iterable[str | Path]) -> str:
    """16 hex digits that name a set of paths, in whatever order and form (``~``, relative, a link) they are given."""
    resolved = sorted({str(Path(os.path.expanduser(path)).resolve()) for path in paths})
    return hashlib.sha256("\0".join(resolved).encode("utf-8", "surrogateescape")).hexdigest()[:16]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file to write, which replaces ``path`` when the block ends; makes the folder if need be.

    Readers of ``path`` see the old file or all of the new one. An exception leaves the old one; so does a kill, which
    also leaves a temporary folder next to it. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent) as folder:
        temporary_file = Path(folder, path.name)
        yield temporary_file
        temporary_file.replace(path)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8, whole or not at all (see ``replacing``). Raises OSError."""
    with replacing(path) as temporary_file:
        temporary_file.write_bytes(content.encode() if isinstance(content, str) else content)
