"""An index and a backend, ready for questions: open → rank → plan → ask."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, Self, Unpack

from lcrag import pipelines
from lcrag.backends import open_backend
from lcrag.errors import InputError, LcragError
from lcrag.index import is_external
from lcrag.index.corpus import Corpus
from lcrag.pipelines import Pipeline
from lcrag.planning.estimate import estimate
from lcrag.planning.forecast import forecast
from lcrag.planning.history import RouteLog, log_path, outcomes
from lcrag.planning.learning import learned, moved
from lcrag.planning.profile import load_profile, on_real_questions
from lcrag.planning.router import route
from lcrag.planning.scale import SAMPLE, TokenScale, frame_tokens
from lcrag.retrieve import open_embedder, open_reranker
from lcrag.retrieve.rank import fill_vectors, retrieve
from lcrag.retrieve.sections import fill_summaries
from lcrag.retrieve.share import with_share
from lcrag.session.answering import Answering, Prepared
from lcrag.session.documents import Elsewhere, OpenDocuments
from lcrag.session.many import ask_many
from lcrag.text.followup import is_about_the_user
from lcrag.text.questions import asks_for_report
from lcrag.text.structure import asks_for_structure
from lcrag.types import (
    Answer,
    Backend,
    Document,
    Embedder,
    Emit,
    Event,
    OnToken,
    Passage,
    Plan,
    Policy,
    PolicyOptions,
    Profile,
    Ranking,
    Reranker,
    Settings,
    ignore,
)


class Session(OpenDocuments):
    """An index, kept up to date with its files, and a backend. A context manager; it belongs to one thread."""

    @classmethod
    def open(
        cls,
        settings: Settings,
        emit: Emit = ignore,
        *,
        backend: Backend | None = None,
        documents: Sequence[Document] = (),
        elsewhere: Elsewhere | None = None,
    ) -> Self:
        """Find the files and bring the index up to date. ``backend``: one to use instead of what the settings name.
        ``documents``: what to read besides the files. ``elsewhere``: who reads the files and embeds all chunks.

        Raises InputError and its kin for paths that are not there or hold nothing readable, or of which nothing is
        chosen, NotAvailable for a backend or an embedding model that is not here.
        """
        session = super().open(settings, emit, documents=documents, elsewhere=elsewhere)
        if backend is not None:
            session.backend = backend
        return session

    def _selected(self) -> None:
        for of_contents in ("scale", "log", "cached"):
            vars(self).pop(of_contents, None)
        super()._selected()

    def fork(self, settings: Settings | None = None, emit: Emit | None = None) -> Session:
        """A session of its own, for another thread or on other documents, with this one's models and backend.

        The backend may be called from several threads unless its ``concurrency`` is 1. What came by a pipe is there
        until this session is closed.
        """
        documents = () if settings else self._documents
        own = self.settings.index if is_external(self.settings.index) else self.corpus.folder
        settings = settings or replace(self.settings, index=own, stdin_text=None)
        other = Session.open(
            settings, emit or ignore, backend=self.backend, documents=documents, elsewhere=self._elsewhere
        )
        other.embedder, other.reranker, other.profile = self.embedder, self.reranker, self.profile
        return other

    def known(self) -> dict[str, Any]:
        """What it knows of its documents and its backend, for ``of_copy``."""
        names = ("refreshed", "unreadable_files", "left_out", "_skipped", "profile")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def of_copy(cls, settings: Settings, corpus: Corpus, known: Mapping[str, Any]) -> Session:
        """A session on a copy of another's index, where the files need not be: it is never refreshed.

        ``known``: what the other one knew. ``corpus`` stays its owner's to close.
        """
        session = cls(settings, corpus, ignore)
        vars(session).update(known)
        return session

    @cached_property
    def embedder(self) -> Embedder | None:
        """None with ``dense="off"``, or with "auto" when nothing to embed with is installed (an event says so)."""
        return open_embedder(self.settings.dense, self.settings.embedder, self.emit)

    @cached_property
    def reranker(self) -> Reranker | None:
        """None with ``reader="off"`` or ``dense="off"``, or without the packages it needs (an event says so)."""
        return open_reranker(self.settings.dense, self.settings.reader, self.emit)

    @cached_property
    def backend(self) -> Backend:
        """The backend that the settings name; "auto" takes a server that answers, else the embedded one.

        Raises NotAvailable when the one that is named is not here.
        """
        return open_backend(self.settings, self.emit, lambda: (self.embedder, self.reranker))

    @cached_property
    def profile(self) -> Profile:
        """What ``lcrag calibrate`` measured of this backend here, as on real questions, or the built-in one; with what
        the route log has taught, where it is kept."""
        profile = on_real_questions(load_profile(self.backend.identity))
        if self.log is None:
            return profile
        try:
            return moved(profile, learned(outcomes(profile), profile))
        except LcragError as error:
            self.warn(str(error))
            return profile

    @cached_property
    def scale(self) -> TokenScale:
        """The backend's tokens next to those of the index."""
        corpus = self.corpus
        return TokenScale.measure(corpus.sample(SAMPLE), corpus.size, corpus.tokenizer, self.backend)

    @cached_property
    def log(self) -> RouteLog | None:
        if not self.settings.log:
            return None
        size = self.corpus.size
        contents = f"{self.corpus.folder.resolve()} {size.documents} {size.chunks} {size.tokens}"
        key = hashlib.sha256(contents.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return RouteLog(log_path(), key, self.settings.shadow)

    @cached_property
    def cached(self) -> dict[str, int]:
        """By route, prompt tokens that the server has in its prefix cache: by the log at first, then as we ask."""
        if self.log is None or self.backend.template_tokens is None or not self.profile.kv_tokens:
            return {}
        state = self.backend.cache_state()
        try:
            return self.log.cached(state, self.profile.kv_tokens) if state is not None else {}
        except LcragError as error:
            self.warn(str(error))
            return {}

    def fill(self) -> int:
        """Embed every chunk that has no vector yet. Returns how many were embedded."""
        if self.embedder is None:
            return 0
        there = None if self._elsewhere is None else self._elsewhere.embedding(self.embedder, self.settings.embedder)
        return fill_vectors(self.corpus, self.embedder, self.emit, there)

    def sum_up(self) -> int:
        """Sum up every section that has no summary by the backend's model yet, for ``chunk_rag:layer=section``.

        Returns how many were. Raises BackendFailed, and what an index raises that cannot be written.
        """
        return fill_summaries(self.corpus, self.backend, self.embedder, self.emit)

    def rank(self, question: str) -> Ranking:
        """The chunks of the documents by how well they match the question."""
        if self.settings.dense == "on":
            self.fill()
        ranking = retrieve(self.corpus, question, embedder=self.embedder)
        if self.settings.transcript is None:
            return ranking
        said = str(self.settings.transcript)
        shared = partial(
            with_share, source=said, first=self.corpus.chunks_of(said) if is_about_the_user(question) else None
        )
        if (by_section := ranking.by_section) is not None:
            ranking = replace(ranking, by_section=lambda: shared(by_section()))
        return shared(ranking)

    def plan(self, question: str, policy: Policy | None = None, **options: Unpack[PolicyOptions]) -> Plan:
        """Everything up to the choice of a route; no model is called. ``options``: fields of the policy by name.

        Raises InputError for an unknown pipeline, DoesNotFit or OverBudget when no route is left.
        """
        return self.prepare(question, replace(policy or Policy(), **options)).plan

    def ask(
        self,
        question: str,
        policy: Policy | None = None,
        *,
        escalate: bool | None = None,
        trace: bool = False,
        on_token: OnToken | None = None,
        **options: Unpack[PolicyOptions],
    ) -> Answer:
        """Plan, then answer by the route of the plan, which the answer carries as ``plan``.

        With ``escalate``, a route that read only a part and found nothing is followed by the next one that reads more,
        within what is left of the budgets; None means yes, unless the policy names a pipeline. ``trace``: find out
        which passages the answer depends on, by asking again without some. ``on_token`` gets the text as it is written.
        Raises what ``plan`` raises, and BackendFailed.
        """
        policy = replace(policy or Policy(), **options)
        return self.answer(self.prepare(question, policy), policy, escalate=escalate, trace=trace, on_token=on_token)

    def ask_many(
        self,
        questions: Iterable[str],
        policy: Policy | None = None,
        *,
        escalate: bool | None = None,
        workers: int | None = None,
        **options: Unpack[PolicyOptions],
    ) -> Iterator[Answer]:
        """The answers in the order of the questions, several asked at a time where the backend takes them.

        Raises the error of the first question that failed, in its turn.
        """
        policy = replace(policy or Policy(), **options)
        for result in ask_many(self, list(questions), policy, escalate=escalate, workers=workers):
            if isinstance(result, LcragError):
                raise result
            yield result

    def prepare(self, question: str, policy: Policy, ranking: Ranking | None = None) -> Prepared:
        """All that comes before the first call of a model. ``ranking``: this question's, if it has been ranked."""
        if not question.strip():
            raise InputError("the question is empty", hint='lcrag ask docs/ "your question"')
        offered: dict[str, Pipeline | type[Pipeline]] = dict(pipelines.PIPELINES)
        if asks_for_structure(question) is not None:
            offered = {pipelines.FOR_STRUCTURE.name: pipelines.FOR_STRUCTURE, **offered}
        if asks_for_report(question):  # an answer in one prompt is none
            offered = {pipelines.FOR_REPORTS.name: pipelines.FOR_REPORTS}
        if policy.pipeline is not None:
            named = pipelines.named(policy.pipeline)
            offered[named.name] = named
            policy = replace(policy, pipeline=named.name)
        ranking = self.rank(question) if ranking is None else ranking
        if policy.pipeline is None and (
            table := pipelines.table_for(question, ranking, self.corpus, self.backend, self.emit)
        ):
            offered = {table.name: table, **offered}
        found = self.scale.estimate(estimate(ranking, reranker=self.reranker is not None))
        self.emit(Event("estimate", {"diffusion": found.diffusion, "scope_tokens": found.scope_tokens}))
        size = self.scale.size(self.corpus.size)
        candidates = [
            one
            for kind in offered.values()
            for one in (kind.candidates(found, size, self.backend.window) if isinstance(kind, type) else [kind])
        ]
        frame = frame_tokens("answer", question, self.backend)
        forecasts = forecast(candidates, found, size, self.profile, self.scale.marks, self.cached, frame)
        plan = route(question, forecasts, found, self.profile, policy, self.scale.tokenizer)
        self.emit(Event("plan", {"plan": plan}))
        return Prepared(question, ranking, plan)

    def answer(
        self,
        prepared: Prepared,
        policy: Policy,
        *,
        escalate: bool | None = None,
        trace: bool = False,
        on_token: OnToken | None = None,
        asked: list[Passage] | None = None,
    ) -> Answer:
        """The second half of ``ask``. ``asked`` collects the passages that were given to the backend."""
        answering = Answering(self, prepared, policy, on_token, [] if asked is None else asked)
        self.backend.max_seconds, self.backend.on_wait = policy.max_seconds, self.warn
        answer = answering.by_further_routes(answering.by_plan(), escalate)
        return answering.traced(answer) if trace else answer

    def continue_from(
        self, answer: Answer, prepared: Prepared, policy: Policy, *, asked: list[Passage] | None = None
    ) -> Answer:
        """What follows the answer of the plan's own route, as in ``ask``. ``asked``: see ``answer``."""
        answering = Answering(self, prepared, policy, asked=[] if asked is None else asked)
        return answering.by_further_routes(answer, escalate=None)

    def warn(self, message: str) -> None:
        self.emit(Event("usage", {"message": message}))
