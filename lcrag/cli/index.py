"""``lcrag index``: build or refresh the index ahead of the first question, look at it, remove it."""

from __future__ import annotations

from typing import Annotated

import typer

from lcrag.cli import inputs
from lcrag.cli import options as opt
from lcrag.cli.ask import describe
from lcrag.cli.output import Output
from lcrag.cli.progress import Progress
from lcrag.errors import InputError
from lcrag.report.status import index_report, status_report

Paths = Annotated[
    list[str] | None,
    typer.Argument(help="Files, folders or globs to read.", metavar="PATH...", show_default=False),
]
Status = Annotated[bool, typer.Option("--status", help="Tell what is in the index, and change nothing.")]
Clear = Annotated[bool, typer.Option("--clear", help="Remove the index. The documents stay.")]


def index_command(
    ctx: typer.Context,
    paths: Paths = None,
    status: Status = False,
    clear: Clear = False,
    dense: opt.Dense = "auto",
    embedder: opt.Embedder = None,
    backend: opt.Backend = "auto",
    base_url: opt.BaseUrl = None,
    model: opt.Model = None,
    index: opt.Index = None,
    config: opt.Config = None,
    preset: opt.Preset = None,
    verbose: opt.Verbose = 0,
    quiet: opt.Quiet = False,
    no_color: opt.NoColor = False,
) -> int:
    """Build the index of your documents, or bring it up to date.

    Example: lcrag index docs/

    ask and plan do the same by themselves. With --dense on, every chunk is embedded now.
    """
    output: Output = ctx.obj
    output.configure("text", verbose=verbose, quiet=quiet, no_color=no_color)
    opt.announce(ctx, output)
    if status and clear:
        raise InputError("--status and --clear do not go together", hint="lcrag index docs/ --status")
    if not paths and not (index is not None and (status or clear)):
        raise InputError("say what to index", hint="lcrag index docs/")

    from lcrag.index import index_clear, index_status
    from lcrag.session import Session
    from lcrag.types import Settings

    settings = Settings(
        paths=tuple(paths or ()),
        index=index,
        backend=backend,
        base_url=base_url,
        model=model,
        dense=dense,
        embedder=embedder,
        stdin_text=None if status or clear else inputs.document_text(paths or ()),
    )
    if status:
        output.write(status_report(index_status(settings.paths, index)))
    elif clear:
        output.note("the index is removed" if index_clear(settings.paths, index) else "there was no index")
    else:
        with Progress(output) as progress, Session.open(settings, progress) as session:
            describe(session, "", output, progress)
            if dense == "on":
                session.fill()
            progress.clear()
            output.write(index_report(session.index_info, session.refreshed))
    return 0
