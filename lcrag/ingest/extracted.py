"""What an extractor of a format returns: text, and how its offsets lead back to the file."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

NEAR: Final = 20_000
"""Characters."""
MOST_NAMED: Final = 10
EXPONENT: Final = re.compile(r"[-+−–]?\d+(?:[.,/]\d+)?[-+−–]?|[-+−–]|\d*[nxkmtij]")
"""What is raised as a number: "6", "-3", "2+" of an ion, "n", "2x"; not the ends of ordinals ("th", "e", "o")."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """``pages``, ``lines``, ``cells`` and ``unread`` as in ``lcrag.types.Document``."""

    text: str
    title: str = ""
    pages: tuple[int, ...] = ()
    lines: tuple[tuple[int, int], ...] = ()
    cells: tuple[int, ...] = ()
    unread: str = ""


def join_pages(pages: Iterable[str], title: str) -> Extracted:
    """The texts of pages, in order, with a blank line between them."""
    text = ""
    starts = []
    for page in pages:
        starts.append(len(text))
        text += page.strip() + "\n\n"
    return Extracted(text, title, tuple(starts))


def join_slides(slides: Sequence[Sequence[str]], title: str) -> Extracted:
    """The blocks of slides, each slide a page. Its first heading is the title if there is no other."""
    heading = next((block[2:] for slide in slides for block in slide if block.startswith("# ")), "")
    return join_pages(["\n\n".join(slide) for slide in slides], title or heading)


def join_blocks(blocks: Sequence[str], title: str) -> Extracted:
    """Blocks with a blank line between them. The first heading is the title if there is no other."""
    heading = next((block.lstrip("# ") for block in blocks if block.startswith("#")), "")
    return Extracted("\n\n".join(blocks) + "\n" if blocks else "", title or heading)


def locate_lines(text: str, raw: str) -> tuple[tuple[int, int], ...]:
    """``(offset, line of the file)`` of each line of ``text``, searched in order in ``raw``, the text of the file.

    A line is searched in the next ``NEAR`` characters, and further on only as a whole line of the file: where nothing
    fits, as in base64, the time stays linear. A line that is not in ``raw`` gets the number of the one before it.
    """
    whole: dict[str, list[int]] = {}
    place = 0
    for line in raw.splitlines(keepends=True):
        whole.setdefault(line.strip(), []).append(place)
        place += len(line)
    pairs: list[tuple[int, int]] = []
    offset = searched = 0
    number = 1
    for line in text.splitlines(keepends=True):
        words = line.strip()
        place = raw.find(words, searched, searched + NEAR) if words else -1
        if place < 0 and words in whole:
            later = bisect_left(whole[words], searched)
            place = whole[words][later] if later < len(whole[words]) else -1
        if place >= 0:
            number += raw.count("\n", searched, place)
            searched = place
        pairs.append((offset, number))
        offset += len(line)
    return tuple(pairs)


def signed(label: str, author: str | None, text: str) -> str:
    """A note: "Comment (Ann): too early"."""
    return f"{label} ({author}): {text}" if author else f"{label}: {text}"


def some(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def raised(text: str) -> str:
    """A superscript: "10" and "6" as "10^6", so that no other number is read. Letters ("1st") stay as they are."""
    return f"^{text}" if EXPONENT.fullmatch(text) else text


def squeeze(text: str) -> str:
    """Every run of white space as one space."""
    return " ".join(text.split())
