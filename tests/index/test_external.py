"""The tests of the index again with its chunks in a store outside of it, each test with each store.

Not those of SQLite's own full text and vector file. What differs is said here: how near the ranks are.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from index import test_corpus as corpus_tests
from index import test_store as store_tests
from support import postgres
from support.corpora import content, index, matches, refreshed, write, write_docs

from lcrag.index import engine_of, folder_of, index_clear, index_status
from lcrag.index.corpus import Corpus
from lcrag.index.engine import Engine
from lcrag.index.external import ExternalEngine
from lcrag.index.selection import Selection
from lcrag.session import Session
from lcrag.types import Settings, ignore

pytestmark = pytest.mark.slow

test_refresh_counts_changes = corpus_tests.test_refresh_counts_changes
test_refresh_reads_renamed_file_as_its_new_kind = corpus_tests.test_refresh_reads_renamed_file_as_its_new_kind
test_refresh_indexes_copies_once = corpus_tests.test_refresh_indexes_copies_once_under_the_first_source
test_refresh_rebuilds_moved_document = (
    corpus_tests.test_refresh_rebuilds_document_moved_to_copy_of_another_kind_or_title
)
test_refresh_replaces_documents_without_a_file = corpus_tests.test_refresh_replaces_documents_without_a_file
test_vectors_have_the_order_of_the_ids = corpus_tests.test_vectors_have_the_order_of_the_ids
test_vectors_go_with_their_text = corpus_tests.test_vectors_survive_renames_and_edits_and_go_with_their_text
test_store_vectors_skips_removed_chunks = corpus_tests.test_store_vectors_skips_removed_chunks


@contextmanager
def milvus(folder: Path) -> Iterator[str]:
    """Milvus Lite as a server, so that several processes share it."""
    pytest.importorskip("pymilvus", reason='needs pip install "lcrag[milvus]"')
    pytest.importorskip("milvus_lite", reason='needs pip install "lcrag[milvus]"')
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", str(folder / "data")]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(port)], stdout=log, stderr=log)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"milvus:http://127.0.0.1:{port}"
    server.terminate()
    server.wait(timeout=20)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    with postgres.server_with_vectors() as uri:
        yield uri


@pytest.fixture(scope="module", params=[milvus, postgresql], ids=lambda started: started.__name__)
def uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with request.param(tmp_path_factory.mktemp("store")) as uri:
        yield uri


@pytest.fixture
def is_external(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every index is in the store unless another engine is given, those of child processes too."""
    open_with = Corpus.open.__func__  # type: ignore[attr-defined]

    def opened(cls: type[Corpus], folder: Path, engine: Engine | None = None) -> Corpus:
        corpus = open_with(cls, folder, engine or engine_of(folder, uri))
        assert isinstance(corpus, Corpus)
        return corpus

    monkeypatch.setattr(Corpus, "open", classmethod(opened))
    opens = "Corpus.open(Path(sys.argv[1]))"
    assert opens in store_tests.CHILD
    given = f"Corpus.open(Path(sys.argv[1]), engine_of(Path(sys.argv[1]), {uri!r}))"
    child = f"from lcrag.index import engine_of\n{store_tests.CHILD.replace(opens, given)}"
    monkeypatch.setattr(store_tests, "CHILD", child)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_docs(tmp_path / "docs")


@pytest.fixture
def corpus(is_external: None, tmp_path: Path) -> Iterator[Corpus]:
    with Corpus.open(tmp_path / "index") as corpus:
        yield corpus


def test_refresh_killed_leaves_the_old_index(is_external: None, tmp_path: Path, docs: Path) -> None:
    store_tests.test_refresh_killed_leaves_the_old_index(tmp_path, docs)


