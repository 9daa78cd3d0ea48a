"""The scripted backend gives its replies, counts words, raises its errors, and records what it was asked."""

from __future__ import annotations

import pytest

from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import BackendFailed, NotRunning
from lcrag.types import Backend, Passage, Task, Usage

FIRST = Task("answer", "why?", (Passage(1, "d", "a.md", 0, 7, "one two", 2),), ("three four five",))
SECOND = Task("note", "how?")


def test_run_asks_the_function_and_records_tasks() -> None:
    backend: Backend = ScriptedBackend(lambda task: f"{task.role}: {task.question}", name="model")
    assert [done.text for done in backend.run([FIRST, SECOND], max_tokens=9)] == ["answer: why?", "note: how?"]
    assert isinstance(backend, ScriptedBackend)
    assert (backend.name, backend.tasks, backend.batches) == ("model", [FIRST, SECOND], [2])


def test_run_takes_replies_of_a_list_in_order_until_it_is_used_up() -> None:
    backend = ScriptedBackend(["one", "two"])
    assert [backend.run([FIRST], max_tokens=9)[0].text for _ in range(2)] == ["one", "two"]
    with pytest.raises(BackendFailed, match="used up"):
        backend.run([FIRST], max_tokens=9)


def test_run_raises_an_error_of_the_list_in_its_turn() -> None:
    backend = ScriptedBackend(["one", NotRunning("gone"), "two"])
    assert backend.run([FIRST], max_tokens=9)[0].text == "one"
    with pytest.raises(NotRunning, match="gone"):
        backend.run([FIRST], max_tokens=9)
    assert backend.run([FIRST], max_tokens=9)[0].text == "two"
    assert len(backend.tasks) == 3


def test_run_counts_words() -> None:
    [done] = ScriptedBackend(["six\nseven  eight"]).run([FIRST], max_tokens=9)
    assert (done.text, done.finish, done.usage) == ("six\nseven  eight", "stop", Usage(5, 0, 3, 1, 0.0))


@pytest.mark.parametrize(("most", "text", "finish"), [(3, "a\nb  c", "stop"), (2, "a\nb", "length"), (0, "", "length")])
def test_run_cuts_a_reply_at_the_limit(most: int, text: str, finish: str) -> None:
    [done] = ScriptedBackend(["a\nb  c"]).run([SECOND], max_tokens=most)
    assert (done.text, done.finish, done.usage.output_tokens) == (text, finish, len(text.split()))


@pytest.mark.parametrize("reply", ["a\nb  c", "  a b\n", " ", ""])
def test_run_streams_one_reply_in_words(reply: str) -> None:
    pieces: list[str] = []
    [done] = ScriptedBackend([reply]).run([SECOND], max_tokens=9, on_token=pieces.append)
    assert "".join(pieces) == done.text
    assert all(len(piece.split()) <= 1 for piece in pieces)


def test_run_streams_no_more_than_the_limit_and_no_batch() -> None:
    pieces: list[str] = []
    ScriptedBackend(["a b c"]).run([SECOND], max_tokens=2, on_token=pieces.append)
    assert pieces == ["a", " b"]
    ScriptedBackend(["d", "e"]).run([FIRST, SECOND], max_tokens=2, on_token=pieces.append)
    assert pieces == ["a", " b"]
