"""HTML as readable text with line numbers: headings, lists and tables stay, scripts and navigation go.

lxml parses whatever browsers accept; the walk is our own because a citation needs the line of the file, which libraries
for extracting main content do not give.
"""

from __future__ import annotations

import re
from typing import Final

from lcrag.ingest.extracted import Extracted, squeeze
from lcrag.ingest.html_walk import BLOCKS, Walk
from lcrag.ingest.text import decode

CHARSET: Final = re.compile(
    rb"""<\?xml[^>]+?encoding\s*=\s*["']([\w.:-]+)|<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE
)
DEEPEST: Final = 2_000
"""Elements within elements. The parser drops what is nested deeper than 2,048."""
LONGEST_TAG: Final = 20_000
"""Characters. Reading a tag takes the square of its number of attributes: 1.3 s for 20,000 of them."""
LONG_TAG: Final = re.compile(rf"<([a-zA-Z][^\s<>/]*)([^<>]{{{LONGEST_TAG},}})(?=[<>])")
TAG: Final = re.compile(r"""<(/?)([a-zA-Z][^\s<>/]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>""")
VOID: Final = frozenset(("br", "hr", "img", "input", "link", "meta", "wbr", "area", "base", "col", "embed", "source"))


def extract(data: bytes) -> Extracted:
    return from_markup(decode_markup(data))


def decode_markup(data: bytes) -> str:
    """The text of a page in the encoding that it declares, if it is not UTF-8."""
    declared = CHARSET.search(data[:4096])
    return decode(data, (declared[1] or declared[2]).decode("ascii") if declared else None)


def from_markup(markup: str) -> Extracted:
    """The text of a page, with the line of the markup for each piece of it."""
    if not markup.strip():
        return Extracted("")
    if len(markup) > LONGEST_TAG:
        markup = LONG_TAG.sub(lambda tag: f"<{tag[1]}" + "\n" * tag[2].count("\n"), markup)
    extracted, depth = _walked(markup)
    return _walked(_flattened(markup))[0] if depth >= DEEPEST else extracted


def _walked(markup: str) -> tuple[Extracted, int]:
    """With the depth of the deepest element."""
    from lxml import html

    parser = html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    root = html.document_fromstring(markup.encode("utf-8"), parser=parser, ensure_head_body=True)
    title = root.findtext("head/title") or ""
    walk = Walk(markup)
    body = root.find("body")
    if body is not None:
        walk.visit(body)
    first = root.find(".//h1")
    heading = squeeze(first.text_content()) if first is not None else ""
    return Extracted(walk.text, squeeze(title) or heading, (), walk.lines), walk.depth


def _flattened(markup: str) -> str:
    """Without the tags that are nested deeper than the parser reads; the line ends in them stay."""
    depth = 0

    def shallow(tag: re.Match[str]) -> str:
        nonlocal depth
        closing, name, _ = tag.groups()
        if name.lower() in VOID:
            return tag[0]
        depth = max(0, depth - 1) if closing else depth + 1
        if depth + bool(closing) <= DEEPEST // 4:
            return tag[0]
        return ("<br>" if name.lower() in BLOCKS else "") + "\n" * tag[0].count("\n")

    return TAG.sub(shallow, markup)
