"""The ``lcrag`` command: its sub-commands, and the one place where errors become exit codes."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final, NoReturn, TextIO

import typer

import lcrag
from lcrag.cli.commands import COMMANDS, SETTINGS, Commands
from lcrag.cli.completion import asking_for_script, shell_asked_for
from lcrag.cli.output import Form, Output, OutputClosed
from lcrag.errors import InputError, LcragError

INTERRUPTED = 130
FAULT = 70
"""The exit code of a fault in lcrag itself (``EX_SOFTWARE`` of sysexits.h)."""

GARBAGE: Final = 50_000
"""New objects after which Python looks for cycles that nothing refers to. At its own 700 it looks through what imports
make: 0.03 s of ``plan`` and ``ask``."""

# Plain help: rich would take longer to load than everything else that help needs.
app = typer.Typer(cls=Commands, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=SETTINGS)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"lcrag {lcrag.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Answers from your own documents, reading exactly as much as each question needs.

    Example: lcrag ask docs/ "Who signed the contract?"

    \b
    These may also come before the command's name:
      --backend, --base-url, --model, --index DIR, --config FILE, --preset NAME,
      -v, -q, --no-color

    \b
    A value comes from the first of these that has one:
      the command line, the environment (LCRAG_MAX_TOKENS=8000),
      lcrag.toml here, lcrag.toml in your configuration folder.
    A server's key comes from LCRAG_API_KEY alone.
    """


def main() -> None:
    """The console script."""
    for name in ("stdout", "stderr"):  # None where the caller has closed it
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  until the process ends
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores one
            signal.signal(number, _end)
    gc.set_threshold(GARBAGE)
    code = run(sys.argv[1:])
    gc.freeze()  # saves the collections of cycles before the process ends: 0.06 s
    for stream in (sys.stdout, sys.stderr):
        _flush(stream)
    sys.exit(code)


def _end(number: int, frame: object) -> NoReturn:
    """End as the signal would, but after temporary files are removed and workers have ended."""
    sys.exit(128 + number)


def _flush(stream: TextIO) -> None:
    """Write what is left; where nobody reads it any more, drop it, or Python would exit with 120."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def run(args: Sequence[str]) -> int:
    """Run one command line; returns the exit code, with every error phrased."""
    output = Output(_form(args))
    try:
        code = _invoke(args, output)
    except OutputClosed:
        return 0
    except LcragError as error:
        output.error(error)
        return error.exit_code
    except typer.TyperException as error:
        output.failure(InputError.exit_code, "UsageError", *_usage(error, args))
        return InputError.exit_code
    except OSError as error:  # a disk that is full, a folder that may not be read
        output.failure(InputError.exit_code, type(error).__name__, str(error), "")
        return InputError.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # noqa: BLE001  Python would exit with 1, which here says "not in the documents"
        import traceback

        traceback.print_exc()
        output.failure(FAULT, type(error).__name__, str(error), "this is a fault in lcrag")
        return FAULT
    if code == INTERRUPTED:
        output.note("interrupted")
    return code


def _invoke(args: Sequence[str], output: Output) -> int:
    command = typer.main.get_command(app)
    shell = shell_asked_for(args)
    if shell is not None:
        with asking_for_script(shell):
            command.main(args=[], prog_name="lcrag", standalone_mode=False)
        return 0
    code = command.main(args=_commands_first(args), prog_name="lcrag", standalone_mode=False, obj=output)
    return code if isinstance(code, int) else 0


def _usage(error: typer.TyperException, args: Sequence[str]) -> tuple[str, str]:
    """What is wrong with the arguments, or with the environment; and the line to type."""
    from lcrag.cli.call import origins

    message = error.format_message().replace(": Value error, ", ": ")  # pydantic's words
    context: typer.Context | None = getattr(error, "ctx", None)
    if context is None:  # an option without its value
        command = [name for name in _commands_first(args)[:1] if name in COMMANDS]
        return message, " ".join(["lcrag", *command, "--help"])
    parameter = getattr(error, "param", None)
    origin = "" if parameter is None else origins(context).get(parameter.name, "")
    return f"{origin}: {message}" if origin.startswith("LCRAG_") else message, f"{context.command_path} --help"


def _form(args: Sequence[str]) -> Form:
    """The format of errors if the arguments cannot be parsed."""
    options = args[: list(args).index("--")] if "--" in args else args
    for form in ("ndjson", "json"):
        if f"--{form}" in options or f"--format={form}" in options or ("--format", form) in pairwise(options):
            return form
    return "plain"


def _commands_first(args: Sequence[str]) -> list[str]:
    """``--quiet ask docs/ …`` as ``ask --quiet docs/ …``: each command takes the shared options itself."""
    if not args or not args[0].startswith("-") or args[0] in ("-h", "--help", "--version"):
        return list(args)
    from lcrag.cli.options import BEFORE

    at = 0
    while at < len(args) and args[at].split("=")[0] in BEFORE:
        at += 1 if "=" in args[at] else BEFORE[args[at]]
    if at >= len(args) or args[at].startswith("-"):
        return list(args)
    return [args[at], *args[:at], *args[at + 1 :]]
