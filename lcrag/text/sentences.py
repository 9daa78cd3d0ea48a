"""Spans of sentences: the unit that is quoted, ranked and compressed.

sentencex (MIT, Rust, 77 MB/s, knows abbreviations) finds the ends of sentences in running text. It would join lines
that are units of their own, such as list items, table rows, headings, log entries, verse, code and turns of a dialogue,
so text is cut at those lines first.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

LONGEST: Final = 1000
"""Characters after which a sentence is cut at a space: a page of unpunctuated text is no sentence."""

WRAPPED: Final = 45
"""Characters. A shorter line is not part of a wrapped paragraph: the next one starts a unit, unless in lower case."""

ROW: Final = re.compile(
    r"\s*(?:#{1,6}\s|[|{}\[\]]|\"[^\"]*\"\s*[:,]|[^\w\s]+\s*$)|.*(?:\t| \| )"
    r"|(?:[^,]*,(?! |\d{3}\b)){2}|(?:[^;]*;(?! )){2}|(?:[^|]*\|){2}"
    r"|\[?(?:\d{4}-\d\d-\d\d[T ]|\d\d?[/.]\w{2,3}[/.]\d{2,4}[: ])?\d\d:\d\d:\d\d|\[?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d"
    r"|\d{1,3}(?:\.\d{1,3}){3} |(?:TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b"
)
"""A line that is a whole unit: heading, rule, row of a table, JSON, values with any delimiter, entry of a log."""
HEADING: Final = re.compile(r"#{1,6}\s|```|[A-Z][^.!?:|\d]{0,60}$|\*\*[^*]+\*\*$")
"""A unit that names what follows and states nothing itself: it lends its words to its neighbours and is not quoted. A
line of up to 61 characters without punctuation counts as one; the length is not measured."""
ITEM: Final = re.compile(r"\s*(?:[-*•+>]\s|\d{1,3}[.)]\s|[a-zA-Z][.)]\s|[A-Z][\w .'-]{0,30}:\s)")
"""A line that starts a unit, which the next line may continue: list item, numbered clause, turn of a dialogue."""
CODE: Final = re.compile(
    r"\s*(?://|/\*|@\w|#include|(?:async|class|const|def|elif|else|except|fn|func|function|import|let|package|private)\b"
    r"|(?:protected|public|return|static|struct|try|var|void|while)\b|from \S+ import )|.*(?:[;{}(\[=\\]|\w\(.*\))\s*$"
)
"""A line that only source code has. Where most lines of a paragraph are such, each of them is a unit."""
KEY: Final = re.compile(r"\s*[\w.\-]{1,40} ?[:=](?:\s|$)")
"""A line that names a value, as in front matter and settings. Where most lines are such, each is a unit."""
STAMP: Final = re.compile(
    r"\s*\[?(?:\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{2,4}|\d\d?:\d\d|\d{10,13}(?:\.\d+)?)\b"
)
"""A line that begins with a date or a time. Where most lines are such, each is the entry of a log."""
WORDLESS: Final = re.compile(r"\W*$")
DELIMITERS: Final = ";|\t"
ENDED: Final = re.compile(r"[.!?:;][\"'”’)\]*_]*\s*$")
_OPENING: Final = re.compile(r"\A(?:\*{2,3}\s+|\*{1,3}(?=\S))")
_CLOSING: Final = re.compile(r"(?:\s+\*{2,3}|(?<=\S)\*{1,3})\Z")
CJK_END: Final = re.compile(r"(?<=[。！？])(?=.)")
SPACE: Final = re.compile(r"\s")
WIDE: Final = re.compile(r"[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ud800-\udfff]")
"""Spaces of several bytes, after which sentencex (1.0.32) panics where a capital letter stands before and a full stop
after; and what UTF-8 cannot hold."""


def strip_stray_emphasis(text: str) -> str:
    """The text without asterisks at its ends that have no partner in it, as where a sentence begins in bold type.

    What is left is a part of ``text``, so that a quote can still be located. The bullet of a list ("* ") stays.
    """
    for edge in (_OPENING, _CLOSING):
        match = edge.search(text)
        if match and (match[0] != match[0].strip() or text.removeprefix("* ").count(match[0]) % 2):
            text = text[: match.start()] + text[match.end() :]
    return text


def sentences(text: str) -> list[tuple[int, int]]:
    """Half-open spans of the sentences of ``text``, in order. They tile it: white space belongs to what it follows."""
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


def _add(text: str, block: tuple[int, int, bool], spans: list[tuple[int, int]]) -> None:
    """Append the sentences of a block."""
    start, end, is_whole = block
    for sentence in [(start, end)] if is_whole or ROW.match(text, start, end) else _ends(text, start, end):
        for first, last in _shortened(text, *sentence):
            if spans and not text[first:last].strip():
                spans[-1] = (spans[-1][0], last)
            else:
                spans.append((first, last))


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Runs of lines that may share a sentence, ``(start, end, whole)``; a ``whole`` one is a unit as it is."""
    position = 0
    for lines in _paragraphs(text):
        filled = [line for line in lines if line.strip()]
        is_whole = len(filled) > 1 and (_is_table(filled) or _are_most(CODE, filled))
        is_listed = is_whole or (
            len(filled) > 1 and (_are_most(KEY, filled) or _are_most(STAMP, filled) or _is_verse(filled))
        )
        start = position
        previous = ""
        for line in lines:
            if previous and line.strip() and (is_listed or _starts_unit(previous, line)):
                yield start, position, is_whole
                start = position
            previous = line
            position += len(line)
        yield start, position, is_whole


def _paragraphs(text: str) -> Iterator[list[str]]:
    """Lines between blank ones, with the blank ones after them."""
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        if lines and line.strip() and not lines[-1].strip():
            yield lines
            lines = []
        lines.append(line)
    if lines:
        yield lines


def _is_table(lines: list[str]) -> bool:
    """Whether nearly all of three or more lines have a delimiter equally often."""
    for delimiter in DELIMITERS if len(lines) > 2 else "":
        counts = [line.count(delimiter) for line in lines]
        [(count, rows)] = Counter(counts).most_common(1) if any(counts) else [(0, 0)]
        if count and rows > 2 and rows >= 0.8 * len(lines):
            return True
    return False


def _are_most(pattern: re.Pattern[str], lines: list[str]) -> bool:
    """Whether more than half of the lines with words match, of two or more."""
    filled = [line for line in lines if WORDLESS.match(line) is None]
    return len(filled) > 1 and 2 * sum(pattern.match(line) is not None for line in filled) > len(filled)


def _is_verse(lines: list[str]) -> bool:
    """Whether no line begins with a small letter, and one ends although the next word would have had room on it."""
    filled = [line.strip() for line in lines]
    if len(filled) < 3 or any(line[:1].islower() for line in filled[1:]):
        return False
    longest = max(map(len, filled))
    return any(len(line) + 1 + len(after.split(None, 1)[0]) <= longest for line, after in pairwise(filled))


def _starts_unit(previous: str, line: str) -> bool:
    if ROW.match(line) or ROW.match(previous) or ITEM.match(line):
        return True
    if ITEM.match(previous) and ENDED.search(previous):
        return not line.startswith((" ", "\t"))
    return len(previous.rstrip()) < WRAPPED and not line.lstrip()[:1].islower()


def _ends(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    from sentencex import get_sentence_boundaries

    block = WIDE.sub(" ", text[start:end])
    stops = {start + int(boundary["end_index"]) for boundary in get_sentence_boundaries("en", block)}
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
