"""``lcrag up``, ``down`` and ``status``: start, stop and show a local vLLM server."""

from __future__ import annotations

from typing import Annotated

import typer

from lcrag.cli import options as opt
from lcrag.cli.output import Output
from lcrag.report.status import server_report

ModelName = Annotated[
    str, typer.Argument(help="A model's folder, or its name if it was downloaded before.", metavar="MODEL")
]
Flags = Annotated[
    list[str] | None, typer.Argument(help="Further flags, handed to vLLM. Example: -- --tensor-parallel-size 2")
]


def up(
    ctx: typer.Context,
    model: ModelName,
    flags: Flags = None,
    port: opt.Port = None,
    window: opt.Window = None,
    memory: opt.Memory = None,
    python: opt.Python = None,
    config: opt.Config = None,
    preset: opt.Preset = None,
    verbose: opt.Verbose = 0,
    quiet: opt.Quiet = False,
    no_color: opt.NoColor = False,
) -> int:
    """Start a vLLM server on a model, with prefix caching and the longest window that fits.

    Example: lcrag up ./qwen2.5-7b-instruct

    It listens on this machine alone, and lcrag ask uses it while it runs. Prints its address.
    """
    import sys

    from lcrag.serve.process import up as start

    output: Output = ctx.obj
    output.configure("text", verbose=verbose, quiet=quiet, no_color=no_color)
    opt.announce(ctx, output)
    server = start(
        model,
        python=str(python) if python else sys.executable,
        port=port,
        window=window,
        memory=memory,
        flags=flags or (),
        say=output.note,
    )
    output.write(f"{server.url}\n")
    return 0


def down(
    ctx: typer.Context,
    config: opt.Config = None,
    preset: opt.Preset = None,
    verbose: opt.Verbose = 0,
    quiet: opt.Quiet = False,
    no_color: opt.NoColor = False,
) -> int:
    """Stop the server that lcrag up started, and nothing else.

    Example: lcrag down
    """
    from lcrag.serve.process import down as stop

    output: Output = ctx.obj
    output.configure("text", verbose=verbose, quiet=quiet, no_color=no_color)
    opt.announce(ctx, output)
    stopped = stop()
    output.note(f"{stopped.name} at {stopped.url} is stopped" if stopped else "nothing to stop")
    return 0


def status(
    ctx: typer.Context,
    base_url: opt.BaseUrl = None,
    config: opt.Config = None,
    preset: opt.Preset = None,
    verbose: opt.Verbose = 0,
    quiet: opt.Quiet = False,
    no_color: opt.NoColor = False,
) -> int:
    """Show the server: model, window, size and hit rate of its cache.

    Example: lcrag status
    """
    from lcrag.serve.look import look

    output: Output = ctx.obj
    output.configure("text", verbose=verbose, quiet=quiet, no_color=no_color)
    opt.announce(ctx, output)
    output.write(server_report(look(base_url)))
    return 0
