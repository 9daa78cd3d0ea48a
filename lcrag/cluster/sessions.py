"""Sessions on the machines of a cluster: copies of one that is open here, for questions.

The index travels as pieces of a snapshot, and each process that works keeps its copy in its temporary folder: SQLite's
locks do not hold over a network, and so nobody but this machine writes the index. All vectors are made before, so that
a question's ranking does not depend on which questions a process has had.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from lcrag import batch
from lcrag.cluster.connection import Cluster
from lcrag.errors import InputError, LcragError, NotAvailable
from lcrag.index import is_external
from lcrag.index.corpus import Corpus
from lcrag.index.store import FILE
from lcrag.paths import temporary_folder
from lcrag.session import Session
from lcrag.types import Answer, Emit, Event, Policy, Settings

PIECE: Final = 64_000_000
"""Bytes of the index that travel at a time: all of it need not be in memory."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A session as the machines of a cluster open it: ``handle`` of what they need."""

    handle: list[Any]


@dataclass(frozen=True, slots=True)
class _Content:
    """``known``: what the session knows of its documents and its backend; ``models``: by what they do, their names;
    ``pieces``: handles of the parts of its index."""

    settings: Settings
    known: dict[str, Any]
    models: dict[str, str]
    pieces: list[list[Any]]


def send(cluster: Cluster, session: Session) -> Sent:
    """``session`` as it is now, with all its vectors, which are made first.

    Raises InputError for a backend or an index that other machines cannot use as this one does.
    """
    settings = replace(session.settings, log=False, shadow=0.0, backend=session.backend.name, stdin_text=None)
    if session.settings.shadow:
        raise InputError("--shadow does not go with --ray", hint="leave one of them out")
    if is_external(settings.index):
        raise InputError("questions on Ray need an index in a folder, not on a server", hint="--index DIR")
    if session.backend.name != "embedded" and settings.base_url is None:
        raise InputError(
            "with --ray, name a server that all machines of the cluster reach", hint="--base-url http://HOST:8000/v1"
        )
    cluster.check()
    session.fill()
    with temporary_folder(Path(tempfile.gettempdir()), "lcrag") as folder:
        session.corpus.copy_to(folder)
        with (folder / FILE).open("rb") as file:
            pieces = [cluster.share(piece) for piece in iter(lambda: file.read(PIECE), b"")]
    return Sent(cluster.share(_Content(settings, session.known(), _models(session), pieces)))


def _models(session: Session) -> dict[str, str]:
    """What an answer depends on besides the documents, by the option or package that chooses it."""
    found = {
        "embedder": session.embedder,
        "reader": session.reranker,
        "writer": getattr(session.backend, "writer", None),
    }
    named = {what: "none" if model is None else model.name for what, model in found.items()}
    return named | {"model": session.backend.model}


class _Here:
    """The session of this process, on a machine of the cluster. Another one takes over its models."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._session: Session | None = None
        self._cleanup = ExitStack()

    def open(self, sent: Sent) -> Session:
        """The session that was sent. Raises NotAvailable when a model is not the same here."""
        [handle] = sent.handle
        if self._session is None or handle != self._handle:
            before, self._session = self._session, None  # its index is closed now
            self._session, self._handle = self._opened(handle, before), handle
        return self._session

    def _opened(self, handle: Any, before: Session | None) -> Session:
        import ray

        content: _Content = ray.get(handle)
        self._cleanup.close()
        folder = self._cleanup.enter_context(temporary_folder(Path(tempfile.gettempdir()), "lcrag"))
        with (folder / FILE).open("wb") as file:
            for [piece] in content.pieces:
                file.write(ray.get(piece))
        corpus = self._cleanup.enter_context(Corpus.open(folder))
        session = Session.of_copy(content.settings, corpus, content.known)
        if before is not None:
            session.embedder, session.reranker, session.backend = before.embedder, before.reranker, before.backend
        for what, name in _models(session).items():
            if name != content.models[what]:
                raise NotAvailable(
                    f"the {what} of a machine of the Ray cluster is {name}, that of this one {content.models[what]}",
                    hint="install the same models on all machines",
                )
        return session


here = _Here()


def ask_many(
    cluster: Cluster,
    session: Session,
    questions: Sequence[str],
    policy: Policy,
    *,
    escalate: bool | None = None,
    trace: bool = False,
    workers: int | None = None,
    listen: Callable[[int], Emit],
) -> Iterator[Answer | LcragError]:
    """As ``lcrag.session.ask_many``, on a cluster; what comes of the routes is not logged.

    The events of a question come when it is answered. A server gets as many questions at a time as without Ray, the
    embedded backend as many as the cluster has processors.
    """
    sent = send(cluster, session)
    at_once = workers if session.backend.concurrency == 1 else batch.workers_for(session.backend, workers)
    results = cluster.map(_ask, questions, sent, policy, escalate, trace, at_once=at_once)
    for place, (events, result) in enumerate(results):
        emit = listen(place)
        for event in events:
            emit(event)
        yield result


def _ask(
    question: str, sent: Sent, policy: Policy, escalate: bool | None, trace: bool
) -> tuple[list[Event], Answer | LcragError]:
    session = here.open(sent)
    events: list[Event] = []
    session.emit = events.append
    try:
        return events, session.ask(question, policy, escalate=escalate, trace=trace)
    except LcragError as error:
        return events, error
