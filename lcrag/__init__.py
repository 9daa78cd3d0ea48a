"""Answers from your own documents, reading exactly as much as each question needs.

    import lcrag

    answer = lcrag.ask("docs/", "Who signed the contract?")
    print(answer)
    for citation in answer.citations:
        print(citation.source, citation.line or citation.page, citation.quote)

Only the names in ``__all__`` are stable; everything else may change in any release. They are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lcrag.backends.scripted import ScriptedBackend
    from lcrag.comparison.compare import Comparison, compare
    from lcrag.errors import BackendFailed, InputError, LcragError, NoRoute, NotAvailable
    from lcrag.pipelines import Pipeline, Run, register_pipeline
    from lcrag.session import Session
    from lcrag.types import (
        Answer,
        Backend,
        Citation,
        Document,
        Emit,
        Forecast,
        Plan,
        Policy,
        Settings,
        Usage,
    )

__version__ = "0.2.0"

__all__ = [
    "Answer",
    "Backend",
    "BackendFailed",
    "Citation",
    "Comparison",
    "Document",
    "Forecast",
    "InputError",
    "LcragError",
    "NoRoute",
    "NotAvailable",
    "Pipeline",
    "Plan",
    "Policy",
    "Run",
    "ScriptedBackend",
    "Session",
    "Settings",
    "Usage",
    "ask",
    "compare",
    "open",
    "register_pipeline",
]

_HOMES = {
    "lcrag.backends.scripted": ("ScriptedBackend",),
    "lcrag.comparison.compare": ("Comparison", "compare"),
    "lcrag.errors": ("BackendFailed", "InputError", "LcragError", "NoRoute", "NotAvailable"),
    "lcrag.session": ("Session",),
    "lcrag.types": (
        "Answer",
        "Backend",
        "Citation",
        "Document",
        "Forecast",
        "Plan",
        "Policy",
        "Settings",
        "Usage",
    ),
    "lcrag.pipelines": ("Pipeline", "Run", "register_pipeline"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def open(
    paths: str | Path | Iterable[str | Path] = (),
    *,
    documents: Iterable[Any] | None = None,
    backend: str | Backend = "auto",
    emit: Emit | None = None,
    **settings: Any,
) -> Session:
    """A session over these files, folders or globs: the index is brought up to date, and questions can be asked.

    ``documents``: what to read besides or instead: each a ``Document``, or one of any reader of llama-index. Their
    index is not kept, unless ``index`` names a folder for it. ``backend``: "auto", "embedded", "server", "vllm",
    "hf", or a Backend of your own. ``emit`` is called with each event. ``settings``: other fields of ``Settings`` by
    name (``index``, ``dense``, ``reader``, ``base_url``, ``model`` …). Raises InputError for paths that are not there
    or hold nothing readable, TypeError for an unknown setting.

    >>> with lcrag.open("examples/saltmarsh", backend="embedded") as docs:
    ...     plan = docs.plan("How much did it cost to build the tide mill?", prefer="speed")
    ...     answer = docs.ask("How much did it cost to build the tide mill?", pipeline="chunk_rag")
    >>> plan.chosen.fits
    True
    >>> answer.citations[0].source, answer.citations[0].line
    ('examples/saltmarsh/chronicle.md', 25)
    """
    from lcrag.session import Session, path_strings
    from lcrag.types import Settings, ignore

    given: list[Document] = []
    if documents is not None:
        from lcrag.ingest.reader_documents import from_reader

        given = from_reader(documents)
    name, own = (backend, None) if isinstance(backend, str) else (backend.name, backend)
    chosen = Settings(path_strings(paths), backend=name, **settings)
    return Session.open(chosen, emit or ignore, backend=own, documents=given)


def ask(paths: str | Path | Iterable[str | Path], question: str, **options: Any) -> Answer:
    """Answer one question from these files, folders or globs; ``answer.plan`` says how, and why so.

    ``options``: those of the policy (``prefer``, ``max_tokens``, ``max_seconds``, ``min_quality``, ``pipeline``) and
    those of ``open``. Raises InputError, NotAvailable, NoRoute or BackendFailed, which all are ``LcragError``.

    >>> answer = lcrag.ask("examples/saltmarsh", "How much did it cost to build the tide mill?", backend="embedded")
    >>> answer.status
    'answered'
    >>> "£1,860" in str(answer)
    True
    """
    from lcrag.types import PolicyOptions

    policy = {name: options.pop(name) for name in PolicyOptions.__annotations__ if name in options}
    with open(paths, **options) as session:
        return session.ask(question, **policy)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
