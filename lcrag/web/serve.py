"""One process that keeps index, models and backend ready, and answers over HTTP until it is told to end."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Collection
from typing import Final

import uvicorn
from starlette.middleware.cors import CORSMiddleware

from lcrag.errors import InputError
from lcrag.types import Policy
from lcrag.web.app import Service, create_app
from lcrag.web.chat import chat_routes
from lcrag.web.guard import LOOPBACK, App, Guard
from lcrag.web.numbers import Counting, Numbers
from lcrag.web.pool import ENDING_SECONDS, Pool

BACKLOG: Final = 256
"""Connections that wait to be accepted. Assumed, not measured."""


def listening_socket(host: str, port: int, *, token: str | None) -> socket.socket:
    """A socket at this address; port 0 takes a free one. Without a token only on loopback.

    Raises InputError for an address that cannot be used.
    """
    if token is None and host not in LOOPBACK:
        raise InputError(
            f"--no-token would let everybody who reaches {host} read the documents",
            hint="leave --no-token out, or listen on 127.0.0.1",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By this number of the protocol asyncio knows that it is TCP, and sends at once: else 40 ms more for each answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise InputError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="--port 0 takes a free one"
        ) from error
    return listening


def protected(service: Service, host: str, token: str | None, origins: Collection[str]) -> App:
    """The app with all that stands before it. On loopback only this machine's names are answered."""
    app: App = Guard(
        create_app(service, chat_routes(service)),
        token=token,
        hosts=LOOPBACK if host in LOOPBACK else None,
        origins=origins,
    )
    if origins:
        headers = ["Authorization", "Content-Type"]
        app = CORSMiddleware(app, allow_origins=list(origins), allow_methods=["GET", "POST"], allow_headers=headers)
    return Counting(app, service.numbers)


def http_server(app: App) -> uvicorn.Server:
    """What runs the app. It logs to nobody: errors are in the answers, numbers in /metrics."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=int(ENDING_SECONDS),
        )
    )


def serve(
    pool: Pool,
    policy: Policy,
    listening: socket.socket,
    *,
    token: str | None,
    origins: Collection[str],
    ready: Callable[[], None],
) -> None:
    """Answer until SIGTERM or SIGINT; the latter is raised again as KeyboardInterrupt. ``pool`` has been started."""
    host = listening.getsockname()[0]
    app = protected(Service(pool, policy, Numbers(pool)), host, token, origins)
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)  # uvicorn raises it once more at its end
    try:
        ready()
        http_server(app).run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, before)
        listening.close()
