"""Files read by processes side by side: the same index, in the same order, whatever a file does to its reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.corpora import content, refreshed, write, write_docs

from lcrag.index import workers as readers
from lcrag.index.corpus import Corpus
from lcrag.index.prepare import ParsedFile
from lcrag.index.workers import parse_files
from lcrag.ingest import discover

CRASHING = (
    "import json, os, sys; sys.path[:] = json.loads(sys.argv[1])\n"
    "from lcrag import ingest\nfrom lcrag.index import workers\n"
    "read = ingest.read\n"
    "ingest.read = lambda file: os._exit(9) if file.path.name == 'bad.txt' else read(file)\n"
    "workers.serve()\n"
)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = write_docs(tmp_path / "docs")
    for number in range(12):
        write(folder / f"{number:02}.md", f"# Part {number}\n\n" + f"Boat {number} lands herring. " * 80)
    write(folder / "copy.md", (folder / "03.md").read_bytes())
    write(folder / "empty.docx", b"PK no archive")
    return folder


@pytest.fixture
def side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "SIDE_BY_SIDE", 0)
    monkeypatch.setattr(readers, "BATCH_FILES", 3)
    monkeypatch.setattr(readers.os, "cpu_count", lambda: 3)


def test_the_index_is_the_same(docs: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with Corpus.open(tmp_path / "alone") as corpus:
        told = refreshed(corpus, docs)
        alone = content(corpus)
    request.getfixturevalue("side_by_side")
    with Corpus.open(tmp_path / "together") as corpus:
        assert refreshed(corpus, docs) == told
        assert content(corpus) == alone
        write(docs / "05.md", "Another text altogether.")
        (docs / "06.md").rename(docs / "z.md")
        changed = refreshed(corpus, docs)
    assert (changed.added, changed.changed, changed.renamed, changed.removed) == (0, 1, 1, 0)
    assert [source for source, _ in changed.failed] == [str(docs / "empty.docx")]


@pytest.mark.usefixtures("side_by_side")
def test_they_come_in_order_and_known_bytes_are_not_parsed(docs: Path) -> None:
    files = discover([docs]).files
    first = dict(parse_files(files, set()))
    assert list(first) == list(files)
    again = [found for _, found in parse_files(files, {one.digest for one in first.values() if not one.failed})]
    assert [found.document is None for found in again] == [True] * len(files)
    assert sum(bool(found.failed) for found in again) == 1


@pytest.mark.usefixtures("side_by_side")
def test_a_file_that_ends_its_reader_fails_alone(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_PROGRAM", CRASHING)
    write(docs / "bad.txt", "It brings down whoever reads it.")
    found: dict[str, ParsedFile] = {file.path.name: one for file, one in parse_files(discover([docs]).files, set())}
    assert "code 9" in found["bad.txt"].failed
    assert [name for name, one in found.items() if one.failed] == ["bad.txt", "empty.docx"]


@pytest.mark.usefixtures("side_by_side")
def test_whoever_stops_listening_leaves_no_process_behind(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[readers._Process] = []
    start = readers._Process._start

    def kept(self: readers._Process) -> None:
        start(self)
        started.append(self)

    monkeypatch.setattr(readers._Process, "_start", kept)
    listening = parse_files(discover([docs]).files, set())
    next(listening)
    listening.close()  # type: ignore[attr-defined]
    assert len(started) == 3
    assert all(one._running.poll() is not None for one in started)


def test_a_large_refresh_is_heard_file_by_file(docs: Path, tmp_path: Path, side_by_side: None) -> None:
    with Corpus.open(tmp_path / "index") as corpus:
        seen = []
        corpus.refresh(discover([docs]), lambda event: seen.append(event.data.get("done")))
    told = [done for done in seen if done is not None]
    assert told == list(range(1, len(discover([docs]).files) + 1))
