"""Jupyter notebooks: the cells' sources and their text outputs, each line known in the file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lcrag.errors import InputError
from lcrag.ingest.extracted import Extracted
from lcrag.ingest.text import decoded, heading_of


def extract(data: bytes) -> Extracted:
    raw = decoded(data)
    notebook = json.loads(raw)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise InputError("it has no cells")
    text, searched = "", 0
    begins: list[int] = []
    lines: list[tuple[int, int]] = []
    for cell in notebook["cells"]:
        ends = [searched]
        for part in (part for part in _parts(cell) if part.strip()):
            text += "\n\n" if text else ""
            begins += [len(text)] if len(ends) == 1 else []
            found, end = _found(part, raw, searched)  # in the file, outputs may stand before their source
            lines += [(len(text) + offset, line) for offset, line in found]
            ends.append(end)
            text += part
        begins += [len(text)] if len(ends) == 1 else []
        searched = max(ends)
    text = f"{text}\n" if text else ""
    return Extracted(text, heading_of(text), (), tuple(lines), tuple(begins))


def _found(part: str, raw: str, searched: int) -> tuple[list[tuple[int, int]], int]:
    """``(offset in the part, line of the file)`` of its lines, and where in the file the last of them ends.

    A line that is not found, such as a fence, keeps to the one after it, or before it at the end.
    """
    found: list[tuple[int, int]] = []
    position = 0
    line, counted = raw.count("\n", 0, searched) + 1, searched
    waiting: list[int] = []
    for one in part.splitlines(keepends=True):
        waiting.append(position)
        at = _place(one.rstrip("\n"), raw, counted) if one.strip() else -1
        if at >= 0:
            line += raw.count("\n", counted, at)
            counted = at
            found += [(place, line) for place in waiting]
            waiting = []
        position += len(one)
    return found + [(place, line) for place in waiting], counted


def _place(line: str, raw: str, searched: int) -> int:
    """Where a line of a cell begins in the file, at ``searched`` or after; -1 where it does not.

    A string of its own, as notebooks are mostly written, or within a longer one; letters as they are or as escapes.
    """
    for escaped in (json.dumps(line, ensure_ascii=False)[1:-1], json.dumps(line)[1:-1]):
        for begin in ('"', "\\n"):
            at = raw.find(begin + escaped, searched)
            if at >= 0:
                return at
    return -1


def _parts(cell: dict[str, Any]) -> Iterator[str]:
    source = _joined(cell.get("source")).rstrip()
    yield f"```\n{source}\n```" if cell.get("cell_type") == "code" and source.strip() else source
    for output in cell.get("outputs") or []:
        yield _joined(output.get("text") or (output.get("data") or {}).get("text/plain")).rstrip()


def _joined(lines: Any) -> str:
    return "".join(lines) if isinstance(lines, list) else str(lines or "")
