"""Parses many files in parallel worker processes and returns the results in order.

Reading, splitting and counting take three times as long as writing the index and hold Python's lock, so each core gets
a process. The workers are plain subprocesses: a program that uses lcrag as a library needs no main guard, no thread is
forked, and a file that crashes its worker (a fault in a parser's C code) takes only itself with it. So does one that
needs more time or memory than it may, which is why every format that is unpacked or parsed is read in a worker.

loky was measured and left out. Indexing 2,000 files of 20 kB takes 3.6 s with it and 3.4 s here (two cores), the first
file comes after 0.42 and 0.34 s. One crash ends its whole pool, and its workers start with ``python -m``, which imports
what is called like a standard module in the current folder.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path, PurePath
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from lcrag.index.prepare import ParsedFile, digest_of, parse
from lcrag.ingest import EXTRACTORS
from lcrag.text.places import SHEETS

if TYPE_CHECKING:
    from lcrag.ingest import SourceFile

PARALLEL_FROM: Final = 8_000_000
"""Bytes from which on it pays to start workers, which takes 0.3 s."""
BATCH_BYTES: Final = 1_000_000
BATCH_FILES: Final = 200
MOST_WORKERS: Final = 8

SMALL: Final = 16_000
"""Bytes up to which a file is read without a worker, and its limits: deflate packs 1,000 times at most, so that it
unpacks to 16 MB."""
ALWAYS_RISKY: Final = frozenset({".pdf", *SHEETS})
"""The streams of a PDF may be packed twice; a damaged .xls of 5 kB keeps its parser busy until all memory is used."""
MEMORY_BYTES: Final = 2_000_000_000
MEMORY_TIMES: Final = 30
"""What a worker may use for a file, and in addition for each of its bytes: decoded, split and packed, text takes
several times its size."""
CPU_SECONDS: Final = 60
CPU_SECONDS_PER_MB: Final = 10
"""Of the processor, so that a busy machine does not lose a file, and more for a large file, such as a PDF of 1,000
pages."""

SIZE_BYTES: Final = 8
"""Of the length that a worker sends before each result."""

_PROGRAM: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from lcrag.index.workers import serve; serve()"
)


def parse_files(files: Sequence[SourceFile], known: set[bytes]) -> Iterator[tuple[SourceFile, ParsedFile]]:
    """Each file with the result of reading it, in order. Files whose digest is ``known`` are not parsed."""
    is_large = sum(file.size for file in files) >= PARALLEL_FROM
    if not is_large and not any(map(_is_risky, files)):
        for file in files:
            parsed = parse(file, known)
            if parsed.document is not None:
                known.add(parsed.digest)
            yield file, parsed
        return
    cores = min(os.cpu_count() or 1, MOST_WORKERS) if is_large else 1
    with ExitStack() as cleanup:
        threads = cleanup.enter_context(ThreadPoolExecutor(cores))
        idle: SimpleQueue[Worker] = SimpleQueue()
        for _ in range(cores):
            worker = Worker(known)
            cleanup.callback(worker.end)
            idle.put(worker)
        cleanup.callback(threads.shutdown, wait=False, cancel_futures=True)

        def parse_batch(batch: list[SourceFile]) -> list[ParsedFile]:
            worker = idle.get()
            try:
                return worker.parse(batch)
            finally:
                idle.put(worker)

        waiting: deque[tuple[list[SourceFile], Future[list[ParsedFile]]]] = deque()
        for batch in batches(files):
            waiting.append((batch, threads.submit(parse_batch, batch)))
            if len(waiting) > 2 * cores:
                yield from _results(*waiting.popleft())
        while waiting:
            yield from _results(*waiting.popleft())


def _is_risky(file: SourceFile) -> bool:
    suffix = PurePath(file.path).suffix.lower()
    return suffix in EXTRACTORS and (file.size > SMALL or suffix in ALWAYS_RISKY)


def _results(batch: list[SourceFile], parsed: Future[list[ParsedFile]]) -> Iterable[tuple[SourceFile, ParsedFile]]:
    return zip(batch, parsed.result(), strict=True)


def batches(files: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    """The files in order, as many at a time as a worker gets."""
    batch: list[SourceFile] = []
    size = 0
    for file in files:
        if batch and (size + file.size > BATCH_BYTES or len(batch) == BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


FROM_OUTSIDE: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT})
"""What ends a worker for no fault of its file."""


def _failure(file: SourceFile, code: int) -> ParsedFile:
    """That of a file whose worker ended with ``code``; by its content if the worker was not ended from outside."""
    reason = f"reading it crashed its process (code {code})"
    if code == -signal.SIGXCPU:
        reason = f"reading it takes more than {_seconds(file):.0f} seconds"
    if code >= 0 or -code in FROM_OUTSIDE:
        return ParsedFile(failed=reason)
    try:
        return ParsedFile(digest_of(Path(file.path).read_bytes()), failed=reason)
    except OSError:
        return ParsedFile(failed=reason)


def _seconds(file: SourceFile) -> float:
    return CPU_SECONDS + CPU_SECONDS_PER_MB * file.size / 1e6


def _limit(file: SourceFile) -> None:
    """Set the limits of this process for reading a file."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(used.ru_utime + used.ru_stime + _seconds(file))
    for kind, value in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_DATA, MEMORY_BYTES + MEMORY_TIMES * file.size),
    ):
        most = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (value if most == resource.RLIM_INFINITY else min(value, most), most))


