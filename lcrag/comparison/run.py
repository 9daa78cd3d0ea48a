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
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lcrag import batch, pipelines
from lcrag.cluster.sessions import Sent, here, send
from lcrag.comparison.asking import Asker, Job, Row, Taken
from lcrag.comparison.dataset import Question
from lcrag.comparison.results import ROUTER, Results
from lcrag.comparison.scoring import metric_of, score
from lcrag.comparison.shared import DocumentIds, Rankings
from lcrag.errors import BackendFailed, InputError, NotAvailable
from lcrag.index import is_external
from lcrag.paths import key_of
from lcrag.planning.history import RouteLog, log_path
from lcrag.session import Session
from lcrag.types import (
    Backend,
    Emit,
    Event,
    Policy,
    Settings,
)

if TYPE_CHECKING:
    from lcrag.cluster.connection import Cluster
    from lcrag.cluster.files import FilesThere

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


class ComparisonRun:
    """A run over ``questions`` that resumes where ``results`` end. A context manager.

    ``judges``: whether the backend judges its own answers, which it does where no question has a gold answer.

    Raises InputError for an unknown pipeline, and what ``Session.open`` raises.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        setup: Setup,
        emit: Emit,
        *,
        backend: Backend | None = None,
        there: FilesThere | None = None,
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
            Session.open(_settings(setup.settings, self.paths[0]), emit, backend=backend, elsewhere=there)
        )
        self._cluster = None if there is None else there.cluster
        if self._cluster is not None and self.first.backend.concurrency == 1:
            self.workers = setup.workers or self._cluster.processors
        else:
            self.workers = batch.workers_for(self.first.backend, setup.workers)
        self._asker = Asker(setup.policy, self.judges, self.workers)
        self._rankings = Rankings()
        self._sent: dict[tuple[str, ...], Sent] = {}
        self._sending = threading.Lock()
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
                        Job(place, route, paths, self.questions[place])
                        for place in block
                        if not results.has(self.questions[place].id, route)
                    ]
                    if group:
                        yield group

    @contextmanager
    def _worker(self, results: Results) -> Iterator[Callable[[Job], dict[str, Any]]]:
        """A session of its own for each worker, on one set of documents at a time; or one on another machine."""
        opened: tuple[tuple[str, ...], Session] | None = None
        with ExitStack() as cleanup:

            def work(job: Job) -> dict[str, Any]:
                nonlocal opened
                question = job.question
                gold = tuple((self._places.of(span.doc), span.start, span.end) for span in question.evidence or ())
                job = replace(job, gold=gold)
                stored = {name: row for name in self.routes if (row := results.rows.get((question.id, name)))}
                if self._cluster is not None:
                    sent = self._send(self._cluster, job.paths)
                    return self._kept(job, *self._cluster.run(row_there, sent, self._asker, job, stored))
                if opened is None or opened[0] != job.paths:
                    cleanup.close()
                    session = self.first.fork(_settings(self.setup.settings, job.paths), self._emit)
                    opened = job.paths, cleanup.enter_context(session)
                return self._kept(job, *self._asker.row(job, opened[1], self._rankings, stored))

            yield work

    def _send(self, cluster: Cluster, paths: tuple[str, ...]) -> Sent:
        """The session on a set of documents, sent once. One thread at a time, since all share the first's models."""
        with self._sending:
            if paths not in self._sent:
                with self.first.fork(_settings(self.setup.settings, paths), self._emit) as session:
                    self._sent[paths] = send(cluster, session)
            return self._sent[paths]

    def _kept(self, job: Job, row: Row, taken: Sequence[Taken]) -> Row:
        """Log how right the router's own route was, where that is known. A log that cannot be written stops nothing."""
        for plan, answer in taken:
            value = score(job.question, answer.text, answer.short, answer.status)
            if value is None or not self.setup.settings.log:
                continue
            try:
                RouteLog(log_path(), corpus="").add_known(plan, answer, value.value)
            except NotAvailable as error:
                self._emit(Event("usage", {"message": f"not logged: {error}"}))
        return row


def row_there(sent: Sent, asker: Asker, job: Job, stored: dict[str, Row]) -> tuple[Row, list[Taken]]:
    """On a machine of a cluster: what ``Asker.row`` makes of a job."""
    return asker.row(job, here.open(sent), Rankings(), stored)


def _paths(question: Question, settings: Settings) -> tuple[str, ...]:
    return settings.paths or tuple(map(str, question.docs))


def _settings(settings: Settings, paths: tuple[str, ...]) -> Settings:
    """The settings for one set of documents, each with a folder of its own under ``--index``. The sessions keep no log:
    what was learned while the answers came in must not change the rest."""
    if settings.index is None or settings.paths or is_external(settings.index):
        return replace(settings, paths=paths, log=False)
    return replace(settings, paths=paths, log=False, index=Path(settings.index) / key_of(paths))
