"""``lcrag plan``: what ``ask`` would do, without doing it."""

from __future__ import annotations

import sys

import typer

from lcrag.cli import inputs
from lcrag.cli import options as opt
from lcrag.cli.ask import Words, describe
from lcrag.cli.output import Output, width
from lcrag.cli.progress import Progress
from lcrag.report.json import plan_object
from lcrag.report.text import plan_report
from lcrag.types import Policy


def plan(
    ctx: typer.Context,
    words: Words = None,
    pipeline: opt.Pipeline = None,
    prefer: opt.Prefer = "balanced",
    max_tokens: opt.MaxTokens = None,
    max_seconds: opt.MaxSeconds = None,
    min_quality: opt.MinQuality = None,
    json: opt.Json = False,
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
    """Show every route with its tokens, seconds and P(correct), and the one that ask would take.

    Example: lcrag plan docs/ "Who signed the contract?"

    No model is called. The chosen route is marked with a star.
    """
    output: Output = ctx.obj
    output.configure("json" if json else "text", verbose=verbose, quiet=quiet, no_color=no_color)
    opt.announce(ctx, output)
    paths, question = inputs.paths_and_question(words or [], "plan")

    from lcrag.run import Session, Settings

    settings = Settings(
        paths=paths,
        index=index,
        backend=backend,
        base_url=base_url,
        model=model,
        dense=dense,
        embedder=embedder,
        stdin_text=inputs.document_text(paths),
    )
    policy = Policy(prefer, max_tokens, max_seconds, min_quality, pipeline)
    with Progress(output) as progress, Session.open(settings, progress) as session:
        describe(session, settings.backend, output, progress)
        found = session.plan(question, policy)
        progress.clear()
    if json:
        output.line(plan_object(found))
    else:
        output.write(plan_report(found, width=width(sys.stdout), colour=output.colour(sys.stdout)))
    return 0
