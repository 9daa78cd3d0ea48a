"""The flow as functions: paths → corpus → ranking → estimate → forecasts → plan → answer.

The only file in ``lcrag/`` that names pipelines. It decides nothing that a module below it can decide.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import pipelines
from lcrag import ingest, server, store
from lcrag.corpus import Corpus, IndexStatus, Refreshed, clear
from lcrag.errors import (
    BackendFailed,
    InputError,
    NoReadableDocument,
    NoSuchPath,
    NotAvailable,
    NotInstalled,
    NotRunning,
)
from lcrag.estimate import estimate
from lcrag.folders import cache_folder
from lcrag.forecast import forecast
from lcrag.passages import fenced, passages, recounted
from lcrag.profile import builtin_profile
from lcrag.retrieve import fill_vectors, retrieve
from lcrag.router import route
from lcrag.types import (
    Answer,
    Backend,
    CorpusSize,
    Embedder,
    Emit,
    Estimate,
    Event,
    Forecast,
    Pipeline,
    Plan,
    Policy,
    Profile,
    Ranking,
)
from pipelines.escalate import after

if TYPE_CHECKING:
    from lcrag.backends.openai_server import Sampling

STDIN: Final = "-"
PIPELINES: Final = tuple(pipelines.PIPELINES)
"""Their names, in the order in which they are forecast."""
SAMPLE: Final = 16
"""Chunks by which the backend's tokens are compared with the index's."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session works on and with. ``paths`` may hold "-": the document in ``stdin_text``."""

    paths: tuple[str, ...]
    index: Path | None = None
    backend: str = "auto"
    base_url: str | None = None
    model: str | None = None
    dense: str = "auto"
    embedder: str | None = None
    stdin_text: str | None = None
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question on its way: ranked and planned, not answered yet."""

    question: str
    ranking: Ranking
    plan: Plan


def index_folder(settings: Settings) -> Path:
    """One folder per set of paths, whatever their order; ``settings.index`` names another."""
    if settings.index is not None:
        return settings.index
    resolved = sorted({str(Path(path).resolve()) for path in settings.paths if path != STDIN})
    key = hashlib.sha256("\0".join(resolved).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return cache_folder() / "index" / key


def index_status(settings: Settings) -> IndexStatus:
    """What the index of these paths holds now, without refreshing it.

    Raises NoSuchPath when there is no index yet.
    """
    folder = index_folder(settings)
    if not (folder / store.FILE).exists():
        raise NoSuchPath(f"no index of {' '.join(settings.paths)} yet", hint=f"lcrag index {' '.join(settings.paths)}")
    with Corpus.open(folder) as corpus:
        return corpus.status()


def index_clear(settings: Settings) -> bool:
    """Remove the index of these paths. False when there was none."""
    return clear(index_folder(settings))


class Session:
    """An index, kept up with its files, and a backend: questions go in, plans and answers come out.

    ``failed`` lists the files that could not be read with the reason of each; they never stop the others.
    """

    def __init__(self, settings: Settings, corpus: Corpus, refreshed: Refreshed, skipped: int, emit: Emit) -> None:
        self.settings = settings
        self.corpus = corpus
        self.failed = refreshed.failed
        self.refreshed = refreshed
        self._skipped = skipped
        self._emit = emit
        self._cleanup = ExitStack()

    @classmethod
    def open(cls, settings: Settings, emit: Emit) -> Session:
        """Find the files, bring the index up to date.

        Raises InputError and its kin for paths that are not there or hold nothing readable, NotAvailable for a
        backend or an embedding model that is not here.
        """
        if not settings.paths:
            raise InputError("no path to read from", hint='lcrag ask docs/ "your question"')
        scan = ingest.discover([path for path in settings.paths if path != STDIN])
        extra = [ingest.from_text(settings.stdin_text, STDIN)] if settings.stdin_text is not None else []
        with ExitStack() as cleanup:
            if settings.stdin_text is not None and settings.index is None:
                # What came by a pipe is not kept: two pipes at once would also share one index.
                folder = Path(tempfile.mkdtemp(prefix="lcrag-"))
                cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
            else:
                folder = index_folder(settings)
            corpus = cleanup.enter_context(Corpus.open(folder))
            refreshed = corpus.refresh(scan, emit, extra)
            session = cls(settings, corpus, refreshed, sum(scan.skipped.values()) + len(refreshed.failed), emit)
            if corpus.size.documents == 0:
                raise NoReadableDocument(_nothing_readable(settings, scan.skipped, refreshed), hint=READABLE)
            emit(Event("index", dict(session.index_info)))
            session._cleanup = cleanup.pop_all()
        return session

    def beside(self, settings: Settings, emit: Emit) -> Session:
        """A session of its own, for another thread or on other documents, with this one's backend and embedder.

        A session belongs to one thread; the backend may be called from several unless it runs in this process.
        """
        other = Session.open(settings, emit)
        other.embedder, other.backend = self.embedder, self.backend
        return other

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    @property
    def index_info(self) -> Mapping[str, int]:
        """What is in the index: ``documents``, ``chunks``, ``tokens``, and the files ``skipped`` on the way."""
        size = self.corpus.size
        return {
            "documents": size.documents,
            "chunks": size.chunks,
            "tokens": size.tokens,
            "skipped": self._skipped,
        }

    @cached_property
    def embedder(self) -> Embedder | None:
        """None with ``dense="off"``, or with "auto" when nothing to embed with is installed (an event says so)."""
        if self.settings.dense == "off":
            return None
        from lcrag.embed import load_embedder

        try:
            return load_embedder(self.settings.embedder)
        except NotInstalled as error:
            if self.settings.dense == "on" or self.settings.embedder is not None:
                raise
            self._emit(Event("index", {"message": f"ranking by words only: {error}", "hint": error.hint}))
            return None

    @cached_property
    def backend(self) -> Backend:
        """The backend that the settings name; "auto" takes a server that answers, else the embedded one.

        Raises NotAvailable when the one that is named is not here.
        """
        if self.settings.backend == "vllm":
            from lcrag.backends.vllm_offline import VLLMOffline

            return VLLMOffline(self.settings.model, sampling=self._sampling)
        if self.settings.backend == "server" or (self.settings.backend == "auto" and self.settings.base_url):
            return self._server()
        if self.settings.backend == "auto" and server.may_answer():
            try:
                return self._server()
            except (NotAvailable, BackendFailed) as error:
                if not isinstance(error, NotRunning):  # that no server is there is nothing to tell
                    self._emit(Event("index", {"message": f"quoting sentences, without a model: {error}"}))
        from lcrag.backends.embedded import EmbeddedBackend

        return EmbeddedBackend(self.embedder)

    @property
    def _sampling(self) -> Sampling:
        from lcrag.backends.openai_server import Sampling

        return Sampling(self.settings.temperature, self.settings.seed)

    def _server(self) -> Backend:
        """The server at the address given, else the one that ``lcrag up`` started, else one on vLLM's usual port."""
        from lcrag.backends.openai_server import DEFAULT_URL, OpenAIServer

        ours = server.remembered()
        url = self.settings.base_url or (ours.url if ours else DEFAULT_URL)
        return OpenAIServer(
            url,
            self.settings.model,
            sampling=self._sampling,
            log=ours.log if ours and url == ours.url else None,
            on_token=lambda piece: self._emit(Event("token", {"text": piece})),
        )

    @cached_property
    def _ratio(self) -> float:
        """Tokens of the backend for one of the index, by a sample of chunks."""
        if self.backend.tokenizer == self.corpus.tokenizer:
            return 1.0
        sample = self.corpus.sample(SAMPLE)
        return sum(self.backend.count_many([chunk.text for chunk in sample])) / sum(chunk.tokens for chunk in sample)

    @cached_property
    def _fences(self) -> float:
        """Tokens of a prompt for one of text: a chat model sees a fence around each passage, the embedded one none."""
        if self.backend.name == "embedded":
            return 1.0
        sample = recounted(self.corpus.sample(SAMPLE), self.corpus, self.backend)
        return sum(fenced(passages(sample), self.backend)) / sum(chunk.tokens for chunk in sample)

    @property
    def backend_name(self) -> str:
        return self.backend.name

    @property
    def model(self) -> str:
        return self.backend.model

    @cached_property
    def profile(self) -> Profile:
        return builtin_profile(self.backend.name, self.backend.model, self.backend.window)

    def fill(self) -> int:
        """Embed every chunk that has no vector yet. Returns how many were embedded."""
        return fill_vectors(self.corpus, self.embedder, self._emit) if self.embedder is not None else 0

    def rank(self, question: str) -> Ranking:
        if self.settings.dense == "on":
            self.fill()
        return retrieve(self.corpus, question, embedder=self.embedder)

    def plan(self, question: str, policy: Policy) -> Plan:
        """Everything up to the choice of a route; no model is called.

        Raises InputError for an unknown pipeline, DoesNotFit or OverBudget when no route is left.
        """
        return self._plan(question, self.rank(question), policy)

    def _plan(self, question: str, ranking: Ranking, policy: Policy) -> Plan:
        found = estimate(ranking)
        self._emit(Event("estimate", {"diffusion": found.diffusion, "scope_tokens": found.scope_tokens}))
        own, size = self._in_own_tokens(found)
        forecasts = forecast(self._candidates(own, size, policy), own, size, self.profile, self._fences)
        plan = route(question, forecasts, found, self.profile, policy)
        self._emit(Event("plan", {"plan": plan}))
        return plan

    def _in_own_tokens(self, found: Estimate) -> tuple[Estimate, CorpusSize]:
        """Estimate and corpus size in the backend's tokens instead of the index's."""
        size = self.corpus.size
        if self._ratio == 1.0:
            return found, size
        own = replace(
            found,
            scope_tokens=round(found.scope_tokens * self._ratio),
            coverage=tuple((round(k * self._ratio), p) for k, p in found.coverage),
        )
        longest = round(size.longest_document * self._ratio)
        return own, replace(size, tokens=round(size.tokens * self._ratio), longest_document=longest)

    def _candidates(self, found: Estimate, size: CorpusSize, policy: Policy) -> list[Pipeline]:
        if policy.pipeline is not None and policy.pipeline not in pipelines.PIPELINES:
            raise InputError(
                f"there is no pipeline {policy.pipeline!r}", hint=f"--pipeline {'|'.join(pipelines.PIPELINES)}"
            )
        return [
            candidate
            for kind in pipelines.PIPELINES.values()
            for candidate in kind.candidates(found, size, self.backend.window)
        ]

    def ask(self, question: str, policy: Policy, *, escalate: bool | None = None) -> tuple[Answer, Plan]:
        """Plan, then answer by the route of the plan.

        With ``escalate``, a route that read only a part and found nothing is followed by the next one that reads more,
        within what is left of the budgets; None means yes, unless the policy names a pipeline. Raises what ``plan``
        raises, and BackendFailed.
        """
        prepared = self.prepare(question, policy)
        return self.answer(prepared, policy, escalate=escalate), prepared.plan

    def prepare(self, question: str, policy: Policy, ranking: Ranking | None = None) -> Prepared:
        """All that comes before the first call of a model. ``ranking``: this question's, where it is there already."""
        if not question.strip():
            raise InputError("the question is empty", hint='lcrag ask docs/ "your question"')
        ranking = self.rank(question) if ranking is None else ranking
        return Prepared(question, ranking, self._plan(question, ranking, policy))

    def answer(
        self,
        prepared: Prepared,
        policy: Policy,
        *,
        escalate: bool | None = None,
        backend: Backend | None = None,
        first: Answer | None = None,
    ) -> Answer:
        """The second half of ``ask``. ``backend``: one that stands before the session's, to watch it.

        ``first``: what the plan's own route answered already, if it did; then only what comes after it is asked.
        """
        backend = self.backend if backend is None else backend
        if escalate is None:
            escalate = policy.pipeline is None
        plan, tried = prepared.plan, prepared.plan.pipeline
        answer = self._answer(tried, plan.options, prepared, backend) if first is None else first
        while escalate and answer.status == "not_retrieved":
            further = _reads_more(plan.forecasts, answer, policy)
            if further is None:
                break
            self._emit(Event("escalate", {"from": tried, "to": further.pipeline, "status": answer.status}))
            answer = after(answer, self._answer(further.pipeline, further.options, prepared, backend))
            tried = further.pipeline
        self._emit(Event("usage", {"usage": answer.usage}))
        return answer

    def _answer(self, name: str, options: Mapping[str, Any], prepared: Prepared, backend: Backend) -> Answer:
        pipeline: Pipeline = pipelines.PIPELINES[name](**options)
        return pipeline.answer(prepared.question, self.corpus, prepared.ranking, backend, self._emit)


def _reads_more(forecasts: tuple[Forecast, ...], answer: Answer, policy: Policy) -> Forecast | None:
    """The cheapest route that reads more than was read already and fits what is left of the budgets."""
    left = [
        option
        for option in forecasts
        if option.fits
        and option.calls > 0
        and option.input_tokens > answer.usage.input_tokens
        and (policy.max_tokens is None or option.input_tokens + answer.usage.input_tokens <= policy.max_tokens)
        and (policy.max_seconds is None or option.seconds + answer.usage.seconds <= policy.max_seconds)
    ]
    return min(left, key=lambda option: (option.input_tokens, -option.quality), default=None)


READABLE = "lcrag reads text, Markdown, reStructuredText, HTML, PDF, DOCX, PPTX, EPUB, CSV, JSON, notebooks, mail, code"


def _nothing_readable(settings: Settings, skipped: Mapping[str, int], refreshed: Refreshed) -> str:
    reasons = [f"{count} {reason.replace('_', ' ')}" for reason, count in skipped.items() if count]
    reasons += [f"{source}: {reason}" for source, reason in refreshed.failed]
    detail = f" ({'; '.join(reasons)})" if reasons else ""
    return f"nothing to read in {' '.join(settings.paths)}{detail}"
