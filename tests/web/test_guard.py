"""Who may ask: this machine's names, no foreign page, the token; and how much."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.scripted import QuestionBackend
from support.web import TOKEN, Served, served

from lcrag.errors import InputError
from lcrag.web.guard import LARGEST_BODY
from lcrag.web.serve import listening_socket


@pytest.mark.parametrize("path", ["/ask", "/metrics", "/v1/models", "/v1/chat/completions", "/nix"])
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}2"])
def test_guard_asks_for_the_token(server: Served, path: str, header: str) -> None:
    reply = server.client.post(path, json={"question": "who?"}, headers={"Authorization": header})
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN not in reply.text


@pytest.mark.parametrize("path", ["/health", "/api", "/openapi.json"])
def test_guard_opens_pages_that_say_nothing_of_the_documents(server: Served, path: str) -> None:
    assert server.client.get(path, headers={"Authorization": ""}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "localhost@evil.example"]
)
def test_guard_refuses_other_names_of_this_machine(server: Served, host: str) -> None:
    assert server.client.get("/health", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:99", "[::1]:8765", "LOCALHOST"])
def test_guard_takes_this_machines_names(server: Served, host: str) -> None:
    assert server.client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1"])
def test_guard_refuses_pages_of_other_sites(server: Served, origin: str) -> None:
    reply = server.client.post("/ask", json={"question": "who?"}, headers={"Origin": origin})
    assert reply.status_code == 403
    assert "access-control-allow-origin" not in reply.headers
    assert server.client.options("/ask", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}).is_error


def test_guard_takes_its_own_page(server: Served) -> None:
    reply = server.client.post("/ask", json={"question": "who?"}, headers={"Origin": server.url})
    assert reply.status_code == 200


def test_cors_lets_the_sites_named_and_no_others(docs: Path) -> None:
    site = "https://notes.example"
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    with served(docs, QuestionBackend(), origins=[site]) as server:
        before = server.client.options("/ask", headers={"Origin": site, **asks})
        assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, site)
        reply = server.client.post("/ask", json={"question": "who?"}, headers={"Origin": site})
        assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (200, site)
        assert server.client.post("/ask", json={"question": "who?"}, headers={"Origin": "https://x.example"}).is_error


def in_chunks() -> Iterator[bytes]:
    for _ in range(11):
        yield b" " * (LARGEST_BODY // 10)


def test_guard_refuses_a_long_body(server: Served) -> None:
    content = b" " * (LARGEST_BODY + 1)
    for body in (content, in_chunks()):
        reply = server.client.post("/ask", content=body, headers={"Content-Type": "application/json"})
        assert reply.status_code == 413
    assert (
        server.client.post("/v1/chat/completions", content=content).json()["error"]["type"] == "invalid_request_error"
    )
    assert server.client.post("/ask", json={"question": "who?" + " " * (LARGEST_BODY - 100)}).status_code == 200


def test_guard_gives_a_slow_body_its_time(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.web.guard.BODY_SECONDS", 0.2)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = f"POST /ask HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 10\r\n\r\n{{"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_server_without_a_token_is_for_loopback_alone(docs: Path) -> None:
    with pytest.raises(InputError, match="everybody who reaches"):
        listening_socket("0.0.0.0", 0, token=None)
    with served(docs, QuestionBackend(), token=None) as server:
        assert server.client.post("/ask", json={"question": "who?"}).status_code == 200
        assert server.client.get("/health", headers={"Host": "evil.example"}).status_code == 403


def test_socket_that_is_taken_is_an_error() -> None:
    with listening_socket("127.0.0.1", 0, token="x") as first, pytest.raises(InputError, match="cannot listen on"):
        listening_socket("127.0.0.1", first.getsockname()[1], token="x")
    with pytest.raises(InputError, match="cannot listen on nowhere"):
        listening_socket("nowhere.invalid", 0, token="x")


def test_server_sends_at_once(server: Served) -> None:
    """A socket that waits for more to send (Nagle) adds 40 ms to each answer."""
    seconds = []
    for _ in range(20):
        begun = time.perf_counter()
        server.client.get("/health")
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < 0.03
