"""The flow as functions: paths → corpus → ranking → estimate → forecasts → plan → answer.

The only file in ``lcrag/`` that names pipelines. It decides nothing that a module below it can decide.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pipelines
from lcrag import ingest
from lcrag.backends import local_server
from lcrag.backends.machine import device, dtype
from lcrag.errors import (
    BackendFailed,
    InputError,
    NoReadableDocument,
    NoSuchPath,
    NotAvailable,
    NotInstalled,
    NotRunning,
)
from lcrag.evidence.trace import trace
from lcrag.evidence.watched import Watched
from lcrag.index import store
from lcrag.index.corpus import Corpus, IndexStatus, Refreshed, clear
from lcrag.paths import cache_folder, state_folder
from lcrag.planning.estimate import estimate
from lcrag.planning.forecast import NO_FENCES, forecast, route_key
from lcrag.planning.history import History, Record, chosen_forecast, read_record
from lcrag.planning.profile import load_profile, profile_path, save_profile
from lcrag.planning.router import further, label, route, utility
from lcrag.retrieve.passages import PASSAGE_TOKENS, passages
from lcrag.retrieve.rank import fill_vectors, retrieve
from lcrag.serve import look as server
from lcrag.text.prompts import prefix
from lcrag.text.words import stems
from lcrag.types import (
    Answer,
    Backend,
    Chunk,
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
    Reranker,
    Surroundings,
)
from pipelines.escalate import after

STDIN: Final = "-"
PIPELINES: Final = tuple(pipelines.PIPELINES)
"""Their names, in the order in which they are forecast."""
SURE: Final = 0.95
"""P(what answers was read) from which finding nothing means that nothing is there, as having read everything does.
Where it was told, the evidence had been read .992 of 778 times (``examples/evaluation/certificate.py``); that a backend
may overlook what it reads is another matter, and the same for both."""
BESIDE: Final = 2.0
"""Chunks of a passage, where hits are read."""
SAMPLE: Final = 16
"""Chunks by which the backend's tokens are compared with the index's."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session works on and with. ``paths`` may hold "-": the document in ``stdin_text``.

    ``log``: keep the route log. ``shadow``: the share of questions that a second route is run on as well, for the log.
    ``trace``: find out which passages each answer depends on.
    """

    paths: tuple[str, ...]
    index: Path | None = None
    backend: str = "auto"
    base_url: str | None = None
    model: str | None = None
    dense: str = "auto"
    embedder: str | None = None
    reader: str = "auto"
    stdin_text: str | None = None
    temperature: float = 0.0
    seed: int = 0
    log: bool = False
    shadow: float = 0.0
    trace: bool = False


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
        self._warm: dict[str, int] = {}

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
        """A session of its own, for another thread or on other documents, with this one's backend, embedder and reader.

        A session belongs to one thread; the backend may be called from several unless it runs in this process.
        """
        other = Session.open(settings, emit)
        other.embedder, other.reader, other.backend = self.embedder, self.reader, self.backend
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
        return _embedder(self.settings, self._emit)

    @cached_property
    def reader(self) -> Reranker | None:
        """None with ``reader="off"`` or ``dense="off"``, or without what it runs on (an event says so)."""
        return _reader(self.settings, self._emit)

    @cached_property
    def backend(self) -> Backend:
        """The backend that the settings name; "auto" takes a server that answers, else the embedded one.

        Raises NotAvailable when the one that is named is not here.
        """
        return open_backend(self.settings, self._emit, lambda: (self.embedder, self.reader))

    @cached_property
    def _sample(self) -> Sequence[Chunk]:
        return self.corpus.sample(SAMPLE)

    @cached_property
    def _ratio(self) -> float:
        """Tokens of the backend for one of the index, by a sample of chunks."""
        if self.backend.tokenizer == self.corpus.tokenizer:
            return 1.0
        text = "\n".join(chunk.text for chunk in self._sample)
        return self.backend.count_many([text])[0] / sum(chunk.tokens for chunk in self._sample)

    @cached_property
    def _fences(self) -> Mapping[Surroundings, float]:
        """Tokens of a prompt for one of text: a chat model sees a fence around each passage, the embedded one none.

        Read in order, chunks are joined to passages within their document; of hits about every other stands beside
        another (2.3 chunks a passage, measured).
        """
        if self.backend.name == "embedded":
            return NO_FENCES
        listed = passages(self._sample)
        own = self._ratio * sum(chunk.tokens for chunk in self._sample)
        fence = max(0.0, self.backend.count_many([prefix(listed)])[0] - own) / len(listed)
        chunk, size = own / len(self._sample), self.corpus.size
        joined = max(chunk, min(self._ratio * size.tokens / size.documents, self._ratio * PASSAGE_TOKENS - chunk / 2))
        return {"consecutive": 1 + fence / joined, "retrieved": 1 + fence / min(joined, BESIDE * chunk)}

    @property
    def backend_name(self) -> str:
        return self.backend.name

    @property
    def model(self) -> str:
        return self.backend.model

    @cached_property
    def profile(self) -> Profile:
        """What ``lcrag calibrate`` measured of this backend on this machine, or the built-in one."""
        return load_profile(*identity_of(self.backend))

    def fill(self) -> int:
        """Embed every chunk that has no vector yet. Returns how many were embedded."""
        return fill_vectors(self.corpus, self.embedder, self._emit) if self.embedder is not None else 0

    def rank(self, question: str) -> Ranking:
        if self.settings.dense == "on":
            self.fill()
        return replace(retrieve(self.corpus, question, embedder=self.embedder), reader=self.reader)

    def plan(self, question: str, policy: Policy) -> Plan:
        """Everything up to the choice of a route; no model is called.

        Raises InputError for an unknown pipeline, DoesNotFit or OverBudget when no route is left.
        """
        return self._plan(question, self.rank(question), policy)

    def _plan(self, question: str, ranking: Ranking, policy: Policy) -> Plan:
        found = estimate(ranking)
        self._emit(Event("estimate", {"diffusion": found.diffusion, "scope_tokens": found.scope_tokens}))
        own, size = self._in_own_tokens(found)
        candidates = self._candidates(own, size, policy)
        forecasts = forecast(candidates, own, size, self.profile, self._fences, self._cached())
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
        if self.settings.trace and backend is None:
            watching = Watched(self.backend)
            answer = self.answer(prepared, policy, escalate=escalate, backend=watching, first=first)
            return self._traced(prepared.question, answer, watching)
        backend = self.backend if backend is None else backend
        if escalate is None:
            escalate = policy.pipeline is None
        plan = prepared.plan
        tried = [chosen_forecast(plan, plan.pipeline, plan.options)]
        answer = self._answer(tried[0], prepared, backend) if first is None else first
        if first is None:
            self._keep(prepared, tried[0], answer)
        while escalate and failed(answer):
            made_up = (self.profile.false_found or 0.0) if answer.status != "answered" else 0.0
            option = further(plan.forecasts, tried, answer.usage, plan.estimate, policy, made_up)
            if option is None:
                break
            told = {"from": tried[-1].pipeline, "to": option.pipeline, "status": answer.status}
            self._emit(Event("escalate", told))
            again = self._answer(option, prepared, backend)
            answer = (
                after(answer, again)
                if not failed(again) or answer.status != "answered"
                else replace(answer, usage=answer.usage + again.usage, steps=answer.steps + again.steps)
            )
            tried.append(option)
        self._emit(Event("usage", {"usage": answer.usage}))
        return answer

    def _traced(self, question: str, answer: Answer, watching: Watched) -> Answer:
        if answer.status not in ("answered", "contradictory"):
            return answer
        found = trace(question, answer, watching.passages(), self.corpus, self.backend)
        return replace(answer, trace=found, usage=answer.usage + found.usage)

    def _keep(self, prepared: Prepared, route: Forecast, answer: Answer) -> None:
        """Write the route log, and for a share of the questions run a second route for it."""
        if not self.settings.log:
            return
        plan = prepared.plan
        with History(history_path()) as history:
            row = history.add(plan, route, answer, corpus=self._corpus_key, queries=self._queries())
            other = _second(plan, route)
            if other is None or _draw(plan.question) >= self.settings.shadow:
                return
            shadow = self._answer(other, prepared, self.backend)
            agrees = shadow.status == answer.status == "answered" and _same(shadow, answer)
            history.add(plan, other, shadow, corpus=self._corpus_key, shadow_of=row, agrees=agrees)
            told = {"route": label(other), "status": shadow.status, "agrees": agrees}
            self._emit(Event("shadow", told))

    @cached_property
    def _corpus_key(self) -> str:
        """The index and what is in it: prompts over other contents begin otherwise."""
        size = self.corpus.size
        told = f"{self.corpus.folder.resolve()} {size.documents} {size.chunks} {size.tokens}"
        return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def _queries(self) -> float | None:
        """Tokens that the server was ever asked for, as it counts them; None where it does not tell."""
        url = getattr(self.backend, "root", None)
        return server.look(url).prefix_queries if url is not None else None

    def _cached(self) -> Mapping[str, int]:
        """By route, tokens that the backend has cached: what this process has asked, or an earlier one by its log."""
        if self._warm or not self.settings.log or self.backend.name == "embedded" or not self.profile.kv_tokens:
            return self._warm
        queries = self._queries()
        if queries is None:
            return self._warm
        with History(history_path()) as history:
            return history.warm(self._corpus_key, self.backend.model, queries, self.profile.kv_tokens)

    def _answer(self, route: Forecast, prepared: Prepared, backend: Backend) -> Answer:
        options: Mapping[str, Any] = route.options
        pipeline: Pipeline = pipelines.PIPELINES[route.pipeline](**options)
        answer = certified(
            pipeline.answer(prepared.question, self.corpus, prepared.ranking, backend, self._emit), route.evidence
        )
        if self.backend.name != "embedded":
            key, read = route_key(route.pipeline, route.options), answer.usage
            # Asked before and nothing came from the cache: this server has none, or has forgotten it.
            self._warm[key] = 0 if self._warm.get(key) and not read.cached_tokens else read.input_tokens
        return answer


def open_backend(
    settings: Settings, emit: Emit, models: Callable[[], tuple[Embedder | None, Reranker | None]]
) -> Backend:
    """The backend that the settings name; "auto" takes a server that answers, else the embedded one.

    ``models`` is called for the embedded one alone. Raises NotAvailable when the one that is named is not here.
    """

    def by_http() -> Backend:
        """The server at the address given, else the one that ``lcrag up`` started, else one on vLLM's usual port."""
        from lcrag.backends.openai_server import DEFAULT_URL, OpenAIServer, Sampling

        ours = local_server.remembered()
        url = settings.base_url or (ours.url if ours else DEFAULT_URL)
        return OpenAIServer(
            url,
            settings.model,
            sampling=Sampling(settings.temperature, settings.seed),
            log=ours.log if ours and url == ours.url else None,
        )

    if settings.backend == "vllm":
        from lcrag.backends.openai_server import Sampling
        from lcrag.backends.vllm_offline import VLLMOffline

        return VLLMOffline(settings.model, sampling=Sampling(settings.temperature, settings.seed))
    if settings.backend == "server" or (settings.backend == "auto" and settings.base_url):
        return by_http()
    if settings.backend == "auto" and local_server.may_answer():
        try:
            return by_http()
        except (NotAvailable, BackendFailed) as error:
            if not isinstance(error, NotRunning):  # that no server is there is nothing to tell
                emit(Event("index", {"message": f"quoting sentences, without a model: {error}"}))
    from lcrag.backends.embedded import EmbeddedBackend

    return EmbeddedBackend(*models())


