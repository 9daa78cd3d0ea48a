"""Whose server listens on the usual port."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lcrag.backends import local_server, open_backend
from lcrag.backends.local_server import is_users, may_answer
from lcrag.types import Event, Settings


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[int]:
    """The usual port, on which this process listens."""
    monkeypatch.setenv("LCRAG_STATE_DIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = int(listening.getsockname()[1])
        monkeypatch.setattr("lcrag.backends.local_server.USUAL_PORT", number)
        yield number


@pytest.fixture(params=["table", "processes"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to know the owner: the system's table, and the user's processes where there is none."""
    if request.param == "processes":
        monkeypatch.setattr("lcrag.backends.local_server._owners", local_server._owners_by_process)
    return str(request.param)


def test_is_users_for_a_server_of_this_user(port: int, way: str) -> None:
    assert may_answer()
    assert is_users()


def test_is_users_is_false_where_nothing_listens(way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LCRAG_STATE_DIR", str(tmp_path))
    monkeypatch.setattr("lcrag.backends.local_server.USUAL_PORT", 1)
    assert not may_answer()
    assert not is_users()


def test_is_users_is_false_for_another_users_server(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    assert not is_users()


def test_open_backend_leaves_another_users_server_alone(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    events: list[Event] = []
    backend: Any = open_backend(Settings(("docs",)), events.append, lambda: (None, None))
    assert backend.name == "embedded"
    [event] = events
    assert f"--base-url http://127.0.0.1:{port}" in event.data["message"]
