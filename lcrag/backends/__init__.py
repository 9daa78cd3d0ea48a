"""What answers tasks: backends by name, imported when one is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lcrag.backends import local_server
from lcrag.errors import BackendFailed, InputError, NotAvailable, NotRunning
from lcrag.types import Backend, Embedder, Emit, Event, Reranker, Settings

Models = Callable[[], tuple[Embedder | None, Reranker | None]]
"""Loads the embedder and the reranker, for a backend that needs them."""


def _open_embedded(settings: Settings, models: Models) -> Backend:
    from lcrag.backends.embedded import EmbeddedBackend

    return EmbeddedBackend(*models())


def _open_server(settings: Settings, models: Models) -> Backend:
    """The server at the address given, else the one that ``lcrag up`` started, else one on vLLM's usual port."""
    from lcrag.backends.openai_server import DEFAULT_URL, OpenAIServer, Sampling

    ours = local_server.remembered()
    url = settings.base_url or (ours.url if ours else DEFAULT_URL)
    log = ours.log if ours and url == ours.url else None
    return OpenAIServer(url, settings.model, sampling=Sampling(settings.temperature, settings.seed), log=log)


def _open_vllm(settings: Settings, models: Models) -> Backend:
    from lcrag.backends.openai_server import Sampling
    from lcrag.backends.vllm_offline import VLLMOffline

    return VLLMOffline(settings.model, sampling=Sampling(settings.temperature, settings.seed))


BACKENDS: Final[dict[str, Callable[[Settings, Models], Backend]]] = {
    "embedded": _open_embedded,
    "server": _open_server,
    "vllm": _open_vllm,
}


def open_backend(settings: Settings, emit: Emit, models: Models) -> Backend:
    """The backend that is named; "auto" takes a server that answers, else the embedded one.

    Raises NotAvailable when the one that is named is not here, InputError for an unknown name.
    """
    name = settings.backend
    if name == "auto":
        name = "server" if settings.base_url else "embedded"
        if not settings.base_url and local_server.may_answer():
            try:
                return _open_server(settings, models)
            except (NotAvailable, BackendFailed) as error:
                if not isinstance(error, NotRunning):  # no server at all needs no word
                    emit(Event("index", {"message": f"quoting sentences, without a model: {error}"}))
    if name not in BACKENDS:
        raise InputError(f"there is no backend {name!r}", hint=f"--backend {'|'.join(['auto', *BACKENDS])}")
    return BACKENDS[name](settings, models)
