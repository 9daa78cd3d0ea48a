"""Spans of sentences: the unit that is quoted, ranked and compressed.

sentencex (MIT, Rust, 77 MB/s, knows abbreviations) finds the ends of sentences in running text. It would join lines
that are units of their own, such as list items, table rows, headings and turns of a dialogue, so text is cut at those
lines first.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Final

LONGEST: Final = 1000
"""Characters after which a sentence is cut at a space: a page of unpunctuated text is no sentence."""

WRAPPED: Final = 45
"""Characters. A shorter line is not part of a wrapped paragraph: the next one starts a unit, unless in lower case."""

ROW: Final = re.compile(r"\s*(?:#{1,6}\s|[|{}\[\]]|\"[^\"]*\"\s*[:,])|.*(?:\t| \| )|(?:[^,]*,(?! |\d{3}\b)){2}")
"""A line that is a whole unit: heading, row of a table, JSON, comma-separated values."""
ITEM: Final = re.compile(r"\s*(?:[-*•+>]\s|\d{1,3}[.)]\s|[a-zA-Z][.)]\s|[A-Z][\w .'-]{0,30}:\s)")
"""A line that starts a unit, which the next line may continue: list item, numbered clause, turn of a dialogue."""
ENDED: Final = re.compile(r"[.!?:;][\"'”’)\]*_]*\s*$")
CJK_END: Final = re.compile(r"(?<=[。！？])(?=.)")
SPACE: Final = re.compile(r"\s")


def sentences(text: str) -> list[tuple[int, int]]:
    """Half-open spans of the sentences of ``text``, in order. They tile it: white space belongs to what it follows.

    ``text`` must be encodable as UTF-8 (no lone surrogates), as every Document's is.
    """
    spans: list[tuple[int, int]] = []
    for block in _blocks(text):
        _add(text, block, spans)
    return spans


def last_start(text: str) -> int:
    """Where the last of ``sentences(text)`` starts, without finding the others; 0 if there is one or none."""
    spans: list[tuple[int, int]] = []
    for block in deque(_blocks(text), maxlen=1):
        _add(text, block, spans)
    return spans[-1][0] if spans else 0


def _add(text: str, block: tuple[int, int], spans: list[tuple[int, int]]) -> None:
    """Append the sentences of a block."""
    for sentence in [block] if ROW.match(text, *block) else _ends(text, *block):
        for start, end in _shortened(text, *sentence):
            if spans and not text[start:end].strip():
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Runs of lines that may share a sentence."""
    start = position = 0
    previous = ""
    for line in text.splitlines(keepends=True):
        if position > start and line.strip() and _starts_unit(previous, line):
            yield start, position
            start = position
        previous = line
        position += len(line)
    if position > start:
        yield start, position


def _starts_unit(previous: str, line: str) -> bool:
    if not previous.strip() or ROW.match(line) or ROW.match(previous) or ITEM.match(line):
        return True
    if ITEM.match(previous) and ENDED.search(previous):
        return not line.startswith((" ", "\t"))
    return len(previous.rstrip()) < WRAPPED and not line.lstrip()[:1].islower()


def _ends(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    from sentencex import get_sentence_boundaries

    stops = {start + int(boundary["end_index"]) for boundary in get_sentence_boundaries("en", text[start:end])}
    stops |= {start + cut.start() for cut in CJK_END.finditer(text[start:end])}
    for stop in sorted(stops | {end}):
        if stop > start:
            yield start, stop
            start = stop


def _shortened(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > LONGEST:
        cut = next((m.end() for m in SPACE.finditer(text, start + LONGEST // 2, start + LONGEST)), start + LONGEST)
        yield start, cut
        start = cut
    yield start, end
