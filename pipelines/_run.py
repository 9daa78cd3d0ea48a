"""What every pipeline does before it asks (does it fit?), when it asks (by the clock) and at its end (an Answer)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import reduce
from typing import Final

from lcrag.errors import DoesNotFit
from lcrag.evidence.cite import cite
from lcrag.evidence.contradiction import compared
from lcrag.retrieve.passages import fenced
from lcrag.text.prompts import ANSWER_TOKENS, fence, messages, says_nothing
from lcrag.types import Answer, Backend, Completion, CorpusView, Emit, Event, Passage, Role, Status, Step, Task, Usage

NOTE_TOKENS: Final = 512
"""The most tokens a note may have."""
INSTRUCTION_TOKENS: Final = 200
"""Tokens of a prompt besides its passages and notes, as forecasts reckon; ``frame`` counts them."""
FRAME_BYTES: Final = 2000
"""More than a prompt has besides its passages and its question."""
TEMPLATE_TOKENS: Final = 32
"""Room for what a chat template puts around the messages."""


def frame(role: Role, question: str, backend: Backend) -> int:
    """Tokens of a prompt besides its passages and notes: system line, fences of the whole, question, instruction."""
    placeholder = Passage(1, "", "", 0, 0, "", 0)
    task = Task(role, question, (placeholder,), ("",))
    return backend.count_many(["\n".join(message["content"] for message in messages(task))])[0] + TEMPLATE_TOKENS


def nothing_to_read(pipeline: str, corpus: CorpusView) -> Answer:
    """The answer where no passage was found: an empty corpus was read whole, one without a hit was not read at all."""
    return nothing(pipeline, Usage(), 0, everything=corpus.size.chunks == 0)


def nothing(pipeline: str, usage: Usage, tokens_read: int, *, everything: bool) -> Answer:
    """The answer that there is none: not in the documents, or not in what was read of them."""
    status: Status = "not_found" if everything else "not_retrieved"
    steps = (Step(pipeline, status, usage),)
    return Answer("", status, (), usage, tokens_read, steps, coverage=1.0 if everything else None)


def check_fits(passages: Sequence[Passage], question: str, backend: Backend, *, hint: str) -> None:
    """Raises DoesNotFit when a prompt with these passages leaves the window no room for the answer."""
    most = sum(len(fence(passage).encode()) + passage.tokens for passage in passages)  # a token is at least one byte
    if most + len(question.encode()) + FRAME_BYTES + ANSWER_TOKENS <= backend.window:
        return
    tokens = sum(fenced(passages, backend))
    too_long(tokens, frame("answer", question, backend) + ANSWER_TOKENS, backend, hint=hint)


def too_long(tokens: int, beside: int, backend: Backend, *, hint: str) -> None:
    """Raises DoesNotFit when ``tokens`` of text and ``beside`` for the rest exceed the backend's window."""
    needed = tokens + beside
    if needed > backend.window:
        raise DoesNotFit(
            f"{tokens:,} tokens of text need {needed:,} with question and answer, {needed - backend.window:,} more "
            f"than the window of {backend.model} ({backend.window:,})",
            tokens=needed,
            window=backend.window,
            hint=hint,
        )


def run(backend: Backend, tasks: Sequence[Task], max_tokens: int) -> tuple[list[Completion], Usage]:
    """The completions of one batch and what it used; its seconds are the clock's, not the sum over its calls."""
    begun = time.perf_counter()
    done = backend.run(tasks, max_tokens=max_tokens)
    used = reduce(lambda total, one: total + one.usage, done, Usage())
    return done, replace(used, seconds=time.perf_counter() - begun)


def found_nothing(completion: Completion) -> bool:
    """Whether the completion says that its passages do not hold the answer, or says nothing."""
    return says_nothing(completion.text)


def answered(
    pipeline: str,
    question: str,
    completion: Completion,
    passages: Sequence[Passage],
    corpus: CorpusView,
    emit: Emit,
    *,
    usage: Usage,
    tokens_read: int,
    everything: bool,
) -> Answer:
    """The Answer that ``completion`` makes, its markers checked and led back, other sources compared with its own.

    ``everything``: the whole corpus reached a model, so that finding nothing means that nothing is there.
    """
    if completion.finish == "length":
        cut = f"the answer was cut at {completion.usage.output_tokens:,} tokens"
        emit(Event("usage", {"message": cut}))
    if found_nothing(completion):
        return nothing(pipeline, usage, tokens_read, everything=everything)
    cited = cite(completion.text, passages, corpus.document)
    if not cited.text:  # markers that lead nowhere, and no word besides
        return nothing(pipeline, usage, tokens_read, everything=everything)
    cited, conflicts = compared(question, cited, passages, corpus.document)
    for citation in cited.citations:
        emit(Event("citation", asdict(citation)))
    status: Status = "contradictory" if conflicts else "answered"
    step = Step(pipeline, status, usage)
    return Answer(
        cited.text,
        status,
        cited.citations,
        usage,
        tokens_read,
        (step,),
        completion.short,
        cited.statements,
        cited.dropped,
        conflicts,
        1.0 if everything else None,
    )
