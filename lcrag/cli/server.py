"""``lcrag up``, ``down`` and ``status``: start, stop and show a local vLLM server."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lcrag.cli import options as opt
from lcrag.cli.call import Call, with_options
from lcrag.cli.progress import Progress
from lcrag.report.status import server_report

ModelName = Annotated[
    str,
    typer.Argument(
        help="A model's folder, its name if it was downloaded before, or small: lcrag's own.", metavar="MODEL"
    ),
]
Flags = Annotated[
    list[str] | None, typer.Argument(help="Further flags, handed to vLLM. Example: -- --tensor-parallel-size 2")
]


@with_options(opt.Up)
def up(call: Call, model: ModelName, flags: Flags = None) -> int:
    """Start a vLLM server on a model, with prefix caching and the longest window that fits.

    Example: lcrag up ./qwen2.5-7b-instruct

    It listens on this machine alone, and lcrag ask uses it while it runs. Prints its address.
    """
    from lcrag.serve.process import up as start

    options = call[opt.Up]
    with Progress(call.output) as progress:

        def say(stage: str) -> None:
            progress.clear()
            call.output.note(stage)

        progress.begin("starting the server")
        server = start(
            model,
            python=str(options.python or sys.executable),
            port=options.port,
            window=options.window,
            memory=options.memory,
            flags=flags or (),
            say=say,
        )
    call.output.write(f"{server.url}\n")
    return 0


@with_options()
def down(call: Call) -> int:
    """Stop the server that lcrag up started, and nothing else.

    Example: lcrag down
    """
    from lcrag.serve.process import down as stop

    with Progress(call.output) as progress:
        progress.begin("stopping the server")
        stopped = stop()
    call.output.note(f"{stopped.name} at {stopped.url} is stopped" if stopped else "nothing to stop")
    return 0


@with_options(opt.Server)
def status(call: Call) -> int:
    """Show the server: model, window, size and hit rate of its cache.

    Example: lcrag status
    """
    from lcrag.serve.look import look

    with Progress(call.output) as progress:
        progress.begin("asking the server")
        looked = look(call[opt.Server].base_url, call[opt.Server].ca_file)
    call.output.write(server_report(looked))
    return 0
