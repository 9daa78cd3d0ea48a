"""What is PostgreSQL's own; ``test_external`` has the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support import postgres
from support.corpora import refreshed, write_docs

from lcrag.errors import InputError, NotRunning
from lcrag.index import engine_of, folder_of
from lcrag.index.corpus import Corpus
from lcrag.index.postgres import PostgresStore


@pytest.fixture(scope="module")
def uri() -> Iterator[str]:
    with postgres.server_with_vectors() as uri:
        yield uri


@pytest.mark.slow
def test_open_says_that_the_password_is_wrong(uri: str, tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="password authentication failed") as raised:
        Corpus.open(tmp_path, engine_of(tmp_path, uri.replace(postgres.PASSWORD, "wr0ng")))
    assert "wr0ng" not in str(raised.value)
    assert "PGPASSWORD" in raised.value.hint
    assert raised.value.exit_code == 3


@pytest.mark.slow
def test_open_says_that_pgvector_is_missing(uri: str, tmp_path: Path) -> None:
    without = [folder for folder in postgres.programs() if not postgres.has_vectors(folder)]
    if not without:
        pytest.skip("every PostgreSQL here has pgvector")
    with postgres.server(without[0]) as plain, pytest.raises(NotRunning, match='"vector" is not available') as raised:
        Corpus.open(tmp_path, engine_of(tmp_path, plain))
    assert "install pgvector" in raised.value.hint


@pytest.mark.slow
def test_refresh_loses_nothing_when_the_server_goes_down(uri: str, tmp_path: Path) -> None:
    """The old index is there when it is back; the connection is made again."""
    programs = [folder for folder in postgres.programs() if postgres.has_vectors(folder)]
    docs = write_docs(tmp_path / "docs")
    with postgres.server(programs[0]) as own:
        corpus = Corpus.open(tmp_path / "index", engine_of(tmp_path / "index", own))
        refreshed(corpus, docs)
    (docs / "d.txt").write_text("A whale in the harbour.")
    with corpus:
        with pytest.raises(NotRunning, match="failed") as raised:
            refreshed(corpus, docs)
        assert "running" in raised.value.hint
        assert corpus.size.documents == 3
    engine = engine_of(tmp_path / "index", uri)
    with Corpus.open(tmp_path / "other", engine) as corpus:
        assert refreshed(corpus, docs).added == 4
        _end_connections(uri)
        with pytest.raises(NotRunning):
            corpus.lexical("whale", 10)
        assert len(corpus.lexical("whale", 10)) == 1


def _end_connections(uri: str) -> None:
    import psycopg

    with psycopg.connect(uri, autocommit=True) as db:
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lcrag'")


@pytest.mark.slow
@pytest.mark.parametrize("is_parameter", [False, True])
def test_index_shows_no_password(uri: str, tmp_path: Path, own_cache: Path, is_parameter: bool) -> None:
    docs = write_docs(tmp_path / "docs")
    if is_parameter:
        uri = f"{uri.replace(f':{postgres.PASSWORD}', '')}&password={postgres.PASSWORD}"
    for command in (["index", str(docs)], ["index", str(docs), "--status"], ["index", str(docs), "--clear"]):
        done = subprocess.run(
            [sys.executable, "-m", "lcrag", *command, "--index", uri, "-v"],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ,
        )
        assert done.returncode == 0, done.stderr
        assert postgres.PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "place", ["localhost:abc/x", "host/%zz", "host:1,host:b/x", "localhost:99999/x", "[::1/x", "localhost/x?sslmode=no"]
)
def test_open_needs_an_address_that_makes_sense(tmp_path: Path, place: str) -> None:
    pytest.importorskip("psycopg", reason='needs pip install "lcrag[postgres]"')
    with pytest.raises(InputError, match="is no address") as raised:
        Corpus.open(tmp_path, engine_of(tmp_path, f"postgresql://me:s3cret@{place}"))
    assert "s3cret" not in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("postgresql://me:old@host/db", "postgresql://me:new@host/db", True),
        ("postgresql://host/db?user=me&password=old", "postgresql://host/db?user=me&password=new", True),
        ("postgresql://me@host/db", "postgresql://me@host/other", False),
    ],
)
def test_folder_of_depends_on_no_password(one: str, other: str, same: bool, own_cache: Path) -> None:
    assert (folder_of(["docs"], one) == folder_of(["docs"], other)) is same


@pytest.mark.slow
def test_words_are_counted_and_ranked_across_segments(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments of four chunks: whole ones, cut ones, and one of which a chunk is replaced or removed."""
    monkeypatch.setattr("lcrag.index.postgres_words.SEGMENT", 4)
    store = PostgresStore(uri, uri, "lcrag_segments")
    store.clear()
    store.create()
    store.add_words([(chunk, ["buoy", f"red{chunk % 2}"]) for chunk in range(1, 11)])
    every = [(1, 10)]
    assert store.counts(["buoy", "red0", "red1", "pier"], every) == {"buoy": 10, "red0": 5, "red1": 5, "pier": 0}
    some = [(2, 2), (4, 8), (10, 10)]
    counts = store.counts(["buoy", "red1"], some)
    assert counts == {"buoy": 7, "red1": 2}
    scores = store.search(counts, some, 7, 3)
    assert list(scores) == [5, 7, 2], "the rarer word first, ties by id"
    assert scores[5] == scores[7] > scores[2]
    store.add_words([(5, ["pier", "pier"]), (11, ["pier"])])
    assert store.counts(["buoy", "pier"], [(1, 11)]) == {"buoy": 9, "pier": 2}
    store.remove_words([5, 6, 7, 99])
    assert store.counts(["buoy", "pier", "red1"], [(1, 11)]) == {"buoy": 7, "pier": 1, "red1": 3}
    assert 5 not in store.search({"buoy": 7}, [(1, 11)], 8, 100)
    store.clear()
    store.close()


@pytest.mark.slow
def test_settle_makes_hnsw_once_there_are_many_vectors(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lcrag.index.postgres.MOST_COMPARED", 200)
    monkeypatch.setattr("lcrag.index.postgres.NEIGHBOURS", 20)
    store = PostgresStore(uri, uri, "lcrag_many")
    store.clear()
    store.create()
    array = np.random.default_rng(0).standard_normal((300, 8), np.float32)
    vectors = {f"{number:032x}": row for number, row in enumerate(array)}
    exact = sorted(vectors, key=lambda content: -float(vectors[content] @ array[7]))[:20]
    store.add_vectors("abcd", dict(list(vectors.items())[:200]))
    store.settle()
    assert not store._has_hnsw("vectors_abcd")
    store.add_vectors("abcd", vectors)
    assert list(store.nearest("abcd", array[7])) == exact
    store.settle()
    assert store._has_hnsw("vectors_abcd")
    assert len(set(store.nearest("abcd", array[7])) & set(exact)) >= 18
    store.settle()
    store.clear()
    store.close()
