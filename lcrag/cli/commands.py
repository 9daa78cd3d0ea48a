"""The sub-commands by name; the module of each is imported when it is called, not when ``lcrag`` starts.

``lcrag --help`` takes 70 ms of processor time; with every command imported it took 170 ms. The line that it prints for
each command is therefore repeated here; a test compares it with the command's own help.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

SETTINGS: Final = {"help_option_names": ["-h", "--help"]}

COMMANDS: Final = {
    "ask": ("ask", "ask", "Answer a question from your documents, with sources."),
    "plan": ("plan", "plan", "Show every route with its tokens, seconds and P(correct)."),
    "chat": ("chat", "chat", "Ask one question after another, with follow-up questions."),
    "history": ("history", "history", "List your last answers, or print one again."),
    "show": ("show", "show", "Show the passage that a citation names, with the quote marked."),
    "serve": ("serve", "serve", "Serve your documents over HTTP, as OpenAI's API does."),
    "compare": ("compare", "compare", "Ask every route the same questions, and compare the answers."),
    "recipes": ("recipes", "recipes", "List systems of the literature that can be asked for by name."),
    "index": ("index", "index_command", "Build the index of your documents, or bring it up to date."),
    "calibrate": ("calibrate", "calibrate", "Measure how well the backend uses what it reads, and its cost."),
    "up": ("server", "up", "Start a vLLM server on a model, with prefix caching."),
    "down": ("server", "down", "Stop the servers that lcrag up started, and nothing else."),
    "status": ("server", "status", "Show the servers: model, window, size and hit rate of its cache."),
    "help": ("help", "help_command", "Show a topic: routes, sessions, configuration, files, exit codes."),
    "doctor": ("doctor", "doctor", "Show what this machine can do, and what it lacks."),
}
"""Name → module of this package, its function, its line in ``lcrag --help``."""


def load(name: str) -> TyperCommand:
    """Import a command."""
    module, function, _ = COMMANDS[name]
    single = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=SETTINGS
    )
    single.command(name, cls=Command)(getattr(import_module(f"lcrag.cli.{module}"), function))
    command = typer.main.get_command(single)
    assert isinstance(command, TyperCommand)
    return command


def _taken_as_they_are(parameters: list[Any]) -> list[Any]:
    """The parameters, whose defaults, and words where words are wanted, are converted no more.

    Typer (0.28) converts each with an adapter of pydantic's; importing and making them takes 0.08 s of processor time.
    """
    for parameter in parameters:
        if not parameter.required and "process_value" not in vars(parameter):
            parameter.process_value = _conversion(parameter)
    return parameters


def _conversion(parameter: Any) -> Callable[[typer.Context, Any], Any]:
    convert, wanted = parameter.process_value, parameter.type_descriptor.annotation

    def process_value(context: typer.Context, value: Any) -> Any:
        if wanted == list[str]:
            value = list(value or ())
        elif parameter.multiple or (value is not None and value is not parameter.default and wanted is not str):
            return convert(context, value)
        return parameter.callback(context, parameter, value) if parameter.callback is not None else value

    return process_value


class Command(TyperCommand):
    """One of ``COMMANDS``."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _taken_as_they_are(super().get_params(ctx))


class Commands(TyperGroup):
    """The group of ``COMMANDS``: names and lines until one is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, short_help=line) for name, (_, _, line) in COMMANDS.items()}

    def get_params(self, ctx: Any) -> list[Any]:
        return _taken_as_they_are(super().get_params(ctx))

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(args[0]), rest
