"""Where a command's words go: the answer to standard output, everything else to standard error."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, TextIO

from lcrag.errors import LcragError

Form = Literal["text", "json", "ndjson"]

LINKING = ("VTE_VERSION", "WT_SESSION", "KITTY_WINDOW_ID", "WEZTERM_PANE", "ITERM_SESSION_ID", "KONSOLE_VERSION")
"""What terminals that open hyperlinks set: GNOME's and other VTE ones, Windows Terminal, kitty, WezTerm, iTerm2, …"""
LINKING_TERM = ("alacritty", "foot", "xterm-ghostty", "xterm-kitty")


class OutputClosed(Exception):
    """Whoever read standard output has gone."""


class Output:
    """The two streams of one call. ``form`` is that of standard output and of errors on it.

    ``configure`` sets what only the parsed options tell; until then ``form`` is a guess from the bare arguments.
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
        """Put text on standard output at once. Raises OutputClosed when nobody reads it any more."""
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            # What is left in the buffer must not fail a second time when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):
                raise OutputClosed from error
            raise

    def line(self, value: Mapping[str, Any]) -> None:
        """Put one JSON object on a line of its own on standard output."""
        from lcrag.report.objects import dumps

        self.write(dumps(value) + "\n")

    def event(self, kind: str, value: Mapping[str, Any]) -> None:
        """Put one event of ``--ndjson`` on standard output."""
        self.line({"event": kind, "t": round(time.perf_counter() - self._started, 6), **value})

    def note(self, text: str) -> None:
        """Say something on standard error, unless ``--quiet``."""
        if not self.quiet:
            self._say(text)

    def warn(self, text: str, hint: str = "") -> None:
        """Note what went wrong without stopping anything."""
        self.note(f"lcrag: {text}" + (f"\n  {hint}" if hint else ""))

    def error(self, error: LcragError, **more: Any) -> None:
        """``failure`` of an error that lcrag raised on purpose."""
        self.failure(error.exit_code, error.kind, str(error), error.hint, **more)

    def failure(self, code: int, kind: str, message: str, hint: str, **more: Any) -> None:
        """Report an error: always on standard error, and on standard output too where that is JSON."""
        from lcrag.report.objects import error_object

        self._say(f"lcrag: {message}" + (f"\n  {hint}" if hint else ""))
        value = error_object(code, kind, message, hint) | more
        if self.form == "ndjson":
            self.event("error", value)
        elif self.form == "json":
            self.line(value)

    def colour(self, stream: TextIO) -> bool:
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return self._colour and not plain and stream.isatty()

    def links(self, stream: TextIO) -> bool:
        """Whether the terminal is one of those that are known to open hyperlinks (OSC 8); others would show them."""
        known = any(os.environ.get(name) for name in LINKING) or os.environ.get("TERM", "") in LINKING_TERM
        return known and self.colour(stream)

    def report(self, text: str) -> None:
        """Put text that was asked for on standard error, as it is, colours included."""
        with suppress(BrokenPipeError):  # nobody reads standard error: the answer still counts
            sys.stderr.write(text)
            sys.stderr.flush()

    def _say(self, text: str) -> None:
        from lcrag.report.text import printable

        self.report(printable(text) + "\n")


def width(stream: TextIO) -> int:
    """Columns to fill: ``COLUMNS``, else the terminal's, else enough for no line to be cut in a file or a pipe."""
    named = os.environ.get("COLUMNS", "")
    columns = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    return int(named) if named.isdecimal() and int(named) else columns or 160
