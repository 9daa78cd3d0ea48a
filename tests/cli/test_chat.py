"""``lcrag chat``: a question a line from a pipe, and lines typed into a terminal."""

from __future__ import annotations

import os
import pty
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from support.invocation import Lcrag, process
from support.scripted import KEEPER, QuestionBackend, write_documents

from lcrag.cli import prompt
from lcrag.cli.prompt import prompt_session
from lcrag.types import Task

ROOT = Path(__file__).parent.parent.parent
READY = "\x1b[?2004h"
"""What a prompt sends to the terminal before it waits for keys: pasted text is to be bracketed."""


def test_chat_answers_each_line_of_a_pipe(lcrag: Lcrag) -> None:
    result = lcrag("chat", "docs", stdin=b"who?\n\nwho kept \\\nthe light?\r\n/help\nbackend")
    assert result.out == 2 * f"{KEEPER} [1].\n\n[1] docs/a.md:3  “{KEEPER}”\n\n"
    assert [question for question, *_ in lcrag.asked] == ["who?", "who kept \nthe light?", "backend"]
    assert "/sources  the sources of the last answer" in result.err
    assert "the backend failed three times" in result.err
    assert result.code == 5


def test_chat_understands_follow_ups_and_forgets_them_at_the_end(lcrag: Lcrag, backend: QuestionBackend) -> None:
    def reply(task: Task) -> str:
        return "Who was the keeper?" if task.role == "rewrite" else f"{KEEPER} [1]."

    backend.script(reply)
    result = lcrag("chat", "docs", stdin=b"who was it?\nand after her?\n")
    assert "understood as: Who was the keeper?\n" in result.err
    assert lcrag("chat", "docs", stdin=b"and after her?\n").err.count("understood as") == 0
    for _ in range(2):
        result = lcrag("chat", "docs", "--session", "work", stdin=b"and after her?\n")
    assert "understood as: Who was the keeper?\n" in result.err


def test_chat_commands_show_the_last_answer(lcrag: Lcrag) -> None:
    result = lcrag("chat", "docs", stdin=b"/plan\nlong\n/plan\n/sources\n/such\nquit\n/quit\nwho?\n")
    assert "nothing has been answered yet\n" in result.err
    assert "P(correct)" in result.err
    assert "chunk_rag" in result.err
    assert "sailor number 39\n" in result.err.split("[1] long.md")[0] + result.err
    assert "there is no /such\n  /plan, /sources" in result.err
    assert [question for question, *_ in lcrag.asked] == ["long", "quit"]
    assert result.code == 2


def test_chat_json_is_an_object_a_line(lcrag: Lcrag) -> None:
    result = lcrag("chat", "docs", "--json", stdin=b"My boat is red.\nwho?\nbackend\n")
    assert [line["schema"] for line in result.lines] == ["lcrag.noted/1", "lcrag.answer/1", "lcrag.error/1"]
    assert result.lines[1]["session"]["name"] is None


def test_chat_forget_removes_what_was_said(lcrag: Lcrag, tmp_path: Path) -> None:
    talk = b"My boat is red. who?\nwho?\n/forget\nMy boat is red. who?\n"
    assert lcrag("chat", "docs", "--session", "work", stdin=talk).code == 0
    assert len(lcrag("history", "--json").json["answers"]) == 1
    assert lcrag("chat", "docs", "--session", "work", stdin=b"/forget\n").err.endswith("forgotten\n")
    assert not any(b"boat is red" in path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())


@pytest.mark.parametrize(("args", "message"), [(["-"], "standard input holds the questions"), ([], "PATH")])
def test_chat_wrong_usage(lcrag: Lcrag, args: list[str], message: str) -> None:
    result = lcrag("chat", *args)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[PipeInput]:
    """What is typed into prompts."""
    monkeypatch.setattr("prompt_toolkit.output.create_output", lambda stream: DummyOutput())
    with create_pipe_input() as typed, create_app_session(input=typed, output=DummyOutput()):
        yield typed


def test_prompt_enter_asks_and_a_backslash_or_alt_enter_begins_a_line(keys: PipeInput) -> None:
    asked = prompt_session(None, ())
    keys.send_text("who?\r")
    assert asked.prompt() == "who?"
    keys.send_text("who\\\rwas it?\r")
    assert asked.prompt() == "who\nwas it?"
    keys.send_text("who\x1b\rwas it?\r")
    assert asked.prompt() == "who\nwas it?"
    keys.send_text("\x1b[A\x1b[A\r")  # up, within the last question and to the one before
    assert asked.prompt() == "who\nwas it?"


def test_prompt_keeps_its_history_in_a_file(keys: PipeInput, tmp_path: Path) -> None:
    file = tmp_path / "state" / "typed"
    keys.send_text("who was it?\r")
    prompt_session(file, ()).prompt()
    keys.send_text("\x1b[A\r")
    assert prompt_session(file, ()).prompt() == "who was it?"
    assert file.stat().st_mode & 0o077 == 0


def test_prompt_completes_commands(keys: PipeInput) -> None:
    completer = prompt_session(None, ("/plan", "/sources")).completer
    assert completer is not None
    found = completer.get_completions(Document("/so"), CompleteEvent())
    assert [completion.text for completion in found] == ["/sources"]


def test_typed_lines_of_a_terminal_end_with_ctrl_d_and_drop_a_line_with_ctrl_c(
    keys: PipeInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt.sys.stdin, "isatty", lambda: True)
    keys.send_text("who\x03what?\r\x04")
    assert list(prompt.typed_lines(None, ())) == ["what?"]


@pytest.mark.timeout(90)
def test_chat_in_a_terminal_cancels_an_answer_with_ctrl_c_and_ends_with_ctrl_d(tmp_path: Path) -> None:
    write_documents(tmp_path / "docs")
    environment = dict(os.environ, PYTHONPATH=str(ROOT), TERM="xterm", LCRAG_CACHE_DIR=str(tmp_path / "cache"))
    environment |= {"LCRAG_BACKEND": "embedded", "LCRAG_DENSE": "off", "LCRAG_READER": "off"}
    ours, terminal = pty.openpty()
    command = [sys.executable, str(ROOT / "tests/support/scripted.py"), "chat", "docs"]
    with process(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, cwd=tmp_path, start_new_session=True
    ) as chat:
        os.close(terminal)
        shown = _until(ours, READY, "")
        os.write(ours, b"slow\r")
        shown = _until(ours, "waiting", shown)
        chat.send_signal(signal.SIGINT)
        shown += _until(ours, READY, "")
        assert "cancelled" in shown
        os.write(ours, b"who kept the light?\r")
        shown += _until(ours, READY, "")
        assert "docs/a.md:3" in shown
        os.write(ours, b"\x04")
        assert chat.wait(60) == 0
    assert f"{KEEPER} [1]." in shown
    os.close(ours)


def _until(terminal: int, text: str, shown: str) -> str:
    """What has been shown once this text is there."""
    while text not in shown:
        shown += os.read(terminal, 10_000).decode()
    return shown
