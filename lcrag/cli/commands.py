"""The sub-commands by name; the module of each is imported when it is called, not when ``lcrag`` starts.

``lcrag --help`` takes 70 ms of processor time; with every command imported it took 170 ms. The line that it prints for
each command is therefore repeated here; a test compares it with the command's own help.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

SETTINGS: Final = {"help_option_names": ["-h", "--help"]}

COMMANDS: Final = {
    "ask": ("ask", "ask", "Answer a question from your documents, with sources."),
    "plan": ("plan", "plan", "Show every route with its tokens, seconds and P(correct)."),
    "show": ("show", "show", "Show the passage that a citation names, with the quote marked."),
    "serve": ("serve", "serve", "Serve your documents over HTTP, as OpenAI's API does."),
    "compare": ("compare", "compare", "Ask every route the same questions, and compare the answers."),
    "recipes": ("recipes", "recipes", "List systems of the literature that can be asked for by name."),
    "index": ("index", "index_command", "Build the index of your documents, or bring it up to date."),
    "calibrate": ("calibrate", "calibrate", "Measure how well the backend uses what it reads, and its cost."),
    "up": ("server", "up", "Start a vLLM server on a model, with prefix caching."),
    "down": ("server", "down", "Stop the server that lcrag up started, and nothing else."),
    "status": ("server", "status", "Show the server: model, window, size and hit rate of its cache."),
    "doctor": ("doctor", "doctor", "Show what this machine can do, and what it lacks."),
}
"""Name → module of this package, its function, its line in ``lcrag --help``."""


def load(name: str) -> TyperCommand:
    """Import a command."""
    module, function, _ = COMMANDS[name]
    single = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=SETTINGS
    )
    single.command(name)(getattr(import_module(f"lcrag.cli.{module}"), function))
    command = typer.main.get_command(single)
    assert isinstance(command, TyperCommand)
    return command


class Commands(TyperGroup):
    """The group of ``COMMANDS``: names and lines until one is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, short_help=line) for name, (_, _, line) in COMMANDS.items()}

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(args[0]), rest
