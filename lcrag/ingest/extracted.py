"""What a reader of an extracted format hands back: text, and how its places lead back to the file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extracted:
    """``pages``, ``lines`` and ``cells`` as in ``lcrag.types.Document``."""

    text: str
    title: str = ""
    pages: tuple[int, ...] = ()
    lines: tuple[tuple[int, int], ...] = ()
    cells: tuple[int, ...] = ()


def paged(pages: Iterable[str], title: str) -> Extracted:
    """Pages one after another, a blank line between."""
    text = ""
    begins = []
    for page in pages:
        begins.append(len(text))
        text += page.strip() + "\n\n"
    return Extracted(text, title, tuple(begins))


def found_lines(text: str, raw: str) -> tuple[tuple[int, int], ...]:
    """``(offset, line of the file)`` of each line of ``text`` that stands in ``raw``, searched in order.

    A line that is not found keeps to the one before it.
    """
    pairs: list[tuple[int, int]] = []
    position = searched = 0
    line = 1
    for part in text.splitlines(keepends=True):
        wanted = part.strip()
        at = raw.find(wanted, searched) if part.strip() else -1
        if at >= 0:
            line += raw.count("\n", searched, at)
            searched = at
        pairs.append((position, line))
        position += len(part)
    return tuple(pairs)


def squeezed(text: str) -> str:
    """Every run of white space as one space."""
    return re.sub(r"\s+", " ", text).strip()
