"""The two output streams of a command: the answer goes to standard output, everything else to standard error."""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, TextIO

from lcrag.errors import LcragError

Form = Literal["plain", "md", "json", "ndjson"]

LINKING = ("VTE_VERSION", "WT_SESSION", "KITTY_WINDOW_ID", "WEZTERM_PANE", "ITERM_SESSION_ID", "KONSOLE_VERSION")
"""Variables set by terminals that open hyperlinks: VTE (GNOME and others), Windows Terminal, kitty, WezTerm, …"""
LINKING_TERM = ("alacritty", "foot", "xterm-ghostty", "xterm-kitty")


class OutputClosed(Exception):
    """Nobody reads standard output any more."""


class Output:
    """The two streams of one call. ``form``: the format of standard output, errors included.

    Until ``configure`` is called with the parsed options, ``form`` is a guess from the bare arguments.
    """

    def __init__(self, form: Form) -> None:
        self.form: Form = form
        self.quiet = False
        self.verbose = False
        self._colour = True
        self._started = time.perf_counter()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="replace")

    def configure(self, form: Form, *, verbose: int, quiet: bool, no_color: bool) -> None:
        self.form = form
        self.quiet = quiet
        self.verbose = verbose > 0 and not quiet
        self._colour = not no_color

    def write(self, text: str) -> None:
        """Write text to standard output at once. Raises OutputClosed if nobody reads it any more."""
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            # What is left in the buffer must not fail a second time when the interpreter exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):
                raise OutputClosed from error
            raise

    def line(self, value: Mapping[str, Any]) -> None:
        """Write a JSON object to standard output, on one line."""
        from lcrag.report.objects import dumps

        self.write(dumps(value) + "\n")

    def event(self, kind: str, value: Mapping[str, Any]) -> None:
        """Write an event of ``--ndjson`` to standard output."""
        self.line({"event": kind, "t": round(time.perf_counter() - self._started, 6), **value})

    def note(self, text: str) -> None:
        """Write a line to standard error, unless ``--quiet``."""
        if not self.quiet:
            self._write_error(text)

    def warn(self, text: str, hint: str = "") -> None:
        """Write a warning to standard error, unless ``--quiet``."""
        self.note(f"lcrag: {text}" + (f"\n  {hint}" if hint else ""))

    def error(self, error: LcragError, **more: Any) -> None:
        """Report an error that lcrag raised on purpose."""
        self.failure(error.exit_code, error.kind, str(error), error.hint, **more)

    def failure(self, code: int, kind: str, message: str, hint: str, **more: Any) -> None:
        """Report an error: always on standard error, and on standard output too if that is JSON."""
        from lcrag.report.objects import error_object

        self._write_error(f"lcrag: {message}" + (f"\n  {hint}" if hint else ""))
        value = error_object(code, kind, message, hint) | more
        if self.form == "ndjson":
            self.event("error", value)
        elif self.form == "json":
            self.line(value)

    def colour(self, stream: TextIO) -> bool:
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return self._colour and not plain and stream.isatty()

    def links(self, stream: TextIO) -> bool:
        """Whether the terminal is known to open hyperlinks (OSC 8); others would print the addresses."""
        known = any(os.environ.get(name) for name in LINKING) or os.environ.get("TERM", "") in LINKING_TERM
        return known and self.colour(stream)

    def report(self, text: str) -> None:
        """Write text to standard error as it is, colours included, even with ``--quiet``."""
        with suppress(BrokenPipeError):  # nobody reads standard error: the answer still counts
            sys.stderr.write(text)
            sys.stderr.flush()

    def _write_error(self, text: str) -> None:
        from lcrag.report.terminal import printable

        self.report(printable(text) + "\n")


def width() -> int:
    """Columns to fill: ``COLUMNS``, else the terminal's, else wide enough that no line is cut in a file or a pipe."""
    return shutil.get_terminal_size((160, 24)).columns
