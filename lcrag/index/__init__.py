"""Documents to an index on disk: one folder for a set of paths."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lcrag.errors import NoSuchPath
from lcrag.paths import cache_folder, key_of

if TYPE_CHECKING:
    from lcrag.index.corpus import IndexStatus


def folder_of(paths: Iterable[str], named: Path | None = None) -> Path:
    """The folder of the index of these paths, whatever their order; ``named`` is another."""
    if named is not None:
        return named
    return cache_folder() / "index" / key_of(path for path in paths if path != "-")


def index_status(paths: Iterable[str], named: Path | None = None) -> IndexStatus:
    """What the index of these paths holds now, without refreshing it.

    Raises NoSuchPath when there is no index yet.
    """
    from lcrag.index.corpus import Corpus
    from lcrag.index.store import FILE

    folder = folder_of(paths, named)
    if not (folder / FILE).exists():
        shown = " ".join(paths) or str(folder)
        raise NoSuchPath(f"no index of {shown} yet", hint=f"lcrag index {shown}")
    with Corpus.open(folder) as corpus:
        return corpus.status()


def index_clear(paths: Iterable[str], named: Path | None = None) -> bool:
    """Remove the index of these paths. False when there was none."""
    from lcrag.index.corpus import clear

    return clear(folder_of(paths, named))
