"""Sentences laid out as documents, and documents cut into passages as lcrag cuts them.

They look like what lcrag reads: headings, list items, log lines and rows of tables; passages of up to 512 tokens under
one marker, of several documents in order of their paths, sometimes whole, sometimes excerpts. A unit (one sentence, or
the two of a diffuse fact) is never cut apart.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from worlds.vocabulary import COMPANY, DAYS, MONTHS, PERSON, PLACE, PROJECT, SHIP, TOWN, TOWNS

from lcrag.types import Passage

CHARACTERS_PER_TOKEN: Final = 3.5
"""Of generated text, about, by cl100k_base."""


@dataclass(slots=True, eq=False)
class Fact:
    """One statement about ``entity``. ``text`` is its wording in the document; ``row`` states it as a row of a table.

    ``diffuse``: stated over two sentences. ``marker`` and ``order``: its place in the documents.
    """

    key: str
    entity: str
    value: str
    text: str
    row: str
    diffuse: bool = False
    marker: int = 0
    order: float = 0.0


Unit = tuple[str, Fact | None]
"""A sentence (or two), and the fact that it tells, if any."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of document: ``told_of`` are the kinds of entity that it mostly speaks of."""

    folder: str
    names: tuple[str, ...]
    titles: tuple[str, ...]
    headings: tuple[str, ...]
    layouts: tuple[str, ...]
    formats: tuple[str, ...]
    told_of: tuple[str, ...]


DOCUMENT_KINDS: Final = (
    Kind(
        "registers", ("people", "residents", "members", "guild"), ("Register of people", "Residents", "Guild register"),
        ("Entries", "Late entries", "Corrections", "Other remarks"), ("rows", "items", "prose"), ("md", "csv", "docx"),
        (PERSON,),
    ),
    Kind(
        "letters", ("letter", "from-the-clerk", "reply"), ("Letter to the clerk", "Reply", "News from home"),
        ("What is new", "And besides", "One more thing"), ("prose",), ("eml", "txt"), (PERSON, TOWN),
    ),
    Kind(
        "logs", ("log", "voyage", "watch"), ("Ship log", "Log of the watch", "Harbour log"),
        ("First watch", "Second watch", "At sea", "In port"), ("log", "log", "prose"), ("txt", "md"), (SHIP,),
    ),
    Kind(
        "inventories", ("inventory", "stores", "shelves"), ("Inventory", "Stores", "Count of the stores"),
        ("Upper floor", "Lower floor", "Yard", "Not yet sorted"), ("items", "rows"), ("md", "csv", "html"),
        (PLACE, COMPANY),
    ),
    Kind(
        "minutes", ("minutes", "council", "board"), ("Minutes of the council", "Minutes of the board", "Session"),
        ("Reports", "Old business", "New business", "Any other business"), ("numbered", "prose"),
        ("md", "docx", "html"), (PROJECT, PERSON),
    ),
    Kind(
        "ledger", ("harbour", "trade", "tolls"), ("Harbour ledger", "Trade ledger", "Ledger of tolls"),
        ("Income", "Outgoings", "Open items", "Notes"), ("rows", "log", "prose"), ("md", "txt", "csv"),
        (COMPANY, TOWN, SHIP),
    ),
)  # fmt: skip
CSV_HEADER: Final = "name; attribute; value"
ROOTS: Final = ("", "", "", "docs/", "docs/", "corpus/docs/", "world/docs/", "/tmp/world/docs/", "../docs/")


@dataclass(slots=True)
class Document:
    """A path, and the text in pieces: what ``Document.text`` will be, cut wherever a passage may end."""

    source: str
    pieces: list[Unit] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces)


def documents(
    r: random.Random, units: Sequence[Unit], kinds: dict[str, str], size: int, root: str | None = None
) -> list[Document]:
    """The units as documents of about ``size`` characters each, in order of their paths, which begin with ``root``.

    ``kinds`` tells what kind of entity a fact's key is about; half of the facts go where their kind belongs.
    """
    total = sum(len(text) for text, _ in units)
    number = max(1, round(total / size))
    made = [r.choice(DOCUMENT_KINDS) for _ in range(number)]
    contents: list[list[Unit]] = [[] for _ in made]
    home: dict[str, list[int]] = {}
    for place, kind in enumerate(made):
        for told_of in kind.told_of:
            home.setdefault(told_of, []).append(place)
    for unit in units:
        places = home.get(kinds[unit[1].key]) if unit[1] is not None and r.random() < 0.5 else None
        contents[r.choice(places) if places else int(r.random() * number)].append(unit)
    root = r.choice(ROOTS) if root is None else root
    found: dict[str, Document] = {}
    for kind, content in zip(made, contents, strict=True):
        if content:
            document = _document(r, kind, content, root)
            while document.source in found:
                stem, _, suffix = document.source.rpartition(".")
                document.source = f"{stem}-{r.randint(2, 99)}.{suffix}"
            found[document.source] = document
    return [found[source] for source in sorted(found)]


def excerpted(r: random.Random, units: Sequence[Unit], size: int) -> list[Document]:
    """The units as what compression leaves of documents: sentences out of their surroundings, one a line."""
    made = []
    place = 0
    while place < len(units):
        kind = r.choice(DOCUMENT_KINDS)
        number = max(1, int(r.uniform(0.3, 1.7) * size / 50))
        pieces = [(f"{text}\n", fact) for text, fact in units[place : place + number]]
        made.append(Document(f"{_path(r, kind)}.{r.choice(kind.formats)}", pieces))
        place += number
    return sorted(made, key=lambda document: document.source)


