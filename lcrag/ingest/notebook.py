"""Jupyter notebooks: the cells' sources and their text outputs, each line known in the file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lcrag.errors import InputError
from lcrag.ingest.extracted import Extracted, found_lines
from lcrag.ingest.text import decoded, heading_of


def extract(data: bytes) -> Extracted:
    raw = decoded(data)
    notebook = json.loads(raw)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise InputError("it has no cells")
    text, begins = "", []
    for cell in notebook["cells"]:
        parts = [part for part in _parts(cell) if part.strip()]
        text += "\n\n" if text and parts else ""
        begins.append(len(text))
        text += "\n\n".join(parts)
    text = f"{text}\n" if text else ""
    return Extracted(text, heading_of(text), (), found_lines(text, raw, _escaped), tuple(begins))


def _parts(cell: dict[str, Any]) -> Iterator[str]:
    source = _joined(cell.get("source")).rstrip()
    yield f"```\n{source}\n```" if cell.get("cell_type") == "code" and source.strip() else source
    for output in cell.get("outputs") or []:
        yield _joined(output.get("text") or (output.get("data") or {}).get("text/plain")).rstrip()


def _joined(lines: Any) -> str:
    return "".join(lines) if isinstance(lines, list) else str(lines or "")


def _escaped(line: str) -> str:
    return json.dumps(line, ensure_ascii=False)[1:-1]
