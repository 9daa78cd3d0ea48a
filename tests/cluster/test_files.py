"""An index made on a Ray cluster is that of one machine, whatever dies on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from support.corpora import content, write, write_many_docs
from support.invocation import process
from support.ray_cluster import NEEDED, Machines, machines, until

from lcrag.cluster.connection import Cluster, connected
from lcrag.cluster.files import FilesThere
from lcrag.errors import NotAvailable, NotInstalled
from lcrag.index import workers
from lcrag.index.corpus import Corpus
from lcrag.ingest import discover
from lcrag.session import Session
from lcrag.types import Settings, ignore

pytestmark = NEEDED

CHILD = """
import sys
from pathlib import Path
from lcrag.cluster import files_there
from lcrag.index import refresh, workers
from lcrag.index.corpus import Corpus
from lcrag.ingest import discover
refresh.KEEP_SECONDS, workers.BATCH_FILES = 0.0, 1
with files_there(sys.argv[1]) as there, Corpus.open(Path(sys.argv[3])) as corpus:
    result = corpus.refresh(
        discover([sys.argv[2]]), lambda event: print(event.data.get("done"), flush=True), (), there.parse_files
    )
    print(result.added, result.unchanged, flush=True)
"""


@pytest.fixture(scope="module")
def two() -> Iterator[Machines]:
    with machines(2) as cluster:
        yield cluster


@pytest.fixture
def cluster(two: Machines) -> Iterator[Cluster]:
    with connected(two.address) as cluster:
        yield cluster


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = write_many_docs(tmp_path / "docs", 60)
    write(folder / "page.html", "<h1>Quay</h1><p>The harbour has eight ships a week.</p>")
    return folder


@pytest.fixture
def alone(docs: Path, tmp_path: Path) -> Iterator[Corpus]:
    """The same documents indexed without Ray."""
    with Corpus.open(tmp_path / "alone") as corpus:
        corpus.refresh(discover([docs]), ignore)
        yield corpus


def assert_same(corpus: Corpus, alone: Corpus) -> None:
    """Nothing lost, nothing doubled, the same numbers."""
    assert content(corpus) == content(alone)
    assert corpus.chunk_ids() == alone.chunk_ids()


def test_refresh_on_two_machines_makes_the_same_index(
    cluster: Cluster, docs: Path, tmp_path: Path, alone: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "BATCH_FILES", 7)
    there = FilesThere(cluster)
    with Corpus.open(tmp_path / "there") as corpus:
        expected = alone.refresh(discover([docs]), ignore)
        first = corpus.refresh(discover([docs]), ignore, (), there.parse_files)
        assert first.added == expected.unchanged
        assert (first.duplicates, first.failed) == (expected.duplicates, expected.failed)
        assert_same(corpus, alone)
        write(docs / "05.md", "Another text altogether.")
        (docs / "06.md").rename(docs / "z.md")
        (docs / "07.md").unlink()
        changed = corpus.refresh(discover([docs]), ignore, (), there.parse_files)
        assert changed == alone.refresh(discover([docs]), ignore)
        assert_same(corpus, alone)


def test_fill_on_two_machines_makes_the_same_vectors(cluster: Cluster, docs: Path, own_cache: Path) -> None:
    made = []
    for place, there in (("alone", None), ("there", FilesThere(cluster))):
        settings = Settings((str(docs),), index=own_cache / place, dense="on", backend="embedded")
        with Session.open(settings, elsewhere=there) as session:
            ids = session.corpus.chunk_ids()
            assert session.fill() == len(ids)
            assert session.embedder is not None
            made.append((ids, *session.corpus.vectors(ids, session.embedder.name)))
    assert made[0][:2] == made[1][:2]
    assert np.array_equal(made[0][2], made[1][2])


def test_fill_without_the_model_there_says_where(cluster: Cluster) -> None:
    class Elsewhere:
        name = "another"

    with pytest.raises(NotInstalled, match=r"no embedding model './none' .* \(on "):
        list(FilesThere(cluster).embedding(Elsewhere(), "./none")([["text"]]))  # type: ignore[arg-type]
    with pytest.raises(NotAvailable, match=r"embeds with all-MiniLM-L6-v2.*, this one with another"):
        list(FilesThere(cluster).embedding(Elsewhere(), None)([["text"]]))  # type: ignore[arg-type]


def test_refresh_goes_on_when_a_machine_dies(
    docs: Path, tmp_path: Path, alone: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "BATCH_FILES", 3)
    with machines(2) as own, connected(own.address) as cluster, Corpus.open(tmp_path / "there") as corpus:

        def parse(files, known):  # type: ignore[no-untyped-def]
            for number, result in enumerate(FilesThere(cluster).parse_files(files, known)):
                if number == 9:
                    own.kill(own.nodes[0])
                yield result

        assert corpus.refresh(discover([docs]), ignore, (), parse).added == len(discover([docs]).files) - 1
        assert len(own.nodes) == 1
        assert_same(corpus, alone)


def test_refresh_loses_and_doubles_nothing_in_20_kills_of_workers(
    two: Machines, cluster: Cluster, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(150):
        write(docs / "large" / f"{number}.md", f"# Part {number}\n\n" + f"Boat {number} lands herring. " * 4000)
    monkeypatch.setattr(workers, "BATCH_FILES", 1)
    killed: list[int] = []
    stored = 0

    def kill() -> None:
        """Those that run a task, each after some more files have been stored."""
        while len(killed) < 20 and not is_over.wait(0.01):
            for worker in _at_work(two):
                if worker.pid not in killed and stored >= 5 * len(killed):
                    worker.kill()
                    killed.append(worker.pid)

    def parse(files, known):  # type: ignore[no-untyped-def]
        nonlocal stored
        for result in FilesThere(cluster).parse_files(files, known):
            stored += 1
            yield result

    is_over = threading.Event()
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with Corpus.open(tmp_path / "there") as corpus, Corpus.open(tmp_path / "alone") as alone:
            corpus.refresh(discover([docs]), ignore, (), parse)
            assert len(killed) == 20
            alone.refresh(discover([docs]), ignore)
            assert_same(corpus, alone)
    finally:
        is_over.set()
        killer.join()


def test_refresh_goes_on_where_a_killed_driver_stopped(
    two: Machines, docs: Path, tmp_path: Path, alone: Corpus
) -> None:
    command = [sys.executable, "-c", CHILD, two.address, str(docs), str(tmp_path / "there")]
    with process(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == "20":
                child.send_signal(signal.SIGKILL)
                break
    with Corpus.open(tmp_path / "there") as corpus:
        stored = corpus.size.documents
        assert 15 <= stored < alone.size.documents
    second = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")
    files = len(discover([docs]).files)
    assert int(second[0]) > stored, "what was stored is not read again"
    added, unchanged = map(int, second[-2].split())
    assert added + unchanged == files - 1
    assert unchanged >= stored
    with Corpus.open(tmp_path / "there") as corpus:
        assert_same(corpus, alone)


def test_index_interrupted_ends_at_once_and_frees_the_cluster(two: Machines, docs: Path, tmp_path: Path) -> None:
    for number in range(2000):
        write(docs / "more" / f"{number}.md", f"# Part {number}\n\n" + f"Boat {number} lands herring. " * 200)
    command = [sys.executable, "-m", "lcrag", "index", str(docs), "--index", str(tmp_path / "there")]
    with process([*command, "--ray", two.address], stderr=subprocess.PIPE) as child:
        until(lambda: bool(_at_work(two)))
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    until(lambda: not _at_work(two))
    assert subprocess.run([*command, "--status"], check=False).returncode == 0


def _at_work(cluster: Machines) -> list[psutil.Process]:
    """The processes that run a task of lcrag."""
    return [process for process, name in cluster.workers() if name == "ray::_run"]
