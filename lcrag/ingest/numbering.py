"""The automatic numbers of Word's lists and headings: "3.", "Article 3", "(b)", as the page shows them."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, Final

from lcrag.ingest.xml import attribute, child, children

ROMAN: Final = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


class Numbering:
    """Counts the paragraphs of each list in the order of the document. ``part``: the root of numbering.xml, or None."""

    def __init__(self, part: Any) -> None:
        abstract = {attribute(one, "abstractNumId"): one for one in children(part, "abstractNum")}
        by_style = {attribute(child(one, "styleLink"), "val"): one for one in abstract.values()}
        self._lists: dict[str | None, tuple[str, dict[int, Any]]] = {}
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        for number in children(part, "num"):
            kind = abstract.get(attribute(child(number, "abstractNumId"), "val"))
            if kind is None:
                continue
            linked = attribute(child(kind, "numStyleLink"), "val")
            kind = by_style.get(linked, kind) if linked else kind
            levels = {_level(level): level for level in children(kind, "lvl")}
            key = attribute(kind, "abstractNumId") or ""
            for override in children(number, "lvlOverride"):
                key = f"{key} {attribute(number, 'numId')}"  # it counts from the start
                if (changed := child(override, "lvl")) is not None:
                    levels[_level(override)] = changed
            starts = {
                _level(override): int(attribute(start, "val") or 1)
                for override in children(number, "lvlOverride")
                if (start := child(override, "startOverride")) is not None
            }
            self._lists[attribute(number, "numId")] = (
                key,
                {
                    level: (element, starts.get(level, int(attribute(child(element, "start"), "val") or 1)))
                    for level, element in levels.items()
                },
            )

    def label(self, properties: list[Any], style: str | None) -> str:
        """The next number of a paragraph, "-" for a bullet, "" for none.

        ``properties``: its own, those of its ``style``, and those of the styles that this one is based on.
        """
        given = [child(one, "numPr") for one in properties]
        list_id = next((value for one in given if (value := attribute(child(one, "numId"), "val")) is not None), None)
        if list_id not in self._lists:
            return ""
        key, levels = self._lists[list_id]
        level = next((int(value) for one in given if (value := attribute(child(one, "ilvl"), "val"))), None)
        if level is None:
            level = _level_of_style(levels, style)
        if level not in levels:
            return ""
        counts = self._counts[key]
        counts[level] = counts[level] + 1 if level in counts else levels[level][1]
        for deeper in [other for other in counts if other > level]:
            del counts[deeper]
        return self._format(levels, counts, level)

    @staticmethod
    def _format(levels: dict[int, Any], counts: dict[int, int], level: int) -> str:
        element = levels[level][0]
        if attribute(child(element, "numFmt"), "val") == "bullet":
            return "-"
        legal = child(element, "isLgl") is not None

        def number(match: re.Match[str]) -> str:
            other = int(match[1]) - 1
            if other not in levels:
                return ""
            kind = attribute(child(levels[other][0], "numFmt"), "val") or "decimal"
            return spell(counts.get(other, levels[other][1]), "decimal" if legal else kind)

        return re.sub(r"%(\d)", number, attribute(child(element, "lvlText"), "val") or "").strip()


def spell(number: int, kind: str) -> str:
    """A number as Word's ``numFmt`` writes it; kinds that are not known as digits."""
    if kind == "none":
        return ""
    if kind == "decimalZero":
        return f"{number:02}"
    if kind in ("lowerLetter", "upperLetter") and number > 0:
        letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letters if kind == "lowerLetter" else letters.upper()
    if kind in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        roman = ""
        for amount, sign in ROMAN:
            roman += sign * (number // amount)
            number %= amount
        return roman if kind == "lowerRoman" else roman.upper()
    return str(number)


def _level(element: Any) -> int:
    return int(attribute(element, "ilvl") or 0)


def _level_of_style(levels: dict[int, Any], style: str | None) -> int:
    """The level that a heading style is linked to; 0 if none is."""
    return next((n for n, (element, _) in levels.items() if attribute(child(element, "pStyle"), "val") == style), 0)