def test_refresh_in_two_processes_while_a_third_reads(
    is_external: None, tmp_path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_tests.test_refresh_in_two_processes_while_a_third_reads(tmp_path, docs, monkeypatch)


class History(corpus_tests.History):
    """The same history; each step takes a store some 0.1 s."""


def test_history_equals_a_fresh_index(is_external: None) -> None:
    run_state_machine_as_test(History, settings=settings(max_examples=5, stateful_step_count=12, deadline=None))


def test_store_keeps_what_sqlite_keeps(corpus: Corpus, docs: Path, tmp_path: Path) -> None:
    """Vectors to 16 bits, the terms of a question with their frequencies, the matches of a question."""
    with Corpus.open(tmp_path / "sqlite", Engine()) as other:
        for one in (corpus, other):
            refreshed(one, docs)
            array = np.random.default_rng(7).standard_normal((len(one.chunk_ids()), 24), np.float32)
            assert one.store_vectors(one.chunk_ids(), "m", array / np.linalg.norm(array, axis=1, keepdims=True))
        ids = corpus.layout()[0]
        assert corpus.vectors(ids.tolist(), "m")[1].tolist() == other.vectors(ids.tolist(), "m")[1].tolist()
        query = array[3] / np.linalg.norm(array[3])
        assert np.allclose(corpus.cosines(query, "m", ids), other.cosines(query, "m", ids), atol=1e-6)
        question = "Which cranes of the harbour lift ten tons?"
        assert corpus.terms(question) == other.terms(question)
        assert set(matches(corpus, question)) == set(matches(other, question))


@pytest.mark.parametrize("text", ["港口于一九三一年开放。", "Гавань открылась в 1931 году.", "L'été à Besançon, naïve"])
def test_search_finds_words_that_are_not_ascii(corpus: Corpus, text: str) -> None:
    index(corpus, "One ship a week.", text, "Nothing else.")
    assert matches(corpus, text) == [text]


def test_search_takes_any_text(corpus: Corpus, tmp_path: Path) -> None:
    """NUL bytes, quotes and operators of a query language, a word of a million letters, a document of 20,000 chunks."""
    write(tmp_path / "docs" / "nul.txt", "A keel\0son of the ship.\0\0 The 'keel':1 & (rudder | \\oar)!")
    write(tmp_path / "docs" / "word.txt", "Anchor " + "x" * 1_000_000 + " chain.")
    write(tmp_path / "docs" / "huge.txt", "".join(f"Buoy {n} lies off pier {n % 7}. " for n in range(20_000)))
    refreshed(corpus, tmp_path / "docs")
    for question, source in (("':* & | ! <-> (keel) \\oar \0?", "nul"), ("anchor", "word"), ("buoy 19999", "huge")):
        [best, *_] = corpus.get([chunk for chunk, _ in corpus.lexical(question, 10)])
        assert Path(best.source).stem == source, question
    assert "Buoy 19999 " in best.text


def test_search_ignores_what_an_unfinished_refresh_has_written(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs)
    last = max(corpus.chunk_ids())
    corpus._engine.add(corpus._live, [(last + 1, "new.md", "", "A whale in the harbour.")])
    assert last + 1 not in [chunk for chunk, _ in corpus.lexical("whale harbour", 10)]
    assert corpus.terms("whale")[0].chunks == 0
    index(corpus, "Another text under that number.")
    assert corpus.lexical("whale", 10) == []


def test_cosines_of_more_vectors_than_hits(corpus: Corpus, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest and the candidates have their own, those far away the mean, and those without a vector none."""
    refreshed(corpus, docs)
    ids = corpus.layout()[0]
    array = np.random.default_rng(0).standard_normal((len(ids), 24), np.float32)
    assert corpus.store_vectors(ids[:-1].tolist(), "m", array[:-1])
    exact = corpus.cosines(array[2], "m", ids)
    assert isinstance(corpus._engine, ExternalEngine)
    monkeypatch.setattr(f"{type(corpus._engine._store).__module__}.NEIGHBOURS", 3)
    monkeypatch.setattr("lcrag.index.external.SAMPLED", 1)
    *near, first, second, last = np.argsort(-exact[:-1]).tolist()
    found = corpus.cosines(array[2], "m", ids, [ids[last], ids[-1]])
    assert np.isnan(found[-1])
    assert len(near) == 3
    assert np.allclose(found[[*near, last]], exact[[*near, last]], atol=1e-5)
    assert found[first] == found[second]
    assert np.isclose(found[first], exact[[first, second, last]], atol=1e-5).sum() == 1, "the mean of one"


def test_search_of_chosen_documents(corpus: Corpus, tmp_path: Path) -> None:
    """The best chunks of all are not among them; their own are found, with their own frequencies and cosines."""
    for number in range(30):
        write(tmp_path / "docs" / "other" / f"{number}.txt", f"Harbour, harbour and harbour {number}.")
    write(tmp_path / "docs" / "mine" / "a.txt", "A harbour among many other things of the town.")
    refreshed(corpus, tmp_path / "docs")
    every = corpus.layout()[0]
    array = np.random.default_rng(7).standard_normal((len(every), 24), np.float32)
    assert corpus.store_vectors(every.tolist(), "m", array)
    corpus.select(Selection(("mine/",)))
    ids = corpus.layout()[0]
    assert [chunk for chunk, _ in corpus.lexical("harbour", 3)] == ids.tolist()
    assert [term.chunks for term in corpus.terms("harbour ship")] == [1, 0]
    place = every.tolist().index(ids[0])
    assert np.allclose(corpus.cosines(array[1], "m", ids), array[place] @ array[1], atol=0.05)


def test_open_rebuilds_an_index_that_the_store_has_lost(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs)
    before = content(corpus)
    corpus._engine.clear()
    with Corpus.open(corpus.folder) as again:
        assert refreshed(again, docs).added == 3
        assert content(again) == before


def test_session_answers_from_the_store(uri: str, own_cache: Path, docs: Path) -> None:
    named = Settings((str(docs),), index=uri, dense="off", reader="off", writer="off")
    with Session.open(named, ignore) as session, session.fork() as other:
        assert "1870" in session.ask("When was Maria's lighthouse 7 built?").text
        assert "1870" in other.ask("When was Maria's lighthouse 7 built?").text
    assert index_status([str(docs)], uri).documents == 3
    assert postgres.PASSWORD not in index_status([str(docs)], uri).form
    assert folder_of([str(docs)], uri) != folder_of([str(docs)])
    assert index_clear([str(docs)], uri)
    assert not index_clear([str(docs)], uri)
