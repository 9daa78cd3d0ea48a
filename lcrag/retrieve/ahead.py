"""The two small models, loaded in a thread of their own while a command imports what it needs and opens its index.

Nearly all of the loading, 0.05 s for each, is onnxruntime's, which lets Python go on meanwhile. What is not in the cache
folder yet is left to the first use, because its export takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lcrag.types import Embedder, Settings

_begun: dict[str, Future[Any]] = {}


@contextmanager
def loading(settings: Settings, *, reads: bool) -> Iterator[None]:
    """Begin to load the embedder that a session with these settings opens, and with ``reads`` what its reader needs."""
    with ThreadPoolExecutor(1) as pool:
        if settings.dense != "off" and settings.embedder is None:
            _begun["embedder"] = pool.submit(_embedder)
            if reads and settings.reader != "off":
                _begun["reader"] = pool.submit(_reader)
        try:
            yield
        finally:
            _begun.clear()


def loaded(name: str) -> Any:
    """The "embedder", or the session of the "reader", once, as soon as it is loaded; None where that was not begun.

    Raises what loading it raises.
    """
    begun = _begun.pop(name, None)
    return begun.result() if begun is not None else None


def _embedder() -> Embedder | None:
    from lcrag.retrieve.embedder import MiniLM, is_exported

    return MiniLM() if is_exported() else None


def _reader() -> Any:
    from lcrag.retrieve.reranker import model_file, open_model

    model = model_file()
    return open_model(model) if model.exists() else None
