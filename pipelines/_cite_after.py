"""The answer first, its citations afterwards: the coarse-to-fine way of LongCite (Zhang et al. 2024, arXiv 2409.02897).

Statements that words lead to no source are shown to the model, each with the passages nearest to it, and it copies
what they rest on. What it copies must be there, and must support the statement like any source that an answer names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lcrag.evidence.cite import Cited, cite
from lcrag.evidence.quotes import located
from lcrag.pipelines._run import Run
from lcrag.text.words import stems
from lcrag.types import Passage, Task

NEAREST: Final = 10
"""Passages that a statement is shown with: as many as the paper takes for each sentence."""
COPIED: Final = 256
"""The most tokens of what is copied for a statement."""


def add_markers(run: Run, text: str, read: Sequence[Passage]) -> str:
    """The answer's text with markers of the passages that its bare statements rest on, as the model says."""
    cited = cite(text, read, run.corpus.document)
    bare = [place for place, statement in enumerate(cited.statements) if not statement.supported]
    if not bare:
        return text
    texts = [cited.text[statement.start : statement.end] for statement in cited.statements]
    tasks = [Task("quote", texts[place], _nearest(texts[place], read)) for place in bare]
    completions = run.ask(tasks, COPIED)
    named = {
        place: list(located(completion.text, task.passages).places)
        for place, task, completion in zip(bare, tasks, completions, strict=True)
    }
    if not any(named.values()):
        return text
    out, position = "", 0
    for place, statement in enumerate(texts):
        found = text.find(statement, position)
        if found < 0:  # a sentence that the markers stand in the middle of
            continue
        end = found + len(statement)
        markers = named.get(place) or _sources(cited, place, read)
        out += text[position:end] + "".join(f" [{marker}]" for marker in markers)
        position = end
    return out + text[position:]


def _nearest(statement: str, read: Sequence[Passage]) -> tuple[Passage, ...]:
    """The passages that share most words with a statement, in document order."""
    words = set(stems(statement))
    shared = [len(words & set(stems(passage.text))) for passage in read]
    best = sorted(range(len(read)), key=lambda place: (-shared[place], place))[:NEAREST]
    return tuple(read[place] for place in sorted(best))


def _sources(cited: Cited, place: int, read: Sequence[Passage]) -> list[int]:
    """The passages that hold what a statement is cited with: a text without markers must have them all, or none."""
    citations = {one.marker: one for one in cited.citations}
    return [
        passage.marker
        for marker in cited.statements[place].citations
        for passage in read
        if passage.document_id == citations[marker].document_id
        and passage.start <= citations[marker].start < passage.end
    ]
