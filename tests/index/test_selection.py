"""Chosen documents are an index of their own, whatever finds their chunks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from support.corpora import PROSE, matches, refreshed, write

from lcrag.errors import InputError
from lcrag.index.corpus import Corpus
from lcrag.index.selection import Selection
from lcrag.types import Document

QUESTION = "How many ships came to the harbour?"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """2022/a.md, 2023/a.md and 2023/b.txt, last changed in June of their years."""
    docs = tmp_path / "docs"
    write(docs / "2022" / "a.md", "# Harbour\n\n" + "Nine ships came to the harbour. " * 40)
    write(docs / "2023" / "a.md", "# Harbour\n\n" + PROSE * 10)
    write(docs / "2023" / "b.txt", "Tolls are paid at the gate. " * 5)
    for path in docs.rglob("*.*"):
        changed = datetime(int(path.parent.name), 6, 15).timestamp()
        os.utime(path, (changed, changed))
    return docs


@pytest.fixture
def corpus(tmp_path: Path) -> Iterator[Corpus]:
    with Corpus.open(tmp_path / "index") as corpus:
        yield corpus


def names(corpus: Corpus) -> list[str]:
    return ["/".join(Path(source).parts[-2:]) for _, source, _ in corpus.documents()]


@pytest.mark.parametrize(
    ("only", "since", "chosen"),
    [
        (["*.md"], None, ["2022/a.md", "2023/a.md"]),
        (["docs/2023/*.md"], None, ["2023/a.md"]),
        (["2023/"], None, ["2023/a.md", "2023/b.txt"]),
        (["2023/b.txt", "2022/**"], None, ["2022/a.md", "2023/b.txt"]),
        (["!2022/"], None, ["2023/a.md", "2023/b.txt"]),
        (["2023", "!*.txt"], None, ["2023/a.md"]),
        ([], "2023-01-01", ["2023/a.md", "2023/b.txt"]),
        (["*.txt"], "2023-06-15", ["2023/b.txt"]),
        ([], "2023-06-16", []),
        (["nothing.md"], None, []),
    ],
)
def test_select_chooses_by_path_and_time(
    corpus: Corpus, docs: Path, only: list[str], since: str | None, chosen: list[str]
) -> None:
    refreshed(corpus, docs)
    corpus.select(Selection(tuple(only), since))
    assert names(corpus) == chosen
    assert corpus.size.documents == len(chosen)
    assert corpus.whole_size.documents == 3


def test_select_takes_a_whole_path(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs)
    corpus.select(Selection((str(docs / "2022" / "*.md"),)))
    assert names(corpus) == ["2022/a.md"]


def test_selected_corpus_equals_an_index_of_these_documents(corpus: Corpus, docs: Path, tmp_path: Path) -> None:
    """Sizes, chunks, frequencies of words, matches and cosines."""
    refreshed(corpus, docs)
    corpus.select(Selection(("2023/",)))
    with Corpus.open(tmp_path / "other") as other:
        refreshed(other, docs / "2023")
        assert corpus.size == other.size
        assert [(chunk.source, chunk.text) for chunk in corpus.chunks()] == [
            (chunk.source, chunk.text) for chunk in other.chunks()
        ]
        assert corpus.terms(QUESTION) == other.terms(QUESTION)
        assert matches(corpus, QUESTION) == matches(other, QUESTION)
        assert [chunk.text for chunk in corpus.sample(2)] == [chunk.text for chunk in other.sample(2)]
        for one in (corpus, other):
            ids = one.layout()[0]
            array = np.eye(len(ids), 12, dtype=np.float32)
            assert one.store_vectors(ids.tolist(), "m", array)
        found = [one.cosines(np.eye(12, dtype=np.float32)[1], "m", one.layout()[0]).tolist() for one in (corpus, other)]
        assert found[0] == found[1]


@pytest.mark.parametrize("few", [0, 4000])
def test_cosines_of_chosen_chunks_are_those_among_all(
    corpus: Corpus, docs: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Also where the vectors are in a file, which has those of all chunks."""
    monkeypatch.setattr("lcrag.index.corpus.FEW", few)
    monkeypatch.setattr("lcrag.index.vectors.FILE_FROM", 1)
    refreshed(corpus, docs)
    ids = corpus.layout()[0]
    array = np.random.default_rng(0).standard_normal((len(ids), 8)).astype(np.float32)
    assert corpus.store_vectors(ids[1:].tolist(), "m", array[1:])
    every = dict(zip(ids.tolist(), corpus.cosines(array[0], "m", ids), strict=True))
    for only in ("2023/", "2022/", "*.txt"):
        corpus.select(Selection((only,)))
        some = corpus.layout()[0]
        assert 0 < len(some) < len(ids)
        expected = [every[chunk] for chunk in some.tolist()]
        assert np.allclose(corpus.cosines(array[0], "m", some), expected, atol=1e-6, equal_nan=True)


def test_select_holds_after_a_refresh_and_ends(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs)
    corpus.select(Selection(("2023/",)))
    write(docs / "2023" / "c.md", "A whale.")
    write(docs / "2022" / "c.md", "A seal.")
    assert refreshed(corpus, docs).added == 2
    assert names(corpus) == ["2023/a.md", "2023/b.txt", "2023/c.md"]
    corpus.select(Selection())
    assert corpus.size.documents == 5 == len(list(corpus.documents()))


def test_select_keeps_what_has_no_time_and_what_is_always_read(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs, Document("0", "-", "From a pipe."), Document("1", "said", "I like whales."))
    corpus.select(Selection(since="2099-01-01"))
    assert [source for _, source, _ in corpus.documents()] == ["-", "said"]
    corpus.select(Selection(("*.txt",), always=frozenset({"said"})))
    assert [Path(source).name for _, source, _ in corpus.documents()] == ["b.txt", "said"]


def test_select_finds_a_copy_of_a_text_that_is_not_chosen(corpus: Corpus, docs: Path) -> None:
    write(docs / "2024" / "a.md", (docs / "2022" / "a.md").read_bytes())
    refreshed(corpus, docs)
    corpus.select(Selection(("2024/",)))
    assert corpus.size.documents == 1


@pytest.mark.parametrize("since", ["last week", "", "2024-13-01", "0001-01-01"])
def test_selection_refuses_what_is_no_date(since: str) -> None:
    with pytest.raises(InputError, match="no date") as raised:
        Selection(since=since)
    assert "2024-01-31" in raised.value.hint


@pytest.mark.parametrize("pattern", ["", "!", "#a.md", "[z-a]", "a/**/b/**/c/**/d/**/e.md"])
def test_selection_refuses_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(InputError, match="no pattern for paths") as raised:
        Selection(("*.md", pattern))
    assert "*.md" in raised.value.hint
