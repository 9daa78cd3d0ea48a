"""Slides as pages: titles, text, tables and the speaker's notes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from lcrag.ingest.archive import open_archive
from lcrag.ingest.extracted import Extracted, join_pages, squeeze


def extract(data: bytes) -> Extracted:
    import pptx

    open_archive(data).close()
    show = pptx.Presentation(io.BytesIO(data))
    slides = ["\n\n".join(_slide(slide)) for slide in show.slides]
    first = next((slide.shapes.title for slide in show.slides if slide.shapes.title is not None), None)
    return join_pages(slides, show.core_properties.title or (first.text if first is not None else ""))


def _slide(slide: Any) -> Iterator[str]:
    title = slide.shapes.title
    for shape in slide.shapes:
        yield from _shape(shape, is_title=title is not None and shape.shape_id == title.shape_id)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame.text.strip():
        yield f"Notes: {slide.notes_slide.notes_text_frame.text.strip()}"


def _shape(shape: Any, *, is_title: bool = False) -> Iterator[str]:
    if hasattr(shape, "shapes"):
        for inner in shape.shapes:
            yield from _shape(inner)
    elif getattr(shape, "has_table", False):
        yield "\n".join(" | ".join(squeeze(cell.text) for cell in row.cells) for row in shape.table.rows)
    elif shape.has_text_frame and shape.text_frame.text.strip():
        yield f"# {squeeze(shape.text_frame.text)}" if is_title else shape.text_frame.text.strip()