def _embedder(settings: Settings, emit: Emit) -> Embedder | None:
    if settings.dense == "off":
        return None
    from lcrag.retrieve.embedder import load_embedder

    try:
        return load_embedder(settings.embedder)
    except NotInstalled as error:
        if settings.dense == "on" or settings.embedder is not None:
            raise
        emit(Event("index", {"message": f"ranking by words only: {error}", "hint": error.hint}))
        return None


def _reader(settings: Settings, emit: Emit) -> Reranker | None:
    if "off" in (settings.reader, settings.dense):
        return None
    from lcrag.retrieve.reranker import MiniLMReranker

    try:
        return MiniLMReranker()
    except NotInstalled as error:
        emit(Event("index", {"message": f"answering without the reader: {error}", "hint": error.hint}))
        return None


def _models(settings: Settings, emit: Emit) -> tuple[Embedder | None, Reranker | None]:
    return _embedder(settings, emit), _reader(settings, emit)


def identity_of(backend: Backend) -> tuple[str, str, int, str, str]:
    """What a profile is kept under: backend, model, window, dtype, device."""
    url = getattr(backend, "root", None)
    ours = local_server.remembered() if url is not None else None
    folder = ours.model if ours is not None and ours.url == url else backend.model
    return backend.name, backend.model, backend.window, dtype(folder), device(url)


