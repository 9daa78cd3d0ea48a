"""What the documents are made of: headings, files and rows, read off the index without any model.

Retrieval finds text about chapters, not the chapters; a model that reads everything counts badly. The index knows. Only
for questions that ask for it (``lcrag.text.structure``): other routes say what documents say.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Self

from lcrag.errors import NoRoute
from lcrag.evidence.cite import citation_of
from lcrag.pipelines._run import Run
from lcrag.text.headings import headings
from lcrag.text.places import is_spreadsheet, is_table
from lcrag.text.sentences import sentences
from lcrag.text.structure import StructureQuestion, asks_for_structure
from lcrag.text.words import stems
from lcrag.types import Answer, CorpusSize, CorpusView, Document, Estimate, Event, Statement, Workload

MOST: Final = 200
"""Lines of an answer; the rest is counted."""
RIGHT: Final = 0.92
"""P(an answer is right): all 11 about chapters, rows and mentions in ``examples/saltmarsh`` were; (n + 1) / (n + 2)."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the answer, and the characters of the document that it rests on. ``rows``: of a table."""

    text: str
    document: Document
    start: int
    end: int
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Outline:
    """No options."""

    name: ClassVar[str] = "outline"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls()]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        return Workload(
            input_tokens=0,
            output_tokens=0,
            calls=0,
            rounds=0,
            longest_prompt=0,
            evidence=1.0,
            read_tokens=0,
            surroundings="consecutive",
            right=RIGHT,
        )

    def answer(self, run: Run) -> Answer:
        """Raises NoRoute where the question asks for something else, or the documents have nothing of that kind."""
        asked = asks_for_structure(run.question)
        lines = _lines(asked, _documents(asked, run.corpus)) if asked is not None else []
        if asked is None or not lines:
            raise NoRoute("no heading, file or table of the documents answers this", hint="leave --pipeline out")
        shown = lines[:MOST]
        short = _count(asked, lines) if asked.counts else None
        citations, statements, text = [], [], ""
        if short is not None:
            text = f"{int(short):,} {asked.part or asked.wanted}{'' if asked.part == '' or short == '1' else 's'}\n"
            statements.append(Statement(0, len(text) - 1, True, tuple(range(1, len(shown) + 1))))
        for number, line in enumerate(shown, 1):
            citations.append(citation_of(number, line.start, line.end, line.document))
            statements.append(Statement(len(text), len(text) + len(line.text), True, (number,)))
            text += f"{line.text} [{number}]\n"
            run.emit(Event("citation", asdict(citations[-1])))
        text += f"and {len(lines) - MOST:,} more\n" if len(lines) > MOST else ""
        return run.result(
            "answered",
            (),
            text=text.rstrip(),
            citations=tuple(citations),
            short=short,
            statements=tuple(statements),
            coverage=1.0,
        )


def _documents(asked: StructureQuestion, corpus: CorpusView) -> list[Document]:
    """Those whose path or title holds most of the words that name one; all where none is named."""
    documents = [corpus.document(identity) for identity, _, _ in corpus.documents()]
    if not asked.where:
        return documents
    wanted = set(stems(asked.where))
    shares = [len(wanted & {*stems(document.source), *stems(document.title)}) for document in documents]
    best = max(shares, default=0)
    return [document for document, share in zip(documents, shares, strict=True) if best and share == best]


def _lines(asked: StructureQuestion, documents: Sequence[Document]) -> list[Line]:
    if asked.wanted == "headings":
        return [line for document in documents for line in _headings(asked.part, document)]
    if asked.wanted == "rows":
        return [line for document in documents for line in _tables(document)]
    places = [_mention(asked.what, document) if asked.what else _first_line(document) for document in documents]
    return [
        Line(document.source, document, *place)
        for document, place in zip(documents, places, strict=True)
        if place is not None
    ]


def _headings(part: str, document: Document) -> Iterator[Line]:
    """The headings that begin with the word, as "Chapter 3" does; else, of chapters and sections, those of the highest
    level that has several."""
    found = [] if is_spreadsheet(document) else headings(document)
    chosen = [heading for heading in found if part and heading.text.lower().startswith(part)]
    if not chosen and part in ("chapter", "section"):
        levels = Counter(heading.level for heading in found)
        several = min((level for level, number in levels.items() if number > 1), default=None)
        chosen = [heading for heading in found if heading.level == several]
    elif not chosen and part in ("heading", "outline", "table of content"):
        chosen = found
    for heading in chosen:
        start = document.text.index(heading.text, heading.start)
        yield Line(heading.text, document, start, start + len(heading.text))


def _tables(document: Document) -> Iterator[Line]:
    """The rows of a table without the one that names its columns; of each sheet of a spreadsheet."""
    if is_table(document.source):
        start, end = _first_line(document) or (0, 0)
        rows = max(0, _filled(document.text) - 1)
        yield Line(f"{document.source}: {rows:,} rows", document, start, end, rows)
    elif is_spreadsheet(document):
        for start, end in zip(document.cells, [*document.cells[1:], len(document.text)], strict=True):
            name, *lines = document.text[start:end].strip("\n").split("\n")
            rows = max(0, len(lines) - 1)
            label = f"{document.source}, {name.removeprefix('# ')}"
            yield Line(f"{label}: {rows:,} rows", document, start, start + len(name), rows)


def _filled(text: str) -> int:
    """The rows that are not empty; a cell may go over several lines."""
    try:
        return sum(any(cell.strip() for cell in row) for row in csv.reader(io.StringIO(text)))
    except csv.Error:  # a quote that nothing ends, over more than 128 KiB
        return sum(bool(line.strip()) for line in text.splitlines())


def _mention(what: str, document: Document) -> tuple[int, int] | None:
    """The first sentence that holds the words one after another."""
    wanted = stems(what)
    if not wanted:
        return None
    if len(wanted) > 1 and not set(wanted) <= set(stems(document.text)):
        return None
    for start, end in sentences(document.text):
        words = stems(document.text[start:end])
        if any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1)):
            return _stripped(document.text, start, end)
    return None


def _first_line(document: Document) -> tuple[int, int] | None:
    text = document.text
    start = len(text) - len(text.lstrip())
    return _stripped(text, start, start + len(text[start:].split("\n", 1)[0])) if start < len(text) else None


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    held = text[start:end]
    return start + len(held) - len(held.lstrip()), start + len(held.rstrip())


def _count(asked: StructureQuestion, lines: Sequence[Line]) -> str:
    if asked.wanted == "rows":
        return str(sum(line.rows for line in lines))
    return str(len(lines))
