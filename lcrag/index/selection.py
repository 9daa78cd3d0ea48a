"""Some documents of an index in place of all: by their paths, by when their files were changed last.

Views with the names of the tables hide the others from every query on a connection, so that all that reads the
catalogue (sizes, terms, rankings, whole documents) reads only what was chosen, and one index serves every choice. What
a word is worth in SQLite's BM25 scores stays that among all documents.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from lcrag.errors import InputError
from lcrag.ingest.patterns import spec_of

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_VIEWS = (
    "CREATE TEMP TABLE chosen (document INTEGER PRIMARY KEY)",
    "CREATE TEMP VIEW documents AS SELECT * FROM main.documents WHERE id IN (SELECT document FROM temp.chosen)",
    "CREATE TEMP VIEW chunks AS SELECT * FROM main.chunks WHERE document IN (SELECT document FROM temp.chosen)",
)


@dataclass(frozen=True)
class Selection:
    """``only``: patterns as in .gitignore for the paths of files as they are shown, or for their ends; those with "!"
    leave out again. ``since``: a date or a time in ISO's form, of the machine's time zone unless it names one; a file
    that was changed last before it is left out. Documents without a file have no such time and stay. ``always``:
    sources that stay whatever is chosen.

    Raises InputError for a pattern or a ``since`` that makes no sense.
    """

    only: tuple[str, ...] = ()
    since: str | None = None
    always: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for pattern in self.only:
            if not spec_of([_anywhere(pattern.removeprefix("!"))]).patterns:
                raise InputError(f"{pattern!r} is no pattern for paths", hint='--only "docs/2023/*.md"')
        try:
            self._least  # noqa: B018
        except (ValueError, OverflowError) as error:  # no date, or one that no clock has
            raise InputError(f"{self.since!r} is no date", hint="--since 2024-01-31") from error

    def __bool__(self) -> bool:
        return bool(self.only) or self.since is not None

    def __str__(self) -> str:
        """The choice as it is typed."""
        since = [f"--since {self.since}"] if self.since is not None else []
        return " ".join([*(f"--only '{pattern}'" for pattern in self.only), *since])

    def has(self, source: str) -> bool:
        """Whether the patterns choose this path."""
        wanted, unwanted = self._specs
        path = source.lstrip("/")
        return source in self.always or (
            (not wanted.patterns or wanted.match_file(path)) and not unwanted.match_file(path)
        )

    def apply(self, db: sqlite3.Connection) -> None:
        """Hide the documents that are not chosen from this connection's queries. Copies of a text are one document,
        which is there if one of them is chosen."""
        for name in ("VIEW documents", "VIEW chunks", "TABLE chosen"):
            kind, view = name.split()
            db.execute(f"DROP {kind} IF EXISTS temp.{view}")
        if not self:
            return
        files = db.execute("SELECT document, source, mtime_ns FROM files WHERE document IS NOT NULL").fetchall()
        chosen = {
            document
            for document, source, changed in files
            if source in self.always or ((changed < 0 or changed >= self._least) and self.has(source))
        }
        for statement in _VIEWS:
            db.execute(statement)
        db.executemany("INSERT INTO chosen VALUES (?)", ((document,) for document in chosen))

    @cached_property
    def _least(self) -> int:
        """``since`` in nanoseconds."""
        return 0 if self.since is None else int(datetime.fromisoformat(self.since).timestamp() * 1e9)

    @cached_property
    def _specs(self) -> tuple[GitIgnoreSpec, GitIgnoreSpec]:
        """What is chosen, and what is left out again."""
        wanted = [_anywhere(pattern) for pattern in self.only if not pattern.startswith("!")]
        unwanted = [_anywhere(pattern[1:]) for pattern in self.only if pattern.startswith("!")]
        return spec_of(wanted), spec_of(unwanted)


def is_selected(db: sqlite3.Connection) -> bool:
    """Whether a selection hides documents from this connection's queries."""
    return db.execute("SELECT 1 FROM sqlite_temp_master WHERE name = 'chosen'").fetchone() is not None


def ranges(db: sqlite3.Connection) -> list[tuple[int, int]]:
    """The first and last id of each run of chunks that are chosen; [] unless some documents are hidden."""
    if not is_selected(db):
        return []
    runs: list[tuple[int, int]] = []
    for first, chunks in db.execute("SELECT first, chunks FROM documents WHERE chunks > 0 ORDER BY first"):
        if runs and runs[-1][1] == first - 1:
            runs[-1] = runs[-1][0], first + chunks - 1
        else:
            runs.append((first, first + chunks - 1))
    return runs


def _anywhere(pattern: str) -> str:
    """The pattern for the end of a path too: git takes one with a slash in it from the top."""
    pattern = os.path.expanduser(pattern).removeprefix("./")
    return pattern if pattern.startswith(("/", "**")) or "/" not in pattern[:-1] else f"**/{pattern}"
