"""Where lcrag keeps its files, and how it writes them: the user's own folders, or those the environment names."""

from __future__ import annotations

import fcntl
import glob
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

TEMPORARY: Final = re.compile(r"\.[0-9a-z_]{8}")
"""What ``tempfile`` adds to a name."""

LOCKED_AFTER_SECONDS: Final = 5.0
"""A temporary folder is locked when it is this old."""


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
    resolved = sorted({os.path.realpath(os.path.expanduser(path)) for path in paths})
    return hashlib.sha256("\0".join(resolved).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone; one that exists stays as it is.

    Raises OSError.
    """
    for folder in reversed([path, *path.parents]):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)


def fingerprint(version: str, *files: Path) -> str:
    """Eight hex digits that change with the files and with ``version``.

    Takes each file's size and its first and last MiB: hashing all 90 MB of weights would cost 0.1 to 0.25 s at every
    start.
    """
    edge = 1 << 20
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(file.read(edge))
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - edge, 0))
            digest.update(file.read())
        digest.update(str(size).encode())
    digest.update(version.encode())
    return digest.hexdigest()[:8]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file to write, which replaces ``path`` when the block ends; makes the folder if need be.

    Readers of ``path`` see the old file or all of the new one. An exception leaves the old one, and so does a kill.
    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(path.parent, path.name) as folder:
        temporary_file = folder / path.name
        yield temporary_file
        temporary_file.replace(path)


@contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    """A folder in ``parent`` for this process, whose name begins with ``name``, removed when the block ends.

    A kill leaves it, and the next call with the same name removes it. Raises OSError.
    """
    for left in parent.glob(f"{glob.escape(name)}.*"):
        if TEMPORARY.fullmatch(left.name[len(name) :]):
            with suppress(OSError):  # its process has just finished, or it is another user's
                _remove_abandoned(left)
    with tempfile.TemporaryDirectory(prefix=f"{name}.", dir=parent, ignore_cleanup_errors=True) as folder:
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Path(folder)
        finally:
            os.close(lock)


def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary folder of a process that was killed: nobody holds its lock. Raises OSError."""
    if time.time() - folder.lstat().st_mtime < LOCKED_AFTER_SECONDS:
        return
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8, whole or not at all (see ``replacing``). Raises OSError."""
    with replacing(path) as temporary_file:
        temporary_file.write_bytes(content.encode() if isinstance(content, str) else content)
