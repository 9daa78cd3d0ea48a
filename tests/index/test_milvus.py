"""The tests of the index again with its chunks in Milvus: Milvus Lite as a server, so that several processes share it.

Not those of SQLite's own full text and vector file. What differs is said here: how near the ranks are.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from index import test_corpus as corpus_tests
from index import test_store as store_tests
from support.corpora import content, index, matches, refreshed, write_docs

from lcrag.errors import InputError
from lcrag.index import engine_of, folder_of, index_clear, index_status
from lcrag.index.corpus import Corpus
from lcrag.index.engine import Engine, SqliteEngine
from lcrag.session import Session
from lcrag.types import Settings, ignore

pytest.importorskip("pymilvus", reason='needs pip install "lcrag[milvus]"')
pytest.importorskip("milvus_lite", reason='needs pip install "lcrag[milvus]"')

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


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("milvus")
    command = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", str(folder / "data")]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(port)], stdout=log, stderr=log)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(timeout=20)


@pytest.fixture
def in_milvus(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every index is in Milvus unless another engine is given, those of child processes too."""
    open_with = Corpus.open.__func__  # type: ignore[attr-defined]

    def opened(cls: type[Corpus], folder: Path, engine: Engine | None = None) -> Corpus:
        corpus = open_with(cls, folder, engine or engine_of(folder, f"milvus:{uri}"))
        assert isinstance(corpus, Corpus)
        return corpus

    monkeypatch.setattr(Corpus, "open", classmethod(opened))
    opens = "Corpus.open(Path(sys.argv[1]))"
    assert opens in store_tests.CHILD
    given = f"Corpus.open(Path(sys.argv[1]), engine_of(Path(sys.argv[1]), 'milvus:{uri}'))"
    child = f"from lcrag.index import engine_of\n{store_tests.CHILD.replace(opens, given)}"
    monkeypatch.setattr(store_tests, "CHILD", child)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_docs(tmp_path / "docs")


@pytest.fixture
def corpus(in_milvus: None, tmp_path: Path) -> Iterator[Corpus]:
    with Corpus.open(tmp_path / "index") as corpus:
        yield corpus


def test_refresh_killed_leaves_the_old_index(in_milvus: None, tmp_path: Path, docs: Path) -> None:
    store_tests.test_refresh_killed_leaves_the_old_index(tmp_path, docs)


def test_refresh_in_two_processes_while_a_third_reads(
    in_milvus: None, tmp_path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_tests.test_refresh_in_two_processes_while_a_third_reads(tmp_path, docs, monkeypatch)


class History(corpus_tests.History):
    """The same history; each step takes Milvus some 0.1 s."""


def test_history_equals_a_fresh_index(in_milvus: None) -> None:
    run_state_machine_as_test(History, settings=settings(max_examples=5, stateful_step_count=12, deadline=None))


def test_store_keeps_what_sqlite_keeps(corpus: Corpus, docs: Path, tmp_path: Path) -> None:
    """Vectors to 16 bits, the terms of a question with their frequencies, the matches of a question."""
    with Corpus.open(tmp_path / "sqlite", SqliteEngine()) as other:
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


def test_search_ignores_what_an_unfinished_refresh_has_written(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs)
    last = max(corpus.chunk_ids())
    corpus._engine.add(corpus._live, [(last + 1, "new.md", "", "A whale in the harbour.")])
    assert last + 1 not in [chunk for chunk, _ in corpus.lexical("whale harbour", 10)]
    assert corpus.terms("whale")[0].chunks == 0
    index(corpus, "Another text under that number.")
    assert corpus.lexical("whale", 10) == []


def test_cosines_of_more_vectors_than_hits(corpus: Corpus, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those far away have the cosine of the farthest hit, and those without a vector none."""
    refreshed(corpus, docs)
    ids = corpus.layout()[0]
    array = np.eye(len(ids), 24, dtype=np.float32) * 0.5 + 0.1
    assert corpus.store_vectors(ids[:-1].tolist(), "m", array[:-1])
    exact = corpus.cosines(array[2], "m", ids)
    monkeypatch.setattr("lcrag.index.milvus.MOST_HITS", 3)
    found = corpus.cosines(array[2], "m", ids)
    assert np.isnan(found[-1])
    assert found[2] == exact[2]
    assert (found[:-1] >= exact[:-1] - 1e-6).all()


def test_open_rebuilds_an_index_that_milvus_has_lost(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs)
    before = content(corpus)
    corpus._engine.clear()
    with Corpus.open(corpus.folder) as again:
        assert refreshed(again, docs).added == 3
        assert content(again) == before


def test_session_keeps_its_index_in_a_file_of_milvus(tmp_path: Path, own_cache: Path, docs: Path) -> None:
    """And another process is told that the file is in use."""
    name = f"milvus:{tmp_path / 'own.db'}"
    named = Settings((str(docs),), index=name, dense="off", reader="off", writer="off")
    with Session.open(named, ignore) as session:
        assert (tmp_path / "own.db").exists()
        answer = session.ask("When was Maria's lighthouse 7 built?")
        assert "1870" in answer.text
        command = [sys.executable, "-m", "lcrag", "index", str(docs), "--index", name, "--dense", "off"]
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert other.returncode == 3, other.stderr
        assert "one process at a time" in other.stderr
    assert index_status([str(docs)], name).documents == 3
    assert folder_of([str(docs)], name) != folder_of([str(docs)])
    assert index_clear([str(docs)], name)
    assert not index_clear([str(docs)], name)


def test_engine_of_needs_an_address(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no address of Milvus"):
        engine_of(tmp_path, "milvus:")
    assert engine_of(tmp_path, "folder") is None
