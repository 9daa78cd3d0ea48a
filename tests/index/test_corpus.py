"""After any history the index equals one built from scratch, and vectors belong to texts."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.corpora import PROSE, content, matches, refreshed, touch, write, write_docs

import lcrag.ingest
from lcrag.errors import UnreadableFile
from lcrag.index.corpus import Corpus, Refreshed
from lcrag.ingest import Scan, SourceFile, discover, from_text
from lcrag.types import Document, Event, ignore


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_docs(tmp_path / "docs")


@pytest.fixture
def corpus(tmp_path: Path) -> Iterator[Corpus]:
    with Corpus.open(tmp_path / "index") as corpus:
        yield corpus


NAMES = st.sampled_from(["a.txt", "b.md", "c/d.txt", "c/e.md", "f.csv"])
TEXTS = st.sampled_from(
    [
        "# Harbour\n\n" + PROSE * 30,
        "# Harbour\n\n" + PROSE * 30 + "\n\n## Ships\n\nA ship more.\n",
        "ship,week\nElbe,8\n",
        "One ship a week.",
        "港口于一九三一年开放。",
        b"\xff\xfe\x00broken",
        "# Only a title\n",
    ]
)


class History(RuleBasedStateMachine):
    """Files are created, changed, moved and deleted; now and then the index is refreshed or reopened."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.docs = self.folder / "docs"
        self.docs.mkdir()
        self.corpus = Corpus.open(self.folder / "index")
        self.extra: tuple[Document, ...] = ()
        write(self.docs / "a.txt", "# Harbour\n\n" + PROSE * 30)
        write(self.docs / "b.md", "# Harbour\n\n" + PROSE * 30)
        self.refresh()

    @rule(name=NAMES, text=TEXTS)
    def put(self, name: str, text: str | bytes) -> None:
        write(self.docs / name, text)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        (self.docs / name).unlink(missing_ok=True)

    @rule(name=NAMES, new=NAMES)
    def rename(self, name: str, new: str) -> None:
        if (self.docs / name).exists():
            (self.docs / new).parent.mkdir(exist_ok=True)
            (self.docs / name).replace(self.docs / new)

    @rule(name=NAMES)
    def touch(self, name: str) -> None:
        if (self.docs / name).exists():
            touch(self.docs / name)

    @rule(text=st.none() | TEXTS.filter(lambda text: isinstance(text, str)))
    def pipe(self, text: str | None) -> None:
        self.extra = () if text is None else (from_text(text, "-"),)

    @rule()
    def reopen(self) -> None:
        self.corpus.close()
        self.corpus = Corpus.open(self.folder / "index")

    @rule()
    def refresh(self) -> None:
        sources = {source for _, source, _ in self.corpus.documents()}
        result = refreshed(self.corpus, self.docs, *self.extra)
        assert result.duplicates == self.corpus.status().duplicates
        assert result.failed == self.corpus.status().failed
        if not (result.added or result.changed or result.removed or result.renamed):
            assert {source for _, source, _ in self.corpus.documents()} == sources
        assert result.added + result.changed + result.renamed + result.unchanged == (
            self.corpus.size.documents + result.duplicates
        )

    @invariant()
    def readable(self) -> None:
        assert len(self.corpus.chunk_ids()) == self.corpus.size.chunks

    def teardown(self) -> None:
        refreshed(self.corpus, self.docs, *self.extra)
        again = refreshed(self.corpus, self.docs, *self.extra)
        assert (again.added, again.changed, again.removed, again.renamed) == (0, 0, 0, 0)
        with Corpus.open(self.folder / "fresh") as fresh:
            refreshed(fresh, self.docs, *self.extra)
            assert content(self.corpus) == content(fresh)
        self.corpus.close()
        shutil.rmtree(self.folder)


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=30, stateful_step_count=20)


