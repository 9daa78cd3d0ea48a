"""lcrag's own HTTP server in this process, on a free port, with a scripted backend."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lcrag.session import Session
from lcrag.types import Backend, Policy, Settings
from lcrag.web.app import Service
from lcrag.web.numbers import Numbers
from lcrag.web.pool import Pool
from lcrag.web.serve import http_server, listening_socket, protected

TOKEN = "a token"


@dataclass(frozen=True)
class Served:
    """``client`` sends the token."""

    url: str
    client: httpx.Client
    pool: Pool


@contextmanager
def pool_of(folder: Path, backend: Backend, seconds: float = 60.0) -> Iterator[Pool]:
    """A pool on the documents of a folder, ranked by words alone."""
    settings = Settings((str(folder),), dense="off", reader="off", index=folder.parent / "index")
    with Session.open(settings, backend=backend) as session:
        pool = Pool(session, seconds)
        pool.start()
        try:
            yield pool
        finally:
            pool.close()


@contextmanager
def served(
    folder: Path,
    backend: Backend,
    *,
    seconds: float = 60.0,
    token: str | None = TOKEN,
    policy: Policy | None = None,
    origins: Collection[str] = (),
) -> Iterator[Served]:
    with pool_of(folder, backend, seconds) as pool:
        listening = listening_socket("127.0.0.1", 0, token=token)
        url = "http://127.0.0.1:{1}".format(*listening.getsockname())
        app = protected(Service(pool, policy or Policy(), Numbers(pool)), "127.0.0.1", token, origins)
        server = http_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            while not server.started:
                time.sleep(0.01)
            limits = httpx.Limits(max_connections=None)
            with httpx.Client(base_url=url, headers=headers, timeout=60, limits=limits) as client:
                yield Served(url, client, pool)
        finally:
            server.should_exit = True
            thread.join()
            listening.close()


@contextmanager
def asking(url: str, path: str, body: dict[str, Any], token: str = TOKEN) -> Iterator[None]:
    """A client that has asked, and hangs up at the end of the block, whether there is a reply or not."""
    content = json.dumps(body)
    lines = ("Host: localhost", f"Authorization: Bearer {token}", f"Content-Length: {len(content)}")
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 80)) as connection:
        head = "\r\n".join((f"POST {path} HTTP/1.1", *lines, "Content-Type: application/json"))
        connection.sendall(f"{head}\r\n\r\n{content}".encode())
        yield


def until(condition: object, seconds: float = 60.0) -> None:
    """Wait for what another thread does."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
