"""Past answers, to print again: local, in SQLite, readable by the user alone, the oldest dropped."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lcrag.errors import InputError, NotAvailable
from lcrag.paths import private_folder, state_folder

MOST_KEPT: Final = 500
"""Answers; assumed, not measured."""
MOST_BYTES: Final = 50_000_000
"""Of all answers together: one that names thousands of unread files takes megabytes. Assumed, not measured."""

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, question TEXT NOT NULL, status TEXT NOT NULL,
    route TEXT NOT NULL, answer TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Past:
    """One line of the list: ``number`` opens it; ``time`` in seconds since 1970; ``route``: the one that answered."""

    number: int
    time: float
    question: str
    status: str
    route: str


class AnswerLog:
    """The answers in ``answers.db`` of the state folder. Every method may raise NotAvailable: it cannot be used."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = state_folder() / "answers.db" if path is None else path

    def add(self, value: Mapping[str, Any]) -> None:
        """Keep an answer (``lcrag.answer/1``), and drop the oldest beyond ``MOST_KEPT`` and ``MOST_BYTES``."""
        steps = value["steps"]
        route = steps[-1]["pipeline"] if steps else ""
        row = (time.time(), value["question"], value["status"], route, json.dumps(value))
        with self._opened() as db, db:
            db.execute("INSERT INTO answers (time, question, status, route, answer) VALUES (?, ?, ?, ?, ?)", row)
            db.execute(
                "DELETE FROM answers WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER newest AS place,"
                " sum(length(answer)) OVER newest AS bytes FROM answers WINDOW newest AS (ORDER BY id DESC))"
                " WHERE place > ? OR (bytes > ? AND place > 1))",
                (MOST_KEPT, MOST_BYTES),
            )

    def recent(self, count: int) -> list[Past]:
        """The last answers, the newest last."""
        if not self.path.exists():
            return []
        columns = "id, time, question, status, route"
        with self._opened() as db:
            rows = db.execute(f"SELECT {columns} FROM answers ORDER BY id DESC LIMIT ?", (count,)).fetchall()
        return [Past(*row) for row in reversed(rows)]

    def read(self, number: int) -> dict[str, Any]:
        """The answer with this number, as it was added. Raises InputError when there is none."""
        rows = []
        if self.path.exists():
            with self._opened() as db:
                rows = db.execute("SELECT answer FROM answers WHERE id = ?", (number,)).fetchall()
        if not rows:
            raise InputError(f"there is no answer {number}", hint="lcrag history")
        value: dict[str, Any] = json.loads(rows[0][0])
        return value

    def clear(self) -> int:
        """Remove all answers; returns how many there were."""
        if not self.path.exists():
            return 0
        with self._opened() as db:
            with db:
                count = db.execute("DELETE FROM answers").rowcount
            db.execute("VACUUM")  # or the text would stay in the file
        return count

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            private_folder(self.path.parent)
            self.path.touch(mode=0o600)
            with closing(sqlite3.connect(self.path, timeout=10.0)) as db:
                db.execute(_TABLE)
                yield db
        except (sqlite3.Error, OSError) as error:
            raise NotAvailable(f"{self.path} cannot be used: {error}", hint="move it away, or --no-log") from error
