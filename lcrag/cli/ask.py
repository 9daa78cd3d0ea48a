"""``lcrag ask``: one question or many, and the forms that answers take on standard output."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from lcrag.cli import inputs
from lcrag.cli import options as opt
from lcrag.cli.output import Output, width
from lcrag.cli.progress import Progress
from lcrag.errors import InputError, LcragError, NoRoute
from lcrag.report import plans, text
from lcrag.report.objects import answer_object, event_data
from lcrag.report.terminal import printable
from lcrag.types import Answer, Emit, Event, Plan, Policy, Status, Usage

if TYPE_CHECKING:
    from pathlib import Path

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


def ask(
    ctx: typer.Context,
    words: Words = None,
    questions: opt.Questions = None,
    resume: opt.Resume = None,
    workers: opt.Workers = None,
    pipeline: opt.Pipeline = None,
    prefer: opt.Prefer = "balanced",
    max_tokens: opt.MaxTokens = None,
    max_seconds: opt.MaxSeconds = None,
    min_quality: opt.MinQuality = None,
    json: opt.Json = False,
    ndjson: opt.Ndjson = False,
    stream: opt.Stream = None,
    sources: opt.Sources = True,
    explain: opt.Explain = False,
    trace: opt.Trace = False,
    escalate: opt.Escalate = None,
    log: opt.Log = True,
    shadow: opt.Shadow = 0.0,
    temperature: opt.Temperature = 0.0,
    seed: opt.Seed = 0,
    dense: opt.Dense = "auto",
    embedder: opt.Embedder = None,
    reader: opt.Reader = "auto",
    backend: opt.Backend = "auto",
    base_url: opt.BaseUrl = None,
    model: opt.Model = None,
    index: opt.Index = None,
    config: opt.Config = None,
    preset: opt.Preset = None,
    verbose: opt.Verbose = 0,
    quiet: opt.Quiet = False,
    no_color: opt.NoColor = False,
) -> int:
    """Answer a question from your documents, with sources.

    Example: lcrag ask docs/ "Who signed the contract?"

    The answer goes to standard output. Exit codes: 0 answered, 1 not in the documents, 2 wrong input,
    3 something is missing, 4 nothing fits the budget, 5 the backend failed.
    """
    output: Output = ctx.obj
    output.configure(
        "ndjson" if ndjson else "json" if json else "text", verbose=verbose, quiet=quiet, no_color=no_color
    )
    opt.announce(ctx, output)
    asked, paths = _asked(words or [], questions, resume, output)

    from lcrag.session import Session
    from lcrag.types import Settings

    settings = Settings(
        paths=paths,
        index=index,
        backend=backend,
        base_url=base_url,
        model=model,
        dense=dense,
        embedder=embedder,
        reader=reader,
        stdin_text=inputs.document_text(paths),
        temperature=temperature,
        seed=seed,
        log=log,
        shadow=shadow,
    )
    policy = Policy(prefer, max_tokens, max_seconds, min_quality, pipeline)
    with Progress(output) as progress:
        listener = _Listener(output, progress, explain=explain, stream=stream, single=questions is None)
        with Session.open(settings, listener) as session:
            describe(session, settings.backend, output, progress)
            if questions is None:
                return _one(session, asked[0], policy, listener, escalate=escalate, trace=trace, sources=sources)
            output.form = "json" if output.form == "text" else output.form
            return _many(session, asked, policy, listener, escalate=escalate, trace=trace, workers=workers)


def describe(session: Session, backend: str, output: Output, progress: Progress) -> None:
    """Name the files that could not be read, and the backend that ``auto`` chose."""
    progress.clear()
    for source, reason in session.unreadable_files:
        output.warn(f"cannot read {source}: {reason}")
    if backend == "auto":
        output.note(f"backend: {session.backend.name}")


def _asked(
    words: list[str], questions: Path | None, resume: Path | None, output: Output
) -> tuple[list[inputs.Asked], tuple[str, ...]]:
    """What to ask, and the paths to read."""
    if questions is None:
        if resume is not None:
            raise InputError("--resume needs --questions", hint="lcrag ask docs/ --questions FILE --resume OUT")
        paths, question = inputs.paths_and_question(words, "ask")
        if os.path.exists(question):
            output.warn(f"the last word is the question: {question}", 'lcrag ask PATH... "your question"')
        return [inputs.Asked(None, question)], paths
    if not words:
        raise InputError("say what to read", hint=f"lcrag ask docs/ --questions {questions}")
    asked = inputs.read_questions(questions)
    if resume is None:
        return asked, tuple(words)
    done = inputs.read_done(resume)
    if done.torn and inputs.writes_to(resume):
        output.write("\n")  # so that what comes does not continue the line that was cut
    left = [one for one in asked if str(one.id) not in done.ids]
    output.note(f"{len(asked) - len(left):,} of {len(asked):,} questions are done in {resume}")
    return left, tuple(words)


class _Listener:
    """Events of one call, to where each belongs; from several threads where several questions are asked at a time.

    ``streamed``: what of the answer was printed already.
    """

    def __init__(self, output: Output, progress: Progress, *, explain: bool, stream: bool | None, single: bool) -> None:
        self.output = output
        self.progress = progress
        self._lock = threading.Lock()
        self.streamed = ""
        self._explain = explain
        self._tokens = stream is not False
        self._streams = single and output.form == "text" and (sys.stdout.isatty() if stream is None else stream)

    def __call__(self, event: Event) -> None:
        self._take(event, {})

    def of(self, asked: inputs.Asked) -> Emit:
        """What hears the events of one of many questions: they say which one they belong to."""
        return lambda event: self._take(event, {"id": asked.id})

    def _take(self, event: Event, which: dict[str, object]) -> None:
        with self._lock:
            self.progress(event)
            if self.output.form == "ndjson" and (self._tokens or event.kind != "token"):
                self.output.event(event.kind, which | event_data(event))
            if event.kind == "plan" and self._explain:
                self.progress.clear()
                plan: Plan = event.data["plan"]
                report = plans.plan_report(plan, width=width(), colour=self.output.colour(sys.stderr))
                self.output.report(report)
            if event.kind == "token" and self._streams:
                self.progress.clear()
                self.output.write(printable(event.data["text"]))
                self.streamed += event.data["text"]

    def explain(self, answer: Answer) -> None:
        """With --explain, print the forecast next to the actual cost; with --trace, what the answer depends on."""
        if self._explain and answer.plan is not None:
            self.progress.clear()
            self.output.report(
                plans.outcome_report(answer.plan, answer, width=width(), colour=self.output.colour(sys.stderr))
            )
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

    def print_error(self, error: LcragError, id: str | int | None) -> None:
        """Print an error of one of many questions."""
        with self._lock:
            self.progress.clear()
            self.output.error(error, id=id)


def _one(
    session: Session,
    asked: inputs.Asked,
    policy: Policy,
    listener: _Listener,
    *,
    escalate: bool | None,
    trace: bool,
    sources: bool,
) -> int:
    answer = session.ask(asked.question, policy, escalate=escalate, trace=trace)
    listener.progress.clear()
    listener.explain(answer)
    if listener.output.form != "text":
        listener.answer(_object(session, asked, answer))
    elif EXIT_CODES[answer.status] == 0:
        if answer.status == "contradictory":
            listener.output.note(text.contradictions(answer))
        if answer.dropped:
            listener.output.note(f"markers that led to no source and were left out: {answer.dropped}")
        _print(answer, listener, sources=sources)
    else:
        listener.output.note(text.nothing_found(answer, session.index_info["tokens"]))
    return EXIT_CODES[answer.status]


def _print(answer: Answer, listener: _Listener, *, sources: bool) -> None:
    said = text.stated(answer)
    if not said.startswith(listener.streamed):  # checked and corrected since: all of it once more
        listener.output.write("\n\n")
        listener.streamed = ""
    found = text.sources(answer, links=listener.output.links(sys.stdout)) if sources else ""
    rest = printable(said[len(listener.streamed) :].rstrip())
    listener.output.write(f"{rest}\n" + (f"\n{found}" if found else ""))


def _many(
    session: Session,
    asked: list[inputs.Asked],
    policy: Policy,
    listener: _Listener,
    *,
    escalate: bool | None,
    trace: bool,
    workers: int | None,
) -> int:
    """Print an answer or an error for each question, in their order; returns the exit code that sums them up."""
    from lcrag.session import ask_many

    code = 0
    listener.progress.show("questions", 0, len(asked))
    results = ask_many(
        session,
        [question.question for question in asked],
        policy,
        escalate=escalate,
        trace=trace,
        workers=workers,
        listen=lambda place: listener.of(asked[place]),
    )
    for number, (question, result) in enumerate(zip(asked, results, strict=True), 1):
        code = max(code, _print_result(session, question, result, listener))
        listener.progress.show("questions", number, len(asked))
    return code


def _print_result(session: Session, asked: inputs.Asked, result: Answer | LcragError, listener: _Listener) -> int:
    if isinstance(result, NoRoute):
        listener.progress.clear()
        listener.output.warn(f"{asked.id}: {result}", result.hint)
        listener.answer(_object(session, asked, Answer("", "refused_by_budget", (), Usage(), 0)))
        return result.exit_code
    if isinstance(result, LcragError):
        listener.print_error(result, asked.id)
        return result.exit_code
    listener.explain(result)
    listener.answer(_object(session, asked, result))
    return EXIT_CODES[result.status]


def _object(session: Session, asked: inputs.Asked, answer: Answer) -> dict[str, object]:
    return answer_object(
        asked.question,
        answer,
        answer.plan,
        id=asked.id,
        backend=session.backend.name,
        model=session.backend.model,
        index=session.index_info,
    )
