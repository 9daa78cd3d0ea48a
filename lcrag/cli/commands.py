"""The sub-commands by name: each one's module is imported when it is called, not when ``lcrag`` starts.

The line of each stands here once more, because help lists them all and would import all for it; a test holds them
together. Measured: ``lcrag --help`` took 170 ms of processor time with every command imported, 70 ms without.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

SETTINGS: Final = {"help_option_names": ["-h", "--help"]}

COMMANDS: Final = {
    "ask": ("ask", "ask", "Answer a question from your documents, with sources."),
    "plan": ("plan", "plan", "Show every route with its tokens, seconds and P(correct)."),
    "show": ("show", "show", "Show the passage that a citation names, the quote marked in it."),
    "compare": ("compare", "compare", "Ask every route the same questions, and say which is better."),
    "index": ("index", "index_command", "Build the index of your documents, or bring it up to date."),
    "calibrate": ("calibrate", "calibrate", "Measure how well the backend uses what it reads, and its cost."),
    "up": ("server", "up", "Start a vLLM server on a model, with prefix caching."),
    "down": ("server", "down", "Stop the server that lcrag up started, and nothing else."),
    "status": ("server", "status", "Show the server: model, window, cache, how often it was hit."),
    "doctor": ("doctor", "doctor", "Show what this machine can do, and what it lacks."),
}
"""Name → module of this package, its function, what it does in a line."""


class _OnCall(dict[str, Any]):
    """Commands that are made from their functions when they are first looked at."""

    def __missing__(self, name: str) -> Any:
        module, function, _ = COMMANDS[name]
        one = typer.Typer(
            add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=SETTINGS
        )
        one.command(name)(getattr(import_module(f"lcrag.cli.{module}"), function))
        self[name] = typer.main.get_command(one)
        return self[name]

    def keys(self) -> Any:
        return COMMANDS.keys()


class Commands(TyperGroup):
    """The group of ``COMMANDS``."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _OnCall()

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        return self.commands[cmd_name] if cmd_name in COMMANDS else None

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return list(COMMANDS)

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])
