"""A question from the user's editor: ``ask -e``."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.invocation import Lcrag


def editor(monkeypatch: pytest.MonkeyPatch, script: str, name: str = "VISUAL") -> None:
    """A program that changes its file as the shell script says, which has its name in ``$1``."""
    program = Path("my editor.sh").absolute()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setenv(name, f"'{program}'")


@pytest.mark.parametrize("name", ["VISUAL", "EDITOR"])
def test_ask_edit_takes_the_question_without_comments(lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    editor(monkeypatch, r'printf "# a comment\nwho was\nit?\n" >> "$1"', name)
    assert lcrag("ask", "docs", "-e").code == 0
    assert [question for question, *_ in lcrag.asked] == ["who was\nit?"]


def test_ask_edit_visual_comes_before_editor(lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(monkeypatch, 'echo "who?" > "$1"')
    monkeypatch.setenv("EDITOR", "false")
    assert lcrag("ask", "docs", "--edit").code == 0


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("true", "the question is empty"),
        ("false", "the editor false ended with code 1"),
        ("no-such-editor", "the editor no-such-editor does not start"),
        ("'open", "the editor 'open does not start"),
    ],
)
def test_ask_edit_without_a_question_asks_nothing(
    lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch, program: str, message: str
) -> None:
    monkeypatch.setenv("VISUAL", program)
    result = lcrag("ask", "docs", "-e")
    assert (result.code, lcrag.asked) == (2, [])
    assert message in result.err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "say what to read"),
        (["docs", "who?"], "no such file or folder: who?"),
        (["docs", "--questions", "q.txt"], "--edit is for one question"),
    ],
)
def test_ask_edit_checks_the_words_before_the_editor_opens(
    lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch, args: list[str], message: str
) -> None:
    editor(monkeypatch, "touch opened")
    result = lcrag("ask", *args, "-e")
    assert (result.code, Path("opened").exists()) == (2, False)
    assert message in result.err
