"""Every route on every question, each paid for once: what ``lcrag compare`` runs (``lcrag.comparison.analysis`` sums
up).

A constant route takes, for each question, the options that the forecast thinks best for it, as ``--pipeline NAME``
does, and does not escalate. The router's row is what a user without ``--pipeline`` gets, escalation included. Where the
router's plan is one that a constant route has answered, that answer is the router's too (``same_as``), and only what
would follow it is asked; elsewhere the router's plan is run as a route of its own. So its row costs nothing that was
paid already, and its seconds are those measured for that route.

How right the answer of the router's plan was goes to the route log, from which later forecasts learn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from lcrag import batch, pipelines
from lcrag.comparison.dataset import Question
from lcrag.comparison.results import ROUTER, Results
from lcrag.comparison.rows import (
    ANSWER_FIELDS,
    holds,
    places_of,
    plan_fields,
    refused_row,
    stored_answer,
    stored_options,
    surrounding_text,
)
from lcrag.comparison.scoring import asked as question_text
from lcrag.comparison.scoring import evidence_score, metric_of, score
from lcrag.comparison.shared import DocumentIds, Rankings
from lcrag.errors import BackendFailed, InputError, NoRoute, NotAvailable
from lcrag.index import is_external
from lcrag.paths import key_of
from lcrag.planning.history import RouteLog, log_path
from lcrag.session import Prepared, Session
from lcrag.types import (
    Answer,
    Backend,
    Emit,
    Event,
    Passage,
    Plan,
    Policy,
    Settings,
    Task,
)

VERDICT_TOKENS: Final = 64
"""The most tokens of the backend's own judgement of an answer: 'yes' or 'no', or JSON with it."""
MOST_FAILURES: Final = 5
"""Failures of the backend in a row after which it is taken for gone."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is compared with what: ``settings.paths`` for questions that name no documents of their own.

    ``pipelines``: names as ``pipelines.named`` takes them, those that the router offers when empty.
    """

    settings: Settings
    policy: Policy
    pipelines: tuple[str, ...] = ()
    workers: int | None = None


def drawn(questions: Sequence[Question], limit: int | None, seed: int) -> list[Question]:
    """At most ``limit`` of the questions, in their order; a higher limit adds to those of a lower one.

    A hash of the seed and each id draws them, so that a run of 50 can be gone on with to one of 100.
    """
    if limit is None or limit >= len(questions):
        return list(questions)

    def lot(place: int) -> bytes:
        return hashlib.sha256(f"{seed} {questions[place].id}".encode("utf-8", "surrogatepass")).digest()

    kept = set(sorted(range(len(questions)), key=lot)[:limit])
    return [question for place, question in enumerate(questions) if place in kept]


@dataclass(frozen=True, slots=True)
class Job:
    """One question to one route; ``place``: the question's in the list."""

    place: int
    route: str
    paths: tuple[str, ...]


