"""``lcrag plan``: what ``lcrag ask`` would do, without doing it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lcrag.cli import inputs
from lcrag.cli import options as opt
from lcrag.cli.ask import Words, describe
from lcrag.cli.output import Output, width
from lcrag.cli.progress import Progress
from lcrag.errors import InputError
from lcrag.report.objects import plan_object
from lcrag.report.plans import history_report, plan_report
from lcrag.schemas import HISTORY
from lcrag.types import Policy

ShowAll = Annotated[bool, typer.Option("--all", help="Show the other routes too, which are no better in any way.")]


def plan(
    ctx: typer.Context,
    words: Words = None,
    pipeline: opt.Pipeline = None,
    prefer: opt.Prefer = "balanced",
    max_tokens: opt.MaxTokens = None,
    max_seconds: opt.MaxSeconds = None,
    min_quality: opt.MinQuality = None,
    show_all: ShowAll = False,
    history: opt.History = False,
    json: opt.Json = False,
    dense: opt.Dense = "auto",
    embedder: opt.Embedder = None,
    reader: opt.Reader = "auto",
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
    """Show every route worth taking with its tokens, seconds and P(correct), and the one that ask would take.

    Example: lcrag plan docs/ "Who signed the contract?"

    No model is called. The chosen route is marked with a star. A route is left out if another that fits takes no more
    tokens and no more seconds, and its P(correct) is no lower. With --history: how far past forecasts were off.
    """
    output: Output = ctx.obj
    output.configure("json" if json else "text", verbose=verbose, quiet=quiet, no_color=no_color)
    opt.announce(ctx, output)
    if history:
        return _history(output, words or [], json=json)
    paths, question = inputs.paths_and_question(words or [], "plan")

    from lcrag.session import Session
    from lcrag.types import Settings

    settings = Settings(
        paths=paths,
        index=index,
        backend=backend,
        base_url=base_url,
        model=model,
        dense=dense,
        embedder=embedder,
        reader=reader,
        stdin_text=inputs.document_text(paths),
        log=True,  # read only, to know what a server has cached
    )
    policy = Policy(prefer, max_tokens, max_seconds, min_quality, pipeline)
    with Progress(output) as progress, Session.open(settings, progress) as session:
        describe(session, settings.backend, output, progress)
        planned = session.plan(question, policy)
        progress.clear()
    if json:
        output.line(plan_object(planned))
    else:
        output.write(plan_report(planned, width=width(), colour=output.colour(sys.stdout), show_all=show_all))
    return 0


def _history(output: Output, words: list[str], *, json: bool) -> int:
    from dataclasses import asdict

    from lcrag.planning.history import read_record

    if words:
        raise InputError("--history takes no path and no question", hint="lcrag plan --history")
    record = read_record()
    if json:
        output.line({"schema": HISTORY, **({} if record is None else asdict(record))})
    elif record is None:
        output.note("no route has been logged yet")
    else:
        output.write(history_report(record))
    return 0
