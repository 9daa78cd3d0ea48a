"""Threads with sessions: changed files are seen, waits are bounded, nobody is waited for in vain."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from support.scripted import QuestionBackend
from support.web import pool_of, served, until

from lcrag.errors import NoReadableDocument
from lcrag.ingest import discover
from lcrag.session import Session
from lcrag.types import Task
from lcrag.web.pool import OverTime, Pool, TooBusy, _Files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("Anna Holm kept the light.\n")
    return tmp_path / "docs"


class Gated(QuestionBackend):
    """Answers when the gate is opened. ``asked``: how often it was."""

    def __init__(self, concurrency: int = 1) -> None:
        super().__init__(concurrency)
        self.gate = threading.Event()
        self.asked = 0
        self.script(self._wait)

    def _wait(self, task: Task) -> str:
        self.asked += 1
        assert self.gate.wait(30)
        return "Anna Holm kept the light [1]."


def ask(session: Session) -> str:
    return session.ask("Who kept the light?", pipeline="chunk_rag").text


def test_pool_sees_files_that_changed(folder: Path) -> None:
    backend = QuestionBackend(concurrency=2)
    with pool_of(folder, backend) as pool:

        def documents() -> set[int]:
            async def both() -> list[int]:
                return list(await asyncio.gather(*(pool.run(lambda own: own.corpus.size.documents) for _ in range(6))))

            return set(asyncio.run(both()))

        assert documents() == {1}
        (folder / "b.md").write_text("Ben rang the bell.\n")
        until(lambda: documents() == {2})
        (folder / "a.md").unlink()
        until(lambda: documents() == {1})
        (folder / "b.md").unlink()
        with pytest.raises(NoReadableDocument):
            until(lambda: documents() == {0})
        (folder / "a.md").write_text("Anna Holm kept the light.\n")
        until(lambda: _documents_or_none(documents) == {1})


def _documents_or_none(documents: Any) -> Any:
    try:
        return documents()
    except NoReadableDocument:
        return None


def test_files_are_looked_at_for_a_small_share_of_the_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("lcrag.web.pool.time.monotonic", lambda: clock[0])
    looks = []

    def look() -> Any:
        looks.append(clock[0])
        clock[0] += 1.0
        return discover([str(folder)])

    files = _Files(look)
    first = files.now()
    clock[0] += 19.9
    assert files.now() is first
    clock[0] += 0.2
    assert files.now() is first  # another look, and nothing has changed
    assert len(looks) == 2
    (folder / "b.md").write_text("Ben rang the bell.\n")
    clock[0] += 21
    assert files.now() is not first


def test_pool_refuses_what_would_wait_too_long(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.web.pool.MOST_WAITING", 2)
    backend = Gated()

    async def crowd(pool: Pool) -> list[Any]:
        waiting = [asyncio.ensure_future(pool.run(ask)) for _ in range(1)]
        while not pool.running:
            await asyncio.sleep(0.01)
        waiting += [asyncio.ensure_future(pool.run(ask)) for _ in range(5)]
        await asyncio.sleep(0.05)
        backend.gate.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    with pool_of(folder, backend) as pool:
        results = asyncio.run(crowd(pool))
    refused = [result for result in results if isinstance(result, TooBusy)]
    assert len(refused) == 3
    assert all(error.retry_after >= 1 for error in refused)
    assert [result for result in results if isinstance(result, str)] == ["Anna Holm kept the light [1]."] * 3


def test_pool_stops_a_question_that_is_over_its_time(folder: Path) -> None:
    backend = Gated()
    heard: list[str] = []

    async def late(pool: Pool) -> None:
        with pytest.raises(OverTime, match="took more than"):
            await pool.run(ask, lambda event: heard.append(event.kind))

    with pool_of(folder, backend, seconds=0.2) as pool:
        asyncio.run(late(pool))
        assert heard[-1] == "retrieve"
        backend.gate.set()
        until(lambda: not pool.running)
        assert "usage" not in heard  # it ended at the next event
        pool.seconds = 60
        assert asyncio.run(pool.run(ask)).startswith("Anna Holm")
    assert backend.asked == 2


def test_pool_forgets_a_question_that_was_given_up_while_it_waited(folder: Path) -> None:
    backend = Gated()

    async def give_up(pool: Pool) -> None:
        first = asyncio.ensure_future(pool.run(ask))
        second = asyncio.ensure_future(pool.run(ask))
        while not backend.asked:
            await asyncio.sleep(0.01)
        second.cancel()
        backend.gate.set()
        assert (await first).startswith("Anna Holm")

    with pool_of(folder, backend) as pool:
        asyncio.run(give_up(pool))
        until(lambda: not pool.waiting and not pool.running)
    assert backend.asked == 1


def test_pool_start_raises_what_opening_a_session_raises(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Session:
        raise NoReadableDocument("gone")

    monkeypatch.setattr(Session, "fork", fails)
    with pytest.raises(NoReadableDocument, match="gone"), pool_of(folder, QuestionBackend(concurrency=2)):
        pass


@pytest.mark.slow
def test_server_serves_32_clients_alike(folder: Path) -> None:
    """First come, first served: when the first client has its fifth answer, nobody has had less than two."""
    backend = QuestionBackend(concurrency=4)

    def reply(task: Task) -> str:
        time.sleep(0.05)
        return "Anna Holm kept the light [1]."

    backend.script(reply)
    results: list[tuple[int, int]] = []
    with served(folder, backend) as server:

        def client(number: int) -> None:
            for _ in range(5):
                body = {"question": "Who kept the light?", "pipeline": "chunk_rag"}
                results.append((number, server.client.post("/ask", json=body).status_code))

        threads = [threading.Thread(target=client, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [status for _, status in results] == [200] * 160
    numbers = [number for number, _ in results]
    first = next(place for place in range(160) if numbers[: place + 1].count(numbers[place]) == 5)
    assert min(numbers[:first].count(number) for number in range(32)) >= 2


def test_server_says_when_to_come_back_and_what_took_too_long(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.web.pool.MOST_WAITING", 0)
    with served(folder, QuestionBackend()) as server:
        busy = server.client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "who?"}]})
        assert (busy.status_code, busy.headers["Retry-After"]) == (429, "1")
        assert busy.json()["error"]["code"] == "TooBusy"
    monkeypatch.undo()
    backend = Gated()
    with served(folder, backend, seconds=0.2) as server:
        late = server.client.post("/ask", json={"question": "who kept the light?"})
        assert (late.status_code, late.json()["kind"]) == (504, "OverTime")
        backend.gate.set()
