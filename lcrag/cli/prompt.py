"""What a person types into ``lcrag chat``: lines of a terminal with history and editing, or a question a line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lcrag.paths import private_folder

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.key_binding.key_processor import KeyPressEvent

PROMPT: Final = "> "
CONTINUED: Final = "\\"


def typed_lines(history: Path | None, commands: tuple[str, ...]) -> Iterator[str]:
    """What is typed, until Ctrl-D or the end of standard input; nothing that is blank.

    ``history``: a file for what was typed, None to keep it while the process runs only. ``commands``: completed with
    Tab.
    """
    lines = _of_terminal(history, commands) if sys.stdin.isatty() else _of_pipe()
    yield from filter(None, map(str.strip, lines))


def _of_pipe() -> Iterator[str]:
    """The lines of standard input, those that end in a backslash joined with the next."""
    from lcrag.ingest.text import decode

    kept = ""
    for raw in sys.stdin.buffer:
        line = kept + decode(raw).rstrip("\r\n")
        if line.endswith(CONTINUED):
            kept = line.removesuffix(CONTINUED) + "\n"
        else:
            kept = ""
            yield line
    yield kept


def _of_terminal(history: Path | None, commands: tuple[str, ...]) -> Iterator[str]:
    prompt = prompt_session(history, commands)
    while True:
        with suppress(KeyboardInterrupt):  # Ctrl-C drops the line
            try:
                yield prompt.prompt(PROMPT)
            except EOFError:
                return


def prompt_session(history: Path | None, commands: tuple[str, ...]) -> PromptSession[str]:
    """The prompt, written to standard error: standard output is for answers."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory, InMemoryHistory
    from prompt_toolkit.output import create_output

    if history is not None:
        private_folder(history.parent)
        history.touch(mode=0o600)
    return PromptSession(
        history=InMemoryHistory() if history is None else FileHistory(history),
        completer=WordCompleter(list(commands), sentence=True),
        complete_while_typing=False,
        multiline=True,
        key_bindings=_keys(),
        prompt_continuation="  ",
        output=create_output(sys.stderr),
    )


def _keys() -> KeyBindings:
    """Enter asks, unless the line ends in a backslash; Alt-Enter begins a line."""
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.is_cursor_at_the_end and buffer.text.endswith(CONTINUED):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
