"""OpenDocument text (.odt) and presentations (.odp), from their XML: odfpy is no longer kept and gives no order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lcrag.errors import InputError
from lcrag.ingest.archive import open_archive
from lcrag.ingest.blocks import BlockReader
from lcrag.ingest.extracted import Extracted, join_blocks, join_slides, raised, signed, squeeze
from lcrag.ingest.xml import attribute, child, children, local, parse

NOT_READ: Final = frozenset(
    {"tracked-changes", "hidden-text", "note-citation", "ruby-text", "sender-initials", "forms"}
)
"""What was deleted or is hidden (insertions are part of the text), the signs of notes, readings above characters."""
MOST_CELLS: Final = 100
"""Equal cells in a row that are written: a program fills a row to its end with one repeated empty cell."""


def extract(data: bytes) -> Extracted:
    with open_archive(data) as archive:
        names = set(archive.namelist())
        if "META-INF/manifest.xml" in names and b"encryption-data" in archive.read("META-INF/manifest.xml"):
            raise InputError("it is encrypted: save it without a password")
        parts = {
            name: parse(archive.read(name))
            for name in sorted(names)
            if name.rpartition("/")[2] == "content.xml" or name in ("styles.xml", "meta.xml")
        }
    if "content.xml" not in parts:
        raise InputError("it has no content")
    reader = _Reader(parts)
    meta = parts.get("meta.xml")
    title = squeeze(next(meta.iter("{*}title")).text or "") if meta is not None and any(meta.iter("{*}title")) else ""
    body = child(parts["content.xml"], "body")
    show = child(body, "presentation", "drawing")
    if show is not None:
        return join_slides([[*reader.blocks(page)] for page in children(show, "page")], title)
    blocks = [*reader.margins("header"), *reader.blocks(child(body, "text")), *reader.margins("footer")]
    return join_blocks(blocks, title)


class _Reader(BlockReader):
    def __init__(self, parts: dict[str, Any]) -> None:
        super().__init__()
        self._parts = parts
        self._raised: set[str | None] = set()
        for part in parts.values():
            for style in part.iter("{*}style"):
                position = attribute(child(style, "text-properties"), "text-position") or ""
                if position.startswith("super") or (position[:1].isdigit() and position[0] != "0"):
                    self._raised.add(attribute(style, "name"))

    def margins(self, kind: str) -> list[str]:
        """The headers or footers of the pages, each text once."""
        styles = self._parts.get("styles.xml")
        found = styles.iter(f"{{*}}{kind}") if styles is not None else ()
        return list(dict.fromkeys(block for margin in found for block in self.blocks(margin)))

    def blocks(self, parent: Any, title: bool = False) -> Iterator[str]:
        for element in parent if parent is not None else ():
            name = local(element)
            if name in ("p", "h"):
                text = self._text(element).strip()
                level = min(int(attribute(element, "outline-level") or 1), 6) if name == "h" else int(title)
                if text:
                    yield f"{'#' * level} {squeeze(text)}" if level else text
                yield from self._waiting()
            elif name == "list":
                yield from self._list(element)
            elif name == "table":
                yield from self._table(element)
            elif name == "notes":
                yield from (f"Notes: {block}" for block in self.blocks(element))
            elif name == "annotation":
                self._annotate("Comment", element)
                yield from self._waiting()
            elif name == "object":
                yield from self._object(element)
            elif name not in NOT_READ:
                yield from self.blocks(element, title or attribute(element, "class") == "title")

    def _list(self, element: Any) -> Iterator[str]:
        """The items as one block, one a line."""
        items = [
            f"- {squeeze(' '.join(self._inside(item))).removeprefix('- ')}"
            for item in children(element, "list-item", "list-header")
        ]
        if any(item.strip("- ") for item in items):
            yield "\n".join(items)

    def _table(self, table: Any) -> Iterator[str]:
        rows: list[str] = []
        for row in _descend(table, "table-row"):
            cells: list[str] = []
            for cell in children(row, "table-cell", "covered-table-cell"):
                text = squeeze(" ".join(self._inside(cell)))
                cells += [text] * min(int(attribute(cell, "number-columns-repeated") or 1), MOST_CELLS)
            while cells and not cells[-1] and len(cells) > 1 and rows and len(cells) > rows[0].count(" | ") + 1:
                cells.pop()
            if any(cells):
                rows.append(" | ".join(cells))
        if rows:
            yield "\n".join(rows)

    def _object(self, element: Any) -> Iterator[str]:
        """The table of an embedded chart."""
        content = self._parts.get(f"{(attribute(element, 'href') or '').removeprefix('./')}/content.xml")
        for table in content.iter("{*}table") if content is not None else ():
            yield from self._table(table)

    def _annotate(self, label: str, element: Any) -> None:
        author = squeeze(element.findtext("{*}creator") or "")
        texts = self._inside(child(element, "note-body") if label != "Comment" else element)
        if texts:
            self._after.append(signed(label, author, "\n".join(texts)))

    def _text(self, element: Any) -> str:
        return (element.text or "").replace("\n", " ") + "".join(self._pieces(element))

    def _pieces(self, element: Any) -> Iterator[str]:
        for inner in element:
            name = local(inner)
            if name == "s":
                yield " " * min(int(attribute(inner, "c") or 1), 1000)
            elif name in ("tab", "line-break"):
                yield "\t" if name == "tab" else "\n"
            elif name == "note":
                self._annotate("Endnote" if attribute(inner, "note-class") == "endnote" else "Footnote", inner)
            elif name == "annotation":
                self._annotate("Comment", inner)
            elif name in ("frame", "custom-shape", "rect", "text-box"):
                self._after += self._inside(inner)
            elif name == "span" and attribute(inner, "style-name") in self._raised:
                yield raised(self._text(inner))
            elif name and name not in NOT_READ:
                yield self._text(inner)
            yield (inner.tail or "").replace("\n", " ")


def _descend(table: Any, name: str) -> Iterator[Any]:
    """Rows, also those in groups and headers of rows, but not those of a table within a cell."""
    for element in table:
        if local(element) == name:
            yield element
        elif local(element).startswith("table-") and "row" in local(element):
            yield from _descend(element, name)