def passages(r: random.Random, made: Sequence[Document], lengths: tuple[int, int], gap: float) -> tuple[Passage, ...]:
    """The documents cut into passages of ``lengths`` tokens; every fact gets its place.

    Markers count from 1; with probability ``gap`` one is left out, as where compression dropped a passage.
    """
    cut: list[Passage] = []
    marker = 1
    order = 0.0
    for document in made:
        start = 0
        for run in _runs(r, document.pieces, lengths):
            text = "".join(piece for piece, _ in run)
            for _, fact in run:
                if fact is not None:
                    fact.marker, fact.order = marker, order
                    order += 1.0
            tokens = int(len(text) / CHARACTERS_PER_TOKEN) + 1
            cut.append(Passage(marker, document.source, document.source, start, start + len(text), text, tokens))
            start += len(text)
            marker += 1
            if gap and r.random() < gap:
                marker += r.randint(1, 5)
    return tuple(cut)


def _runs(r: random.Random, pieces: Sequence[Unit], lengths: tuple[int, int]) -> Iterator[list[Unit]]:
    run: list[Unit] = []
    length, most = 0, CHARACTERS_PER_TOKEN * r.randint(*lengths)
    for piece in pieces:
        enough = length > most / 4 and piece[0].startswith("#") and r.random() < 0.5
        if run and (enough or length + len(piece[0]) > most):
            yield run
            run, length, most = [], 0, CHARACTERS_PER_TOKEN * r.randint(*lengths)
        run.append(piece)
        length += len(piece[0])
    if run:
        yield run


def _path(r: random.Random, kind: Kind) -> str:
    return f"{kind.folder}/{r.choice(kind.names)}-{r.randint(1, 99):02d}"


def _document(r: random.Random, kind: Kind, units: Sequence[Unit], root: str) -> Document:
    suffix = r.choice(kind.formats)
    document = Document(f"{root}{_path(r, kind)}.{suffix}")
    pieces = document.pieces
    if suffix == "csv":
        rows = list(_rows(r, units))
        pieces.extend([(f"{CSV_HEADER}\n{rows[0][0]}", rows[0][1]), *rows[1:]])
        return document
    lead = _opening(r, kind, suffix)
    place = 0
    while place < len(units):
        section = units[place : place + r.randint(4, 16)]
        place += len(section)
        if suffix in ("md", "html", "docx") and r.random() < 0.6:
            lead += f"## {r.choice(kind.headings)}\n\n"
        laid_out = list(_LAYOUTS[r.choice(kind.layouts)](r, section))
        laid_out[0] = (lead + laid_out[0][0], laid_out[0][1])
        lead = ""
        laid_out[-1] = (f"{laid_out[-1][0].rstrip()}\n\n", laid_out[-1][1])
        pieces.extend(laid_out)
    pieces[-1] = (f"{pieces[-1][0].rstrip()}\n", pieces[-1][1])
    return document


def _opening(r: random.Random, kind: Kind, suffix: str) -> str:
    title = r.choice(kind.titles)
    if suffix == "eml":
        sender, receiver = r.choice(TOWNS).lower(), r.choice(TOWNS).lower()
        subject = f"{title}, {r.randint(1, 28)} {r.choice(MONTHS)}"
        return f"From: clerk@{sender}.example\nTo: office@{receiver}.example\nSubject: {subject}\n\n"
    if suffix == "txt":
        return f"{title.upper()}\n\n"
    return f"# {title}\n\n" if r.random() < 0.8 else ""


def _prose(r: random.Random, units: Sequence[Unit]) -> Iterator[Unit]:
    left = r.randint(2, 7)
    for text, fact in units:
        left -= 1
        if left:
            yield f"{text} ", fact
        else:
            yield f"{text}\n\n", fact
            left = r.randint(2, 7)


def _items(r: random.Random, units: Sequence[Unit]) -> Iterator[Unit]:
    for text, fact in units:
        yield f"- {text}\n", fact


def _numbered(r: random.Random, units: Sequence[Unit]) -> Iterator[Unit]:
    for number, (text, fact) in enumerate(units, 1):
        yield f"{number}. {text}\n", fact


def _log(r: random.Random, units: Sequence[Unit]) -> Iterator[Unit]:
    """Each line begins with a time of the day, the first one with a date."""
    day, month, minutes = r.randint(1, 28), r.choice(MONTHS), r.randint(0, 300)
    dated = r.random() < 0.5
    for number, (text, fact) in enumerate(units):
        if dated:
            lead = f"{day} {month}: "
            day = min(28, day + (r.random() < 0.4))
        else:
            lead = f"{minutes // 60:02d}:{minutes % 60:02d} "
            minutes += r.randint(1, 70)
            if not number:
                lead = f"{day} {month}, {lead}"
        yield f"{lead}{text}\n", fact


def _rows(r: random.Random, units: Sequence[Unit]) -> Iterator[Unit]:
    """Rows that say everything themselves, for their header may stand far above."""
    for text, fact in units:
        if fact is not None and not fact.diffuse:
            fact.text = fact.row
            yield f"{fact.row}\n", fact
        else:
            yield f"Remark; {r.choice(DAYS)}; {text}\n", fact


_LAYOUTS: Final = {"prose": _prose, "items": _items, "numbered": _numbered, "log": _log, "rows": _rows}
