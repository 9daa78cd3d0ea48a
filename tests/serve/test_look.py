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
        [seen] = look(f"{server.url}/v1")
        assert server.requests == ["GET /v1/models", "GET /metrics"]
        assert server.connections == 1
    assert (seen.url, seen.model, seen.window) == (server.url, "faulty", 8192)
    assert (seen.cache_tokens, seen.prefix_queries, seen.prefix_hits, seen.log) == (4096, 0.0, None, None)


def test_look_does_without_metrics() -> None:
    with faulty_server(started=None) as server:
        [seen] = look(server.url)
    assert seen.model == "faulty"
    assert (seen.cache_tokens, seen.prefix_queries) == (None, None)


@pytest.mark.parametrize(
    "fault",
    [
        {"dropped": {"/v1/models"}},
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


@pytest.mark.parametrize(
    "fault",
    [
        {"dropped": {"/metrics"}},
        {"refused": {"/metrics": 503}},
        {"refused": {"/metrics": 401}},
        {"metrics": "vllm:kv_cache_usage_perc\nvllm:num_requests_running many\n"},
    ],
)
def test_look_does_without_metrics_that_cannot_be_read(fault: dict[str, Any]) -> None:
    with faulty_server(**fault) as server:
        [seen] = look(server.url)
    assert (seen.model, seen.cache_used, seen.running) == ("faulty", None, None)


def test_look_sends_the_key_only_to_a_server_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_API_KEY", "s3cret")
    with faulty_server() as server:
        look(server.url)
        assert set(server.keys) == {"Bearer s3cret"}
        server.keys.clear()
        monkeypatch.setattr("lcrag.backends.local_server.USUAL_PORT", int(server.url.rpartition(":")[2]))
        look()
        assert set(server.keys) == {None}
