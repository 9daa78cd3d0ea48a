"""The two small models, loaded in a thread of their own while a command imports what it needs and opens its index.

Nearly all of the loading, 0.05 s for each, is onnxruntime's, which lets Python go on meanwhile. What is not in the
cache folder yet is left to the first use, because its export takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from ctypes import CDLL
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lcrag.types import Embedder, Settings

M_ARENA_MAX: Final = -8
"""Of glibc's malloc.h."""

_begun: dict[str, Future[Any]] = {}


@contextmanager
def loading(settings: Settings, *, reads: bool) -> Iterator[None]:
    """Begin to load the embedder that a session with these settings opens, and with ``reads`` what its reader needs."""
    _share_heap()
    with ThreadPoolExecutor(1) as pool:
        if settings.dense != "off" and settings.embedder is None:
            _begun["embedder"] = pool.submit(_embedder)
            if reads and settings.reader != "off":
                _begun["reader"] = pool.submit(_reader)
        try:
            yield
        finally:
            _begun.clear()


def _share_heap() -> None:
    """One heap for all threads, where the C library is glibc: with its own each keeps what it freed, 20 MB in all."""
    library = CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(M_ARENA_MAX, 1)


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
