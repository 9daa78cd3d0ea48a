"""A conversation about documents: each question is made to stand alone, answered, and remembered."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from lcrag.conversation.memory import Memory, Turn
from lcrag.errors import BackendFailed
from lcrag.index import is_external
from lcrag.report.objects import citation_object
from lcrag.session import Session
from lcrag.text.followup import LONGEST_REWRITE, depends_on_the_last, standing_alone, without_markers
from lcrag.text.prompts import says_nothing
from lcrag.text.questions import named_in
from lcrag.text.statements import asks, split_statements
from lcrag.text.words import stems
from lcrag.types import Answer, Backend, Event, OnWait, Policy, Task, Usage

TURNS: Final = 3
"""That a model is given to understand a follow-up question."""
ANSWER_CHARACTERS: Final = 300
"""Of each of their answers; assumed, not measured."""
REWRITE_TOKENS: Final = 128


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user typed: what it states about them, and the question as it stands alone, "" where nothing is asked.

    ``usage``: what it took to make it stand alone.
    """

    typed: str
    statements: tuple[str, ...]
    question: str
    usage: Usage


class Talk:
    """A session and its memory. A context manager, which closes the sessions that it opened and not the one given."""

    def __init__(self, session: Session, memory: Memory) -> None:
        self.memory = memory
        self._documents = session
        self._own: Session | None = None
        self._said: str | None = None
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def session(self) -> Session:
        """The documents, and what the user said in an index of its own; the documents alone while that is nothing."""
        transcript = self.memory.transcript()
        if transcript is None:
            return self._documents
        said = transcript.read_text(encoding="utf-8")
        if self._own is None or said != self._said:
            self._opened.close()
            settings = self._documents.settings
            folder = None if settings.stdin_text is not None else self.memory.index_folder(settings.paths)
            if folder is not None and not is_external(settings.index):
                self._documents.corpus.copy_to(folder)
            settings = replace(settings, transcript=transcript, index=folder)
            self._own = self._opened.enter_context(self._documents.fork(settings, self._documents.emit))
            self._said = said
        return self._own

    def understand(self, typed: str) -> Asked:
        """Remember what is stated, and make what is asked stand alone."""
        statements, question = split_statements(typed)
        if statements:
            self.memory.add_statements(statements)
        if not question.strip():
            return Asked(typed, tuple(statements), "", Usage())
        alone, usage = stand_alone(question, self.memory.turns(TURNS), self._documents.backend, self._warn)
        if alone != question:
            self._documents.emit(Event("rewrite", {"question": alone}))
        whole = " ".join([*statements, alone])  # what was just said belongs to the question
        return Asked(typed, tuple(statements), whole, usage)

    def answer(self, asked: Asked, policy: Policy, **options: Any) -> Answer:
        """Answer and remember. ``options``: those of ``Session.ask``. Raises what it raises."""
        answer = self.session.ask(asked.question, policy, **options)
        answer = replace(answer, usage=asked.usage + answer.usage)
        citations = [citation_object(citation) for citation in answer.citations]
        text = without_markers(answer.short or answer.text)
        self.memory.add_turn(asked.typed, asked.question, answer.status, text, citations)
        return answer

    def forget(self) -> None:
        """Forget what was asked and said, and the index of it."""
        self._opened.close()
        self._own = self._said = None
        self.memory.forget()

    def _warn(self, message: str) -> None:
        self._documents.emit(Event("usage", {"message": message}))


def stand_alone(question: str, turns: Sequence[Turn], backend: Backend, warn: OnWait) -> tuple[str, Usage]:
    """The question as it means something without the turns before it, and what that took.

    A backend is asked only where the question looks like a follow-up. A reply that names what neither the question nor
    the turns name, or that is no question, is not taken: rules make the question stand alone then.
    """
    if not turns or not depends_on_the_last(question):
        return question, Usage()
    notes = tuple(text for turn in turns for text in (turn.question, turn.answer[:ANSWER_CHARACTERS]))
    usage = Usage()
    try:
        [completion] = backend.run([Task("rewrite", question, notes=notes)], max_tokens=REWRITE_TOKENS)
        usage = completion.usage
        written = _question_of(completion.text)
        if written and set(named_in(written)) <= set(stems(" ".join((question, *notes)))):
            return written, usage
        warn("the model did not make the question stand alone: rules did")
    except BackendFailed as error:
        warn(f"the model did not make the question stand alone: {error}")
    return standing_alone(question, turns[-1].question, turns[-1].answer), usage


def _question_of(reply: str) -> str:
    """The question of a reply, on one line; "" for anything else."""
    lines = [line.strip() for line in without_markers(reply).splitlines() if line.strip()]
    if len(lines) != 1 or len(lines[0]) > LONGEST_REWRITE or says_nothing(lines[0]):
        return ""
    question = lines[0].removeprefix("Question:").strip(" \"“”'*")
    return question if asks(question) else ""
