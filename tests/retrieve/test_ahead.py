"""Models that are loaded while a command starts are those that a session opens itself, each handed out once."""

from __future__ import annotations

from pathlib import Path

import pytest

import lcrag.retrieve.embedder
from lcrag.errors import NotAvailable
from lcrag.retrieve import ahead, open_embedder
from lcrag.retrieve.embedder import MiniLM
from lcrag.retrieve.reranker import MiniLMReranker
from lcrag.types import Settings, ignore


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
def test_loading_hands_each_model_out_once() -> None:
    with ahead.loading(Settings(("docs",)), reads=True):
        embedder = open_embedder("auto", None, ignore)
        assert isinstance(embedder, MiniLM)
        assert ahead.loaded("embedder") is None
        [relevance] = MiniLMReranker().read("Who lit the lamp?", ["The keeper lit the lamp."])
        assert ahead.loaded("reader") is None
    [own] = MiniLMReranker().read("Who lit the lamp?", ["The keeper lit the lamp."])
    assert (relevance.rank, relevance.answer) == (own.rank, own.answer)


@pytest.mark.parametrize(
    ("settings", "reads", "begun"),
    [
        (Settings(("docs",)), False, {"embedder"}),
        (Settings(("docs",)), True, {"embedder", "reader"}),
        (Settings(("docs",), reader="off"), True, {"embedder"}),
        (Settings(("docs",), dense="off"), True, set()),
        (Settings(("docs",), embedder="another"), True, set()),
    ],
)
def test_loading_begins_what_the_settings_need(
    settings: Settings, reads: bool, begun: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path))
    with ahead.loading(settings, reads=reads):
        assert set(ahead._begun) == begun
        assert {name: ahead.loaded(name) for name in begun} == dict.fromkeys(begun)  # nothing is exported ahead
    assert not ahead._begun
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("own_cache")
def test_loading_leaves_an_error_to_whoever_needs_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: MiniLM) -> None:
        raise NotAvailable("damaged")

    monkeypatch.setattr(lcrag.retrieve.embedder, "is_exported", lambda: True)
    monkeypatch.setattr(MiniLM, "__init__", fail)
    with ahead.loading(Settings(("docs",)), reads=False):
        pass
    with ahead.loading(Settings(("docs",)), reads=False), pytest.raises(NotAvailable):
        open_embedder("auto", None, ignore)
