"""The index equals one built from scratch after any history, survives being killed, and is shared by processes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import lcrag.ingest
from lcrag import store
from lcrag.corpus import Corpus, Refreshed, clear
from lcrag.ingest import Scan, SourceFile, discover, from_text
from lcrag.types import Document, Event

CLOCK = count(1_700_000_000_000_000_000, 1_000_000_000)
PROSE = "The harbour of Ostrava opened in 1931 with two quays. Eight ships came in its first week. "


def write(path: Path, text: str | bytes) -> None:
    """Write a file at a time of its own: two writes within one tick of the system's clock look alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    touch(path)


def touch(path: Path) -> None:
    now = next(CLOCK)
    os.utime(path, ns=(now, now))


def silent(event: Event) -> None:
    """Emit to nobody."""


def refreshed(corpus: Corpus, docs: Path, *extra: Document) -> Refreshed:
    return corpus.refresh(discover([docs]), silent, extra)


def content(corpus: Corpus) -> dict[str, Any]:
    """All that an index holds but for row numbers, down to the postings of its lexical index."""
    chunks = list(corpus.chunks())
    ids = [chunk.id for chunk in chunks]
    assert ids == corpus.chunk_ids()
    place = {chunk.id: (chunk.source, chunk.start) for chunk in chunks}
    db = sqlite3.connect(corpus.folder / store.FILE)
    db.execute("CREATE VIRTUAL TABLE temp.instances USING fts5vocab(main, lexical, instance)")
    postings = sorted(
        (term, place[doc], col, offset) for term, doc, col, offset in db.execute("SELECT * FROM instances")
    )
    db.close()
    documents = [corpus.document(name) for name, _, _ in corpus.documents()]
    for document in documents:
        assert document.text == "".join(chunk.text for chunk in chunks if chunk.document_id == document.id)
    return {
        "size": corpus.size,
        "documents": documents,
        "tokens": list(corpus.documents()),
        "chunks": [(one.document_id, one.source, one.start, one.end, one.text, one.tokens) for one in chunks],
        "contexts": corpus.context(ids),
        "postings": postings,
        "scores": sorted((place[one], round(score, 9)) for one, score in corpus.lexical("harbour ship week", 999)),
        "failed": corpus.status().failed,
        "duplicates": corpus.status().duplicates,
    }


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    write(folder / "a.md", "# Harbour\n\n" + PROSE * 3 + "\n\n## Cranes\n\n" + "A crane lifts ten tons. " * 40)
    write(folder / "b.txt", "Maria's lighthouse was built in 1870. " * 30)
    write(folder / "c.txt", "Tolls are paid at the gate. " * 5)
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Iterator[Corpus]:
    with Corpus.open(tmp_path / "index") as one:
        yield one


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
    """Files come, change, move and go; now and then the index is refreshed or opened anew."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.docs = self.folder / "docs"
        self.docs.mkdir()
        self.corpus = Corpus.open(self.folder / "index")
        self.extra: tuple[Document, ...] = ()

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
        found = refreshed(self.corpus, self.docs, *self.extra)
        assert found.duplicates == self.corpus.status().duplicates
        assert found.failed == self.corpus.status().failed
        if not (found.added or found.changed or found.removed or found.renamed):
            assert {source for _, source, _ in self.corpus.documents()} == sources
        assert found.added + found.changed + found.renamed + found.unchanged == (
            self.corpus.size.documents + found.duplicates
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


def test_counts_tell_what_happened(corpus: Corpus, docs: Path) -> None:
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


def test_files_are_read_no_more_than_needed(corpus: Corpus, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = lcrag.ingest.read

    def counted(file: SourceFile) -> Document:
        read.append(file.path.name)
        return original(file)

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


def test_copies_are_indexed_once_under_the_first_source(corpus: Corpus, docs: Path) -> None:
    shutil.copy(docs / "b.txt", docs / "z.txt")
    assert refreshed(corpus, docs).duplicates == 1
    before = [(chunk.id, chunk.text) for chunk in corpus.chunks() if chunk.source.endswith("b.txt")]
    (docs / "b.txt").unlink()
    assert refreshed(corpus, docs).duplicates == 0
    assert [(chunk.id, chunk.text) for chunk in corpus.chunks() if chunk.source.endswith("z.txt")] == before


def test_a_copy_of_another_kind_or_title_that_takes_over_is_indexed_as_itself(corpus: Corpus, tmp_path: Path) -> None:
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
        corpus.refresh(scan, silent, before)
        corpus.refresh(scan, silent, after)
        with Corpus.open(tmp_path / after[0].source) as fresh:
            fresh.refresh(scan, silent, after)
            assert content(corpus) == content(fresh)


def test_a_broken_file_is_named_and_stops_nothing(corpus: Corpus, docs: Path) -> None:
    write(docs / "broken.pdf", b"%PDF-1.7 and no more")
    events: list[Event] = []
    found = corpus.refresh(discover([docs]), events.append)
    assert found.added == 3
    [(source, reason)] = found.failed
    assert source.endswith("broken.pdf")
    assert reason
    assert [event.data["failed"] for event in events if "failed" in event.data] == [source]
    assert [(e.data["done"], e.data["total"]) for e in events if "done" in e.data] == [(n, 4) for n in (1, 2, 3, 4)]
    events.clear()
    assert corpus.refresh(discover([docs]), events.append).failed == found.failed
    assert events == []


def test_documents_without_a_file_are_replaced(corpus: Corpus, docs: Path) -> None:
    assert refreshed(corpus, docs, from_text("Piped in: a whale.", "-")).added == 4
    assert refreshed(corpus, docs, from_text("Piped in: a walrus.", "-")).changed == 1
    assert corpus.lexical("whale", 5) == []
    assert len(corpus.lexical("walrus", 5)) == 1
    assert refreshed(corpus, docs).removed == 1


def test_pages_lines_and_title_come_back(corpus: Corpus) -> None:
    document = Document("x1", "-", "one two", pages=(0, 4), lines=((0, 1), (4, 7)), title="T")
    corpus.refresh(Scan((), {}), silent, [document])
    assert corpus.document("x1") == document
    with pytest.raises(KeyError):
        corpus.document("x2")


# --- lexical ---------------------------------------------------------------------------------------------------------


def found(corpus: Corpus, question: str) -> list[str]:
    return [chunk.text for chunk in corpus.get([chunk for chunk, _ in corpus.lexical(question, 10)])]


def index(corpus: Corpus, *texts: str) -> None:
    scan = Scan((), {})
    corpus.refresh(scan, silent, [from_text(text, f"<{number:02}>") for number, text in enumerate(texts)])


def test_scores_are_positive_best_first_and_ties_go_by_id(corpus: Corpus) -> None:
    index(corpus, "tide", "the ship", "a ship", "ship of ships", "moon", "sun", "rain")
    ranking = corpus.lexical("Which ships?", 10)
    assert found(corpus, "Which ships?") == ["ship of ships", "the ship", "a ship"]
    assert ranking[0][1] > ranking[1][1] == ranking[2][1] > 0
    assert corpus.lexical("Which ships?", 2) == ranking[:2]


@pytest.mark.parametrize(
    "question",
    [
        "",
        "  ",
        "?!",
        '"',
        "a AND (b OR",
        "NEAR(x y)",
        "text: *",
        "^x - {y}",
        "\0",
        "\ud7ff",
        "😀",
        "'’'",
        "NOT",
        "中",
        "ไม่",
    ],
)
def test_any_question_is_safe(corpus: Corpus, question: str) -> None:
    index(corpus, "a ship", "another harbour")
    assert corpus.lexical(question, 10) == []
    assert all(term.chunks == 0 for term in corpus.terms(question))


def test_a_page_of_text_is_a_question_too(corpus: Corpus) -> None:
    index(corpus, "a ship", "another harbour", *(f"word {number}" for number in range(300)))
    question = " ".join(map(str, range(1000, 6000))) + " ship" * 5000
    assert found(corpus, question) == ["a ship"]
    assert len(corpus.terms(question)) == 5001


def test_stop_words_count_only_when_there_is_nothing_else(corpus: Corpus) -> None:
    index(corpus, "to be or not to be", "the ship is to be", "moon", "sun", "rain")
    assert found(corpus, "what is to be with the ship")[0] == "the ship is to be"
    assert [term.text for term in corpus.terms("what is to be with the ship")] == ["ship"]
    assert found(corpus, "to be or not to be")[0] == "to be or not to be"


def test_identifiers_are_found_as_a_whole_first(corpus: Corpus) -> None:
    key = "8aa4abc9-3555-4fe3-8482-852ffd18c3b0"
    index(
        corpus, "3555 8482 8aa4abc9 4fe3 852ffd18c3b0", f'{{"{key}": 1}}', "call foo_bar-12 now", "foo 12 bar", "x", "y"
    )
    assert found(corpus, f"What is the value of {key}?")[0] == f'{{"{key}": 1}}'
    assert found(corpus, "where is `foo_bar-12`?")[0] == "call foo_bar-12 now"
    assert len(found(corpus, "foo_bar-12")) == 2


def test_possessives_accents_and_endings(corpus: Corpus) -> None:
    index(corpus, "Maria sails", "a café", "नदी हिन्दी", "rain", "sun")
    assert found(corpus, "Maria's sailing?") == ["Maria sails"]
    assert found(corpus, "CAFE\u0301") == ["a café"]
    assert found(corpus, "हिन्दी") == ["नदी हिन्दी"]


def test_scripts_without_spaces(corpus: Corpus) -> None:
    index(corpus, "港口于一九三一年开放。", "灯塔建于一八七零年。", "เรือลำใหญ่เข้าท่า", "rain", "猫")
    assert found(corpus, "港口什么时候开放?")[0] == "港口于一九三一年开放。"
    assert found(corpus, "เรือ")[0] == "เรือลำใหญ่เข้าท่า"
    assert found(corpus, "猫?") == ["猫"]
    assert found(corpus, "塔") == ["灯塔建于一八七零年。"]


def test_source_and_headings_are_searched_too(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs)
    (docs / "c.txt").rename(docs / "regulations.txt")
    refreshed(corpus, docs)
    assert found(corpus, "regulations")[0].startswith("Tolls")
    last = list(corpus.chunks())[1].id
    assert corpus.context([last]) == ["Harbour > Cranes"]
    assert last in dict(corpus.lexical("cranes of the harbour", 5))


def test_terms_have_their_frequency_and_idf(corpus: Corpus) -> None:
    index(corpus, "ships sail", "a ship", "moon", "sun")
    assert [(one.text, one.chunks, round(one.idf, 6)) for one in corpus.terms("Do ships sail to Mars?")] == [
        ("ship", 2, round(float(np.log(1 + 2.5 / 2.5)), 6)),
        ("sail", 1, round(float(np.log(1 + 3.5 / 1.5)), 6)),
        ("mar", 0, round(float(np.log(1 + 4.5 / 0.5)), 6)),
    ]


# --- vectors ---------------------------------------------------------------------------------------------------------


def embed(corpus: Corpus, name: str = "m") -> None:
    """Give every chunk without a vector one that tells its length."""
    ids = corpus.missing_vectors(corpus.chunk_ids(), name)
    array = np.array([[len(chunk.text), 1.0] for chunk in corpus.get(ids)], dtype=np.float32).reshape(-1, 2)
    assert corpus.store_vectors(ids, name, array)


def test_vectors_come_back_in_the_order_asked_for(corpus: Corpus, docs: Path) -> None:
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


def test_vectors_survive_renames_and_edits_elsewhere_and_leave_with_their_text(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs)
    embed(corpus)
    (docs / "b.txt").rename(docs / "renamed.txt")
    write(docs / "a.md", (docs / "a.md").read_text() + "\n\n## New\n\n" + PROSE * 5)
    refreshed(corpus, docs)
    [missing] = corpus.get(corpus.missing_vectors(corpus.chunk_ids(), "m"))
    assert missing.text.startswith("## New")
    kept = corpus.status().vectors["m"]
    (docs / "c.txt").unlink()
    refreshed(corpus, docs)
    assert corpus.status().vectors == {"m": kept - 1}


def test_storing_a_vector_of_a_chunk_that_left_does_nothing(corpus: Corpus, docs: Path) -> None:
    refreshed(corpus, docs)
    ids = corpus.chunk_ids()
    with Corpus.open(corpus.folder) as other:
        write(docs / "c.txt", "quite another text")
        refreshed(other, docs)
        assert corpus.store_vectors(ids, "m", np.ones((len(ids), 2), dtype=np.float32))
        assert len(other.missing_vectors(other.chunk_ids(), "m")) == 1
        assert other.status().vectors == {"m": len(ids) - 1}
    assert len(corpus.get(ids)) == len(ids), "the snapshot still has them all"


# --- the file --------------------------------------------------------------------------------------------------------


def messages(corpus: Corpus, docs: Path) -> list[str]:
    events: list[Event] = []
    corpus.refresh(discover([docs]), events.append)
    return [event.data["message"] for event in events if "message" in event.data]


def test_another_format_is_built_anew(tmp_path: Path, docs: Path) -> None:
    with Corpus.open(tmp_path / "index") as corpus:
        refreshed(corpus, docs)
        before = content(corpus)
    db = sqlite3.connect(tmp_path / "index" / store.FILE)
    db.execute("UPDATE meta SET value = '0' WHERE name = 'form'")
    db.commit()
    db.close()
    with Corpus.open(tmp_path / "index") as corpus:
        assert corpus.size.documents == 0
        assert ["another format" in message for message in messages(corpus, docs)] == [True]
        assert content(corpus) == before
        assert messages(corpus, docs) == []


def test_a_foreign_database_is_built_anew(tmp_path: Path, docs: Path) -> None:
    (tmp_path / "index").mkdir()
    db = sqlite3.connect(tmp_path / "index" / store.FILE)
    db.execute('CREATE TABLE "of ""others" (x)')
    db.close()
    with Corpus.open(tmp_path / "index") as corpus:
        assert len(messages(corpus, docs)) == 1
        assert corpus.size.documents == 3


def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path, docs: Path) -> None:
    write(tmp_path / "index" / store.FILE, b"not a database at all" * 1000)
    with Corpus.open(tmp_path / "index") as corpus:
        assert ["damaged" in message for message in messages(corpus, docs)] == [True]
        assert corpus.size.documents == 3
    assert (tmp_path / "index" / f"{store.FILE}.damaged").read_bytes().startswith(b"not a database")


def test_a_damaged_database_is_an_error_to_read_and_is_mended_by_a_refresh(tmp_path: Path, docs: Path) -> None:
    with Corpus.open(tmp_path / "index") as corpus:
        refreshed(corpus, docs)
        before = content(corpus)
    path = tmp_path / "index" / store.FILE
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\x5a" * (len(data) - 8192))
    touch(docs / "a.md")
    with closing(sqlite3.connect(path)) as db, pytest.raises(store.Damaged) as raised, store.translated(path):
        db.execute("SELECT * FROM files").fetchall()
    assert raised.value.hint
    assert raised.value.exit_code == 3
    with Corpus.open(tmp_path / "index") as corpus:
        assert ["damaged" in message for message in messages(corpus, docs)] == [True]
        assert content(corpus) == before


def test_a_folder_that_cannot_be_made_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(store.IndexUnavailable) as raised:
        Corpus.open(tmp_path / "file" / "index")
    assert "--index" in raised.value.hint


def test_clear_deletes_the_index_and_nothing_else(tmp_path: Path, docs: Path) -> None:
    write(tmp_path / "index" / "mine.txt", "mine")
    with Corpus.open(tmp_path / "index") as corpus:
        refreshed(corpus, docs)
    assert clear(tmp_path / "index")
    assert [path.name for path in (tmp_path / "index").iterdir()] == ["mine.txt"]
    assert not clear(tmp_path / "index")


# --- processes -------------------------------------------------------------------------------------------------------

CHILD = """
import sys
from pathlib import Path
from lcrag.corpus import Corpus
from lcrag.ingest import discover

