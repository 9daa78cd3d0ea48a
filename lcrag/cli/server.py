"""``lcrag up``, ``down`` and ``status``: a local vLLM server, started, stopped and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lcrag.cli import options as opt
from lcrag.cli.output import Output
from lcrag.report.text import server_report

ModelName = Annotated[
    str, typer.Argument(help="A model's folder, or its name if it was downloaded before.", metavar="MODEL")
]
Port = Annotated[
    int | None, typer.Option("--port", help="Listen on this port instead of a free one.", show_default=False)
]
Window = Annotated[
    int | None,
    typer.Option("--window", help="Tokens of context; the longest that fits unless given.", min=1, show_default=False),
]
Memory = Annotated[
    float | None,
    typer.Option(
        "--memory", help="Share of the device's memory to use. Example: 0.8", min=0.01, max=1, show_default=False
    ),
]
Python = Annotated[
    Path | None,
    typer.Option("--python", help="The Python that has vLLM, if it is not this one.", show_default=False),
]
Flags = Annotated[
    list[str] | None, typer.Argument(help="Further flags, handed to vLLM. Example: -- --tensor-parallel-size 2")
]


def up(
    ctx: typer.Context,
    model: ModelName,
    flags: Flags = None,
    port: Port = None,
    window: Window = None,
    memory: Memory = None,
    python: Python = None,
    verbose: opt.Verbose = 0,
    quiet: opt.Quiet = False,
    no_color: opt.NoColor = False,
) -> int:
    """Start a vLLM server on a model, with prefix caching and the longest window that fits.

    Example: lcrag up ./qwen2.5-7b-instruct

    It listens on this machine alone, and lcrag ask uses it from then on. Prints its address.
    """
    import sys

    from lcrag import server

    output: Output = ctx.obj
    output.configure("text", verbose=verbose, quiet=quiet, no_color=no_color)
    started = server.up(
        model,
        python=str(python) if python else sys.executable,
        port=port,
        window=window,
        memory=memory,
        flags=flags or (),
        say=output.note,
    )
    output.write(f"{started.url}\n")
    return 0


def down(ctx: typer.Context, verbose: opt.Verbose = 0, quiet: opt.Quiet = False, no_color: opt.NoColor = False) -> int:
    """Stop the server that lcrag up started, and nothing else.

    Example: lcrag down
    """
    from lcrag import server

    output: Output = ctx.obj
    output.configure("text", verbose=verbose, quiet=quiet, no_color=no_color)
    stopped = server.down()
    output.note(f"{stopped.name} at {stopped.url} is stopped" if stopped else "nothing to stop")
    return 0


def status(
    ctx: typer.Context,
    base_url: opt.BaseUrl = None,
    verbose: opt.Verbose = 0,
    quiet: opt.Quiet = False,
    no_color: opt.NoColor = False,
) -> int:
    """Show the server: model, window, size of its cache, how often it was hit.

    Example: lcrag status
    """
    from lcrag import server

    output: Output = ctx.obj
    output.configure("text", verbose=verbose, quiet=quiet, no_color=no_color)
    output.write(server_report(server.look(base_url)))
    return 0
