"""``lcrag ask``: one question or many, and the forms that answers take on standard output."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from lcrag.cli import inputs
from lcrag.cli import options as opt
from lcrag.cli.output import Output, width
from lcrag.cli.progress import Progress
from lcrag.comparison import batch
from lcrag.errors import InputError, LcragError, NoRoute
from lcrag.report import plans, text
from lcrag.report.objects import answer_object, event_data
from lcrag.report.terminal import printable
from lcrag.types import Answer, Event, Plan, Policy, Status, Usage

if TYPE_CHECKING:
    from pathlib import Path

    from lcrag.session import Prepared, Session

EXIT_CODES: dict[Status, int] = {
    "answered": 0,
    "contradictory": 0,
    "not_found": 1,
    "not_retrieved": 1,
    "refused_by_budget": NoRoute.exit_code,
}

Result = tuple[Answer, Plan] | LcragError

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

    from lcrag.session import Session, Settings

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
        trace=trace,
    )
    policy = Policy(prefer, max_tokens, max_seconds, min_quality, pipeline)
    with Progress(output) as progress:
        listener = _Listener(output, progress, explain=explain, stream=stream, one=questions is None)
        with Session.open(settings, listener) as session:
            describe(session, settings.backend, output, progress)
            if questions is None:
                return _one(session, asked[0], policy, listener, escalate=escalate, sources=sources)
            output.form = "json" if output.form == "text" else output.form
            return _Many(session, policy, listener, escalate=escalate, workers=workers).run(asked)


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
    """Events of one call, to where each belongs. ``streamed`` is what of the answer was printed already.

    Called from the thread of each worker; ``asked`` is what that thread is at.
    """

    def __init__(self, output: Output, progress: Progress, *, explain: bool, stream: bool | None, one: bool) -> None:
        self.output = output
        self.progress = progress
        self._at = threading.local()
        self._lock = threading.Lock()
        self.streamed = ""
        self._explain = explain
        self._tokens = stream is not False
        self._streams = one and output.form == "text" and (sys.stdout.isatty() if stream is None else stream)

    @property
    def asked(self) -> inputs.Asked | None:
        return getattr(self._at, "asked", None)

    @asked.setter
    def asked(self, asked: inputs.Asked) -> None:
        self._at.asked = asked

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._take(event)

    def _take(self, event: Event) -> None:
        self.progress(event)
        if self.output.form == "ndjson" and (self._tokens or event.kind != "token"):
            self.output.event(event.kind, self._id() | event_data(event))
        if event.kind == "plan" and self._explain:
            self.progress.clear()
            plan: Plan = event.data["plan"]
            report = plans.plan_report(plan, width=width(), colour=self.output.colour(sys.stderr))
            self.output.report(report)
        if event.kind == "token" and self._streams:
            self.progress.clear()
            self.output.write(printable(event.data["text"]))
            self.streamed += event.data["text"]

    def explain(self, plan: Plan, answer: Answer) -> None:
        """With --explain, print what was forecast beside what came of it; with --trace, what the answer depends on."""
        if self._explain:
            self.progress.clear()
            self.output.report(plans.outcome_report(plan, answer, width=width(), colour=self.output.colour(sys.stderr)))
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

    def failed(self, error: LcragError, id: str | int | None) -> None:
        """Print an error of one of many questions."""
        with self._lock:
            self.progress.clear()
            self.output.error(error, id=id)

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


class _Many:
    """Many questions of the same documents, answered in blocks, printed in the order in which they were asked.

    On a server a block is planned first, so that questions with the same route, whose prompts may begin the same, go
    together; then several are asked at a time. Without one, each question is planned and answered in its turn.
    """

    def __init__(
        self, session: Session, policy: Policy, listener: _Listener, *, escalate: bool | None, workers: int | None
    ) -> None:
        self._session = session
        self._policy = policy
        self._listener = listener
        self._escalate = escalate
        self._workers = batch.workers_for(session.backend_name, workers)
        self._block = 1 if session.backend_name == "embedded" else batch.BLOCK
        self._prepared: dict[inputs.Asked, Prepared] = {}

    def run(self, asked: list[inputs.Asked]) -> int:
        """Print all answers; returns the exit code that sums them up."""
        code = done = 0
        self._listener.progress.show("questions", done, len(asked))
        for block in batch.blocks(asked, self._block):
            groups = self._groups(block)
            for one, result in batch.in_order(batch.run(groups, self._worker, self._workers), block):
                code = max(code, self._print(one, result))
                done += 1
                self._listener.progress.show("questions", done, len(asked))
        return code

    def _groups(self, block: Sequence[inputs.Asked]) -> list[list[inputs.Asked]]:
        """The block's questions by the route that each will take."""
        if len(block) == 1:
            return [list(block)]
        groups: dict[str, list[inputs.Asked]] = {}
        for one in block:
            self._listener.asked = one
            try:
                self._prepared[one] = self._session.prepare(one.question, self._policy)
            except LcragError:
                key = ""  # it will be raised again where it is told
            else:
                plan = self._prepared[one].plan
                key = f"{plan.pipeline} {dict(plan.options)}"
            groups.setdefault(key, []).append(one)
        return list(groups.values())

    @contextmanager
    def _worker(self) -> Iterator[Callable[[inputs.Asked], Result]]:
        if self._workers == 1:
            yield lambda one: self._answer(self._session, one)
            return
        with self._session.beside(self._session.settings, self._hear) as session:
            yield lambda one: self._answer(session, one)

    def _hear(self, event: Event) -> None:
        """Events of a worker, but for those of opening an index that is open already."""
        if event.kind != "index":
            self._listener(event)

    def _answer(self, session: Session, one: inputs.Asked) -> Result:
        self._listener.asked = one
        try:
            prepared = self._prepared.pop(one, None) or session.prepare(one.question, self._policy)
            return session.answer(prepared, self._policy, escalate=self._escalate), prepared.plan
        except LcragError as error:
            return error

    def _print(self, one: inputs.Asked, result: Result) -> int:
        if isinstance(result, NoRoute):
            self._listener.progress.clear()
            self._listener.output.warn(f"{one.id}: {result}", result.hint)
            refused = Answer("", "refused_by_budget", (), Usage(), 0)
            self._listener.answer(_object(self._session, one, refused, None))
            return result.exit_code
        if isinstance(result, LcragError):
            self._listener.failed(result, one.id)
            return result.exit_code
        answer, plan = result
        self._listener.explain(plan, answer)
        self._listener.answer(_object(self._session, one, answer, plan))
        return EXIT_CODES[answer.status]


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
