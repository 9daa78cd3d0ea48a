"""Office Open XML packages (Word, PowerPoint): their parts, relations and charts.

Elements are compared by local name, because the Strict and the Transitional form differ in every namespace.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from lcrag.ingest.archive import open_archive
from lcrag.ingest.extracted import squeeze
from lcrag.ingest.xml import child, local, parse

if TYPE_CHECKING:
    from collections.abc import Iterator


class Package:
    """The XML parts of a document, by name. Raises zipfile.BadZipFile, InputError and lxml's XMLSyntaxError."""

    def __init__(self, data: bytes) -> None:
        self._archive = open_archive(data)
        self._names = set(self._archive.namelist())
        self._read: dict[str, dict[str, tuple[str, str]]] = {}

    def part(self, name: str) -> Any:
        return parse(self._archive.read(name))

    def related(self, name: str, kind: str) -> list[str]:
        """The names of the parts that ``name`` ("" for the package) refers to as a ``kind``: "header", "chart"."""
        return [target for target, type_ in self._relations(name).values() if type_.endswith(f"/{kind}")]

    def target(self, name: str, relation: str) -> str | None:
        """The part that ``name`` refers to by this relation's id; None if there is no such part."""
        return self._relations(name).get(relation, (None, ""))[0]

    def first(self, name: str, kind: str) -> Any:
        """The first such part, parsed; None if there is none."""
        names = self.related(name, kind)
        return self.part(names[0]) if names else None

    def title(self) -> str:
        properties = self.first("", "core-properties")
        return "" if properties is None else squeeze(properties.findtext("{*}title") or "")

    def _relations(self, name: str) -> dict[str, tuple[str, str]]:
        """Id → (part, type) of the relations to parts that exist. Read once: each slide and chart is looked up."""
        if name not in self._read:
            self._read[name] = self._read_relations(name)
        return self._read[name]

    def _read_relations(self, name: str) -> dict[str, tuple[str, str]]:
        folder, base = posixpath.split(name)
        relations = posixpath.join(folder, "_rels", f"{base}.rels")
        if relations not in self._names:
            return {}
        found = {}
        for relation in self.part(relations):
            target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", "")))[1:]
            if target in self._names:
                found[relation.get("Id", "")] = target, relation.get("Type", "")
        return found


def chart_rows(chart: Any) -> Iterator[str]:
    """A chart as a small table: its title, the names of its series, and a row for each category."""
    title = next((squeeze("".join(_texts(node))) for node in chart.iter("{*}title") if _in_chart(node)), "")
    if title:
        yield title
    series = list(chart.iter("{*}ser"))
    columns = [_points(child(one, "val", "yVal")) for one in series]
    labels: dict[int, str] = {}
    for one in series:
        labels = {**_points(child(one, "cat", "xVal")), **labels}
    names = ["".join(_texts(child(one, "tx"))) for one in series]
    if any(names):
        yield " | ".join(["Category", *names])
    for number in sorted({*labels, *(number for column in columns for number in column)}):
        yield " | ".join([labels.get(number, str(number + 1)), *(column.get(number, "") for column in columns)])


def _in_chart(title: Any) -> bool:
    return local(title.getparent()) == "chart"


def _texts(node: Any) -> list[str]:
    return [] if node is None else [squeeze(text.text or "") for text in node.iter("{*}t", "{*}v")]


def _points(data: Any) -> dict[int, str]:
    """Index → value of the points; of categories on several levels the innermost."""
    if data is None:
        return {}
    levels = list(data.iter("{*}lvl"))
    points = (levels[0] if levels else data).iter("{*}pt")
    return {int(point.get("idx")): squeeze(point.findtext("{*}v") or "") for point in points}
