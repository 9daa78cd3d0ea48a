"""A server is asked what it is, and one that fails is not running."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.faulty_server import faulty_server

from lcrag.errors import NotRunning
from lcrag.serve.look import look


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_STATE_DIR", str(tmp_path / "state"))


def test_look_reads_model_and_metrics_in_two_requests() -> None:
    with faulty_server() as server:
        seen = look(f"{server.url}/v1")
        assert server.requests == ["GET /v1/models", "GET /metrics"]
        assert server.connections == 1
    assert (seen.url, seen.model, seen.window) == (server.url, "faulty", 8192)
    assert (seen.cache_tokens, seen.prefix_queries, seen.prefix_hits, seen.log) == (4096, 0.0, None, None)


def test_look_does_without_metrics() -> None:
    with faulty_server(started=None) as server:
        seen = look(server.url)
    assert seen.model == "faulty"
    assert (seen.cache_tokens, seen.prefix_queries) == (None, None)


@pytest.mark.parametrize(
    "fault",
    [
        {"dropped": {"/metrics"}},
        {"dropped": {"/v1/models"}},
        {"refused": {"/metrics": 503}},
        {"refused": {"/v1/models": 503}},
    ],
)
def test_look_raises_not_running_for_a_server_that_fails(fault: dict[str, Any]) -> None:
    with faulty_server(**fault) as server, pytest.raises(NotRunning, match="no server answers") as failed:
        look(server.url)
    assert "lcrag up MODEL" in failed.value.hint


def test_look_raises_not_running_without_a_server() -> None:
    with faulty_server() as server:
        pass
    with pytest.raises(NotRunning):
        look(server.url)
