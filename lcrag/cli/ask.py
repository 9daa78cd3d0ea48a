"""``lcrag ask``: one question or many, and the forms that answers take on standard output."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lcrag.cli import inputs, talking
from lcrag.cli import options as opt
from lcrag.cli.answers import Printer, keep
from lcrag.cli.call import Call, with_options
from lcrag.cli.output import Output
from lcrag.cli.progress import Progress
from lcrag.errors import InputError, LcragError, NoRoute
from lcrag.report.text import MOST_NAMED
from lcrag.retrieve.ahead import loading
from lcrag.types import Answer, Settings, Usage

if TYPE_CHECKING:
    from lcrag.cluster.files import FilesThere
    from lcrag.session import Session

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files, folders or globs to read, then the question. - stands for standard input.",
        metavar="PATH... QUESTION",
        show_default=False,
    ),
]


Edit = Annotated[
    bool, typer.Option("--edit", "-e", help="Write the question in your editor: $VISUAL, else $EDITOR, else vi.")
]
Forget = Annotated[bool, typer.Option("--forget", help="Remove all that --session NAME remembers.")]


@with_options(
    opt.Batch,
    opt.Ray,
    opt.Routing,
    opt.Formats,
    opt.Ask,
    opt.Page,
    opt.Talk,
    opt.Sampling,
    opt.Retrieval,
    opt.Backend,
    opt.Server,
    opt.Chosen,
)
def ask(call: Call, words: Words = None, edit: Edit = False, forget: Forget = False) -> int:
    """Answer a question from your documents, with sources.

    Example: lcrag ask docs/ "Who signed the contract?"

    The answer goes to standard output. Exit codes: 0 answered, 1 not in the documents, 2 wrong input,
    3 something is missing, 4 nothing fits the budget, 5 the backend failed.
    """
    if forget:
        return talking.forget(call, words or [])
    questions, paths = _questions(words or [], call, edit=edit)
    inputs.check_outputs(html=call[opt.Page].html)

    settings = call.settings(paths, stdin_text=inputs.document_text(paths))
    with loading(settings, reads=True):
        if call[opt.Talk].session is not None:
            return _ask_in_session(settings, questions[0].question, call)
        return _ask(settings, questions, call)


def _ask(settings: Settings, questions: list[inputs.Asked], call: Call) -> int:
    from lcrag.cluster import files_there
    from lcrag.session import Session

    single = call[opt.Batch].questions is None
    with Progress(call.output, stages=single) as progress:
        printer = Printer(call, progress, streams=single and streams(call[opt.Ask]))
        with files_there(call[opt.Ray].ray) as there, Session.open(settings, printer, elsewhere=there) as session:
            describe(session, call.output, progress)
            if single:
                return _ask_one(session, questions[0], call, printer)
            call.output.form = "json" if call.output.form == "plain" else call.output.form
            return _ask_many(session, questions, call, printer, there)


def _ask_in_session(settings: Settings, typed: str, call: Call) -> int:
    from lcrag.conversation.talk import Talk
    from lcrag.session import Session

    with talking.memory(call) as memory, Progress(call.output) as progress:
        printer = Printer(call, progress, streams=streams(call[opt.Ask]))
        with Session.open(settings, printer) as session, Talk(session, memory) as talk:
            describe(session, call.output, progress)
            code, _ = talking.answer(talk, typed, call, printer)
    return code


QUICK_SECONDS: Final = 60
"""At most, of a small model; SmolLM2-135M took 12 s on one H200."""


def describe(session: Session, output: Output, progress: Progress) -> None:
    """Name files that could not be read, the backend that ``auto`` chose, and a served model that was not measured."""
    progress.clear()
    warn_of_files(output, "cannot read", session.unreadable_files)
    if session.settings.backend == "auto":
        output.note(f"backend: {session.backend.name}")
    if session.backend.name != "embedded" and not session.profile.measured:
        output.note(
            f"{session.backend.model} is not measured: lcrag calibrate --quick, about {QUICK_SECONDS} s on a GPU"
        )


def warn_of_files(output: Output, what: str, files: Sequence[tuple[str, str]]) -> None:
    """Name the first of these files with their reasons and count the rest; name all with ``--verbose``."""
    named = files if output.verbose else files[:MOST_NAMED]
    for source, reason in named:
        output.warn(f"{what} {source}: {reason}")
    if len(files) > len(named):
        output.warn(f"{what} {len(files) - len(named):,} more files (-v names them)")


def streams(options: opt.Ask) -> bool:
    """Whether an answer is printed as it is written."""
    return sys.stdout.isatty() if options.stream is None else options.stream


def _questions(words: list[str], call: Call, *, edit: bool) -> tuple[list[inputs.Asked], tuple[str, ...]]:
    """What to ask, and the paths to read."""
    batch, output = call[opt.Batch], call.output
    if call[opt.Page].html is not None and (batch.questions is not None or call[opt.Talk].session is not None):
        raise InputError("--html is for one question, without --session", hint="lcrag ask docs/ QUESTION --html FILE")
    if call[opt.Talk].session is not None and batch.questions is not None:
        raise InputError("--session is for one question at a time", hint="lcrag chat docs/ --session NAME < FILE")
    if call[opt.Talk].session is not None and call[opt.Ray].ray is not None:
        raise InputError("--session does not go with --ray", hint="leave one of them out")
    if edit:
        return [inputs.Asked(None, _edited(words, batch))], tuple(words)
    if batch.questions is None:
        if batch.resume is not None:
            raise InputError("--resume needs --questions", hint="lcrag ask docs/ --questions FILE --resume OUT")
        paths, question = inputs.paths_and_question(words, "ask")
        if os.path.exists(question):
            output.warn(f"the last word is the question: {question}", 'lcrag ask PATH... "your question"')
        return [inputs.Asked(None, question)], paths
    if not words:
        raise InputError("say what to read", hint=f"lcrag ask docs/ --questions {batch.questions}")
    questions = inputs.read_questions(batch.questions)
    if batch.resume is None:
        return questions, tuple(words)
    done = inputs.read_done(batch.resume)
    if done.torn and inputs.writes_to(batch.resume):
        output.write("\n")  # so that the next line does not continue the one that was cut
    left = [question for question in questions if str(question.id) not in done.ids]
    output.note(f"{len(questions) - len(left):,} of {len(questions):,} questions are done in {batch.resume}")
    return left, tuple(words)


def _edited(words: list[str], batch: opt.Batch) -> str:
    """The question from an editor. What can be wrong with the paths is wrong before one opens."""
    from lcrag.cli.editor import question_from_editor

    if batch.questions is not None:
        raise InputError("--edit is for one question, --questions for many", hint="lcrag ask docs/ --edit")
    if not words:
        raise InputError("say what to read", hint="lcrag ask docs/ --edit")
    missing = [word for word in words if word != inputs.STDIN and not os.path.exists(word) and not glob.glob(word)]
    if missing:
        raise InputError(f"no such file or folder: {missing[0]}", hint="with --edit all words are files or folders")
    return question_from_editor()


def _ask_one(session: Session, asked: inputs.Asked, call: Call, printer: Printer) -> int:
    options = call[opt.Ask]
    answer = session.ask(asked.question, call.policy, escalate=options.escalate, trace=options.trace)
    code = printer.answer(
        answer, _object(session, asked, answer, all_sources=printer.all_sources), sources=options.sources
    )
    if options.log:
        keep(_object(session, asked, answer, all_sources=True), call.output)
    if (file := call[opt.Page].html) is not None:
        from lcrag.report.answer_page import answer_page

        file.write_text(answer_page(asked.question, answer, session.corpus.document), encoding="utf-8")
        call.output.note(f"written: {file}")
    return code


def _ask_many(
    session: Session, questions: list[inputs.Asked], call: Call, printer: Printer, there: FilesThere | None
) -> int:
    from lcrag.session import ask_many

    if there is not None:
        from lcrag.cluster import sessions

        ask_many = partial(sessions.ask_many, there.cluster)
    options = call[opt.Ask]
    code = 0
    printer.progress.show("questions", 0, len(questions))
    results = ask_many(
        session,
        [asked.question for asked in questions],
        call.policy,
        escalate=options.escalate,
        trace=options.trace,
        workers=call[opt.Batch].workers,
        listen=lambda place: printer.of(questions[place].id),
    )
    for number, (asked, result) in enumerate(zip(questions, results, strict=True), 1):
        code = max(code, _print_result(session, asked, result, printer, sources=options.sources))
        printer.progress.show("questions", number, len(questions))
    return code


def _print_result(
    session: Session, asked: inputs.Asked, result: Answer | LcragError, printer: Printer, *, sources: bool
) -> int:
    if isinstance(result, NoRoute):
        printer.progress.clear()
        printer.output.warn(f"{asked.id}: {result}", result.hint)
        refused = Answer("", "refused_by_budget", (), Usage(), 0)
        printer.answer_of_many(
            refused, _object(session, asked, refused, all_sources=printer.all_sources), sources=sources
        )
        return result.exit_code
    if isinstance(result, LcragError):
        printer.error(result, asked.id)
        return result.exit_code
    return printer.answer_of_many(
        result, _object(session, asked, result, all_sources=printer.all_sources), sources=sources
    )


def _object(session: Session, asked: inputs.Asked, answer: Answer, *, all_sources: bool) -> dict[str, Any]:
    from lcrag.queries import value_of

    return value_of(session, asked.question, answer, id=asked.id, all_sources=all_sources)
