"""``lcrag plan``: what ``lcrag ask`` would do, without doing it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lcrag.cli import inputs
from lcrag.cli import options as opt
from lcrag.cli.ask import Words, describe
from lcrag.cli.call import Call, with_options
from lcrag.cli.output import Output, width
from lcrag.cli.progress import Progress
from lcrag.errors import InputError
from lcrag.report.objects import plan_object
from lcrag.report.plans import history_report, plan_report
from lcrag.retrieve.ahead import loading
from lcrag.schemas import HISTORY

History = Annotated[bool, typer.Option("--history", help="Show how accurate past forecasts were, and plan nothing.")]
ShowAll = Annotated[bool, typer.Option("--all", help="Show the other routes too, which are no better in any way.")]


@with_options(opt.Routing, opt.Json, opt.Retrieval, opt.Backend, opt.Server, opt.Chosen)
def plan(call: Call, words: Words = None, show_all: ShowAll = False, history: History = False) -> int:
    """Show every route worth taking with its tokens, seconds and P(correct), and the one that ask would take.

    Example: lcrag plan docs/ "Who signed the contract?"

    No model is called. The chosen route is marked with a star. A route is left out if another that fits takes no more
    tokens and no more seconds, and its P(correct) is no lower. With --history: how far past forecasts were off, and of
    every backend what P(correct) was forecast and how many questions were answered.
    """
    output = call.output
    if history:
        return _history(output, words or [])
    paths, question = inputs.paths_and_question(words or [], "plan")

    # The log is only read, to know what a server has cached.
    settings = call.settings(paths, stdin_text=inputs.document_text(paths), log=True)
    with loading(settings, reads=False):
        from lcrag.session import Session

        with Progress(output) as progress, Session.open(settings, progress) as session:
            describe(session, output, progress)
            planned = session.plan(question, call.policy)
            progress.clear()
    if output.form == "json":
        output.line(plan_object(planned))
    else:
        output.write(plan_report(planned, width=width(), colour=output.colour(sys.stdout), show_all=show_all))
    return 0


def _history(output: Output, words: list[str]) -> int:
    from dataclasses import asdict

    from lcrag.planning.history import read_record

    if words:
        raise InputError("--history takes no path and no question", hint="lcrag plan --history")
    record = read_record()
    if output.form == "json":
        output.line({"schema": HISTORY, **({} if record is None else asdict(record))})
    elif record is None:
        output.note("no route has been logged yet")
    else:
        output.write(history_report(record))
    return 0
