"""Elements of HTML and SVG as text that cannot hold anything but what was meant: every plain string is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

VOID: Final = frozenset({"br", "col", "hr", "input", "meta", "link"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | float | None | Iterable["Child"]


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """One element. ``class_`` and ``for_`` lose their underscore, others become hyphens; True is a bare attribute,
    None and False none. Children that are Markup stay, other strings are escaped, lists are put in a row.
    """
    named = "".join(_attribute(key, value) for key, value in attributes.items())
    return Markup(f"<{name}{named}>" if name in VOID else f"<{name}{named}>{join(children)}</{name}>")


def join(children: Child) -> Markup:
    """What the children are in a row."""
    if children is None:
        return Markup()
    if isinstance(children, Markup):
        return children
    if isinstance(children, (str, float, int)):
        return Markup(escape(printable(str(children))))
    return Markup("".join(join(child) for child in children))


def printable(text: str) -> str:
    """The text as UTF-8 can hold it: bytes of a file name that were no text become U+FFFD, so do zero bytes."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.removesuffix("_").replace("_", "-").replace("viewbox", "viewBox")
    if value is True:
        return f" {name}"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f' {name}="{escape(printable(text))}"'
