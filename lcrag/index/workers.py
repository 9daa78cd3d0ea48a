"""Many files read side by side, by processes of their own, and handed on in their order.

Reading, splitting and counting take three times as long as writing the index and hold Python's lock, so each core gets
a process. They are plain subprocesses and not multiprocessing's: a program that uses lcrag as a library need not guard
its main module, and no thread is forked. One that a file brings down (a fault in a parser's C code) takes only that
file with it.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from lcrag.index.prepare import ParsedFile, parse

if TYPE_CHECKING:
    from lcrag.ingest import SourceFile

SIDE_BY_SIDE: Final = 8_000_000
"""Bytes from which on it pays to start processes, which takes 0.3 s each."""
BATCH_BYTES: Final = 1_000_000
BATCH_FILES: Final = 200
PROCESSES: Final = 8

_PROGRAM: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from lcrag.index.workers import serve; serve()"
)


def parse_files(files: Sequence[SourceFile], known: set[bytes]) -> Iterator[tuple[SourceFile, ParsedFile]]:
    """Each file with what came of reading it, in order. Files whose digest is ``known`` are not parsed."""
    cores = min(os.cpu_count() or 1, PROCESSES)
    if cores == 1 or sum(file.size for file in files) < SIDE_BY_SIDE:
        for file in files:
            found = parse(file, known)
            known.add(found.digest)
            yield file, found
        return
    with ExitStack() as opened:
        pool = opened.enter_context(ThreadPoolExecutor(cores))
        idle: SimpleQueue[_Process] = SimpleQueue()
        for _ in range(cores):
            process = _Process(known)
            opened.callback(process.end)
            idle.put(process)
        opened.callback(pool.shutdown, wait=False, cancel_futures=True)

        def ask(batch: list[SourceFile]) -> list[ParsedFile]:
            process = idle.get()
            try:
                return process.ask(batch)
            finally:
                idle.put(process)

        waiting: deque[tuple[list[SourceFile], Future[list[ParsedFile]]]] = deque()
        for batch in _batches(files):
            waiting.append((batch, pool.submit(ask, batch)))
            if len(waiting) > 2 * cores:
                yield from _done(*waiting.popleft())
        while waiting:
            yield from _done(*waiting.popleft())


def _done(batch: list[SourceFile], asked: Future[list[ParsedFile]]) -> Iterable[tuple[SourceFile, ParsedFile]]:
    return zip(batch, asked.result(), strict=True)


def _batches(files: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
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


class _Process:
    """One that reads files for us; started again when it has ended."""

    def __init__(self, known: set[bytes]) -> None:
        self._known = known
        self._over = False
        self._lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._running = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._send(self._known)

    def _again(self) -> int:
        """Start another in its place; returns the exit code of the one that was."""
        with self._lock:
            code = self._stop()
            if not self._over:
                self._start()
        return code

    def end(self) -> None:
        """End it for good, whatever it is at."""
        self._over = True
        self._running.kill()  # so that whoever waits for it with the lock held goes on
        with self._lock:
            self._stop()

    def _send(self, value: Any) -> None:
        assert self._running.stdin is not None
        pickle.dump(value, self._running.stdin, pickle.HIGHEST_PROTOCOL)
        self._running.stdin.flush()

    def ask(self, batch: list[SourceFile]) -> list[ParsedFile]:
        assert self._running.stdout is not None
        try:
            self._send(batch)
            found: list[ParsedFile] = pickle.load(self._running.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):  # it has ended, or its pipes are closed
            code = self._again()
            if self._over or len(batch) == 1:
                return [ParsedFile(failed=f"reading it ended the process that did (code {code})")] * len(batch)
            return [one for file in batch for one in self.ask([file])]
        return found

    def _stop(self) -> int:
        if self._running.poll() is None:
            self._running.kill()
        for stream in (self._running.stdin, self._running.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # what it was still to be told
                    stream.close()
        return self._running.wait()


def serve() -> None:
    """The other side: known digests, then batches of files on standard input, readings on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks hears it and ends this one
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a parser prints must not get between the answers
    known: set[bytes] = pickle.load(sys.stdin.buffer)
    while True:
        try:
            batch: list[SourceFile] = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump([parse(file, known) for file in batch], answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()
