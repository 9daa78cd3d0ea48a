"""The functions, classes and methods of source code, as headings: what its chunks start at and stand under.

By tree-sitter: it reads a broken file as far as it goes, and has a small grammar (its own wheel, nothing to download
later) for each language. tree-sitter and a grammar are imported when the first file of the language is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from lcrag.text.headings import LONGEST_HEADING, Heading
from lcrag.types import Document

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

GRAMMARS: Final = {
    **dict.fromkeys((".py", ".pyi"), ("python", "language")),
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), ("javascript", "language")),
    **dict.fromkeys((".ts", ".mts", ".cts"), ("typescript", "language_typescript")),
    ".tsx": ("typescript", "language_tsx"),
    ".java": ("java", "language"),
    ".go": ("go", "language"),
    ".rs": ("rust", "language"),
    ".c": ("c", "language"),
    **dict.fromkeys((".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx"), ("cpp", "language")),
    ".cs": ("c_sharp", "language"),
    ".rb": ("ruby", "language"),
    ".php": ("php", "language_php"),
}
"""Suffix → the package ``tree_sitter_…`` and its function that returns the grammar."""

LONGEST: Final = 1_000_000
"""Characters of a file that is parsed; a longer one is generated. Assumed, not measured."""

DEEPEST: Final = 20
"""Levels of classes, name spaces and conditions that are looked into. Assumed, not measured."""

# Names of nodes in these grammars.
_FUNCTION: Final = re.compile(
    r"(generator_)?function_(definition|declaration|item)|(singleton_)?method|macro_definition"
    r"|(method|constructor|destructor|operator)_(definition|declaration)|arrow_function|function_expression"
)
_CLASS: Final = re.compile(
    r"(abstract_)?(class|interface|enum|struct|union|record|trait|impl|mod|namespace|type|type_alias|annotation_type)"
    r"_(definition|declaration|item|specifier)|class|module"
)
_WRAPPER: Final = re.compile(
    r"decorated_definition|export_statement|template_declaration|(lexical|variable)_declaration|variable_declarator"
)
_PASSED_THROUGH: Final = re.compile(
    r"preproc_(if|ifdef|else|elif)|linkage_specification|declaration_list|if_statement|block"
)
_GOES_WITH_NEXT: Final = re.compile(r".*comment|attribute_item")

# No chunk begins with what closes a class.
_REST_OF_LINE: Final = re.compile(
    rb"[ \t\r;,]*(?:(?:#|//)[^\n]*)?\n(?:[ \t\r]*\n)*+(?![ \t]*(?:[)}\]]|end\b|#endif|\Z))"
)


def is_code(document: Document) -> bool:
    """Whether there is a grammar for its language."""
    return PurePath(document.source).suffix.lower() in GRAMMARS


def definitions(document: Document) -> list[Heading]:
    """Functions, classes and the like of a code file, each with its signature, in order.

    One starts at the first line of the comments and decorators above it. A heading without text stands where it ends.
    Definitions within functions, and those that do not begin a line, are left out; a file that is not in its language,
    or is very long, has none.
    """
    if len(document.text) > LONGEST:
        return []
    data = document.text.encode()
    root = _parser(*GRAMMARS[PurePath(document.source).suffix.lower()]).parse(data).root_node
    listed = []
    at = characters = 0
    for start, level, text in sorted(_below(root, data, 1), key=lambda found: found[0]):
        characters += len(data[at:start].decode())
        at = start
        listed.append(Heading(characters, level, text))
    return listed


@cache
def _parser(package: str, function: str) -> Parser:
    from tree_sitter import Language, Parser

    return Parser(Language(getattr(import_module(f"tree_sitter_{package}"), function)()))


def _below(node: Node, data: bytes, level: int) -> Iterator[tuple[int, int, str]]:
    """The headings below a node, as ``(start in bytes, level, text)``."""
    above: Node | None = None  # the first of the comments directly above
    ended = -1  # the row where the node before ended
    for child in node.named_children if level <= DEEPEST else ():
        row, previous = child.start_point.row, ended
        is_next = row <= previous + 1
        ended = child.end_point.row - (child.end_point.column == 0)
        if _GOES_WITH_NEXT.fullmatch(child.type):
            if row > previous and not (above and is_next):
                above = child
            continue
        first = above if above and is_next else child
        above = None
        inner = _unwrapped(child)
        is_class = _CLASS.fullmatch(inner.type)
        if is_class or _FUNCTION.fullmatch(inner.type):
            start = data.rfind(b"\n", 0, first.start_byte) + 1
            if data[start : first.start_byte].strip():
                continue
            body = inner.child_by_field_name("body")
            signed = inner if child.type == "decorated_definition" else child
            text = data[signed.start_byte : body.start_byte if body else signed.end_byte].decode()
            yield start, level, " ".join(text.split())[:LONGEST_HEADING].rstrip(" {:")
            if is_class and body:
                yield from _below(body, data, level + 1)
            end = child.start_byte + len(data[child.start_byte : child.end_byte].rstrip())
            if after := _REST_OF_LINE.match(data, end):
                yield after.end(), level, ""
        elif _PASSED_THROUGH.fullmatch(inner.type):
            yield from _below(inner, data, level + 1)


def _unwrapped(node: Node) -> Node:
    """What is defined in a node with decorators, ``export`` or ``template``."""
    while _WRAPPER.fullmatch(node.type) and node.named_children:
        node = node.named_children[-1]
    return node
