"""Completion for shells: the scripts, and the names that options take."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from lcrag.errors import InputError
from lcrag.paths import state_folder

SHELLS: Final = ("bash", "zsh", "fish")
FLAG: Final = "--show-completion"
VARIABLE: Final = "_LCRAG_COMPLETE"
"""What the scripts set for lcrag to answer them; "source_SHELL" asks for the script itself."""


def shell_asked_for(args: Sequence[str]) -> str | None:
    """The shell of ``--show-completion SHELL``; None for any other call.

    Typer's own flag takes no name and finds out which shell this is, so that a package could not have the scripts of
    all. Raises InputError for a shell without completion.
    """
    if len(args) != 2 or args[0] != FLAG:
        return None
    if args[1] not in SHELLS:
        raise InputError(f"there is no completion for {args[1]}", hint=f"lcrag {FLAG} {'|'.join(SHELLS)}")
    return args[1]


@contextmanager
def asking_for_script(shell: str) -> Iterator[None]:
    """Within the block, calling the command prints the shell's script and ends."""
    os.environ[VARIABLE] = f"source_{shell}"
    try:
        with suppress(SystemExit):
            yield
    finally:
        del os.environ[VARIABLE]


def routes(incomplete: str) -> list[str]:
    """The pipelines and recipes that begin so."""
    from lcrag.session import RECIPES, every_pipeline

    return [name for name in (*every_pipeline(), *RECIPES) if name.startswith(incomplete)]


def route_lists(incomplete: str) -> list[str]:
    """The same after the last comma of a list, without those that are in it."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in routes(last) if name not in before.split(",")]


def sessions(incomplete: str) -> list[str]:
    """The sessions that begin so."""
    return sorted(
        folder.name for folder in (state_folder() / "sessions").glob("*") if folder.name.startswith(incomplete)
    )
