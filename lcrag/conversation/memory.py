"""What a session remembers: its turns, so that follow-up questions can be understood, and what the user said.

What the user said ("My budget is 400 pounds") may be read as a document, with the day on which it was said. What a
model answered is kept only to understand the next question: it is never read as evidence.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from lcrag.conversation.database import opened
from lcrag.errors import InputError
from lcrag.paths import key_of, private_folder, state_folder, write_whole
from lcrag.text.statements import subject_of

NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS turns (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, typed TEXT NOT NULL, question TEXT NOT NULL, status TEXT NOT NULL,
    answer TEXT NOT NULL, citations TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS statements (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, text TEXT NOT NULL, subject TEXT, until REAL
);
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """A question, as it was made to stand alone, and its answer without markers."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Said:
    """A statement of the user; ``time`` in seconds since 1970; ``until``: when another took its place, None if none
    did."""

    time: float
    text: str
    until: float | None = None


class Memory:
    """One session's memory, in a folder of its own. Every method may raise NotAvailable: it cannot be used."""

    def __init__(self, folder: Path) -> None:
        """Prefer ``named``."""
        self.folder = folder

    @classmethod
    def named(cls, name: str) -> Memory:
        """The memory of this name, which need not exist yet. Raises InputError for a name that is no file name."""
        if not NAME.fullmatch(name):
            raise InputError(
                f"{name!r} is no name for a session: letters, digits, _ . and - only, 64 at most",
                hint="lcrag ask docs/ --session work",
            )
        return cls(state_folder() / "sessions" / name)

    def turns(self, count: int) -> list[Turn]:
        """The last turns, the newest last."""
        if not self._path.exists():
            return []
        with self._opened() as db:
            rows = db.execute("SELECT question, answer FROM turns ORDER BY id DESC LIMIT ?", (count,)).fetchall()
        return [Turn(*row) for row in reversed(rows)]

    def add_turn(
        self, typed: str, question: str, status: str, answer: str, citations: Sequence[Mapping[str, Any]]
    ) -> None:
        """Remember an answer. ``typed``: the question as it was typed."""
        row = (time.time(), typed, question, status, answer, json.dumps(list(citations)))
        with self._opened() as db, db:
            db.execute(
                "INSERT INTO turns (time, typed, question, status, answer, citations) VALUES (?, ?, ?, ?, ?, ?)", row
            )

    def add_statements(self, statements: Iterable[str]) -> None:
        """Remember what the user said now. A statement takes the place of an earlier one with the same subject."""
        now = time.time()
        with self._opened() as db, db:
            for text in statements:
                subject = subject_of(text)
                db.execute(
                    "UPDATE statements SET until = ? WHERE until IS NULL AND (subject = ? OR text = ?)",
                    (now, subject, text),
                )
                db.execute("INSERT INTO statements (time, text, subject) VALUES (?, ?, ?)", (now, text, subject))

    def said(self) -> list[Said]:
        """Every statement, the newest last; those that another took the place of are marked."""
        if not self._path.exists():
            return []
        with self._opened() as db:
            return [Said(*row) for row in db.execute("SELECT time, text, until FROM statements ORDER BY id")]

    def transcript(self) -> Path | None:
        """A file with what the user said and still holds, a heading for each day; None when that is nothing."""
        lines: list[str] = []
        day = ""
        for said in self.said():
            if said.until is not None:
                continue
            said_on = f"{datetime.fromtimestamp(said.time):%-d %B %Y}"
            if said_on != day:
                day = said_on
                lines.append(f"# You said on {day}")
            lines.append(" ".join(said.text.split()))
        path = self.folder / "you said.md"
        content = "\n\n".join(lines) + "\n"
        if not lines:
            path.unlink(missing_ok=True)
            return None
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            private_folder(self.folder)
            write_whole(path, content)
        return path

    def index_folder(self, paths: Iterable[str]) -> Path:
        """Where the index of these paths and of the transcript is: nothing that was said goes into another index."""
        return self.folder / "index" / key_of(paths)

    def forget(self) -> bool:
        """Remove everything, the index included. False when there was nothing."""
        if not self.folder.exists():
            return False
        shutil.rmtree(self.folder)
        return True

    @property
    def _path(self) -> Path:
        return self.folder / "turns.db"

    def _opened(self) -> AbstractContextManager[sqlite3.Connection]:
        return opened(self._path, _TABLES, hint="use another name with --session NAME")
