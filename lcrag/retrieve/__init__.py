"""Corpus and question to a ranking, and the two small models that take part in it."""

from __future__ import annotations

from lcrag.errors import NotInstalled
from lcrag.types import Embedder, Emit, Event, Reranker


def open_embedder(dense: str, name: str | None, emit: Emit) -> Embedder | None:
    """The embedder; None with ``dense`` "off", or with "auto" when nothing to embed with is installed.

    Raises NotInstalled for a model that was asked for and is not here.
    """
    if dense == "off":
        return None
    from lcrag.retrieve.embedder import load_embedder

    try:
        return load_embedder(name)
    except NotInstalled as error:
        if dense == "on" or name is not None:
            raise
        emit(Event("index", {"message": f"ranking by words only: {error}", "hint": error.hint}))
        return None


def open_reranker(dense: str, reader: str, emit: Emit) -> Reranker | None:
    """The reranker; None when either is "off", or without the packages that it needs."""
    if "off" in (reader, dense):
        return None
    from lcrag.retrieve.reranker import MiniLMReranker

    try:
        return MiniLMReranker()
    except NotInstalled as error:
        emit(Event("index", {"message": f"answering without the reader: {error}", "hint": error.hint}))
        return None
