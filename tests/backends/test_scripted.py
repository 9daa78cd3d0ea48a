"""The scripted backend says its lines, counts words, fails when told to, and remembers what it was asked."""

from __future__ import annotations

import pytest

from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import BackendFailed, NotRunning
from lcrag.types import Backend, Passage, Task, Usage

FIRST = Task("answer", "why?", (Passage(1, "d", "a.md", 0, 7, "one two", 2),), ("three four five",))
SECOND = Task("note", "how?")


def test_a_function_answers_each_task_and_all_are_recorded() -> None:
    backend: Backend = ScriptedBackend(lambda task: f"{task.role}: {task.question}", name="told")
    assert [done.text for done in backend.run([FIRST, SECOND], max_tokens=9)] == ["answer: why?", "note: how?"]
    assert isinstance(backend, ScriptedBackend)
    assert (backend.name, backend.tasks, backend.batches) == ("told", [FIRST, SECOND], [2])


def test_a_list_is_said_in_order_and_then_used_up() -> None:
    backend = ScriptedBackend(["one", "two"])
    assert [backend.run([FIRST], max_tokens=9)[0].text for _ in range(2)] == ["one", "two"]
    with pytest.raises(BackendFailed, match="used up"):
        backend.run([FIRST], max_tokens=9)


def test_an_error_in_the_list_is_raised_in_its_turn() -> None:
    backend = ScriptedBackend(["one", NotRunning("gone"), "two"])
    assert backend.run([FIRST], max_tokens=9)[0].text == "one"
    with pytest.raises(NotRunning, match="gone"):
        backend.run([FIRST], max_tokens=9)
    assert backend.run([FIRST], max_tokens=9)[0].text == "two"
    assert len(backend.tasks) == 3


def test_what_is_read_and_said_is_counted_in_words() -> None:
    [done] = ScriptedBackend(["six\nseven  eight"]).run([FIRST], max_tokens=9)
    assert (done.text, done.finish, done.usage) == ("six\nseven  eight", "stop", Usage(5, 0, 3, 1, 0.0))


@pytest.mark.parametrize(("most", "text", "finish"), [(3, "a\nb  c", "stop"), (2, "a\nb", "length"), (0, "", "length")])
def test_a_reply_is_cut_at_the_limit(most: int, text: str, finish: str) -> None:
    [done] = ScriptedBackend(["a\nb  c"]).run([SECOND], max_tokens=most)
    assert (done.text, done.finish, done.usage.output_tokens) == (text, finish, len(text.split()))