class ComparisonRun:
    """A run over ``questions`` that resumes where ``results`` end. A context manager.

    ``judges``: whether the backend judges its own answers, which it does where no question has a gold answer.

    Raises InputError for an unknown pipeline, and what ``Session.open`` raises.
    """

    def __init__(
        self, questions: Sequence[Question], setup: Setup, emit: Emit, *, backend: Backend | None = None
    ) -> None:
        self.routes = setup.pipelines or tuple(pipelines.PIPELINES)
        for name in self.routes:
            pipelines.named(name)  # or it raises
        self.questions = questions
        self.setup = setup
        self._emit = emit
        self._cleanup = ExitStack()
        self.judges = all(metric_of(question) is None for question in questions)
        self.paths = [_paths(question, setup.settings) for question in questions]
        self.first = self._cleanup.enter_context(
            Session.open(_settings(setup.settings, self.paths[0]), emit, backend=backend)
        )
        self.workers = batch.workers_for(self.first.backend, setup.workers)
        self._rankings = Rankings()
        self._places = DocumentIds()

    def __enter__(self) -> ComparisonRun:
        return self

    def __exit__(self, *error: object) -> None:
        self._cleanup.close()

    @property
    def header(self) -> dict[str, Any]:
        """What determines the answers: results with another header are not gone on with."""
        settings, policy = self.setup.settings, self.setup.policy
        return {
            "backend": self.first.backend.name,
            "model": self.first.backend.model,
            "profile": self.first.profile.name,
            "dense": settings.dense,
            "embedder": self.first.embedder.name if self.first.embedder is not None else None,
            "reader": self.first.reranker.name if self.first.reranker is not None else None,
            "temperature": settings.temperature,
            "seed": settings.seed,
            "policy": {key: value for key, value in asdict(policy).items() if key != "pipeline"},
            "judged": self.judges,
        }

    def run(self, results: Results, progress: Callable[[int, int], None]) -> None:
        """Ask what is not in ``results`` yet. ``progress`` gets the number of answers there are, and of all.

        A question that fails for the backend's sake is stored as an error and the run continues; after MOST_FAILURES in
        a row, and when something is not there at all, the error is raised. Ctrl-C and errors leave ``results`` whole.
        """
        for question in self.questions:
            for route in (*self.routes, ROUTER):
                row = results.rows.get((question.id, route))
                if row is not None and row["question"] != question.question:
                    raise InputError(f"{results.path} holds another question {question.id}", hint="name another file")
        constants = list(self._groups(results, self.routes))
        total = len(self.questions) * (len(self.routes) + 1)
        done = total - sum(map(len, constants)) - sum(map(len, self._groups(results, (ROUTER,))))
        failures = 0
        for groups in (constants, self._groups(results, (ROUTER,))):
            for _, row in batch.run(groups, lambda: self._worker(results), self.workers):
                results.add(row)
                done += 1
                progress(done, total)
                failures = failures + 1 if row["error"] else 0
                if failures == MOST_FAILURES:
                    raise BackendFailed(row["error"]["message"], hint=row["error"]["hint"])

    def _groups(self, results: Results, routes: Sequence[str]) -> Iterator[list[Job]]:
        """Jobs that begin with the same prompt together: by documents, then in blocks of questions by route."""
        by_paths: dict[tuple[str, ...], list[int]] = {}
        for place, paths in enumerate(self.paths):
            by_paths.setdefault(paths, []).append(place)
        for paths, places in by_paths.items():
            for block in batch.blocks(places):
                for route in routes:
                    group = [
                        Job(place, route, paths) for place in block if not results.has(self.questions[place].id, route)
                    ]
                    if group:
                        yield group

    @contextmanager
    def _worker(self, results: Results) -> Iterator[Callable[[Job], dict[str, Any]]]:
        """A session of its own for each worker, on one set of documents at a time."""
        opened: tuple[tuple[str, ...], Session] | None = None
        with ExitStack() as cleanup:

            def work(job: Job) -> dict[str, Any]:
                nonlocal opened
                if opened is None or opened[0] != job.paths:
                    cleanup.close()
                    session = self.first.fork(_settings(self.setup.settings, job.paths), self._emit)
                    opened = job.paths, cleanup.enter_context(session)
                return self._row(job, opened[1], results)

            yield work

    def _row(self, job: Job, session: Session, results: Results) -> dict[str, Any]:
        question = self.questions[job.place]
        policy = self.setup.policy
        if job.route != ROUTER:
            policy = replace(policy, pipeline=job.route)
        asked: list[Passage] = []
        row: dict[str, Any] = {"id": question.id, "route": job.route, "question": question.question, "error": None}
        row["at_once"] = self.workers
        row["corpus"] = {"documents": session.corpus.size.documents, "tokens": session.corpus.size.tokens}
        try:
            text = question_text(question)
            ranking = self._rankings.get(job.paths, job.place, lambda: session.rank(text))
            prepared = session.prepare(text, policy, ranking)
            row |= plan_fields(prepared.plan)
            if job.route == ROUTER:
                row |= self._routed(question, session, prepared, asked, results)
            else:
                answer = session.answer(prepared, policy, asked=asked)
                row |= self._answered(question, session, answer, asked)
        except NoRoute as error:
            row |= refused_row(str(error))
        except BackendFailed as error:
            row["error"] = {"kind": error.kind, "message": str(error), "hint": error.hint}
        return row

    def _routed(
        self, question: Question, session: Session, prepared: Prepared, asked: list[Passage], results: Results
    ) -> dict[str, Any]:
        """The router's answer: that of the constant route with the same plan, and what follows it."""
        plan = prepared.plan
        same = results.rows.get((question.id, plan.pipeline))
        if same is None or same["error"] or same.get("options") != stored_options(plan):
            answer = session.answer(prepared, self.setup.policy, asked=asked)
            if len(answer.steps) == 1:
                self._keep(question, plan, answer)
            return self._answered(question, session, answer, asked)
        self._keep(question, plan, stored_answer(same))
        answer = session.continue_from(stored_answer(same), prepared, self.setup.policy, asked=asked)
        if not asked:  # it was answered, or nothing that reads more was left to try
            return {key: same[key] for key in ANSWER_FIELDS} | {"same_as": plan.pipeline}
        row = self._answered(question, session, answer, asked)
        row["steps"] = same["steps"] + row["steps"]
        if row["evidence"]:
            row["evidence"]["read"] = max(row["evidence"]["read"], same["evidence"]["read"])
        return row

    def _keep(self, question: Question, plan: Plan, answer: Answer) -> None:
        """Log how right the plan's own route was, where that is known. A log that cannot be written stops nothing."""
        value = score(question, answer.text, answer.short, answer.status)
        if value is None or not self.setup.settings.log:
            return
        try:
            RouteLog(log_path(), corpus="").add_known(plan, answer, value.value)
        except NotAvailable as error:
            self._emit(Event("usage", {"message": f"not logged: {error}"}))

    def _answered(
        self, question: Question, session: Session, answer: Answer, asked: Sequence[Passage]
    ) -> dict[str, Any]:
        cited = [(citation.document_id, citation.start, citation.end) for citation in answer.citations]
        evidence = None
        if question.evidence:
            gold = [(self._places.of(span.doc), span.start, span.end) for span in question.evidence]
            evidence = asdict(evidence_score(gold, places_of(asked), cited))
        return {
            "status": answer.status,
            "answer": answer.text,
            "short": answer.short,
            "citations": [
                {
                    **asdict(citation),
                    "around": surrounding_text(session, citation.document_id, citation.start, citation.end),
                }
                for citation in answer.citations
            ],
            "usage": asdict(answer.usage),
            "read": answer.tokens_read,
            "steps": [step.pipeline for step in answer.steps],
            "evidence": evidence,
            "verdict": self._judged(question, session, answer, asked) if self.judges else None,
            "same_as": None,
        }

    @staticmethod
    def _judged(question: Question, session: Session, answer: Answer, asked: Sequence[Passage]) -> str | None:
        """What the backend says of the passages that the answer cites: whether they suffice to answer the question.

        None where there is no answer to judge; "no" where it cites nothing.
        """
        if answer.status not in ("answered", "contradictory"):
            return None
        cited = [passage for passage in asked if any(holds(passage, place) for place in answer.citations)]
        if not cited:
            return "no"
        unique = {(passage.document_id, passage.start, passage.text): passage for passage in cited}
        listed = tuple(replace(passage, marker=place) for place, passage in enumerate(unique.values(), 1))
        [verdict] = session.backend.run([Task("judge", question_text(question), listed)], max_tokens=VERDICT_TOKENS)
        return verdict.text


def _paths(question: Question, settings: Settings) -> tuple[str, ...]:
    return settings.paths or tuple(map(str, question.docs))


def _settings(settings: Settings, paths: tuple[str, ...]) -> Settings:
    """The settings for one set of documents, each with a folder of its own under ``--index``. The sessions keep no log:
    what was learned while the answers came in must not change the rest."""
    if settings.index is None or settings.paths or is_external(settings.index):
        return replace(settings, paths=paths, log=False)
    return replace(settings, paths=paths, log=False, index=Path(settings.index) / key_of(paths))
