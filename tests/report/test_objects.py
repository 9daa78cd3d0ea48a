"""JSON that any reader of lines takes and that loses nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.report.objects import dumps, event_data
from lcrag.types import Event, Usage


@given(st.text(st.characters(codec=None)))
def test_dumps_writes_any_text_on_one_line(text: str) -> None:
    line = dumps({"text": text})
    line.encode("utf-8")
    assert len(line.splitlines()) == 1
    assert json.loads(line) == {"text": text}


def test_dumps_refuses_infinity() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"seconds": float("inf")})


def test_event_data_puts_the_fields_of_a_usage_in_its_place() -> None:
    data = event_data(Event("usage", {"usage": Usage(1, 2, 3, 4, 5.0)}))
    assert data == {"input_tokens": 1, "cached_tokens": 2, "output_tokens": 3, "calls": 4, "seconds": 5.0}
