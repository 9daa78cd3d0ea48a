"""The limit on calls at a time, and calls that run at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from support.faulty_server import faulty_server

from lcrag.backends.connection import Connection, TransientError
from lcrag.backends.http import HttpClient
from lcrag.backends.limit import FIRST_LIMIT, MAX_LIMIT, Limit


def one_round(limit: Limit, seconds: float = 0.0) -> int:
    """As many calls at once as the limit allows, all of which succeed."""
    with ExitStack() as slots:
        calls = int(limit.value)
        for _ in range(calls):
            slots.enter_context(limit.slot())
        for _ in range(calls):
            limit.succeeded(seconds)
    return calls


def test_limit_doubles_until_the_server_is_busy_and_then_grows_by_one() -> None:
    limit = Limit(10.0)
    assert [one_round(limit) for _ in range(7)] == [8, 16, 32, 64, 128, 256, MAX_LIMIT]
    limit.busy(time.monotonic())
    assert [one_round(limit) for _ in range(3)] == [128, 128, 129]


def test_limit_is_halved_once_for_calls_in_flight_together() -> None:
    limit = Limit(10.0)
    begun = time.monotonic()
    for _ in range(8):
        limit.busy(begun)
    assert limit.value == FIRST_LIMIT / 2
    limit.busy(time.monotonic())
    assert limit.value == FIRST_LIMIT / 4
    for _ in range(5):
        limit.busy(time.monotonic())
    assert limit.value == 1


def test_limit_does_not_grow_while_replies_are_slow() -> None:
    limit = Limit(10.0)
    assert [one_round(limit, seconds) for seconds in (1, 11, 11)] == [8, 16, 16]


def test_limit_wakes_as_many_as_there_is_room_for() -> None:
    limit = Limit(10.0)
    inside = threading.Semaphore(0)
    leave = threading.Event()

    def call() -> None:
        with limit.slot():
            inside.release()
            leave.wait(10)

    with ExitStack() as slots:
        for _ in range(FIRST_LIMIT):
            slots.enter_context(limit.slot())
        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        assert not inside.acquire(blocking=False)
        limit.succeeded(0.0)
        limit.succeeded(0.0)
        slots.pop_all().close()
    assert all(inside.acquire(timeout=5) for _ in threads)
    leave.set()
    for thread in threads:
        thread.join()


def test_limit_lasts_from_batch_to_batch() -> None:
    with faulty_server(delay=0.3) as server:
        http = HttpClient(server.url)

        def call(connection: Connection, _: int) -> None:
            http.attempt(connection, lambda: list(connection.events("/v1/chat/completions", {})), limited=True)

        http.each(call, range(FIRST_LIMIT))
        assert server.most_running <= FIRST_LIMIT
        http.each(call, range(2 * FIRST_LIMIT))  # a limit that began again would let them go in two rounds of 8
        assert FIRST_LIMIT < server.most_running <= 2 * FIRST_LIMIT


@pytest.mark.parametrize("error", [IndexError, KeyError, KeyboardInterrupt])
def test_each_raises_what_the_work_raises(error: type[BaseException]) -> None:
    def fail(_: object, item: int) -> int:
        if item == 3:
            raise error(item)
        return item

    with faulty_server() as server:
        http = HttpClient(server.url)
        with pytest.raises(error):
            http.each(fail, range(9))
        assert http.each(lambda _, item: item * 2, range(9)) == [item * 2 for item in range(9)]
        assert http.each(lambda _, item: item, []) == []


def test_connections_are_closed_with_their_client() -> None:
    with faulty_server() as server:
        http = HttpClient(server.url)
        http.ask("GET", "/health")
        [connection] = http._idle
        close: Callable[[], None] = connection.close
        closed = threading.Event()
        connection.close = lambda: (close(), closed.set())  # type: ignore[method-assign, assign, func-returns-value]
        del http, connection
        assert closed.is_set()


def test_not_running_says_that_a_server_is_loading_its_model() -> None:
    failed = HttpClient("http://127.0.0.1:9").not_running(TransientError("HTTP 503: Loading model"))
    assert str(failed) == "the server at http://127.0.0.1:9 is not ready: HTTP 503: Loading model"
    assert failed.hint == "try again in a minute"
