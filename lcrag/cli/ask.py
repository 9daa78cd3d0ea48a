"""``lcrag ask``: one question or many, and the forms that answers take on standard output."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lcrag.cli import inputs
from lcrag.cli import options as opt
from lcrag.cli.output import Output, width
from lcrag.cli.progress import Progress
from lcrag.errors import InputError, LcragError, NoRoute
from lcrag.report import text
from lcrag.report.json import answer_object, event_data
from lcrag.types import Answer, Event, Plan, Policy, Status, Usage

if TYPE_CHECKING:
    from pathlib import Path

    from lcrag.run import Session

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
    escalate: opt.Escalate = None,
    log: opt.Log = True,
    shadow: opt.Shadow = 0.0,
    temperature: opt.Temperature = 0.0,
    seed: opt.Seed = 0,
    dense: opt.Dense = "auto",
    embedder: opt.Embedder = None,
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

    from lcrag.run import Session, Settings

    settings = Settings(
        paths=paths,
        index=index,
        backend=backend,
        base_url=base_url,
        model=model,
        dense=dense,
        embedder=embedder,
        stdin_text=inputs.document_text(paths),
        temperature=temperature,
        seed=seed,
        log=log,
        shadow=shadow,
    )
    policy = Policy(prefer, max_tokens, max_seconds, min_quality, pipeline)
    with Progress(output) as progress:
        listener = _Listener(output, progress, explain=explain, stream=stream, one=questions is None)
        with Session.open(settings, listener) as session:
            describe(session, settings.backend, output, progress)
            if questions is None:
                return _one(session, asked[0], policy, listener, escalate=escalate, sources=sources)
            output.form = "json" if output.form == "text" else output.form
            return _many(session, asked, policy, listener, escalate=escalate)


def describe(session: Session, backend: str, output: Output, progress: Progress) -> None:
    """Name the files that could not be read, and the backend that ``auto`` chose."""
    progress.clear()
    for source, reason in session.failed:
        output.warn(f"cannot read {source}: {reason}")
    if backend == "auto":
        output.note(f"backend: {session.backend_name}")


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
    """Events of one call, to where each belongs. ``streamed`` is what of the answer was printed already."""

    def __init__(self, output: Output, progress: Progress, *, explain: bool, stream: bool | None, one: bool) -> None:
        self.output = output
        self.progress = progress
        self.asked: inputs.Asked | None = None
        self.streamed = ""
        self._explain = explain
        self._tokens = stream is not False
        self._streams = one and output.form == "text" and (sys.stdout.isatty() if stream is None else stream)

    def __call__(self, event: Event) -> None:
        self.progress(event)
        if self.output.form == "ndjson" and (self._tokens or event.kind != "token"):
            self.output.event(event.kind, self._id() | event_data(event))
        if event.kind == "plan" and self._explain:
            self.progress.clear()
            plan: Plan = event.data["plan"]
            report = text.plan_report(plan, width=width(sys.stderr), colour=self.output.colour(sys.stderr))
            self.output.report(report)
        if event.kind == "token" and self._streams:
            self.progress.clear()
            self.output.write(text.printable(event.data["text"]))
            self.streamed += event.data["text"]

    def explain(self, plan: Plan, answer: Answer) -> None:
        """With --explain, print what was forecast beside what came of it."""
        if self._explain:
            self.progress.clear()
            self.output.report(
                text.outcome_report(plan, answer, width=width(sys.stderr), colour=self.output.colour(sys.stderr))
            )

    def answer(self, value: dict[str, object]) -> None:
        """Print an answer as JSON."""
        if self.output.form == "ndjson":
            self.output.event("answer", value)
        else:
            self.output.line(value)

    def _id(self) -> dict[str, object]:
        """Events of many questions say which one they belong to."""
        return {} if self.asked is None else {"id": self.asked.id}


def _one(
    session: Session, asked: inputs.Asked, policy: Policy, listener: _Listener, *, escalate: bool | None, sources: bool
) -> int:
    answer, plan = session.ask(asked.question, policy, escalate=escalate)
    listener.progress.clear()
    listener.explain(plan, answer)
    if listener.output.form != "text":
        listener.answer(_object(session, asked, answer, plan))
    elif EXIT_CODES[answer.status] == 0:
        if answer.status == "contradictory":
            listener.output.note("The documents contradict each other.")
        _print(answer, listener, sources=sources)
    else:
        listener.output.note(text.nothing_found(answer, session.index_info["tokens"]))
    return EXIT_CODES[answer.status]


def _print(answer: Answer, listener: _Listener, *, sources: bool) -> None:
    if not answer.text.startswith(listener.streamed):  # checked and corrected since: all of it once more
        listener.output.write("\n\n")
        listener.streamed = ""
    found = text.sources(answer) if sources else ""
    rest = text.printable(answer.text[len(listener.streamed) :].rstrip())
    listener.output.write(f"{rest}\n" + (f"\n{found}" if found else ""))


def _many(
    session: Session, asked: list[inputs.Asked], policy: Policy, listener: _Listener, *, escalate: bool | None
) -> int:
    codes = [0]
    for number, one in enumerate(asked):
        listener.asked = one
        listener.progress.show("questions", number, len(asked))
        try:
            answer, plan = session.ask(one.question, policy, escalate=escalate)
        except NoRoute as error:
            listener.progress.clear()
            listener.output.warn(f"{one.id}: {error}", error.hint)
            refused = Answer("", "refused_by_budget", (), Usage(), 0)
            listener.answer(_object(session, one, refused, None))
            codes.append(error.exit_code)
        except LcragError as error:
            listener.progress.clear()
            listener.output.error(error, id=one.id)
            codes.append(error.exit_code)
        else:
            listener.explain(plan, answer)
            listener.answer(_object(session, one, answer, plan))
            codes.append(EXIT_CODES[answer.status])
    return max(codes)


def _object(session: Session, asked: inputs.Asked, answer: Answer, plan: Plan | None) -> dict[str, object]:
    return answer_object(
        asked.question,
        answer,
        plan,
        id=asked.id,
        backend=session.backend_name,
        model=session.model,
        index=session.index_info,
    )