def test_refresh_counts_changes(corpus: Corpus, docs: Path) -> None:
    assert refreshed(corpus, docs) == Refreshed(3, 0, 0, 0, 0, 0, ())
    write(docs / "d.txt", "new")
    write(docs / "b.txt", "changed")
    (docs / "c.txt").rename(docs / "e.txt")
    (docs / "a.md").unlink()
    touch(docs / "e.txt")
    assert refreshed(corpus, docs) == Refreshed(
        added=1, changed=1, removed=1, renamed=1, unchanged=0, duplicates=0, failed=()
    )
    assert refreshed(corpus, docs) == Refreshed(0, 0, 0, 0, 3, 0, ())
    assert corpus.lexical("c", 5) == [], "no word of the old name is left"


def test_refresh_reads_only_new_bytes(corpus: Corpus, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = lcrag.ingest.read

    def counted(file: SourceFile, data: bytes | None = None) -> Document:
        read.append(Path(file.path).name)
        return original(file, data)

    monkeypatch.setattr(lcrag.ingest, "read", counted)
    refreshed(corpus, docs)
    assert sorted(read) == ["a.md", "b.txt", "c.txt"]
    read.clear()
    refreshed(corpus, docs)
    touch(docs / "a.md")  # another time, the same bytes
    (docs / "b.txt").rename(docs / "z.txt")
    shutil.copy(docs / "c.txt", docs / "copy.txt")
    refreshed(corpus, docs)
    assert read == []
    write(docs / "c.txt", "other text")
    refreshed(corpus, docs)
    assert read == ["c.txt"]


def test_refresh_reads_renamed_file_as_its_new_kind(corpus: Corpus, docs: Path) -> None:
    write(docs / "page.txt", "<html><body><p>The tide is high.</p></body></html>")
    refreshed(corpus, docs)
    (docs / "page.txt").rename(docs / "page.html")
    assert refreshed(corpus, docs).added == 1
    assert "<p>" not in matches(corpus, "tide")[0]


def test_refresh_indexes_copies_once_under_the_first_source(corpus: Corpus, docs: Path) -> None:
    shutil.copy(docs / "b.txt", docs / "z.txt")
    assert refreshed(corpus, docs).duplicates == 1
    before = [(chunk.id, chunk.text) for chunk in corpus.chunks() if chunk.source.endswith("b.txt")]
    (docs / "b.txt").unlink()
    assert refreshed(corpus, docs).duplicates == 0
    assert [(chunk.id, chunk.text) for chunk in corpus.chunks() if chunk.source.endswith("z.txt")] == before


def test_refresh_rebuilds_document_moved_to_copy_of_another_kind_or_title(corpus: Corpus, tmp_path: Path) -> None:
    text = "# Harbour\n\n" + PROSE * 30
    scan = Scan((), {})
    first, second, third = (
        Document("same", source, text, title=title) for source, title in (("a.md", "A"), ("b.md", "B"), ("c.csv", "B"))
    )
    for before, after in (
        ((first, second), (second,)),
        ((second, third), (third,)),
        ((first,), (replace(first, title="C"),)),
    ):
        corpus.refresh(scan, ignore, before)
        corpus.refresh(scan, ignore, after)
        with Corpus.open(tmp_path / after[0].source) as fresh:
            fresh.refresh(scan, ignore, after)
            assert content(corpus) == content(fresh)


def test_refresh_reports_broken_file_and_continues(corpus: Corpus, docs: Path) -> None:
    write(docs / "broken.pdf", b"%PDF-1.7 and no more")
    events: list[Event] = []
    result = corpus.refresh(discover([docs]), events.append)
    assert result.added == 3
    [(source, reason)] = result.failed
    assert source.endswith("broken.pdf")
    assert reason
    assert [event.data["failed"] for event in events if "failed" in event.data] == [source]
    assert [(e.data["done"], e.data["total"]) for e in events if "done" in e.data] == [(n, 4) for n in (1, 2, 3, 4)]
    events.clear()
    assert corpus.refresh(discover([docs]), events.append).failed == result.failed
    assert events == []


def test_refresh_reads_a_file_that_was_edited_with_the_same_size_and_time(corpus: Corpus, docs: Path) -> None:
    write(docs / "c.txt", "The lamp costs 120 crowns.")
    state = (docs / "c.txt").stat()
    refreshed(corpus, docs)
    (docs / "c.txt").write_text("The lamp costs 450 crowns.")
    os.utime(docs / "c.txt", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert refreshed(corpus, docs).changed == 1
    assert matches(corpus, "lamp") == ["The lamp costs 450 crowns."]


def test_refresh_reads_a_file_that_was_replaced_by_an_older_one(corpus: Corpus, docs: Path) -> None:
    write(docs / "c.txt", "The lamp costs 120 crowns.")
    state = (docs / "c.txt").stat()
    (docs.parent / "other").write_text("The lamp costs 450 crowns.")
    os.utime(docs.parent / "other", ns=(state.st_atime_ns, state.st_mtime_ns))
    refreshed(corpus, docs)
    (docs.parent / "other").replace(docs / "c.txt")
    assert refreshed(corpus, docs).changed == 1


def test_refresh_indexes_the_bytes_that_it_hashes(corpus: Corpus, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = "The fare is 5 pounds.", "The fare is 9 pounds."
    write(docs / "c.txt", old)
    read_bytes = Path.read_bytes

    def read_and_replace(path: Path) -> bytes:
        data = read_bytes(path)
        if path.name == "c.txt":
            path.write_text(new)  # an editor saves just now
        return data

    monkeypatch.setattr(Path, "read_bytes", read_and_replace)
    refreshed(corpus, docs)
    monkeypatch.undo()
    assert matches(corpus, "fare") == [old]
    assert refreshed(corpus, docs).changed == 1
    assert matches(corpus, "fare") == [new]
    write(docs / "c.txt", old)
    refreshed(corpus, docs)
    assert matches(corpus, "fare") == [old]


class Panic(BaseException):
    """As a library in Rust raises it."""


@pytest.mark.parametrize(
    ("error", "reason", "is_of_content"),
    [
        (PermissionError(13, "Permission denied"), "Permission denied", False),
        (ImportError("no parser"), "no parser", False),
        (MemoryError(), "memory", True),
        (Panic("out of bounds"), "out of bounds", True),
        (UnreadableFile("it has no pages"), "it has no pages", True),
    ],
)
def test_refresh_tries_again_unless_the_content_is_the_reason(
    corpus: Corpus,
    docs: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    reason: str,
    is_of_content: bool,
) -> None:
    original = lcrag.ingest.read

    def fail(file: SourceFile, data: bytes | None = None) -> Document:
        if file.path.endswith("b.txt"):
            raise error
        return original(file, data)

    monkeypatch.setattr(lcrag.ingest, "read", fail)
    [(source, given)] = refreshed(corpus, docs).failed
    assert source.endswith("b.txt")
    assert reason in given
    monkeypatch.undo()
    assert len(refreshed(corpus, docs).failed) == is_of_content
    write(docs / "b.txt", "Another text.")
    assert refreshed(corpus, docs).failed == ()


def test_refresh_does_not_read_a_copy_of_a_file_that_failed_as_that_file(corpus: Corpus, docs: Path) -> None:
    write(docs / "bad.pdf", b"%PDF-1.7 and no more")
    refreshed(corpus, docs)
    shutil.copy(docs / "bad.pdf", docs / "worse.pdf")
    shutil.copy(docs / "bad.pdf", docs / "fine.txt")
    result = refreshed(corpus, docs)
    assert (result.added, len(result.failed)) == (1, 2)


def test_refresh_does_not_write_for_a_file_that_still_cannot_be_opened(
    corpus: Corpus, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", deny)
    monkeypatch.setattr("lcrag.index.refresh._opens", lambda file: False)
    assert len(refreshed(corpus, docs).failed) == 3
    monkeypatch.setattr("lcrag.index.index_file.refresh", None)
    assert len(refreshed(corpus, docs).failed) == 3


def test_refresh_replaces_documents_without_a_file(corpus: Corpus, docs: Path) -> None:
    assert refreshed(corpus, docs, from_text("Piped in: a whale.", "-")).added == 4
    assert refreshed(corpus, docs, from_text("Piped in: a walrus.", "-")).changed == 1
    assert corpus.lexical("whale", 5) == []
    assert len(corpus.lexical("walrus", 5)) == 1
    assert refreshed(corpus, docs).removed == 1


def test_document_restores_pages_lines_and_title(corpus: Corpus) -> None:
    document = Document("x1", "-", "one two", pages=(0, 4), lines=((0, 1), (4, 7)), title="T")
    corpus.refresh(Scan((), {}), ignore, [document])
    assert corpus.document("x1") == document
    with pytest.raises(KeyError):
        corpus.document("x2")
    assert (document.text.startswith(corpus.beginning("x1")), corpus.beginning("x2")) == (True, "")
    assert corpus.beginning("x1")


def embed(corpus: Corpus, name: str = "m") -> None:
    """Give every chunk without a vector one with its length."""
    ids = corpus.missing_vectors(corpus.chunk_ids(), name)
    array = np.array([[len(chunk.text), 1.0] for chunk in corpus.get(ids)], dtype=np.float32).reshape(-1, 2)
    assert corpus.store_vectors(ids, name, array)


def test_vectors_have_the_order_of_the_ids(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs)
    ids = corpus.chunk_ids()
    assert corpus.vectors(ids, "m")[0] == []
    embed(corpus)
    asked = [*reversed(ids), 10**9]
    got, array = corpus.vectors(asked, "m")
    assert got == asked[:-1]
    assert array.dtype == np.float32
    assert array[:, 0].tolist() == [len(chunk.text) for chunk in corpus.get(got)]
    assert corpus.missing_vectors(asked, "m") == [10**9]
    assert corpus.missing_vectors(ids, "other") == ids
    assert corpus.status().vectors == {"m": len(ids)}


def test_vectors_survive_renames_and_edits_and_go_with_their_text(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs)
    embed(corpus)
    (docs / "b.txt").rename(docs / "renamed.txt")
    write(docs / "a.md", (docs / "a.md").read_text() + "\n\n## New\n\n" + PROSE * 5)
    refreshed(corpus, docs)
    [missing] = corpus.get(corpus.missing_vectors(corpus.chunk_ids(), "m"))
    assert missing.text.startswith("## New")
    before = corpus.status().vectors["m"]
    (docs / "c.txt").unlink()
    refreshed(corpus, docs)
    assert corpus.status().vectors == {"m": before - 1}


def test_store_vectors_skips_removed_chunks(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs)
    ids = corpus.chunk_ids()
    with Corpus.open(corpus.folder) as other:
        write(docs / "c.txt", "quite another text")
        refreshed(other, docs)
        assert corpus.store_vectors(ids, "m", np.ones((len(ids), 2), dtype=np.float32))
        assert len(other.missing_vectors(other.chunk_ids(), "m")) == 1
        assert other.status().vectors == {"m": len(ids) - 1}
    assert len(corpus.get(ids)) == len(ids), "the snapshot still has them all"


def test_corpus_copy_is_an_index_like_the_first(corpus: Corpus, docs: Path, tmp_path: Path) -> None:
    refreshed(corpus, docs)
    corpus.copy_to(tmp_path / "copy")
    with Corpus.open(tmp_path / "copy") as copy:
        result = refreshed(copy, docs, from_text("The budget is 400 pounds.", "said.md"))
        assert (result.added, result.unchanged) == (1, corpus.size.documents)
        corpus.copy_to(tmp_path / "copy")  # there is one: it stays
        assert [chunk.text for chunk in copy.chunks_of("said.md")] == ["The budget is 400 pounds."]
    assert corpus.chunks_of("said.md") == []
    with Corpus.open(tmp_path / "copy") as copy:
        refreshed(copy, docs)
        assert content(copy) == content(corpus)
