"""Jupyter notebooks: the cells' sources and their text outputs, with the line of the file for each of their lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lcrag.errors import InputError
from lcrag.ingest.extracted import Extracted
from lcrag.ingest.text import decode, first_heading


def extract(data: bytes) -> Extracted:
    raw = decode(data)
    notebook = json.loads(raw)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise InputError("it has no cells")
    text, searched = "", 0
    cells: list[int] = []
    lines: list[tuple[int, int]] = []
    for cell in notebook["cells"]:
        ends = [searched]
        for part in (part for part in _parts(cell) if part.strip()):
            text += "\n\n" if text else ""
            cells += [len(text)] if len(ends) == 1 else []
            located, end = _locate(part, raw, searched)  # in the file, a cell's outputs may come before its source
            lines += [(len(text) + offset, line) for offset, line in located]
            ends.append(end)
            text += part
        cells += [len(text)] if len(ends) == 1 else []
        searched = max(ends)
    text = f"{text}\n" if text else ""
    return Extracted(text, first_heading(text), (), tuple(lines), tuple(cells))


def _locate(part: str, raw: str, searched: int) -> tuple[list[tuple[int, int]], int]:
    """``(offset in the part, line of the file)`` of its lines, and where in the file the last of them ends.

    A line that is not in the file, such as a fence, gets the number of the next one, or at the end of the last one.
    """
    located: list[tuple[int, int]] = []
    offset = 0
    number = raw.count("\n", 0, searched) + 1
    waiting: list[int] = []
    for line in part.splitlines(keepends=True):
        waiting.append(offset)
        place = _find(line.rstrip("\n"), raw, searched) if line.strip() else -1
        if place >= 0:
            number += raw.count("\n", searched, place)
            searched = place
            located += [(start, number) for start in waiting]
            waiting = []
        offset += len(line)
    return located + [(start, number) for start in waiting], searched


def _find(line: str, raw: str, searched: int) -> int:
    """Where a line of a cell begins in the file, at ``searched`` or after; -1 if it is not there.

    It is a string of its own, as in most notebooks, or part of a longer one; its letters are plain or escaped.
    """
    for escaped in (json.dumps(line, ensure_ascii=False)[1:-1], json.dumps(line)[1:-1]):
        for start in ('"', "\\n"):
            place = raw.find(start + escaped, searched)
            if place >= 0:
                return place
    return -1


def _parts(cell: dict[str, Any]) -> Iterator[str]:
    source = _joined(cell.get("source")).rstrip()
    yield f"```\n{source}\n```" if cell.get("cell_type") == "code" and source.strip() else source
    for output in cell.get("outputs") or []:
        yield _joined(output.get("text") or (output.get("data") or {}).get("text/plain")).rstrip()


def _joined(lines: Any) -> str:
    return "".join(lines) if isinstance(lines, list) else str(lines or "")
