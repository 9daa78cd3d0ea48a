"""Results survive a kill at any byte, and cannot be mixed with others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.comparison.results import Results
from lcrag.errors import InputError

HEADER = {"backend": "embedded", "model": "m"}


def row(id: str, route: str = "chunk_rag", **more: Any) -> dict[str, Any]:
    return {"id": id, "route": route, "question": "Who?\u2028", "error": None, "answer": "é"} | more


@given(cut=st.integers(0, 10_000))
def test_results_keep_complete_lines_after_a_kill_at_any_byte(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("killed") / "deep" / "r.ndjson"
    with Results(path, HEADER) as results:
        for number in range(4):
            results.add(row(str(number)))
    data = path.read_bytes()
    path.write_bytes(data[: cut % (len(data) + 1)])
    complete = max(0, path.read_bytes().count(b"\n") - 1)
    with Results(path, HEADER) as results:
        assert list(results.rows) == [(str(number), "chunk_rag") for number in range(complete)]
        for number in range(4):
            if not results.has(str(number), "chunk_rag"):
                results.add(row(str(number)))
    assert path.read_bytes() == data


def test_results_ask_an_error_again_and_keep_an_answer_after_a_later_error(tmp_path: Path) -> None:
    path = tmp_path / "r.ndjson"
    with Results(path, HEADER) as results:
        results.add(row("1", error={"kind": "BackendFailed"}))
        assert not results.has("1", "chunk_rag")
        assert results.rows["1", "chunk_rag"]["error"]
    with Results(path, HEADER) as results:
        assert not results.has("1", "chunk_rag")
        results.add(row("1"))
        results.add(row("1", error={"kind": "BackendFailed"}))
    with Results(path, HEADER) as results:
        assert results.has("1", "chunk_rag")
        assert not results.has("1", "full_context")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema": "lcrag.answer/1"}\n', "line 1: not the results"),
        ("what\n", "line 1: not the results"),
        ("what", "not the results"),
        ("[1]\n", "line 1: not the results"),
        (json.dumps({"schema": "lcrag.results/1", **HEADER}) + "\n{}\n", "line 2: not the results"),
        (json.dumps({"schema": "lcrag.results/1", **HEADER, "model": "n"}) + "\n", "made with model 'n', not 'm'"),
    ],
)
def test_results_refuse_another_file_and_leave_it_alone(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "r.ndjson"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        Results(path, HEADER)
    assert path.read_text() == content
