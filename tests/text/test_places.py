"""From offsets to lines and pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.text.places import line_of, page_of
from lcrag.types import Document


@given(st.text(alphabet="a\n", min_size=1), st.data())
def test_line_of_unchanged_text(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text) - 1))
    assert line_of(Document("d", "a", text), offset) == text[:offset].count("\n") + 1


@pytest.mark.parametrize(("offset", "line"), [(0, 5), (2, 6), (3, 9), (4, 9), (6, 10)])
def test_line_of_extracted_text(offset: int, line: int) -> None:
    doc = Document("d", "a.html", "a\nbcd\nef", lines=((0, 5), (3, 9)))
    assert line_of(doc, offset) == line


@pytest.mark.parametrize(("offset", "page"), [(0, 1), (9, 1), (10, 2), (19, 2), (20, 3), (99, 3)])
def test_page_of_counts_from_one(offset: int, page: int) -> None:
    doc = Document("d", "a.pdf", "x" * 100, pages=(0, 10, 20), lines=())
    assert page_of(doc, offset) == page
    assert line_of(doc, offset) is None
    assert page_of(Document("d", "a", "x"), 0) is None
