"""From a completion to an Answer: what every pipeline does at its end, and the sizes that all of them reckon with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from lcrag.cite import cite
from lcrag.errors import DoesNotFit
from lcrag.prompts import NOT_FOUND
from lcrag.types import Answer, Backend, Completion, CorpusReader, Emit, Event, Passage, Status, Step, Usage

ANSWER_TOKENS: Final = 1024
"""The most tokens an answer may have."""
NOTE_TOKENS: Final = 512
"""The most tokens a note may have."""
INSTRUCTION_TOKENS: Final = 200
"""Tokens of a prompt besides its passages and notes: the system line, the fences, the question, the instruction."""


def nothing_to_read(pipeline: str, corpus: CorpusReader) -> Answer:
    """The answer where no passage was found: an empty corpus was read whole, one without a hit was not read at all."""
    return _nothing(pipeline, Usage(), 0, everything=corpus.size.chunks == 0)


def _nothing(pipeline: str, usage: Usage, tokens_read: int, *, everything: bool) -> Answer:
    status: Status = "not_found" if everything else "not_retrieved"
    return Answer("", status, (), usage, tokens_read, (Step(pipeline, status, usage),))


def check_fits(tokens: int, backend: Backend, *, hint: str) -> None:
    """Raises DoesNotFit when a prompt with ``tokens`` tokens of text leaves the window no room for the answer."""
    needed = tokens + INSTRUCTION_TOKENS + ANSWER_TOKENS
    if needed > backend.window:
        raise DoesNotFit(
            f"{tokens:,} tokens of text need {needed:,} with question and answer, {needed - backend.window:,} more "
            f"than the window of {backend.model} ({backend.window:,})",
            tokens=needed,
            window=backend.window,
            hint=hint,
        )


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
        return _nothing(pipeline, usage, tokens_read, everything=everything)
    text, citations = cite(completion.text, passages, corpus.document)
    if not text:  # markers that lead nowhere, and no word besides
        return _nothing(pipeline, usage, tokens_read, everything=everything)
    for citation in citations:
        emit(Event("citation", asdict(citation)))
    step = Step(pipeline, "answered", usage)
    return Answer(text, "answered", citations, usage, tokens_read, (step,), completion.short)
