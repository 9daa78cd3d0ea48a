"""An index and a backend, ready for questions: open → rank → plan → ask.

The only module of ``lcrag/`` that names pipelines. What it decides is decided by a module below it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, Protocol, Self, Unpack

from lcrag import batch, ingest, pipelines
from lcrag.backends import open_backend
from lcrag.errors import BackendFailed, DoesNotFit, InputError, LcragError, NoReadableDocument, NoRoute
from lcrag.index import engine_of, folder_of, is_external
from lcrag.index.corpus import Corpus, Refreshed
from lcrag.index.prepare import ParsedFile
from lcrag.index.selection import Selection
from lcrag.ingest import Scan, SourceFile
from lcrag.paths import temporary_folder
from lcrag.pipelines import RECIPES, Pipeline, Run, every_pipeline, options_of, split_names
from lcrag.planning.estimate import estimate
from lcrag.planning.explain import label
from lcrag.planning.forecast import forecast, route_key
from lcrag.planning.history import RouteLog, log_path, outcomes
from lcrag.planning.learning import learned, moved
from lcrag.planning.profile import load_profile, on_real_questions
from lcrag.planning.router import as_it_went, choose, further, route
from lcrag.planning.scale import SAMPLE, TokenScale, frame_tokens
from lcrag.planning.use import invents
from lcrag.retrieve import open_embedder, open_reranker
from lcrag.retrieve.rank import SECTION_WEIGHT, EmbedBatches, fill_vectors, retrieve
from lcrag.retrieve.sections import fill_summaries
from lcrag.retrieve.share import with_share
from lcrag.text.followup import is_about_the_user
from lcrag.text.prompts import ANSWER_TOKENS, most_answer_tokens
from lcrag.text.questions import asks_for_report
from lcrag.text.structure import asks_for_structure
from lcrag.types import (
    Answer,
    Backend,
    Document,
    Embedder,
    Emit,
    Event,
    Forecast,
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

__all__ = ["RECIPES", "Prepared", "Session", "ask_many", "every_pipeline", "options_of", "path_strings", "split_names"]

STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that has been ranked and planned but not answered."""

    question: str
    ranking: Ranking
    plan: Plan


class Elsewhere(Protocol):
    """Other machines that read files and embed texts for this one: ``lcrag.cluster.files.FilesThere``."""

    def parse_files(
        self, files: Sequence[SourceFile], known: set[bytes]
    ) -> Iterator[tuple[SourceFile, ParsedFile]]: ...
    def embedding(self, embedder: Embedder, named: str | None) -> EmbedBatches: ...


