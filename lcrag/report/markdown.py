"""Answers as Markdown: one section a question, to paste into notes or a report.

Documents and models may have written anything: quotes and questions are escaped whole, and in an answer what would
become HTML or load a picture.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lcrag.report.terminal import printable
from lcrag.report.text import contradictions, nothing_found, place_text, shortened, stated
from lcrag.types import Answer, Citation

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
"""What means something within a line of Markdown (CommonMark, section 2.4)."""
_ACTIVE: Final = re.compile(r"(<|!(?=\[))")
"""What begins HTML or a picture."""


def section(question: str, answer: Answer, tokens: int, *, sources: bool) -> str:
    """A heading with the question, the answer, and a list of its sources. ``tokens``: the size of the documents.

    The heading is above those that the answer has.
    """
    level = "#" if answer.text.startswith("## ") else "##"  # a report has headings of its own
    parts = [f"{level} {escaped(' '.join(question.split()))}"]
    if answer.status in ("answered", "contradictory"):
        parts.append(_ACTIVE.sub(r"\\\1", printable(stated(answer))).strip())
        if answer.conflicts:
            parts.append(escaped(contradictions(answer)))
    elif answer.status == "refused_by_budget":
        parts.append("No route fits the budget.")
    else:
        parts.append(escaped(nothing_found(answer, tokens, all_sources=True)))
    if sources and answer.citations:
        heading = ["## Sources"] if level == "#" else []
        parts += [*heading, "\n".join(map(_source, answer.citations))]
    return "\n\n".join(parts) + "\n\n"


def escaped(text: str) -> str:
    """The text as Markdown that shows exactly it."""
    return _SPECIAL.sub(r"\\\1", printable(text))


def _source(citation: Citation) -> str:
    place = escaped(place_text(citation))
    if citation.source != "-":
        page = "" if citation.page is None else f"#page={citation.page}"
        place = f"[{place}]({quote(Path(citation.source).as_posix(), errors='surrogateescape')}{page})"
    return f"- \\[{citation.marker}\\] {place} “{escaped(shortened(citation.quote))}”"