def history_path() -> Path:
    """The route log."""
    return state_folder() / "routes.db"


def forecast_record() -> Record | None:
    """How good the forecasts of all routes were so far; None when nothing was logged."""
    return read_record(history_path())


def certified(answer: Answer, evidence: float) -> Answer:
    """The answer with the coverage of what it read: ``evidence`` where not everything was.

    Finding nothing in nearly all that could answer is finding that nothing is there.
    """
    if answer.coverage is not None:
        return answer
    if answer.status != "not_retrieved" or evidence < SURE or not answer.tokens_read:
        return replace(answer, coverage=evidence)
    *before, last = answer.steps
    return replace(answer, status="not_found", coverage=evidence, steps=(*before, replace(last, status="not_found")))


def failed(answer: Answer) -> bool:
    """Nothing was found, or something was said that no passage holds."""
    return answer.status in ("not_found", "not_retrieved") or (answer.status == "answered" and not answer.citations)


def _second(plan: Plan, route: Forecast) -> Forecast | None:
    """The best route of another pipeline that fits."""
    left = [one for one in plan.forecasts if one.fits and one.calls and one.pipeline != route.pipeline]
    return max(left, key=lambda one: utility(one, "quality"), default=None)


def _draw(question: str) -> float:
    """A number in [0, 1) that is always the same for a question."""
    return int.from_bytes(hashlib.sha256(question.encode()).digest()[:6]) / 2**48