class Session:
    """An index, kept up to date with its files, and a backend. A context manager; it belongs to one thread.

    ``unreadable_files``: files that could not be read, with the reason of each; they never stop the others.
    ``left_out``: these, the files that were read only in part, and what was skipped although it may hold an answer.
    ``emit`` gets the events of what happens next.
    """

    refreshed: Refreshed
    unreadable_files: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...]

    def __init__(
        self,
        settings: Settings,
        corpus: Corpus,
        emit: Emit,
        documents: Sequence[Document] = (),
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """Prefer ``open``."""
        self.settings = settings
        self.corpus = corpus
        self.emit = emit
        self._documents = tuple(documents)
        self._elsewhere = elsewhere
        self._skipped = 0
        self._cleanup = ExitStack()

    @classmethod
    def open(
        cls,
        settings: Settings,
        emit: Emit = ignore,
        *,
        backend: Backend | None = None,
        documents: Sequence[Document] = (),
        elsewhere: Elsewhere | None = None,
    ) -> Session:
        """Find the files and bring the index up to date. ``backend``: one to use instead of what the settings name.
        ``documents``: what to read besides the files. ``elsewhere``: who reads the files and embeds all chunks.

        Raises InputError and its kin for paths that are not there or hold nothing readable, or of which nothing is
        chosen, NotAvailable for a backend or an embedding model that is not here.
        """
        if not settings.paths and not documents:
            raise InputError("no path to read from", hint='lcrag ask docs/ "your question"')
        scan = _scan(settings)
        if settings.stdin_text is not None:
            documents = [*documents, ingest.from_text(settings.stdin_text, STDIN)]
        with ExitStack() as cleanup:
            if documents and settings.index is None:
                # What came by a pipe is not kept: two pipes at once would also share one index.
                folder = cleanup.enter_context(temporary_folder(Path(tempfile.gettempdir()), "lcrag"))
            else:
                folder = folder_of(settings.paths, settings.index)
            corpus = cleanup.enter_context(Corpus.open(folder, engine_of(folder, settings.index)))
            session = cls(settings, corpus, emit, documents, elsewhere)
            corpus.select(session._selection)
            session.refresh(scan)
            session._cleanup = cleanup.pop_all()
        if backend is not None:
            session.backend = backend
        emit(Event("index", dict(session.index_info)))
        return session

    def scan(self) -> Scan:
        """The files that the paths lead to now. Any thread may ask."""
        return _scan(self.settings)

    def refresh(self, scan: Scan | None = None) -> None:
        """Bring the index up to date with the files of ``scan``, or as they are now. Raises what ``open`` raises."""
        scan = self.scan() if scan is None else scan
        parse = None if self._elsewhere is None else self._elsewhere.parse_files
        refreshed = self.corpus.refresh(scan, self.emit, self._documents, parse)
        if self.corpus.whole_size.documents == 0:
            message = ingest.nothing_readable(self.settings.paths, scan.skipped, refreshed.failed)
            raise NoReadableDocument(message, hint=ingest.READABLE)
        self.refreshed = refreshed
        self.unreadable_files = tuple(file for file in refreshed.failed if file[1] != ingest.BLANK)
        self._left_out = self.unreadable_files + refreshed.partly_read + scan.left_out
        self._skipped = sum(map(len, scan.skipped.values())) + len(refreshed.failed)
        self._selected()

    def select(self, only: Iterable[str] = (), since: str | None = None) -> None:
        """Read only these documents from now on: see ``Settings``. Raises InputError when none is chosen, or for a date
        that is none."""
        chosen = replace(self.settings, only=tuple(only), since=since)
        if chosen == self.settings:
            return
        self.settings = chosen
        self.corpus.select(self._selection)
        self._selected()

    @property
    def _selection(self) -> Selection:
        always = {STDIN} if self.settings.transcript is None else {STDIN, str(self.settings.transcript)}
        return Selection(tuple(self.settings.only), self.settings.since, frozenset(always))

    def _selected(self) -> None:
        """What depends on the documents that are chosen is found again. Raises InputError when these are none."""
        for of_contents in ("scale", "_log", "_cached"):
            vars(self).pop(of_contents, None)
        chosen = self._selection
        self.left_out = tuple(file for file in self._left_out if chosen.has(file[0]))
        if self.corpus.size.documents == 0:
            raise InputError(
                f"none of the {self.corpus.whole_size.documents:,} documents is chosen by {chosen}",
                hint=f"patterns are for paths as they are shown, like {self.corpus.newest()}",
            )

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

    def close(self) -> None:
        """Close the index. What came by a pipe is removed."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def index_info(self) -> Mapping[str, int]:
        """What is in the index: ``documents``, ``chunks``, ``tokens``, and the number of files ``skipped``."""
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
        if self._log is None:
            return profile
        try:
            return moved(profile, learned(outcomes(profile), profile))
        except LcragError as error:
            self._warn(str(error))
            return profile

    @cached_property
    def scale(self) -> TokenScale:
        """The backend's tokens next to those of the index."""
        corpus = self.corpus
        return TokenScale.measure(corpus.sample(SAMPLE), corpus.size, corpus.tokenizer, self.backend)

    @cached_property
    def _log(self) -> RouteLog | None:
        if not self.settings.log:
            return None
        size = self.corpus.size
        contents = f"{self.corpus.folder.resolve()} {size.documents} {size.chunks} {size.tokens}"
        key = hashlib.sha256(contents.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return RouteLog(log_path(), key, self.settings.shadow)

    @cached_property
    def _cached(self) -> dict[str, int]:
        """By route, prompt tokens that the server has in its prefix cache: by the log at first, then as we ask."""
        if self._log is None or self.backend.template_tokens is None or not self.profile.kv_tokens:
            return {}
        state = self.backend.cache_state()
        try:
            return self._log.cached(state, self.profile.kv_tokens) if state is not None else {}
        except LcragError as error:
            self._warn(str(error))
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

    def rank(self, question: str, *, by_section: bool = False) -> Ranking:
        """The chunks of the documents by how well they match the question.

        ``by_section``: what the summary of a chunk's section says counts too.
        """
        if self.settings.dense == "on":
            self.fill()
        weight = SECTION_WEIGHT if by_section else 0.0
        ranking = retrieve(self.corpus, question, embedder=self.embedder, section_weight=weight)
        if self.settings.transcript is None:
            return ranking
        said = str(self.settings.transcript)
        return with_share(ranking, said, self.corpus.chunks_of(said) if is_about_the_user(question) else None)

    def _by_section(self, question: str) -> Callable[[], Ranking] | None:
        return partial(self.rank, question, by_section=True) if self.corpus.has_summaries else None

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
        forecasts = forecast(candidates, found, size, self.profile, self.scale.marks, self._cached, frame)
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
        asked = [] if asked is None else asked
        self.backend.max_seconds, self.backend.on_wait = policy.max_seconds, self._warn
        chosen, answer = self._first(prepared, policy, on_token, asked)
        self._keep(prepared, chosen, answer)
        answer = self.continue_from(answer, prepared, policy, escalate=escalate, on_token=on_token, asked=asked)
        return self._trace(answer, prepared, asked) if trace else answer

    def _keep(self, prepared: Prepared, route: Forecast, answer: Answer) -> None:
        """Log what came of the route. A log that cannot be written, or a second route that fails, costs no answer."""
        if self._log is None:
            return
        try:
            event = self._log.add(
                prepared.plan, route, answer, self.backend, lambda other: self._run(other, prepared, ignore, None, [])
            )
        except LcragError as error:
            self._warn(f"not logged: {error}")
        else:
            if event is not None:
                self.emit(event)

    def continue_from(
        self,
        answer: Answer,
        prepared: Prepared,
        policy: Policy,
        *,
        escalate: bool | None = None,
        on_token: OnToken | None = None,
        asked: list[Passage] | None = None,
    ) -> Answer:
        """What follows the answer of the plan's own route: further routes while nothing supported was found.

        A further route that fails costs no answer: the best one so far stays, with a warning.
        """
        asked = [] if asked is None else asked
        plan = prepared.plan
        tried, possible = [as_it_went(plan.chosen, answer)], list(plan.forecasts)
        while (policy.pipeline is None if escalate is None else escalate) and answer.is_unsupported:
            made_up = invents(self.profile) if answer.status != "answered" else 0.0
            option = further(possible, tried, answer.usage, plan.estimate, policy, made_up)
            if option is None:
                break
            self.emit(Event("escalate", {"from": tried[-1].pipeline, "to": option.pipeline, "status": answer.status}))
            try:
                again = self._run(option, prepared, self.emit, on_token, asked)
            except (DoesNotFit, BackendFailed) as error:
                self._warn(f"{label(option)} failed: {error}")
                if isinstance(error, BackendFailed):
                    break
                possible.remove(option)
                continue
            if again.is_unsupported and answer.status == "answered":
                answer = replace(answer, usage=answer.usage + again.usage, steps=answer.steps + again.steps)
            else:
                answer = answer.followed_by(again)
            tried.append(as_it_went(option, again))
        self.emit(Event("usage", {"usage": answer.usage}))
        return replace(answer, plan=plan).with_left_out(self.left_out)

    def _first(
        self, prepared: Prepared, policy: Policy, on_token: OnToken | None, asked: list[Passage]
    ) -> tuple[Forecast, Answer]:
        """The answer of the chosen route, or of the next best where one does not fit after all; and which route it was.

        A forecast knows no texts: it may be wrong by some tokens, or documents have no chapters to list. A route that
        was asked for by name is not replaced.
        """
        possible, option = list(prepared.plan.forecasts), prepared.plan.chosen
        while True:
            try:
                return option, self._run(option, prepared, self.emit, on_token, asked)
            except NoRoute as error:
                possible.remove(option)
                if policy.pipeline is not None:
                    raise
                try:
                    option = choose(possible, policy, self.profile.window)
                except NoRoute:
                    raise error from None
                self._warn(f"{error}: taking {label(option)} instead")

    def _warn(self, message: str) -> None:
        self.emit(Event("usage", {"message": message}))

    def _run(
        self, route: Forecast, prepared: Prepared, emit: Emit, on_token: OnToken | None, asked: list[Passage]
    ) -> Answer:
        """The answer of one route, with the coverage of what it read: what it forecast, but no more than it read."""

        def written(piece: str) -> None:
            emit(Event("token", {"text": piece}))
            if on_token is not None:
                on_token(piece)

        run = Run(
            prepared.question,
            self.corpus,
            replace(prepared.ranking, search=self.rank, by_section=self._by_section(prepared.question)),
            self.backend,
            self.reranker,
            emit,
            None if emit is ignore and on_token is None else written,
            route.pipeline,
            most_answer_tokens(prepared.plan.estimate.scope_tokens),
            asked=asked,
        )
        options: dict[str, Any] = dict(route.options)
        answer = pipelines.every_pipeline()[route.pipeline](**options).answer(run)
        read = prepared.plan.estimate.covered(answer.tokens_read * self.scale.ratio)
        if self.backend.template_tokens is not None:
            key, usage = route_key(route.pipeline, route.options), answer.usage
            # Asked before and nothing came from the cache: this server has none, or has forgotten it.
            self._cached[key] = 0 if self._cached.get(key) and not usage.cached_tokens else usage.input_tokens
        return answer.certified(min(route.evidence, read))

    def _trace(self, answer: Answer, prepared: Prepared, asked: list[Passage]) -> Answer:
        if answer.status not in ("answered", "contradictory"):
            return answer
        from lcrag.evidence.trace import trace

        room = self.backend.window - ANSWER_TOKENS - frame_tokens("answer", prepared.question, self.backend)
        found = trace(prepared.question, answer, asked, self.corpus, self.backend, room)
        return replace(answer, trace=found, usage=answer.usage + found.usage)


def _scan(settings: Settings) -> Scan:
    said = [] if settings.transcript is None else [str(settings.transcript)]
    return ingest.discover([path for path in settings.paths if path != STDIN] + said)


def path_strings(paths: str | Path | Iterable[str | Path]) -> tuple[str, ...]:
    """One path or several, as a session takes them."""
    return (str(paths),) if isinstance(paths, (str, Path)) else tuple(map(str, paths))


def ask_many(
    session: Session,
    questions: Sequence[str],
    policy: Policy,
    *,
    escalate: bool | None = None,
    trace: bool = False,
    workers: int | None = None,
    listen: Callable[[int], Emit] = lambda place: ignore,
) -> Iterator[Answer | LcragError]:
    """The answer of each question, or the error that it ended with, in the order of the questions.

    On a backend that takes several at a time, a block of questions is planned first, so that those with the same route,
    whose prompts may begin the same, go together. ``listen`` gives what hears the events of the question at a place.
    """
    workers = batch.workers_for(session.backend, workers)
    prepared: dict[int, Prepared] = {}

    def answer(own: Session, place: int) -> Answer | LcragError:
        own.emit = listen(place)
        try:
            ready = prepared.pop(place, None) or own.prepare(questions[place], policy)
            return own.answer(ready, policy, escalate=escalate, trace=trace)
        except LcragError as error:
            return error

    def groups(block: Sequence[int]) -> list[list[int]]:
        """The block's questions by the route that each will take; a question without one fails in its turn."""
        by_route: dict[str, list[int]] = {}
        for place in block:
            session.emit = listen(place)
            try:
                prepared[place] = session.prepare(questions[place], policy)
                key = route_key(prepared[place].plan.pipeline, prepared[place].plan.options)
            except LcragError:
                key = ""
            by_route.setdefault(key, []).append(place)
        return list(by_route.values())

    @contextmanager
    def worker() -> Iterator[Callable[[int], Answer | LcragError]]:
        if workers == 1:
            yield lambda place: answer(session, place)
            return
        with session.fork() as own:
            yield lambda place: answer(own, place)

    for block in batch.blocks(range(len(questions)), batch.BLOCK if workers > 1 else 1):
        jobs = groups(block) if workers > 1 else [block]
        for _, result in batch.in_order(batch.run(jobs, worker, workers), block):
            yield result
