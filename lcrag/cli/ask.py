"""``lcrag ask``: one question or many, and the forms that answers take on standard output."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lcrag.cli import inputs
from lcrag.cli import options as opt
from lcrag.cli.call import Call, with_options
from lcrag.cli.output import Output, width
from lcrag.cli.progress import Progress
from lcrag.errors import InputError, LcragError, NoRoute
from lcrag.report import plans, text
from lcrag.report.objects import answer_object, event_data
from lcrag.report.streamed import Streamed
from lcrag.types import Answer, Emit, Event, Plan, Status, Usage

if TYPE_CHECKING:
    from lcrag.session import Session

EXIT_CODES: dict[Status, int] = {
    "answered": 0,
    "contradictory": 0,
    "not_found": 1,
    "not_retrieved": 1,
    "refused_by_budget": NoRoute.exit_code,
}

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files, folders or globs to read, then the question. - stands for standard input.",
        metavar="PATH... QUESTION",
        show_default=False,
    ),
]


@with_options(
    opt.Batch,
    opt.Routing,
    opt.Json,
    opt.Ask,
    opt.Sampling,
    opt.Retrieval,
    opt.Backend,
    opt.Server,
    opt.Index,
)
def ask(call: Call, words: Words = None) -> int:
    """Answer a question from your documents, with sources.

    Example: lcrag ask docs/ "Who signed the contract?"

    The answer goes to standard output. Exit codes: 0 answered, 1 not in the documents, 2 wrong input,
    3 something is missing, 4 nothing fits the budget, 5 the backend failed.
    """
    questions, paths = _questions(words or [], call[opt.Batch], call.output)

    from lcrag.session import Session

    settings = call.settings(paths, stdin_text=inputs.document_text(paths))
    single = call[opt.Batch].questions is None
    with Progress(call.output) as progress:
        printer = _Printer(call, progress, single=single)
        with Session.open(settings, printer) as session:
            describe(session, call.output, progress)
            if single:
                return _ask_one(session, questions[0], call, printer)
            call.output.form = "json" if call.output.form == "text" else call.output.form
            return _ask_many(session, questions, call, printer)


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
    named = files if output.verbose else files[: text.MOST_NAMED]
    for source, reason in named:
        output.warn(f"{what} {source}: {reason}")
    if len(files) > len(named):
        output.warn(f"{what} {len(files) - len(named):,} more files (-v names them)")


def _questions(words: list[str], batch: opt.Batch, output: Output) -> tuple[list[inputs.Asked], tuple[str, ...]]:
    """What to ask, and the paths to read."""
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


class _Printer:
    """Prints the events and the answers of one call. May be called from several threads."""

    def __init__(self, call: Call, progress: Progress, *, single: bool) -> None:
        options = call[opt.Ask]
        self.output = call.output
        self.progress = progress
        self.streamed = Streamed()
        self._lock = threading.Lock()
        self.all_sources = options.all_sources
        self._explain = options.explain
        self._tokens = options.stream is not False
        stream = sys.stdout.isatty() if options.stream is None else options.stream
        self._streams = single and self.output.form == "text" and stream

    def __call__(self, event: Event) -> None:
        self._print(event, {})

    def of(self, asked: inputs.Asked) -> Emit:
        """An ``Emit`` for one of many questions: its events carry the id."""
        return lambda event: self._print(event, {"id": asked.id})

    def _print(self, event: Event, id: dict[str, object]) -> None:
        with self._lock:
            self.progress(event)
            if self.output.form == "ndjson" and event.kind != "wait" and (self._tokens or event.kind != "token"):
                self.output.event(event.kind, id | event_data(event))
            if event.kind == "plan" and self._explain:
                self.progress.clear()
                plan: Plan = event.data["plan"]
                self.output.report(plans.plan_report(plan, width=width(), colour=self.output.colour(sys.stderr)))
            if self._streams and (piece := self.streamed.event(event)):
                self.progress.clear()
                self.output.write(piece)

    def explain(self, answer: Answer) -> None:
        """With --explain, print the forecast next to the actual cost; with --trace, what the answer depends on."""
        if self._explain and answer.plan is not None:
            self.progress.clear()
            colour = self.output.colour(sys.stderr)
            self.output.report(plans.outcome_report(answer.plan, answer, width=width(), colour=colour))
        if answer.trace is not None and self.output.form == "text":
            self.progress.clear()
            self.output.report(text.trace_report(answer.trace))

    def answer(self, value: dict[str, object]) -> None:
        """Print an answer as JSON."""
        with self._lock:
            if self.output.form == "ndjson":
                self.output.event("answer", value)
            else:
                self.output.line(value)

    def error(self, error: LcragError, id: str | int | None) -> None:
        """Print the error of one of many questions."""
        with self._lock:
            self.progress.clear()
            self.output.error(error, id=id)


def _ask_one(session: Session, asked: inputs.Asked, call: Call, printer: _Printer) -> int:
    options, output = call[opt.Ask], call.output
    answer = session.ask(asked.question, call.policy, escalate=options.escalate, trace=options.trace)
    printer.progress.clear()
    printer.explain(answer)
    if output.form != "text":
        printer.answer(_object(session, asked, answer, printer))
    elif EXIT_CODES[answer.status] == 0:
        if answer.status == "contradictory":
            output.note(text.contradictions(answer))
        if answer.dropped:
            output.note(f"citation markers without a source, left out: {answer.dropped}")
        _print_answer(answer, printer, sources=options.sources)
    else:
        output.note(text.nothing_found(answer, session.index_info["tokens"], all_sources=options.all_sources))
    return EXIT_CODES[answer.status]


def _print_answer(answer: Answer, printer: _Printer, *, sources: bool) -> None:
    """Print the rest of the answer after what was streamed; all of it if it was corrected since."""
    listed = text.sources(answer, links=printer.output.links(sys.stdout)) if sources else ""
    printer.output.write(f"{printer.streamed.rest(text.stated(answer))}\n" + (f"\n{listed}" if listed else ""))


def _ask_many(session: Session, questions: list[inputs.Asked], call: Call, printer: _Printer) -> int:
    """Print an answer or an error for each question, in their order. Returns the highest exit code."""
    from lcrag.session import ask_many

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
        listen=lambda place: printer.of(questions[place]),
    )
    for number, (asked, result) in enumerate(zip(questions, results, strict=True), 1):
        code = max(code, _print_result(session, asked, result, printer))
        printer.progress.show("questions", number, len(questions))
    return code


def _print_result(session: Session, asked: inputs.Asked, result: Answer | LcragError, printer: _Printer) -> int:
    if isinstance(result, NoRoute):
        printer.progress.clear()
        printer.output.warn(f"{asked.id}: {result}", result.hint)
        printer.answer(_object(session, asked, Answer("", "refused_by_budget", (), Usage(), 0), printer))
        return result.exit_code
    if isinstance(result, LcragError):
        printer.error(result, asked.id)
        return result.exit_code
    printer.explain(result)
    printer.answer(_object(session, asked, result, printer))
    return EXIT_CODES[result.status]


def _object(session: Session, asked: inputs.Asked, answer: Answer, printer: _Printer) -> dict[str, object]:
    return answer_object(
        asked.question,
        answer,
        answer.plan,
        id=asked.id,
        backend=session.backend.name,
        model=session.backend.model,
        index=session.index_info,
        all_sources=printer.all_sources,
    )
