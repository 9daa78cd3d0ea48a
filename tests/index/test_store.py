"""The index's file survives kills, damage and older formats, and processes share it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.corpora import PROSE, content, refreshed, touch, write, write_docs

import lcrag
from lcrag.errors import Busy, Damaged, IndexUnavailable, NotRunning
from lcrag.index import store
from lcrag.index.corpus import Corpus, clear
from lcrag.index.prepare import ParsedFile
from lcrag.index.workers import parse_files
from lcrag.ingest import SourceFile, discover
from lcrag.types import Event, ignore


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_docs(tmp_path / "docs")


def messages(corpus: Corpus, docs: Path) -> list[str]:
    events: list[Event] = []
    corpus.refresh(discover([docs]), events.append)
    return [event.data["message"] for event in events if "message" in event.data]


@pytest.mark.parametrize("form", ["0", "5, 128-token chunks, cl100k_base", "9, 128-token chunks, cl100k_base"])
def test_open_rebuilds_another_format_without_a_word(tmp_path: Path, docs: Path, form: str) -> None:
    with Corpus.open(tmp_path / "index") as corpus:
        refreshed(corpus, docs)
        before = content(corpus)
        ids = corpus.chunk_ids()
        corpus.store_vectors(ids, "m", np.ones((len(ids), 2), np.float32))
    with closing(sqlite3.connect(tmp_path / "index" / store.FILE)) as db:
        db.execute("UPDATE meta SET value = ? WHERE name = 'form'", (form,))
        db.commit()
    with Corpus.open(tmp_path / "index") as corpus:
        assert corpus.size.documents == 0
        assert messages(corpus, docs) == []
        assert content(corpus) == before
        assert corpus.status().vectors == ({"m": len(ids)} if form != "0" else {}), "those of format 5 on are the same"


def test_open_recognizes_an_index_made_before_the_mark(tmp_path: Path, docs: Path) -> None:
    with Corpus.open(tmp_path / "index") as corpus:
        refreshed(corpus, docs)
    with closing(sqlite3.connect(tmp_path / "index" / store.FILE)) as db:
        db.execute("PRAGMA application_id = 0")
    with Corpus.open(tmp_path / "index") as corpus:
        assert corpus.size.documents == 3


@pytest.mark.parametrize("kind", ["database", "text"])
def test_open_and_clear_refuse_a_file_of_others(tmp_path: Path, docs: Path, kind: str) -> None:
    path = tmp_path / "project" / store.FILE
    write(path, "my notes, not a database")
    if kind == "database":
        path.unlink()
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE customers (name)")
    before = path.read_bytes()
    for call in (Corpus.open, clear):
        with pytest.raises(IndexUnavailable, match="not an index of lcrag") as refused:
            call(path.parent)
        assert str(path) in str(refused.value)
        assert refused.value.hint
    assert [entry.name for entry in path.parent.iterdir()] == [store.FILE]
    assert path.read_bytes() == before


def test_open_sets_aside_a_file_in_the_cache_that_is_not_a_database(
    tmp_path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path))
    folder = tmp_path / "index" / "0123"
    write(folder / store.FILE, b"not a database at all" * 1000)
    with Corpus.open(folder) as corpus:
        assert ["damaged" in message for message in messages(corpus, docs)] == [True]
        assert corpus.size.documents == 3
    assert (folder / f"{store.FILE}.damaged").read_bytes().startswith(b"not a database")


def test_open_makes_the_index_private(tmp_path: Path, docs: Path) -> None:
    with Corpus.open(tmp_path / "new" / "index") as corpus:
        refreshed(corpus, docs)
        modes = {path.name: path.stat().st_mode & 0o777 for path in corpus.folder.iterdir()}
        assert modes == dict.fromkeys(modes, 0o600)
    assert [path.stat().st_mode & 0o777 for path in (corpus.folder, corpus.folder.parent)] == [0o700, 0o700]


def test_open_reads_an_index_that_cannot_be_written(
    tmp_path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Corpus.open(tmp_path / "index") as corpus:
        refreshed(corpus, docs)

    def fail(path: Path) -> sqlite3.Connection:
        raise IndexUnavailable("disk full")

    monkeypatch.setattr(store, "connect", fail)
    with Corpus.open(tmp_path / "index") as corpus:
        assert refreshed(corpus, docs).unchanged == 3
        [best, *_] = corpus.get([chunk for chunk, _ in corpus.lexical("Who pays tolls at the gate?", 1)])
        assert best.text.startswith("Tolls")
        ids = corpus.chunk_ids()
        corpus.keep_vectors(ids, "m", np.ones((len(ids), 2), np.float32))
        assert corpus.missing_vectors(ids, "m") == ids
        write(docs / "c.txt", "changed")
        with pytest.raises(IndexUnavailable, match="not up to date"):
            refreshed(corpus, docs)
    with pytest.raises(IndexUnavailable, match="disk full"):
        Corpus.open(tmp_path / "other")


def test_reading_a_damaged_index_lets_the_next_call_rebuild_it(tmp_path: Path, docs: Path) -> None:
    for number in range(40):
        write(docs / f"{number}.txt", "".join(f"Boat {number} and net {n} of the harbour. " for n in range(400)))
    with Corpus.open(tmp_path / "index") as corpus:
        refreshed(corpus, docs)
        before = content(corpus)
    path = tmp_path / "index" / store.FILE
    data = bytearray(path.read_bytes())
    data[20 * 8192 :] = os.urandom(len(data) - 20 * 8192)
    path.write_bytes(data)
    with Corpus.open(tmp_path / "index") as corpus, pytest.raises(Damaged, match="damaged") as raised:
        list(corpus.chunks())
    assert "again" in raised.value.hint
    with Corpus.open(tmp_path / "index") as corpus:
        refreshed(corpus, docs)
        assert content(corpus) == before


def test_refresh_repairs_a_damaged_database(tmp_path: Path, docs: Path) -> None:
    with Corpus.open(tmp_path / "index") as corpus:
        refreshed(corpus, docs)
        before = content(corpus)
    path = tmp_path / "index" / store.FILE
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\x5a" * (len(data) - 8192))
    touch(docs / "a.md")
    with closing(sqlite3.connect(path)) as db, pytest.raises(Damaged) as raised, store.translate_errors(path):
        db.execute("SELECT * FROM files").fetchall()
    assert raised.value.hint
    assert raised.value.exit_code == 3
    with Corpus.open(tmp_path / "index") as corpus:
        assert ["damaged" in message for message in messages(corpus, docs)] == [True]
        assert content(corpus) == before


def test_open_gives_a_hint_if_the_folder_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(IndexUnavailable) as raised:
        Corpus.open(tmp_path / "file" / "index")
    assert "--index" in raised.value.hint


def test_clear_deletes_only_the_index(tmp_path: Path, docs: Path) -> None:
    others = ["index.sqlite.backup.zip", "index.sqlite2", "mine.txt"]
    for name in others:
        write(tmp_path / "index" / name, "mine")
    killed = f"{store.FILE}.0123abcd.vectors.k3_jq2lm"
    write(tmp_path / "index" / killed / "half", "left by a process that was killed")
    with Corpus.open(tmp_path / "index") as corpus:
        refreshed(corpus, docs)
    assert clear(tmp_path / "index")
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == others
    assert not clear(tmp_path / "index")


CHILD = """
import sys
from pathlib import Path
from lcrag.index.corpus import Corpus
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


