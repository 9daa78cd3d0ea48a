"""``lcrag index``: build or refresh the index ahead of the first question, look at it, remove it."""

from __future__ import annotations

from typing import Annotated

import typer

from lcrag.cli import inputs
from lcrag.cli import options as opt
from lcrag.cli.ask import warn_of_files
from lcrag.cli.call import Call, with_options
from lcrag.cli.progress import Progress
from lcrag.errors import InputError
from lcrag.report.status import index_report, status_report

Paths = Annotated[
    list[str] | None,
    typer.Argument(help="Files, folders or globs to read.", metavar="PATH...", show_default=False),
]
Status = Annotated[bool, typer.Option("--status", help="Show what is in the index, and change nothing.")]
Clear = Annotated[bool, typer.Option("--clear", help="Remove the index. The documents stay.")]


@with_options(opt.Layers, opt.Vectors, opt.Ray, opt.Backend, opt.Server, opt.Index)
def index_command(call: Call, paths: Paths = None, status: Status = False, clear: Clear = False) -> int:
    """Build the index of your documents, or bring it up to date.

    Example: lcrag index docs/

    ask and plan do the same by themselves. With --dense on, every chunk is embedded now. With --layers section, every
    section is summed up, so that --pipeline chunk_rag:layer=section finds it by that.

    With --ray the machines of a Ray cluster read, split and embed (lcrag help ray). What is done is kept every few
    seconds: after a kill, the same command goes on from there.
    """
    layers, ray = call.is_typed("layers"), call.is_typed("ray")
    given = {"--status": status, "--clear": clear, "--layers": layers, "--ray": ray}
    first, *more = [flag for flag, is_given in given.items() if is_given] or [""]
    if more and (status or clear):
        raise InputError(f"{first} and {more[0]} do not go together", hint=f"lcrag index docs/ {first}")
    if not paths and not (call[opt.Index].index is not None and (status or clear)):
        raise InputError("say what to index", hint="lcrag index docs/")

    from lcrag.cluster import files_there
    from lcrag.index import index_clear, index_status
    from lcrag.session import Session

    output = call.output
    stdin_text = None if status or clear else inputs.document_text(paths or ())
    settings = call.settings(paths or (), stdin_text=stdin_text)
    if status:
        output.write(status_report(index_status(settings.paths, settings.index)))
    elif clear:
        output.note("the index is removed" if index_clear(settings.paths, settings.index) else "there was no index")
    else:
        with (
            Progress(output) as progress,
            files_there(call[opt.Ray].ray) as elsewhere,
            Session.open(settings, progress, elsewhere=elsewhere) as session,
        ):
            progress.clear()
            warn_of_files(output, "cannot read", session.unreadable_files)
            warn_of_files(output, "only a part is read of", session.refreshed.partly_read)
            if settings.dense == "on":
                session.fill()
            if call[opt.Layers].layers is not None:
                output.note(f"summaries: {session.backend.name} ({session.backend.model})")
                session.sum_up()
            progress.clear()
            output.write(index_report(session.index_info, session.refreshed))
    return 0
