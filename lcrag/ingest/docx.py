"""Word documents: paragraphs and tables in order, headings and lists marked as in Markdown."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from lcrag.ingest.archive import open_archive
from lcrag.ingest.extracted import Extracted, squeeze


def extract(data: bytes) -> Extracted:
    import docx

    open_archive(data).close()
    document = docx.Document(io.BytesIO(data))
    blocks = list(_blocks(document))
    heading = next((block.lstrip("# ") for block in blocks if block.startswith("#")), "")
    return Extracted("\n\n".join(blocks) + "\n" if blocks else "", document.core_properties.title or heading)


def _blocks(document: Any) -> Iterator[str]:
    items: list[str] = []
    for block in document.iter_inner_content():
        style = (getattr(block.style, "name", None) or "") if hasattr(block, "style") else ""
        if not hasattr(block, "rows") and style.startswith("List") and block.text.strip():
            items.append(f"- {squeeze(block.text)}")
            continue
        if items:
            yield "\n".join(items)
            items = []
        if hasattr(block, "rows"):
            yield "\n".join(_row(row) for row in block.rows)
        elif block.text.strip():
            heading = re.match(r"Heading (\d)", style)
            level = 1 if style == "Title" else int(heading[1]) if heading else 0
            yield f"{'#' * level} {squeeze(block.text)}" if level else block.text.strip()
    if items:
        yield "\n".join(items)


def _row(row: Any) -> str:
    cells = {id(cell._tc): squeeze(cell.text) for cell in row.cells}  # a merged cell comes once per column
    return " | ".join(cells.values())
