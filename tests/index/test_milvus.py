"""What is Milvus' own; ``test_external`` has the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.corpora import refreshed, write, write_docs

from lcrag.errors import InputError, NotRunning
from lcrag.index import engine_of
from lcrag.index.corpus import Corpus
from lcrag.index.selection import Selection
from lcrag.session import Session
from lcrag.types import Settings, ignore


@pytest.fixture
def needs_milvus() -> None:
    pytest.importorskip("pymilvus", reason='needs pip install "lcrag[milvus]"')
    pytest.importorskip("milvus_lite", reason='needs pip install "lcrag[milvus]"')


@pytest.mark.slow
def test_session_keeps_its_index_in_a_file_of_milvus(needs_milvus: None, tmp_path: Path, own_cache: Path) -> None:
    """And another process is told that the file is in use."""
    docs = write_docs(tmp_path / "docs")
    name = f"milvus:{tmp_path / 'own.db'}"
    named = Settings((str(docs),), index=name, dense="off", reader="off", writer="off")
    with Session.open(named, ignore):
        assert (tmp_path / "own.db").exists()
        command = [sys.executable, "-m", "lcrag", "index", str(docs), "--index", name, "--dense", "off"]
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert other.returncode == 3, other.stderr
        assert "one process at a time" in other.stderr


@pytest.mark.slow
def test_index_in_a_file_of_milvus_is_read_by_a_later_process(
    needs_milvus: None, tmp_path: Path, own_cache: Path
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("The dam was built by Fenn.\n\nThe ferry leaves at nine.\n", encoding="utf-8")
    command = [sys.executable, "-m", "lcrag", "ask", str(docs), "Who built the dam?", "--writer", "off", "--no-log"]
    command += ["--index", f"milvus:{tmp_path / 'own.db'}"]
    for _ in range(2):  # the second finds an index that is up to date, and collections that nobody has loaded
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Fenn" in done.stdout


@pytest.mark.slow
def test_open_says_that_no_milvus_answers(needs_milvus: None, tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match=r"Milvus at .* failed"):
        Corpus.open(tmp_path, engine_of(tmp_path, "milvus:http://127.0.0.1:9"))


@pytest.mark.parametrize("place", ["", "http://host:abc", "http://[::1"])
def test_engine_of_needs_an_address(tmp_path: Path, place: str) -> None:
    with pytest.raises(InputError, match="no address of Milvus"):
        engine_of(tmp_path, f"milvus:{place}")


def test_engine_of_leaves_folders_to_sqlite(tmp_path: Path) -> None:
    assert engine_of(tmp_path, "folder") is None


@pytest.mark.slow
def test_terms_of_frequent_words_are_estimated(
    needs_milvus: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a sample of the chunks, also where only some documents are chosen."""
    docs = tmp_path / "docs"
    for number in range(60):
        write(docs / f"{number % 2}" / f"{number}.txt", f"Buoy {number}" + " is red." * (number % 3 == 0))
    with Corpus.open(tmp_path / "index", engine_of(tmp_path / "index", f"milvus:{tmp_path / 'own.db'}")) as corpus:
        refreshed(corpus, docs)
        assert [term.chunks for term in corpus.terms("red buoy 12")] == [20, 60, 1]
        monkeypatch.setattr("lcrag.index.milvus.MOST_HITS", 5)
        monkeypatch.setattr("lcrag.index.milvus.SAMPLED", 40)
        corpus.select(Selection(("0/",)))
        assert [term.chunks for term in corpus.terms("red buoy 12")] == [10, 30, 1]
        corpus.select(Selection())
        red, buoy, number = (term.chunks for term in corpus.terms("red buoy 12"))
        assert (buoy, number) == (60, 1)
        assert 10 < red < 30
