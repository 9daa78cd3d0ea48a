"""Answers as Markdown show what was written and nothing that it would become."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lcrag.report.markdown import escaped, section
from lcrag.report.terminal import printable
from lcrag.types import Answer, Citation, Usage


def answer(text: str, *citations: Citation) -> Answer:
    return Answer(text, "answered", citations, Usage(), 10)


def citation(source: str, quote: str, page: int | None = None) -> Citation:
    return Citation(1, "", source, 0, 1, quote, None if page else 3, page)


@given(st.text())
def test_escaped_shows_exactly_the_text(text: str) -> None:
    shown = escaped(text)
    assert re.sub(r"\\(.)", r"\1", shown) == printable(text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_<#\[]", shown)


def test_section_loads_no_picture_and_has_no_html() -> None:
    made = section("<b>", answer("<img src=x> ![x](http://evil.example/a.png) 2 < 3"), 9, sources=True)
    assert made == "## \\<b\\>\n\n\\<img src=x> \\![x](http://evil.example/a.png) 2 \\< 3\n\n"


def test_section_links_to_the_place_of_each_source() -> None:
    made = section("who?", answer("Anna [1].", citation("a b/(c).pdf", "*Anna*", 7)), 9, sources=True)
    assert "- \\[1\\] [a b/(c).pdf p. 7](a%20b/%28c%29.pdf#page=7) “\\*Anna\\*”\n" in made
    made = section("who?", answer("Anna [1].", citation("-", "Anna")), 9, sources=True)
    assert "- \\[1\\] standard input:3 “Anna”\n" in made
    assert "- " not in section("who?", answer("Anna [1].", citation("-", "Anna")), 9, sources=False)
