"""Slides as pages: titles, text, tables, charts, diagrams, the speaker's notes and comments.

The XML is walked here, as for Word: python-pptx leaves out charts in alternative content, diagrams, comments, Strict
files and shows (.ppsx).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lcrag.errors import InputError
from lcrag.ingest.extracted import Extracted, join_slides, raised, squeeze
from lcrag.ingest.ooxml import Package, chart_rows
from lcrag.ingest.xml import attribute, child, children, local

TITLES: Final = ("title", "ctrTitle")
DEEPEST: Final = 100
"""Groups within groups that are read."""


def extract(data: bytes) -> Extracted:
    package = Package(data)
    main = package.related("", "officeDocument")
    if not main:
        raise InputError("it names no presentation")
    names = [
        package.target(main[0], _relation(slide))
        for slide in children(child(package.part(main[0]), "sldIdLst"), "sldId")
    ]
    slides = [[*_slide(package, name)] for name in names if name is not None]
    return join_slides(slides, package.title())


def _relation(element: Any) -> str:
    """The id of the relation; an element may have an id of its own besides."""
    return next((value for key, value in element.items() if key.endswith(("}id", "}dm"))), "")


def _slide(package: Package, name: str) -> Iterator[str]:
    yield from _shapes(package, name, child(child(package.part(name), "cSld"), "spTree"))
    for notes in package.related(name, "notesSlide"):
        shapes = child(child(package.part(notes), "cSld"), "spTree")
        texts = [_text(child(shape, "txBody")) for shape in children(shapes, "sp") if _placeholder(shape) == "body"]
        yield from (f"Notes: {text}" for text in texts if text)
    for comments in package.related(name, "comments"):
        texts = [squeeze("".join(comment.itertext())) for comment in children(package.part(comments), "cm")]
        yield from (f"Comment: {text}" for text in texts if text)


def _shapes(package: Package, name: str, tree: Any, depth: int = 0) -> Iterator[str]:
    if tree is None or depth > DEEPEST:
        return
    for shape in tree:
        kind = local(shape)
        if kind == "grpSp":
            yield from _shapes(package, name, shape, depth + 1)
        elif kind == "AlternateContent":
            yield from _shapes(package, name, child(shape, "Choice", "Fallback"), depth + 1)
        elif kind == "graphicFrame":
            yield from filter(None, _graphic(package, name, shape))
        elif kind == "sp" and _placeholder(shape) != "sldNum" and (text := _text(child(shape, "txBody"))):
            yield f"# {squeeze(text)}" if _placeholder(shape) in TITLES else text


def _graphic(package: Package, name: str, frame: Any) -> Iterator[str]:
    for table in frame.iter("{*}tbl"):
        yield "\n".join(
            " | ".join(squeeze(_text(child(cell, "txBody"))) for cell in children(row, "tc"))
            for row in children(table, "tr")
        )
    for chart in frame.iter("{*}chart"):
        if target := package.target(name, _relation(chart)):
            yield "\n".join(chart_rows(package.part(target)))
    for diagram in frame.iter("{*}relIds"):
        if target := package.target(name, _relation(diagram)):
            yield "\n".join(filter(None, (_text(point) for point in package.part(target).iter("{*}t"))))


def _placeholder(shape: Any) -> str:
    return attribute(child(child(child(shape, "nvSpPr"), "nvPr"), "ph"), "type") or ""


def _text(body: Any) -> str:
    return "\n".join("".join(_runs(paragraph)) for paragraph in children(body, "p")).strip()


def _runs(paragraph: Any) -> Iterator[str]:
    for run in paragraph:
        if local(run) == "br":
            yield "\n"
        elif local(run) in ("r", "fld"):
            text = run.findtext("{*}t") or ""
            yield raised(text) if int(attribute(child(run, "rPr"), "baseline") or 0) > 0 else text
        elif local(run) not in ("pPr", "endParaRPr"):  # a formula, alternative content
            yield "".join(text.text or "" for text in run.iter("{*}t"))
