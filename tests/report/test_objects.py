"""JSON that any reader of lines takes, and that loses nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.report.objects import dumps, event_data
from lcrag.types import Event, Usage


@given(st.text(st.characters(codec=None)))
def test_any_text_comes_back_from_one_line(text: str) -> None:
    line = dumps({"text": text})
    line.encode("utf-8")
    assert len(line.splitlines()) == 1
    assert json.loads(line) == {"text": text}


def test_what_is_not_a_number_is_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"seconds": float("inf")})


def test_a_usage_is_laid_out_in_place() -> None:
    data = event_data(Event("usage", {"usage": Usage(1, 2, 3, 4, 5.0)}))
    assert data == {"input_tokens": 1, "cached_tokens": 2, "output_tokens": 3, "calls": 4, "seconds": 5.0}
