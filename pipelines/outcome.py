"""From a completion to an Answer: what every pipeline does at its end, and the sizes that all of them reckon with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from lcrag.cite import cite
from lcrag.prompts import NOT_FOUND
from lcrag.types import Answer, Completion, CorpusReader, Emit, Event, Passage, Status, Step, Usage

ANSWER_TOKENS: Final = 1024
"""The most tokens an answer may have."""
NOTE_TOKENS: Final = 512
"""The most tokens a note may have."""
INSTRUCTION_TOKENS: Final = 200
"""Tokens of a prompt besides its passages and notes: the system line, the fences, the question, the instruction."""


def nothing_to_read(pipeline: str) -> Answer:
    """The answer from an empty corpus: everything in it was read."""
    return Answer("", "not_found", (), Usage(), 0, (Step(pipeline, "not_found", Usage()),))


def found_nothing(completion: Completion) -> bool:
    """Whether the completion says that its passages do not hold the answer, or says nothing."""
    return completion.text.strip().strip(".").upper() in ("", NOT_FOUND)


def answered(
    pipeline: str,
    completion: Completion,
    passages: Sequence[Passage],
    corpus: CorpusReader,
    emit: Emit,
    *,
    usage: Usage,
    tokens_read: int,
    everything: bool,
) -> Answer:
    """The Answer that ``completion`` makes, its markers checked and led back to the documents.

    ``everything``: the whole corpus reached a model, so that finding nothing means that nothing is there.
    """
    if found_nothing(completion):
        status: Status = "not_found" if everything else "not_retrieved"
        return Answer("", status, (), usage, tokens_read, (Step(pipeline, status, usage),))
    text, citations = cite(completion.text, passages, corpus.document)
    for citation in citations:
        emit(Event("citation", asdict(citation)))
    step = Step(pipeline, "answered", usage)
    return Answer(text, "answered", citations, usage, tokens_read, (step,), completion.short)
