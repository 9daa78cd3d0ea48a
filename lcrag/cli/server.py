"""``lcrag up``, ``down`` and ``status``: start, stop and show local vLLM servers."""

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
    list[str] | None, typer.Argument(help="Further flags, handed to vLLM. Example: -- --quantization fp8")
]


@with_options(opt.Up)
def up(call: Call, model: ModelName, flags: Flags = None) -> int:
    """Start a vLLM server on a model, with prefix caching and the longest window that fits.

    Example: lcrag up ./qwen2.5-7b-instruct

    It listens on this machine alone, and lcrag ask uses it while it runs. Prints its address; with --replicas those of
    all servers, each of which has GPUs of its own. Where the model's window does not fit into the GPU's memory, the KV
    cache is kept in fp8, which holds twice as many tokens; a processor without bfloat16 computes in 32 bits, three
    times as fast. A line says so.
    """
    from lcrag.serve.process import up as start

    options = call[opt.Up]
    with Progress(call.output) as progress:

        def say(stage: str) -> None:
            progress.clear()
            call.output.note(stage)

        progress.begin("starting the server")
        servers = start(
            model,
            python=str(options.python or sys.executable),
            port=options.port,
            window=options.window,
            memory=options.memory,
            replicas=options.replicas,
            tensor_parallel=options.tensor_parallel,
            data_parallel=options.data_parallel,
            flags=flags or (),
            say=say,
        )
    call.output.write("".join(f"{server.url}\n" for server in servers))
    return 0


@with_options()
def down(call: Call) -> int:
    """Stop the servers that lcrag up started, and nothing else.

    Example: lcrag down
    """
    from lcrag.serve.process import down as stop

    with Progress(call.output) as progress:
        progress.begin("stopping the server")
        stopped = stop()
    for server in stopped:
        call.output.note(f"{server.name} at {server.url} is stopped")
    if not stopped:
        call.output.note("nothing to stop")
    return 0


@with_options(opt.Server)
def status(call: Call) -> int:
    """Show the servers: model, window, size and hit rate of its cache.

    Example: lcrag status
    """
    from lcrag.serve.look import look

    with Progress(call.output) as progress:
        progress.begin("asking the server")
        looked = look(call[opt.Server].base_url, call[opt.Server].ca_file)
    call.output.write(server_report(looked))
    return 0
