"""What a person sees in a terminal while a command runs: tmux draws it as a terminal does."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.scripted import write_documents

ROOT = Path(__file__).parent.parent.parent

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
    pytest.mark.timeout(120),
]


class Screen:
    """A tmux server of its own with one window, 100 columns wide."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        settings = {
            "PYTHONPATH": str(ROOT),
            "LCRAG_CACHE_DIR": str(folder / "cache"),
            "XDG_STATE_HOME": str(folder / "state"),
            "LCRAG_BACKEND": "embedded",
            "LCRAG_DENSE": "off",
            "LCRAG_READER": "off",
        }
        window = ["new-session", "-d", "-x", "100", "-y", "40", "-c", str(folder), "env", "PS1=$ ", "sh"]
        subprocess.run([*self._tmux, *window], env=os.environ | settings, check=True)

    def type(self, keys: str) -> None:
        subprocess.run([*self._tmux, "send-keys", keys, "Enter"], check=True)

    def press(self, key: str) -> None:
        subprocess.run([*self._tmux, "send-keys", key], check=True)

    def until(self, pattern: str, seconds: float = 60) -> str:
        """What the screen shows once the pattern is on it."""
        until = time.monotonic() + seconds
        while True:
            shown = subprocess.run([*self._tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True)
            if re.search(pattern, shown.stdout):
                return shown.stdout
            assert time.monotonic() < until, f"{pattern!r} is not on the screen:\n{shown.stdout}"
            time.sleep(0.05)

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=True)


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    screen = Screen(tmp_path)
    yield screen
    screen.close()


def command(*args: str) -> str:
    return shlex.join([sys.executable, str(ROOT / "tests/support/scripted.py"), *args])


def test_index_shows_how_many_files_are_read_and_the_time_left(screen: Screen, tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for number in range(4000):
        (tmp_path / f"many/{number}.md").write_text(f"# Part {number}\n\n" + "The sea was calm that day. " * 40)
    screen.type(command("index", "many"))
    screen.until(r"reading .* \d+/4000 .*/s 0:00:\d\d")
    done = screen.until(r"4,000 documents")
    assert "reading" not in done.replace("scripted.py", "")


def test_ask_shows_the_route_and_its_time_while_a_model_is_silent(screen: Screen, tmp_path: Path) -> None:
    write_documents(tmp_path / "docs")
    screen.type(command("ask", "docs", "slow"))
    screen.until(r"answering by \w+: [2-9] s, (about \d+ s left|longer than forecast)")
    screen.press("C-c")
    shown = screen.until("interrupted")
    assert "answering by" not in shown


def test_chat_answers_and_takes_lines_and_keeps_the_answer_on_the_screen(screen: Screen, tmp_path: Path) -> None:
    write_documents(tmp_path / "docs")
    screen.type(command("chat", "docs"))
    screen.until(r"(?m)^>")
    screen.type("who kept\\")
    screen.type("the light?")
    screen.until(r"\[1\] docs/a\.md:3")
    screen.type("/plan")
    screen.until(r"P\(correct\)")
    screen.press("Up")
    screen.press("Up")
    screen.until(r"(?m)^> who kept\n +the light\?")
    screen.press("C-c")
    screen.until(r"the light\?\n>\s*\Z")
    screen.press("C-d")
    screen.until(r"(?m)^\$$")
    screen.type("echo over $?")
    screen.until(r"over 0")
