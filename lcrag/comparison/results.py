"""Answers of a comparison on disk, one JSON object a line as they come, so that no answer is paid for twice.

The first line says what they were made with; going on with anything else is refused. A line that a kill cut short is
taken away; a line that tells of an error is kept, and its question asked again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lcrag.errors import InputError
from lcrag.schemas import RESULTS as SCHEMA

Key = tuple[str, str]
"""A question's id and a route's name."""


class Results:
    """The rows of one file, by question and route; a context manager. ``add`` writes through at once.

    A row has ``id``, ``route`` and ``question``; ``error`` is not null where there is no answer.
    Raises InputError when the file holds something else, or was made with other settings than ``header``.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self.rows: dict[Key, dict[str, Any]] = {}
        self.header: dict[str, Any] = {"schema": SCHEMA, **header}
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = self._read()
        self._file = path.open("ab")
        os.truncate(path, whole)
        if whole == 0:
            self._write(self.header)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, row: dict[str, Any]) -> None:
        self._write(row)
        self._keep(row)

    def has(self, id: str, route: str) -> bool:
        """Whether this route has answered this question."""
        row = self.rows.get((id, route))
        return row is not None and row["error"] is None

    def _keep(self, row: dict[str, Any]) -> None:
        key = row["id"], row["route"]
        if row["error"] is None or key not in self.rows:
            self.rows[key] = row

    def _write(self, value: Mapping[str, Any]) -> None:
        self._file.write(_line(value))
        self._file.flush()

    def _read(self) -> int:
        """Take in what is there; returns the length of the lines that are whole."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return 0
        whole = data.rfind(b"\n") + 1
        if whole == 0 and not _line(self.header).startswith(data):
            raise InputError(f"{self.path}: not the results of a comparison", hint="name another file")
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                value = json.loads(line)
                if number == 1:
                    self._check(value)
                else:
                    self._keep({**value, "error": value["error"]})
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{self.path}, line {number}: not the results of a comparison", hint="name another file"
                ) from error
        return whole

    def _check(self, value: Mapping[str, Any]) -> None:
        if value["schema"] != SCHEMA:
            raise ValueError(value["schema"])
        for key, wanted in self.header.items():
            if value.get(key) != wanted:
                raise InputError(
                    f"{self.path} was made with {key} {value.get(key)!r}, not {wanted!r}", hint="name another file"
                )


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False).encode() + b"\n"
