"""Past answers, to print again: local, in SQLite, readable by the user alone, the oldest dropped."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lcrag.conversation.database import opened
from lcrag.errors import InputError
from lcrag.paths import state_folder

MOST_KEPT: Final = 500
"""Answers; assumed, not measured."""
MOST_BYTES: Final = 50_000_000
"""Of all answers together: one that names thousands of unread files takes megabytes. Assumed, not measured."""

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, question TEXT NOT NULL, status TEXT NOT NULL,
    route TEXT NOT NULL, answer TEXT NOT NULL
);
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

    def clear(self, session: str | None = None) -> int:
        """Remove all answers, or those of this session; returns how many there were."""
        if not self.path.exists():
            return 0
        with self._opened() as db:
            with db:
                count = db.execute(
                    "DELETE FROM answers WHERE ?1 IS NULL OR json_extract(answer, '$.session.name') = ?1", (session,)
                ).rowcount
            db.execute("VACUUM")  # or the text would stay in the file
        return count

    def _opened(self) -> AbstractContextManager[sqlite3.Connection]:
        return opened(self.path, _TABLE, hint="move it away, or --no-log")
