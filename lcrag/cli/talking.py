"""Questions in a session, for ``ask --session`` and ``chat``: what is remembered, and what is printed of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lcrag.cli import options as opt
from lcrag.cli.answers import Printer, keep
from lcrag.cli.call import Call
from lcrag.errors import InputError
from lcrag.paths import temporary_folder
from lcrag.report.streamed import Streamed
from lcrag.schemas import NOTED

if TYPE_CHECKING:
    from lcrag.conversation.memory import Memory
    from lcrag.conversation.talk import Talk
    from lcrag.types import Answer

HINT: Final = "lcrag ask --session NAME --forget"


@contextmanager
def memory(call: Call) -> Iterator[Memory]:
    """The memory that ``--session`` names; without a name one that is forgotten at the end."""
    from lcrag.conversation.memory import Memory

    name = call[opt.Talk].session
    if name is not None:
        yield Memory.named(name)
        return
    with temporary_folder(Path(tempfile.gettempdir()), "lcrag-talk") as folder:
        yield Memory(folder)


def answer(talk: Talk, typed: str, call: Call, printer: Printer) -> tuple[int, Answer | None]:
    """Answer what was typed, print and remember it; returns the exit code of ``ask`` and the answer, None where nothing
    was asked."""
    from lcrag.queries import value_of

    options, output, name = call[opt.Ask], call.output, call[opt.Talk].session
    printer.streamed = Streamed()
    asked = talk.understand(typed)
    if not asked.question:
        printer.progress.done()
        if output.form in ("json", "ndjson"):
            output.line({"schema": NOTED, "session": name, "statements": list(asked.statements)})
        else:
            output.note(f"noted: {' '.join(asked.statements)}")
        return 0, None
    if asked.question != typed:
        printer.progress.clear()
        output.note(f"understood as: {asked.question}")
    given = talk.answer(asked, call.policy, escalate=options.escalate, trace=options.trace)
    in_session = {"name": name, "question": asked.question, "statements": list(asked.statements)}
    value = value_of(talk.session, typed, given, id=None, all_sources=printer.all_sources) | {"session": in_session}
    code = printer.answer(given, value, sources=options.sources)
    if options.log:
        keep(value_of(talk.session, typed, given, id=None, all_sources=True) | {"session": in_session}, output)
    return code, given


def forget(call: Call, words: Sequence[str]) -> int:
    """Remove all that the named session remembers."""
    from lcrag.conversation.memory import Memory

    name = call[opt.Talk].session
    if name is None:
        raise InputError("--forget needs the name of a session", hint=HINT)
    if words:
        raise InputError("--forget takes no path and no question", hint=HINT)
    was_there = Memory.named(name).forget()
    forget_answers(call)
    call.output.note(f"session {name} is forgotten" if was_there else f"there is no session {name}")
    return 0


def forget_answers(call: Call) -> None:
    """Remove what ``lcrag history`` has of the named session; the answers of one without a name carry none."""
    from lcrag.conversation.answers import AnswerLog

    name = call[opt.Talk].session
    if name is not None:
        AnswerLog().clear(session=name)
