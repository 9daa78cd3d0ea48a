"""Sections of a report as they are written: what is supported is kept, and all become one Answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import Final

from lcrag.evidence.cite import cite
from lcrag.pipelines._prune import Scored, score_sentences, text_at
from lcrag.pipelines._run import Run
from lcrag.pipelines._summaries import whole
from lcrag.text.outlines import Section, is_date, prose_of
from lcrag.text.passages import passages
from lcrag.text.prompts import says_nothing
from lcrag.text.sentences import ENDED, ROW, strip_stray_emphasis
from lcrag.text.words import stems
from lcrag.types import Answer, Chunk, Citation, Completion, Event, Passage, Statement

MISSING: Final = "*The documents that were searched hold nothing on this.*"


_LEADING: Final = re.compile(r"^(?:[#>\s]+|\*{2,3}\s+)+")
"""Marks of a heading or a quote, and the end of bold type that began before the sentence."""
LEAST: Final = 5
"""Stems of a sentence that is quoted at least: fewer make a fragment (as in ``lcrag.backends.central``)."""


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence with the places that support it. ``begins``: a paragraph."""

    text: str
    citations: tuple[Citation, ...]
    begins: bool


@dataclass
class Draft:
    """A section while it is written: what was read for it, and the sentences that are supported.

    ``read``: the passages that it was written from. ``is_tried``: whether the backend wrote anything, right or wrong.
    ``unsupported``: how many sentences were left out; ``dropped``: how many markers led nowhere.
    """

    section: Section
    chunks: dict[int, Chunk] = field(default_factory=dict)
    read: list[Passage] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    is_tried: bool = False
    unsupported: int = 0
    dropped: int = 0

    @property
    def words(self) -> int:
        """Words written so far."""
        return sum(len(line.text.split()) for line in self.lines)

    @property
    def text(self) -> str:
        """The sentences without markers."""
        return " ".join(line.text for line in self.lines)

    def add(
        self, run: Run, completion: Completion, read: Sequence[Passage], said: set[str], notes: Sequence[str] = ()
    ) -> None:
        """Keep the sentences of a completion that its passages support, that were not ``said`` in the report, and that
        are not copied from the notes."""
        noted = " ".join(" ".join(notes).split()).casefold()
        text = whole(completion)
        if says_nothing(text):
            return
        self.is_tried = True
        cited = cite(text, read, run.corpus.document)
        self.dropped += cited.dropped
        places = {citation.marker: citation for citation in cited.citations}
        end, begins = 0, True
        for statement in cited.statements:
            begins = begins or "\n\n" in cited.text[end : statement.start]
            end = statement.end
            sentence = " ".join(cited.text[statement.start : end].split())
            sentence = _LEADING.sub("", sentence)
            if is_date(sentence):
                continue
            if not statement.supported:
                self.unsupported += 1
            elif sentence.casefold() not in said and sentence.casefold() not in noted:
                said.add(sentence.casefold())
                stop = "" if ENDED.search(sentence) else "."
                self.lines.append(Line(sentence + stop, tuple(places[one] for one in statement.citations), begins))
                begins = False


def quotes(run: Run, draft: Draft, words: int, said: set[str]) -> str:
    """Sentences of what was read for a section that share words with its query, in order, with markers.

    The best of those not ``said`` yet, until there are about so many words.
    """
    asked = set(stems(draft.section.query))
    scored = score_sentences(draft.section.query, prose_of(draft.read), run.backend, run.ranking, None)
    chosen: list[int] = []
    for place in sorted(range(len(scored.sentences)), key=lambda place: (-scored.scores[place], place)):
        text = _text(scored, place)
        if words > 0 and text.casefold() not in said and _is_sentence(text) and asked & set(stems(text)):
            chosen.append(place)
            words -= len(text.split())
    paragraphs = []
    for number, places in groupby(sorted(chosen), key=lambda place: scored.sentences[place].passage):
        marker = f"[{scored.whole[number].marker}]"
        paragraphs.append("\n".join(f"{_text(scored, place)} {marker}" for place in places))
    return "\n\n".join(paragraphs)


def _text(scored: Scored, place: int) -> str:
    one = scored.sentences[place]
    return strip_stray_emphasis(" ".join(text_at(scored.whole[one.passage], one.start, one.end).split()))


def _is_sentence(text: str) -> bool:
    return ENDED.search(text) is not None and not ROW.match(text) and len(stems(text)) >= LEAST


def joined(run: Run, drafts: Sequence[Draft], outlined: Sequence[Chunk]) -> Answer:
    """The report: sections under their titles, citations numbered from 1. ``outlined``: what the outline was made of.

    A section without a sentence says so; where all are, there is no answer.
    """
    chunks = {chunk.id: chunk for chunk in outlined}
    for draft in drafts:
        chunks |= draft.chunks
    read = passages(chunks.values())
    if not any(draft.lines for draft in drafts):
        return run.nothing(read)
    if left_out := sum(draft.unsupported for draft in drafts):
        run.emit(Event("usage", {"message": f"sentences that no passage supports, left out: {left_out:,}"}))
    text = ""
    numbered: dict[tuple[str, int, int], Citation] = {}
    statements: list[Statement] = []
    for draft in drafts:
        text += f"## {draft.section.title}\n\n"
        for place, line in enumerate(draft.lines):
            if place:
                text += "\n\n" if line.begins else " "
            markers = tuple(dict.fromkeys(_marker(numbered, citation) for citation in line.citations))
            statements.append(Statement(len(text), len(text) + len(line.text), True, markers))
            text += f"{line.text} {''.join(f'[{marker}]' for marker in markers)}"
        text += "\n\n" if draft.lines else f"{MISSING}\n\n"
    for citation in numbered.values():
        run.emit(Event("citation", asdict(citation)))
    return run.result(
        "answered",
        read,
        text=text.rstrip(),
        citations=tuple(numbered.values()),
        statements=tuple(statements),
        dropped=sum(draft.dropped for draft in drafts),
    )


def _marker(numbered: dict[tuple[str, int, int], Citation], citation: Citation) -> int:
    """The number of this place in the report, a new one where it was not cited before."""
    place = citation.document_id, citation.start, citation.end
    return numbered.setdefault(place, replace(citation, marker=len(numbered) + 1)).marker
