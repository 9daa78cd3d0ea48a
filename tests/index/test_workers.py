"""Files parsed by parallel workers: the same index, in the same order, whatever a file does to its worker."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.corpora import content, refreshed, write, write_many_docs

from lcrag.index import workers
from lcrag.index.corpus import Corpus
from lcrag.index.workers import parse_files
from lcrag.ingest import discover

CRASHING = (
    "import json, os, sys; sys.path[:] = json.loads(sys.argv[1])\n"
    "from lcrag import ingest\nfrom lcrag.index import workers\n"
    "read = ingest.read\n"
    "ingest.read = lambda file, data: os._exit(9) if file.path.endswith('bad.txt') else read(file, data)\n"
    "workers.serve()\n"
)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_many_docs(tmp_path / "docs", 12)


@pytest.fixture
def three_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PARALLEL_FROM", 0)
    monkeypatch.setattr(workers, "BATCH_FILES", 3)
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 3)


def test_refresh_with_workers_builds_the_same_index(docs: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with Corpus.open(tmp_path / "alone") as corpus:
        alone = refreshed(corpus, docs)
        expected = content(corpus)
    request.getfixturevalue("three_workers")
    with Corpus.open(tmp_path / "together") as corpus:
        assert refreshed(corpus, docs) == alone
        assert content(corpus) == expected
        write(docs / "05.md", "Another text altogether.")
        (docs / "06.md").rename(docs / "z.md")
        changed = refreshed(corpus, docs)
    assert (changed.added, changed.changed, changed.renamed, changed.removed) == (0, 1, 1, 0)
    assert [source for source, _ in changed.failed] == [str(docs / "empty.docx")]


@pytest.mark.usefixtures("three_workers")
def test_parse_files_preserves_order_and_skips_known_bytes(docs: Path) -> None:
    files = discover([docs]).files
    first = dict(parse_files(files, set()))
    assert list(first) == list(files)
    known = {parsed.digest for parsed in first.values() if not parsed.failed}
    again = [parsed for _, parsed in parse_files(files, known)]
    assert [parsed.document is None for parsed in again] == [True] * len(files)
    assert sum(bool(parsed.failed) for parsed in again) == 1


@pytest.mark.usefixtures("three_workers")
def test_parse_files_survives_a_file_that_crashes_its_worker(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_PROGRAM", CRASHING)
    write(docs / "bad.txt", "It crashes its worker.")
    by_name = {Path(file.path).name: parsed for file, parsed in parse_files(discover([docs]).files, set())}
    assert "code 9" in by_name["bad.txt"].failed
    assert [name for name, parsed in by_name.items() if parsed.failed] == ["bad.txt", "empty.docx"]


LIMITED = (
    "import json, os, sys; sys.path[:] = json.loads(sys.argv[1])\n"
    "from lcrag import ingest\nfrom lcrag.index import workers\n"
    "workers.MEMORY_BYTES, workers.CPU_SECONDS = 300_000_000, 1\n"
    "read = ingest.read\n"
    "def read_badly(file, data):\n"
    "    if file.path.endswith('large.txt'):\n"
    "        bytearray(10**9)\n"
    "    while file.path.endswith('slow.txt'):\n"
    "        pass\n"
    "    if file.path.endswith('killed.txt') and not os.path.exists(file.path + '.once'):\n"
    "        open(file.path + '.once', 'w').close()\n"
    "        os.kill(os.getpid(), 9)\n"
    "    if file.path.endswith('always.txt'):\n"
    "        os.kill(os.getpid(), 9)\n"
    "    return read(file, data)\n"
    "ingest.read = read_badly\n"
    "workers.serve()\n"
)


@pytest.mark.usefixtures("three_workers")
def test_parse_files_limits_memory_and_time_and_asks_once_more(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_PROGRAM", LIMITED)
    for name in ("large", "slow", "killed", "always"):
        write(docs / f"{name}.txt", f"A {name} file.")
    parsed = {Path(file.path).name: parsed for file, parsed in parse_files(discover([docs]).files, set())}
    failures = {name: (one.failed, one.digest != b"") for name, one in parsed.items() if one.failed}
    failures.pop("empty.docx")
    assert failures == {
        "large.txt": ("reading it takes too much memory", True),
        "slow.txt": ("reading it takes more than 60 seconds", True),
        "always.txt": ("reading it crashed its process (code -9)", False),
    }, "but for the worker's, the limits are those of this process; who was killed once is read"


@pytest.mark.parametrize(
    ("name", "data"), [("bad.html", "<p>It crashes its worker.</p>" * 1000), ("bad.xls", "small"), ("bad.pdf", "small")]
)
def test_parse_files_reads_a_risky_format_in_a_worker(
    docs: Path, monkeypatch: pytest.MonkeyPatch, name: str, data: str
) -> None:
    monkeypatch.setattr(workers, "_PROGRAM", CRASHING.replace("bad.txt", name))
    write(docs / name, data)
    parsed = {Path(file.path).name: parsed for file, parsed in parse_files(discover([docs]).files, set())}
    assert "code 9" in parsed[name].failed
    assert parsed["a.md"].document is not None


def test_parse_files_keeps_what_a_parser_prints_to_itself(
    docs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    loud = "import os; os.write(1, b'panicked'); os.write(2, b'panicked'); "
    monkeypatch.setattr(workers, "_PROGRAM", CRASHING.replace("os._exit(9)", f"exec({loud!r})"))
    write(docs / "bad.txt", "loud")
    write(docs / "b.xls", "small")
    assert len(list(parse_files(discover([docs]).files, set()))) == len(discover([docs]).files)
    assert "panicked" not in "".join(capfd.readouterr())


def test_parse_files_starts_no_worker_for_a_small_page(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "Worker", None)
    write(docs / "small.html", "<p>A page.</p>")
    assert len(list(parse_files(discover([docs]).files, set()))) == len(discover([docs]).files)


@pytest.mark.usefixtures("three_workers")
def test_parse_files_closed_early_ends_all_workers(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[workers.Worker] = []
    start = workers.Worker._start

    def start_and_record(self: workers.Worker) -> None:
        start(self)
        started.append(self)

    monkeypatch.setattr(workers.Worker, "_start", start_and_record)
    results = parse_files(discover([docs]).files, set())
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(started) == 3
    assert all(worker._process.poll() is not None for worker in started)


def test_refresh_with_workers_emits_progress_per_file(docs: Path, tmp_path: Path, three_workers: None) -> None:
    with Corpus.open(tmp_path / "index") as corpus:
        events = []
        corpus.refresh(discover([docs]), lambda event: events.append(event.data.get("done")))
    done = [number for number in events if number is not None]
    assert done == list(range(1, len(discover([docs]).files) + 1))