def test_refresh_killed_leaves_the_old_index(tmp_path: Path, docs: Path) -> None:
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


def test_refresh_with_readers_elsewhere_keeps_what_they_have_read(
    tmp_path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When they are gone, the next call goes on from there; other readers see a whole index in between."""
    monkeypatch.setattr("lcrag.index.refresh.KEEP_SECONDS", 0.0)
    seen = []

    def parse(files: Sequence[SourceFile], known: set[bytes]) -> Iterator[tuple[SourceFile, ParsedFile]]:
        for number, result in enumerate(parse_files(files, known)):
            with Corpus.open(tmp_path / "index") as other:
                seen.append((other.size.documents, len(list(other.documents())), other.size.chunks))
                assert len(other.chunk_ids()) == other.size.chunks
            if number == 2:
                raise NotRunning("they are gone")
            yield result

    with Corpus.open(tmp_path / "index") as corpus, Corpus.open(tmp_path / "fresh") as fresh:
        with pytest.raises(NotRunning):
            corpus.refresh(discover([docs]), ignore, (), parse)
        assert [documents for documents, *_ in seen] == [listed for _, listed, _ in seen] == [0, 1, 2]
        assert corpus.size.documents == 2
        result = corpus.refresh(discover([docs]), ignore, (), parse)
        assert (result.added, result.unchanged) == (1, 2)
        refreshed(fresh, docs)
        assert content(corpus) == content(fresh)
        assert corpus.chunk_ids() == fresh.chunk_ids()


def test_refresh_in_two_processes_while_a_third_reads(
    tmp_path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lcrag.index.corpus._VECTOR_WAIT_SECONDS", 0)
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


def test_writing_gives_a_hint_after_waiting_too_long(tmp_path: Path) -> None:
    path = tmp_path / store.FILE
    first, second = store.connect(path), store.connect(path)
    waited = []
    with (
        store.writing(first, path),
        pytest.raises(Busy, match="another process") as raised,
        store.writing(second, path, wait=0, waiting=lambda: waited.append(1)),
    ):
        pass
    assert raised.value.hint
    first.close()
    second.close()


def test_open_waits_for_an_index_that_is_locked_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = sqlite3.OperationalError("database is locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
    left = [locked]
    prepare = store.prepare

    def prepare_later(*arguments: Any) -> None:
        if left:
            raise left.pop()
        prepare(*arguments)

    monkeypatch.setattr(store, "prepare", prepare_later)
    write(tmp_path / "docs" / "a.md", "Anna Holm kept the light.")
    with Corpus.open(tmp_path / "index") as corpus:
        assert refreshed(corpus, tmp_path / "docs").added == 1, "it was opened for writing"
    assert left == []


def test_corpus_keeps_its_locks_when_another_is_opened_in_the_same_process(tmp_path: Path) -> None:
    """Any close of a file drops the locks of its process: a process that ends would delete the log of this one."""
    write(tmp_path / "docs" / "a.md", "Anna Holm kept the light.")
    program = "import sys, sqlite3; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM meta').fetchall()"
    with Corpus.open(tmp_path / "index") as corpus, Corpus.open(tmp_path / "index"):
        refreshed(corpus, tmp_path / "docs")
        subprocess.run([sys.executable, "-c", program, str(tmp_path / "index" / store.FILE)], check=True)
        assert (tmp_path / "index" / f"{store.FILE}-wal").exists()


def test_refresh_leaves_a_file_that_it_may_only_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "docs" / "a.md", "Anna Holm kept the light.")
    with Corpus.open(tmp_path / "index") as corpus:
        refreshed(corpus, tmp_path / "docs")

    def fail(*_: object) -> None:
        raise Damaged("torn page")

    def refuse(path: Path) -> None:
        raise IndexUnavailable("read-only")

    monkeypatch.setattr(store, "connect", refuse)
    with Corpus.open(tmp_path / "index") as corpus:
        monkeypatch.setattr("lcrag.index.index_file.up_to_date", fail)
        with pytest.raises(Damaged):
            refreshed(corpus, tmp_path / "docs")
    assert [path.name for path in (tmp_path / "index").glob("*.damaged")] == []