def _same(one: Answer, other: Answer) -> bool:
    """Whether two answers say the same, as far as words tell: most of the shorter one's are in the longer one."""
    shorter, longer = sorted((set(stems(one.short or one.text)), set(stems(other.short or other.text))), key=len)
    return len(shorter & longer) >= 0.6 * max(1, len(shorter))


READABLE = "lcrag reads text, Markdown, reStructuredText, HTML, PDF, DOCX, PPTX, EPUB, CSV, JSON, notebooks, mail, code"


def _nothing_readable(settings: Settings, skipped: Mapping[str, int], refreshed: Refreshed) -> str:
    reasons = [f"{count} {reason.replace('_', ' ')}" for reason, count in skipped.items() if count]
    reasons += [f"{source}: {reason}" for source, reason in refreshed.failed]
    detail = f" ({'; '.join(reasons)})" if reasons else ""
    return f"nothing to read in {' '.join(settings.paths)}{detail}"


def calibrate_backend(settings: Settings, emit: Emit, *, quick: bool = False) -> tuple[Profile, Path]:
    """Measure the backend that the settings name and keep its Profile; with paths, the probes lie in those documents.

    What was asked is kept as it comes, so that a run that is cut off goes on where it was. Raises what the backend
    raises.
    """
    from lcrag.calibrate.calibrate import CorpusText, calibrate
    from lcrag.calibrate.outcomes import Outcomes
    from lcrag.calibrate.probes import EnglishProbes

    with ExitStack() as cleanup:
        if settings.paths:
            session = cleanup.enter_context(Session.open(settings, emit))
            backend, text = session.backend, CorpusText(session.corpus)
        else:
            backend, text = open_backend(settings, emit, lambda: _models(settings, emit)), None
        identity = identity_of(backend)
        kept = state_folder() / "calibrate" / profile_path(*identity).with_suffix(".quick" if quick else ".full").name
        kept.parent.mkdir(parents=True, exist_ok=True)
        url = getattr(backend, "root", None)
        profile = calibrate(
            backend,
            EnglishProbes(backend, text),
            emit,
            outcomes=Outcomes.resumed(kept),
            quick=quick,
            seed=settings.seed,
            dtype=identity[3],
            device=identity[4],
            kv_tokens=server.look(url).cache_tokens if url is not None else None,
        )
        path = save_profile(profile)
        kept.unlink()
    return profile, path


def known_profile(settings: Settings, emit: Emit) -> Profile:
    """The Profile of the backend that the settings name: the measured one if there is one."""
    return load_profile(*identity_of(open_backend(settings, emit, lambda: _models(settings, emit))))
