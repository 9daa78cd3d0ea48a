"""``lcrag history``: past answers, listed and printed again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from lcrag.cli import options as opt
from lcrag.cli.answers import Printer
from lcrag.cli.call import Call, with_options
from lcrag.cli.output import Output, width
from lcrag.cli.progress import Progress
from lcrag.conversation.answers import AnswerLog, Past
from lcrag.errors import InputError
from lcrag.report.markdown import escaped
from lcrag.report.objects import answer_of
from lcrag.report.terminal import printable
from lcrag.schemas import ANSWERS

LISTED: Final = 20

Number = Annotated[
    int | None, typer.Argument(help="The answer to print again, as the list numbers it.", metavar="[N]", min=1)
]
Last = Annotated[int, typer.Option(help="List the last N answers.", metavar="N", min=1)]
Clear = Annotated[bool, typer.Option("--clear", help="Remove all of them.")]


@with_options(opt.Formats)
def history(call: Call, number: Number = None, last: Last = LISTED, clear: Clear = False) -> int:
    """List your last answers, or print one again.

    Example: lcrag history 12

    The answers of ask with one question and of chat are kept on this machine, the last 500, unless --no-log is given.
    The exit code of a past answer is that of ask.
    """
    log = AnswerLog()
    if clear:
        if number is not None:
            raise InputError("--clear removes all answers and takes no number", hint="lcrag history --clear")
        call.output.note(f"{log.clear():,} answers removed")
        return 0
    if number is None:
        _list(log.recent(last), call.output)
        return 0
    value = log.read(number)
    with Progress(call.output) as progress:
        return Printer(call, progress, streams=False).answer(answer_of(value), value, sources=True)


def _list(answers: list[Past], output: Output) -> None:
    rows = [{**asdict(past), "time": _time(past).isoformat(timespec="seconds")} for past in answers]
    if output.form == "json":
        output.line({"schema": ANSWERS, "answers": rows})
    elif output.form == "ndjson":
        for row in rows:
            output.line(row)
    elif not answers:
        output.note("no answer has been kept yet")
    elif output.form == "md":
        output.write("".join(f"{past.number}. {escaped(_one_line(past.question))}\n" for past in answers))
    else:
        output.write("".join(f"{_line(past)}\n" for past in answers))


def _line(past: Past) -> str:
    local = _time(past).astimezone().strftime("%Y-%m-%d %H:%M")
    fixed = f"{past.number:>4}  {local}  {past.status:<13}  {past.route:<15}  "
    question = printable(_one_line(past.question))
    room = max(20, width() - len(fixed))
    return fixed + (question if len(question) <= room else question[: room - 1] + "…")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _time(past: Past) -> datetime:
    return datetime.fromtimestamp(past.time, UTC)