class Worker:
    """A process that parses files; restarted when it crashes."""

    def __init__(self, known: set[bytes]) -> None:
        self._known = known
        self._ended = False
        self._lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # parsers in C and Rust print what they think of a damaged file
        )
        self._send(self._known)

    def _restart(self) -> int:
        """Start another process; returns the exit code of the one before."""
        with self._lock:
            code = self._stop()
            if not self._ended:
                self._start()
        return code

    def end(self) -> None:
        """End the worker for good, even in the middle of a file."""
        self._ended = True
        self._process.kill()  # so that a thread that waits for it with the lock held can continue
        with self._lock:
            self._stop()

    def _send(self, value: Any) -> None:
        assert self._process.stdin is not None
        pickle.dump(value, self._process.stdin, pickle.HIGHEST_PROTOCOL)
        self._process.stdin.flush()

    def _receive(self, size: int) -> bytes:
        """So many bytes of what it sends. Raises EOFError when it has ended before."""
        assert self._process.stdout is not None
        data = self._process.stdout.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def parse(self, batch: list[SourceFile]) -> list[ParsedFile]:
        """What reading each of the files gave. One that ends the process is a failure; the others are read."""
        return list(map(pickle.loads, self.parse_packed(batch)))

    def parse_packed(self, batch: list[SourceFile]) -> list[bytes]:
        """The same, each result pickled as the process sent it: what goes on to another process is not unpacked."""
        parsed: list[bytes] = []
        is_second = False
        while len(parsed) < len(batch):
            try:
                self._send(batch[len(parsed) :])
                while len(parsed) < len(batch):
                    size = int.from_bytes(self._receive(SIZE_BYTES))
                    parsed.append(self._receive(size))
                    is_second = False
            except (EOFError, OSError, ValueError):  # it has ended, or its pipes are closed
                code = self._restart()
                if not self._ended and -code in FROM_OUTSIDE and not is_second:
                    is_second = True  # the system may have been short of memory: once more
                else:
                    parsed.append(pickle.dumps(_failure(batch[len(parsed)], code)))
        return parsed

    def _stop(self) -> int:
        if self._process.poll() is None:
            self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # a batch that it did not read to the end
                    stream.close()
        return self._process.wait()


def serve() -> None:
    """The worker's side: known digests, then batches of files on standard input, results on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets Ctrl-C too, and ends this process
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a parser prints must not get into the results
    known: set[bytes] = pickle.load(sys.stdin.buffer)
    while True:
        try:
            batch: list[SourceFile] = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        for file in batch:
            _limit(file)
            packed = pickle.dumps(parse(file, known), pickle.HIGHEST_PROTOCOL)
            results.write(len(packed).to_bytes(SIZE_BYTES))
            results.write(packed)
            results.flush()
