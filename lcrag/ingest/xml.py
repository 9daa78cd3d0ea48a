"""XML of office formats, compared by local name: the same element has another namespace in each edition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lcrag.errors import InputError


def parse(data: bytes, *, recover: bool = False) -> Any:
    """The root element. Entities are not resolved and nothing is fetched; raises lxml's XMLSyntaxError.

    ``recover``: read what is left of malformed XML; raises InputError when nothing is.
    """
    from lxml import etree

    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, recover=recover))
    if root is None:
        raise InputError("a part of it is not XML")
    return root


def local(element: Any) -> str:
    """The name without its namespace; "" for a comment or an instruction."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def children(element: Any, *names: str) -> Iterator[Any]:
    """The children that have one of these names."""
    return (inner for inner in element if local(inner) in names) if element is not None else iter(())


def child(element: Any, *names: str) -> Any:
    """The first child that has one of these names, or None."""
    return next(children(element, *names), None)


def attribute(element: Any, name: str) -> str | None:
    """The attribute with this local name; None without it, or without the element."""
    if element is None:
        return None
    return next((text for key, text in element.items() if key.rpartition("}")[2] == name), None)
