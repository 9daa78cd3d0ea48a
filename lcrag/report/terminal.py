"""Text that is safe in a terminal, whatever documents, file names and models put into it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.table import Table

# Escape sequences, cursor movements, and marks that make text read in another order than it is stored.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def printable(text: str) -> str:
    """The text without characters that steer a terminal. Bytes of a file name that are not UTF-8 become U+FFFD."""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _CONTROL.sub("", text))


def new_table() -> Table:
    """A table without columns yet, in the style of all that lcrag prints."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))


def render(*parts: object, width: int, colour: bool) -> str:
    """Strings and rich's renderables below each other, ``width`` columns wide, no line ending in spaces."""
    from io import StringIO

    from rich.console import Console

    buffer = StringIO()
    console = Console(
        file=buffer, width=width, force_terminal=colour, no_color=not colour, highlight=False, markup=False, emoji=False
    )
    for part in parts:
        console.print(part)
    return "".join(line.rstrip() + "\n" for line in buffer.getvalue().splitlines())