def emit(event):
    if "message" in event.data or event.data.get("done") == int(sys.argv[3]):
        print(event.data, flush=True)
        if "done" in event.data:
            sys.stdin.readline()

with Corpus.open(Path(sys.argv[1])) as corpus:
    result = corpus.refresh(discover([Path(sys.argv[2])]), emit)
    print(result, len(corpus.lexical("harbour", 10)), flush=True)
"""


def child(index: Path, docs: Path, stop_at: int) -> subprocess.Popen[str]:
    """A process that refreshes the index and, with ``stop_at`` files done, waits for a line."""
    command = [sys.executable, "-c", CHILD, str(index), str(docs), str(stop_at)]
    root = str(Path(lcrag.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": root}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def test_a_killed_refresh_leaves_the_old_index(tmp_path: Path, docs: Path) -> None:
    with Corpus.open(tmp_path / "index") as corpus:
        refreshed(corpus, docs)
        before = content(corpus)
    for name in ("a.md", "b.txt", "c.txt", "d.txt"):
        write(docs / name, f"# New {name}\n\n" + PROSE * 2000)
    with child(tmp_path / "index", docs, 3) as process:
        assert process.stdout is not None
        assert "'done': 3" in process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    with Corpus.open(tmp_path / "index") as corpus, Corpus.open(tmp_path / "fresh") as fresh:
        assert content(corpus) == before
        assert refreshed(corpus, docs).changed == 3
        refreshed(fresh, docs)
        assert content(corpus) == content(fresh)


def test_two_processes_index_while_a_third_reads(tmp_path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.corpus._VECTOR_WAIT_SECONDS", 0)
    with Corpus.open(tmp_path / "index") as reader:
        refreshed(reader, docs)
        before = content(reader)
        ids = reader.chunk_ids()
        write(docs / "c.txt", "# New\n\n" + PROSE * 20)
        with child(tmp_path / "index", docs, 3) as first:
            assert first.stdin is not None
            assert first.stdout is not None
            assert "'done': 3" in first.stdout.readline(), "in the middle of writing"
            second = child(tmp_path / "index", docs, -1)
            assert second.stdout is not None
            assert "waiting" in second.stdout.readline()
            assert content(reader) == before
            assert not reader.store_vectors(ids, "m", np.ones((len(ids), 2), dtype=np.float32))
            first.stdin.write("\n")
            first.stdin.flush()
            assert "changed=1" in first.stdout.readline()
            with second:
                assert "unchanged=3" in second.stdout.readline()
            assert first.wait() == second.wait() == 0
        assert reader.get(ids) == list(reader.chunks()), "one snapshot until the next refresh"
        assert refreshed(reader, docs).unchanged == 3
        assert content(reader) != before


def test_waiting_for_too_long_is_an_error_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / store.FILE
    first, second = store.connect(path), store.connect(path)
    waited = []
    with (
        store.writing(first, path),
        pytest.raises(store.Busy, match="another process") as raised,
        store.writing(second, path, wait=0, waiting=lambda: waited.append(1)),
    ):
        pass
    assert raised.value.hint
    first.close()
    second.close()
