"""The runner: all jobs once, the first of a group before the others, never more at a time than allowed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag import batch
from lcrag.backends.scripted import ScriptedBackend


class Watch:
    """A worker that keeps count of who runs beside whom."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = self.most = self.opened = self.closed = 0
        self.order: list[tuple[str, object]] = []

    @contextmanager
    def worker(self) -> Iterator[Callable[[tuple[int, int]], int]]:
        with self.lock:
            self.opened += 1
        yield self.work
        with self.lock:
            self.closed += 1

    def work(self, job: tuple[int, int]) -> int:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.order.append(("start", job))
        threading.Event().wait(0.0005)
        with self.lock:
            self.running -= 1
            self.order.append(("end", job))
        return job[0] + job[1]


@pytest.mark.parametrize("workers", [1, 3])
@given(sizes=st.lists(st.integers(0, 5), max_size=6))
def test_batch_runs_every_job_once_and_a_groups_first_job_first(workers: int, sizes: list[int]) -> None:
    groups = [[(group, place) for place in range(size)] for group, size in enumerate(sizes)]
    watch = Watch()
    found = list(batch.run(groups, watch.worker, workers))
    assert sorted(job for job, _ in found) == [job for group in groups for job in group]
    assert all(result == sum(job) for job, result in found)
    assert watch.most <= workers
    assert watch.opened == workers
    for group in groups:
        for job in group[1:]:
            assert watch.order.index(("end", group[0])) < watch.order.index(("start", job))
    if workers == 1:
        assert [job for job, _ in found] == [job for group in groups for job in group]


def test_batch_workers_run_at_the_same_time() -> None:
    barrier = threading.Barrier(4, timeout=60)

    @contextmanager
    def worker() -> Iterator[Callable[[int], int]]:
        yield lambda job: barrier.wait()

    assert len(list(batch.run([[job] for job in range(4)], worker, 4))) == 4


@pytest.mark.parametrize("workers", [1, 3])
def test_batch_error_starts_no_further_job(workers: int) -> None:
    started = []

    @contextmanager
    def worker() -> Iterator[Callable[[int], int]]:
        def work(job: int) -> int:
            started.append(job)
            return 1 // job

        yield work

    with pytest.raises(ZeroDivisionError):
        list(batch.run([[0, *range(1, 1000)]], worker, workers))
    assert len(started) < 100


def test_batch_left_early_does_not_wait() -> None:
    forever = threading.Event()

    @contextmanager
    def worker() -> Iterator[Callable[[int], bool]]:
        yield lambda job: job == 0 or forever.wait(60)

    found = batch.run([[0], [1], [2]], worker, 2)
    assert next(found) == (0, True)
    found.close()  # type: ignore[attr-defined]
    forever.set()


@given(st.permutations(range(7)))
def test_in_order_restores_the_order_of_the_jobs(came: list[int]) -> None:
    assert list(batch.in_order(((job, -job) for job in came), range(7))) == [(job, -job) for job in range(7)]


def test_workers_for_follows_the_backend() -> None:
    class Server(ScriptedBackend):
        concurrency = 8

    assert batch.workers_for(ScriptedBackend([]), 5) == batch.workers_for(ScriptedBackend([]), None) == 1
    assert batch.workers_for(Server([]), None) == 8
    assert batch.workers_for(Server([]), 3) == 3
    assert [list(block) for block in batch.blocks(range(5), 2)] == [[0, 1], [2, 3], [4]]
