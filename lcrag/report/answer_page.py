"""An answer or a report as one page for a browser: nothing is loaded from anywhere, and no script runs.

A marker opens the passage that it cites, with the quote marked. Answers are Markdown, as models write it; text of
documents stays text: HTML, links and pictures in it are shown as they are typed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup, escape

from lcrag.report.notebook import message
from lcrag.report.show import surrounding_text
from lcrag.report.templating import render, source
from lcrag.report.terminal import printable
from lcrag.report.text import place_text, stated
from lcrag.types import Answer, Citation, Document

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_MARKER: Final = re.compile(r"\[(\d+)\]")
_NOT_READ: Final = ["link", "image", "autolink", "reference", "entity", "code", "lheading"]
"""What of Markdown stays as it is typed: what would lead or load from somewhere else, and what text becomes by chance
(an indented line, a line above a rule)."""


def answer_page(question: str, answer: Answer, document: Callable[[str], Document]) -> str:
    """A whole HTML document: the answer under its question, its contents if it has sections, its sources.

    ``document``: the document with this id; each citation is shown with the text around it.
    """
    cited = {str(citation.marker): citation for citation in answer.citations}
    document = cache(document)  # most sources are cited more than once
    body, sections = _written(printable(stated(answer)), cited)
    return render(
        "answer/page.html",
        policy=POLICY,
        style=source("comparison/report.css") + source("answer/answer.css"),
        question=printable(" ".join(question.split())),
        message=message(answer),
        body=body,
        sections=sections,
        sources=[(citation, _passage(citation, document)) for citation in answer.citations],
        program=None if answer.program is None else printable(answer.program),
        answer=answer,
        unsupported=sum(not statement.supported for statement in answer.statements),
    )


def _written(text: str, cited: Mapping[str, Citation]) -> tuple[Markup, list[str]]:
    """The Markdown as HTML, each marker a button; and the titles of its sections, of which the first is #section-1."""
    reader = _reader(cited)
    tokens = reader.parse(text)
    titles = []
    for opening, heading in pairwise(tokens):
        if opening.type == "heading_open":
            titles.append(heading.content)
            opening.attrSet("id", f"section-{len(titles)}")
    return Markup(reader.renderer.render(tokens, reader.options, {})), titles


def _reader(cited: Mapping[str, Citation]) -> MarkdownIt:
    from markdown_it import MarkdownIt

    def text(renderer: object, tokens: Sequence[Token], place: int, *_: Any) -> str:
        pieces = _MARKER.split(tokens[place].content)
        return "".join(
            _button(piece, cited[piece]) if odd and piece in cited else escape(f"[{piece}]" if odd else piece)
            for odd, piece in zip(cycle((False, True)), pieces, strict=False)
        )

    reader = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable(_NOT_READ)
    reader.add_render_rule("text", text)
    return reader


def _button(marker: str, citation: Citation) -> Markup:
    button = '<button class="marker" popovertarget="passage-{}" title="{}">[{}]</button>'
    return Markup(button).format(marker, place_text(citation), marker)


def _passage(citation: Citation, document: Callable[[str], Document]) -> dict[str, str]:
    around = surrounding_text(document(citation.document_id).text, citation.start, citation.end)
    text, start, end = around["text"], around["start"], around["end"]
    return {"before": text[:start], "quote": text[start:end], "after": text[end:]}
