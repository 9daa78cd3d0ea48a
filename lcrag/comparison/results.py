"""Answers of a comparison on disk, one JSON object a line, written as they come: no answer is paid for twice.

The first line holds the settings that the answers were made with; resuming with other settings is refused. A line that
a kill cut short is removed. A line with an error is kept, and its question is asked again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from lcrag.errors import InputError
from lcrag.schemas import RESULTS as SCHEMA

ROUTER: Final = "router"
"""The name of the router's rows; every other name is a constant route."""

Key = tuple[str, str]
"""A question's id and a route's name."""


class Results:
    """The rows of one file, by question and route; a context manager. ``add`` writes to disk at once.

    A row has ``id``, ``route`` and ``question``; ``error`` is null if it has an answer.
    Raises InputError if the file holds anything else, or was made with other settings than ``header``.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self.rows: dict[Key, dict[str, Any]] = {}
        self.header: dict[str, Any] = {"schema": SCHEMA, **header}
        path.parent.mkdir(parents=True, exist_ok=True)
        size = self._read()
        self._file = path.open("ab")
        os.truncate(path, size)
        if size == 0:
            self._write(self.header)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, row: dict[str, Any]) -> None:
        """Write a row. An error does not replace an answer."""
        self._write(row)
        self._store(row)

    def has(self, id: str, route: str) -> bool:
        """Whether this route has answered this question."""
        row = self.rows.get((id, route))
        return row is not None and row["error"] is None

    def _store(self, row: dict[str, Any]) -> None:
        key = row["id"], row["route"]
        if row["error"] is None or key not in self.rows:
            self.rows[key] = row

    def _write(self, value: Mapping[str, Any]) -> None:
        self._file.write(_line(value))
        self._file.flush()

    def _read(self) -> int:
        """Store the rows of the file; returns the length in bytes of its complete lines."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return 0
        size = data.rfind(b"\n") + 1
        if size == 0 and not _line(self.header).startswith(data):
            raise InputError(f"{self.path}: not the results of a comparison", hint="name another file")
        for number, line in enumerate(data[:size].splitlines(), 1):
            try:
                value = json.loads(line)
                if number == 1:
                    self._check(value)
                else:
                    self._store(value)
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{self.path}, line {number}: not the results of a comparison", hint="name another file"
                ) from error
        return size

    def _check(self, value: Mapping[str, Any]) -> None:
        if value["schema"] != SCHEMA:
            raise ValueError(value["schema"])
        for key, expected in self.header.items():
            if value.get(key) != expected:
                raise InputError(
                    f"{self.path} was made with {key} {value.get(key)!r}, not {expected!r}", hint="name another file"
                )


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False).encode() + b"\n"
