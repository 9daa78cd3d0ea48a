"""What the routes and workers of a comparison share, so that no question is ranked and no document read twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from lcrag import batch, ingest
from lcrag.errors import InputError, UnreadableFile
from lcrag.types import Ranking


class Rankings:
    """The rankings of the last questions, so that a question's routes rank it once. For several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[tuple[str, ...], int], Ranking] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, paths: tuple[str, ...], place: int, rank: Callable[[], Ranking]) -> Ranking:
        with self._lock:
            found = self._kept.get((paths, place))
        if found is None:
            found = rank()
            with self._lock:
                self._kept[paths, place] = found
                if len(self._kept) > 2 * batch.BLOCK:
                    self._kept.popitem(last=False)
        return found


class DocumentIds:
    """Documents' ids by their files, each file read once. For several threads."""

    def __init__(self) -> None:
        self._ids: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        """Raises InputError for a file that cannot be read as a document."""
        if path not in self._ids:
            [file] = ingest.discover([path]).files
            try:
                self._ids[path] = ingest.read(file).id
            except UnreadableFile as error:
                raise InputError(f"{path} cannot be read as a document: {error}") from error
        return self._ids[path]
