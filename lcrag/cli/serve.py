"""``lcrag serve``: the documents behind an HTTP server, or behind the Model Context Protocol."""

from __future__ import annotations

import os
import secrets
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lcrag.cli import inputs
from lcrag.cli import options as opt
from lcrag.cli.ask import describe
from lcrag.cli.call import Call, with_options
from lcrag.cli.output import Output
from lcrag.cli.progress import Progress
from lcrag.errors import InputError, NotInstalled

if TYPE_CHECKING:
    from lcrag.web.pool import Pool

Paths = Annotated[
    list[str] | None,
    typer.Argument(help="Files, folders or globs to read.", metavar="PATH...", show_default=False),
]


@with_options(opt.Serve, opt.Routing, opt.Sampling, opt.Retrieval, opt.Backend, opt.Server, opt.Chosen)
def serve(call: Call, paths: Paths = None) -> int:
    """Serve your documents over HTTP, as OpenAI's API does.

    Example: lcrag serve docs/

    The address and a token are printed on standard error. Open the address in a browser, or give both to a program
    that speaks OpenAI's API (base URL http://127.0.0.1:8765/v1, model lcrag). /api describes the rest. With --mcp it
    speaks the Model Context Protocol on standard input and output instead.
    """
    options = call[opt.Serve]
    _require("mcp" if options.mcp else "serve")
    if not paths:
        raise InputError("say what to read", hint="lcrag serve docs/")

    from lcrag.session import Session
    from lcrag.web.pool import Pool

    settings = call.settings(paths, stdin_text=None if options.mcp else inputs.document_text(tuple(paths)))
    with Progress(call.output) as progress, Session.open(settings, progress) as session:
        describe(session, call.output, progress)
        pool = Pool(session, options.timeout)
        try:
            pool.start(replace(session.settings, log=True))
            progress.clear()
            return _over_stdio(pool, call) if options.mcp else _over_http(pool, call)
        finally:
            pool.close()


def _require(extra: str) -> None:
    """Raise NotInstalled if the packages of this extra are not all here."""
    from importlib.util import find_spec

    packages = {"serve": ("fastapi", "uvicorn", "prometheus_client"), "mcp": ("mcp",)}[extra]
    if missing := [package for package in packages if find_spec(package) is None]:
        raise NotInstalled(f"lcrag serve needs {', '.join(missing)}", hint=f"pip install 'lcrag[{extra}]'")


def _over_http(pool: Pool, call: Call) -> int:
    from lcrag.web.serve import listening_socket, serve

    options = call[opt.Serve]
    token = None if options.no_token else options.token or secrets.token_urlsafe(24)
    listening = listening_socket(options.host, options.port, token=token)
    host, port = listening.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    serve(
        pool,
        call.policy,
        listening,
        token=token,
        origins=tuple(options.cors.split(",")) if options.cors else (),
        ready=lambda: _announce(address, token, call.output, own=options.token is not None),
    )
    return 0


def _announce(address: str, token: str | None, output: Output, *, own: bool) -> None:
    """Say where the server is, even with --quiet if its token is known to nobody yet."""
    if token is None or own:
        output.note(f"listening on {address}")
    else:
        output.report(f"listening on {address}/#token={token}\n")


def _over_stdio(pool: Pool, call: Call) -> int:
    from lcrag.web.tools import tools

    def end(number: int, frame: object) -> NoReturn:
        pool.close()
        os._exit(128 + number)  # a thread of the SDK reads standard input, and the usual way out would wait for it

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    tools(pool, call.policy).run("stdio")
    return 0
