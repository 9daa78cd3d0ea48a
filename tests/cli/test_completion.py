"""Completion, asked for by the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.invocation import Lcrag

from lcrag.cli.completion import SHELLS, route_lists, routes, sessions
from lcrag.paths import state_folder
from lcrag.pipelines import RECIPES

ROOT = Path(__file__).parent.parent.parent

ASK: dict[str, str] = {
    "bash": "source script; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _lcrag_completion lcrag;"
    ' printf "%s\\n" "${{COMPREPLY[@]}}"',
    "zsh": "compdef() {{ }}; _arguments() {{ print -r -- $@ }}; _describe() {{ }}; source script;"
    " words=({line}); CURRENT=$#words; _lcrag_completion",
    "fish": 'source script; complete --do-complete "{line}"',
}
"""What makes a shell complete a line after it has read the script. zsh hands the words to a function of its line
editor, which prints them here."""


def completed(shell: str, line: str, folder: Path) -> str:
    """What the shell offers for a line, having read the script that lcrag prints for it."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = folder / "lcrag"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -W error -m lcrag "$@"\n')
    command.chmod(0o700)
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PATH=f"{folder}:{os.environ['PATH']}")
    script = subprocess.run([command, "--show-completion", shell], capture_output=True, env=environment, check=True)
    (folder / "script").write_bytes(script.stdout)
    done = subprocess.run(
        [shell, "-c", ASK[shell].format(line=line)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "offered", "withheld"),
    [
        ("lcrag his", "history", "doctor"),
        ("lcrag ask --pipeline chunk", "chunk_rag", "full_context"),
        ("lcrag ask --pipeline self", "self_route", "chunk_rag"),
        ("lcrag ask --prefer qu", "quality", "speed"),
        ("lcrag compare --pipelines chunk_rag,self", "chunk_rag,self_route", "full_context"),
    ],
)
def test_shell_completes(shell: str, line: str, offered: str, withheld: str, tmp_path: Path) -> None:
    words = completed(shell, line, tmp_path)
    assert offered in words
    assert withheld not in words


@pytest.mark.parametrize("shell", SHELLS)
def test_show_completion_prints_the_script_of_the_shell_that_is_named(lcrag: Lcrag, shell: str) -> None:
    result = lcrag("--show-completion", shell)
    assert result.code == 0
    assert f"_LCRAG_COMPLETE=complete_{shell}" in result.out
    assert "_LCRAG_COMPLETE" not in os.environ


def test_show_completion_of_another_shell_is_wrong_usage(lcrag: Lcrag) -> None:
    result = lcrag("--show-completion", "tcsh")
    assert (result.code, result.out) == (2, "")
    assert "lcrag --show-completion bash|zsh|fish" in result.err


def test_routes_are_pipelines_and_recipes() -> None:
    assert {"chunk_rag", "outline", *RECIPES} <= set(routes(""))
    assert routes("full") == ["full_context"]
    assert routes("such") == []
    assert route_lists("full_context,chunk_rag,full") == []
    assert route_lists("chunk_rag,full") == ["chunk_rag,full_context"]


def test_sessions_are_those_that_exist() -> None:
    assert sessions("") == []
    for name in ("work", "home"):
        (state_folder() / "sessions" / name).mkdir(parents=True)
    assert sessions("") == ["home", "work"]
    assert sessions("w") == ["work"]
