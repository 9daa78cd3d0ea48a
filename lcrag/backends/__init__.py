"""What answers tasks: backends by name, imported when one is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lcrag.backends import local_server
from lcrag.errors import BackendFailed, InputError, NotAvailable, NotRunning
from lcrag.types import Backend, Embedder, Emit, Event, Reranker, Settings

if TYPE_CHECKING:
    from lcrag.backends.compose import Programmer, Writer
    from lcrag.backends.openai_server import OpenAIServer
    from lcrag.backends.replicas import Replicas

Models = Callable[[], tuple[Embedder | None, Reranker | None]]
"""Loads the embedder and the reranker, for a backend that needs them."""


def _open_embedded(settings: Settings, models: Models) -> Backend:
    from lcrag.backends.embedded import EmbeddedBackend
    from lcrag.text.tokens import preload

    preload()  # while the models load
    embedder, reranker = models()
    return EmbeddedBackend(embedder, reranker, *_open_writers(settings))


def _open_writers(settings: Settings) -> tuple[Writer | None, Programmer | None]:
    """The small language model, and the same with the adapter for programs over tables; None when it or all models are
    "off", or when its weights are not installed."""
    if "off" in (settings.writer, settings.dense):
        return None, None
    from lcrag.writer.weights import PROGRAMS
    from lcrag.writer.writer import Writer, available

    return (Writer(), Writer(PROGRAMS)) if available() else (None, None)


def _open_server(settings: Settings, models: Models) -> OpenAIServer | Replicas:
    """The servers at the addresses given, else those that ``lcrag up`` started, else one on vLLM's usual port."""
    from lcrag.backends.openai_server import OpenAIServer
    from lcrag.backends.request import Sampling

    logs = {server.url: server.log for server in local_server.remembered()}
    urls = local_server.addresses(settings.base_url)

    def open_one(url: str, model: str | None, **tries: int) -> OpenAIServer:
        return OpenAIServer(
            url,
            model,
            sampling=Sampling(settings.temperature, settings.seed),
            log=logs.get(url),
            send_key=settings.base_url is not None,
            ca_file=settings.ca_file,
            **tries,
        )

    if len(urls) == 1:
        return open_one(urls[0], settings.model)
    from lcrag.backends.replicas import TRIES, Replicas

    return Replicas(urls, lambda url, model: open_one(url, model, tries=TRIES), settings.model)


def _open_users_server(settings: Settings, models: Models, emit: Emit) -> Backend:
    """The server that nobody named, if it belongs to this user, with a word about which it is.

    Raises NotAvailable for another user's, which would get the documents, and what ``_open_server`` raises.
    """
    if not local_server.is_users():
        url = local_server.usual_url()
        raise NotAvailable(f"the server at {url} is not known to be yours; --base-url {url} uses it")
    backend = _open_server(settings, models)
    emit(Event("index", {"message": f"answering with {backend.model} at {backend.root}"}))
    return backend


def _open_vllm(settings: Settings, models: Models) -> Backend:
    from lcrag.backends.request import Sampling
    from lcrag.backends.vllm_offline import VLLMOffline

    return VLLMOffline(settings.model, sampling=Sampling(settings.temperature, settings.seed))


def _open_hf(settings: Settings, models: Models) -> Backend:
    from lcrag.backends.hf import HFModel
    from lcrag.backends.request import Sampling

    sampling = Sampling(settings.temperature, settings.seed)
    return HFModel(settings.model, sampling=sampling, compress=settings.compress_kv)


BACKENDS: Final[dict[str, Callable[[Settings, Models], Backend]]] = {
    "embedded": _open_embedded,
    "server": _open_server,
    "vllm": _open_vllm,
    "hf": _open_hf,
}


def open_backend(settings: Settings, emit: Emit, models: Models) -> Backend:
    """The backend that is named; "auto" takes a server that answers, else the embedded one.

    Raises NotAvailable when the one that is named is not here, InputError for an unknown name, and for ``compress_kv``
    on a backend that cannot.
    """
    name = settings.backend
    if settings.compress_kv and name != "hf":
        raise InputError("--compress-kv is for the hf backend", hint="--backend hf --model FOLDER --compress-kv 4")
    if name == "auto":
        name = "server" if settings.base_url else "embedded"
        if not settings.base_url and local_server.may_answer():
            try:
                return _open_users_server(settings, models, emit)
            except (NotAvailable, BackendFailed) as error:
                if not isinstance(error, NotRunning):  # no server at all needs no word
                    emit(Event("index", {"message": f"quoting sentences, without a model: {error}"}))
    if name not in BACKENDS:
        raise InputError(f"there is no backend {name!r}", hint=f"--backend {'|'.join(['auto', *BACKENDS])}")
    backend = BACKENDS[name](settings, models)
    backend.on_silence = lambda server, seconds, most: emit(
        Event("wait", {"server": server, "seconds": seconds, "most": most})
    )
    return backend
