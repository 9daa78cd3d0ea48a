"""``lcrag chat``: one question after another about the same documents."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lcrag.cli import inputs, talking
from lcrag.cli import options as opt
from lcrag.cli.answers import Printer
from lcrag.cli.ask import describe, streams
from lcrag.cli.call import Call, with_options
from lcrag.cli.output import Output, width
from lcrag.cli.progress import Progress
from lcrag.cli.prompt import typed_lines
from lcrag.errors import InputError, LcragError
from lcrag.paths import private_folder
from lcrag.report import plans, text
from lcrag.report.terminal import printable

if TYPE_CHECKING:
    from lcrag.conversation.talk import Talk
    from lcrag.types import Answer, Citation

COMMANDS: Final = {
    "/plan": "the routes of the last question, and why one was taken",
    "/sources": "the sources of the last answer, quoted in full",
    "/forget": "forget what was asked and said, and with --session its answers in lcrag history",
    "/help": "this list",
    "/quit": "end, as Ctrl-D does",
}

Paths = Annotated[list[str], typer.Argument(help="Files, folders or globs to read.", metavar="PATH...")]


@with_options(
    opt.Routing, opt.Formats, opt.Ask, opt.Talk, opt.Sampling, opt.Retrieval, opt.Backend, opt.Server, opt.Chosen
)
def chat(call: Call, paths: Paths) -> int:
    """Ask one question after another, with follow-up questions.

    Example: lcrag chat docs/

    Enter asks; Alt-Enter, or a backslash at the end of a line, begins another line. Ctrl-C cancels an answer, Ctrl-D
    ends. Within: /plan, /sources, /forget, /help, /quit. What follow-up questions need is forgotten at the end, unless
    --session NAME is given; the answers are kept for lcrag history, unless --no-log is. If standard input is not a
    terminal, each of its lines is a question, and the exit code is the highest of them.
    """
    if inputs.STDIN in paths:
        raise InputError("standard input holds the questions, not a document", hint="lcrag chat docs/ < questions.txt")

    from lcrag.conversation.talk import Talk
    from lcrag.session import Session

    with talking.memory(call) as memory, Progress(call.output) as progress:
        printer = Printer(call, progress, streams=streams(call[opt.Ask]))
        with Session.open(call.settings(paths), printer) as session, Talk(session, memory) as talk:
            describe(session, call.output, progress)
            return _Chat(talk, call, printer).run()


class _Chat:
    """The loop of one call; ``last``: the last answer, for /plan and /sources."""

    def __init__(self, talk: Talk, call: Call, printer: Printer) -> None:
        self.talk, self.call, self.printer = talk, call, printer
        self.output: Output = call.output
        self.last: Answer | None = None

    def run(self) -> int:
        terminal = sys.stdin.isatty()
        named = self.call[opt.Talk].session is not None
        history = self.talk.memory.folder / "typed" if named else None
        self.printer.progress.done()
        if terminal:
            self.output.note("/help lists what else can be typed; Ctrl-D ends")
        code = 0
        for typed in typed_lines(history, tuple(COMMANDS)):
            if typed == "/quit":
                break
            code = max(code, self._take(typed))
        return 0 if terminal else code

    def _take(self, typed: str) -> int:
        """Answer a line, or do what it says; an error ends neither the talk nor its session."""
        try:
            if typed.startswith("/"):
                return self._do(typed)
            code, answer = talking.answer(self.talk, inputs.as_text(typed), self.call, self.printer)
            self.last = answer or self.last
        except LcragError as error:
            self.printer.progress.done()
            self.printer.error(error, None)
            return error.exit_code
        except KeyboardInterrupt:
            if not sys.stdin.isatty():
                raise
            self.printer.progress.done()
            self.output.note("\ncancelled")
            return 0
        if code == 0 and answer is not None and self.output.form == "plain":
            self.output.write("\n")
        return code

    def _do(self, command: str) -> int:
        if command == "/help":
            self.output.note("\n".join(f"{name:<10}{says}" for name, says in COMMANDS.items()))
        elif command == "/forget":
            self.talk.forget()
            talking.forget_answers(self.call)
            private_folder(self.talk.memory.folder)  # what is typed next is kept there
            self.output.note("forgotten")
        elif command not in COMMANDS:
            raise InputError(f"there is no {command}", hint=", ".join(COMMANDS))
        elif self.last is None:
            self.output.note("nothing has been answered yet")
        elif command == "/plan" and self.last.plan is not None:
            colour = self.output.colour(sys.stderr)
            self.output.report(plans.plan_report(self.last.plan, width=width(), colour=colour))
        elif command == "/sources":
            self.output.note("\n\n".join(map(_source, self.last.citations)) or "the last answer has no sources")
        return 0


def _source(citation: Citation) -> str:
    return f"[{citation.marker}] {text.place_text(citation)}\n{printable(citation.quote)}"
