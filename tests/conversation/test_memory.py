"""A session remembers turns and statements, and forgets everything when asked to."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lcrag.conversation.memory import Memory, Turn
from lcrag.errors import InputError, NotAvailable
from lcrag.paths import state_folder


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "sessions" / "work")


def test_memory_gives_back_the_last_turns_the_newest_last(memory: Memory) -> None:
    assert memory.turns(3) == []
    for number in range(5):
        memory.add_turn(f"and {number}?", f"Who is {number}?", "answered", f"Ann {number}", [{"marker": 1}])
    assert memory.turns(2) == [Turn("Who is 3?", "Ann 3"), Turn("Who is 4?", "Ann 4")]
    assert stat.S_IMODE((memory.folder / "turns.db").stat().st_mode) == 0o600
    assert stat.S_IMODE(memory.folder.stat().st_mode) == 0o700


def test_memory_later_statement_on_the_same_subject_supersedes(memory: Memory) -> None:
    memory.add_statements(["My budget is 400 pounds.", "I live in Leeds."])
    memory.add_statements(["Actually, my budget is 500 pounds.", "I live in Leeds."])
    said = memory.said()
    assert [one.text for one in said if one.until is None] == ["Actually, my budget is 500 pounds.", "I live in Leeds."]
    assert [one.until for one in said[:2]] == [said[2].time, said[3].time]


def test_memory_transcript_has_what_holds_under_the_day_and_no_answer(memory: Memory) -> None:
    assert memory.transcript() is None
    memory.add_turn("who?", "who?", "answered", "the secret answer", [])
    assert memory.transcript() is None
    memory.add_statements(["My budget is 400 pounds."])
    memory.add_statements(["My budget is 500\npounds.", "Wir wohnen in Köln; my house is red."])
    path = memory.transcript()
    assert path is not None
    heading, *lines = path.read_text(encoding="utf-8").split("\n\n")
    assert heading.startswith("# You said on ")
    assert "".join(lines) == "My budget is 500 pounds.Wir wohnen in Köln; my house is red.\n"
    changed = path.stat().st_mtime_ns
    assert memory.transcript() == path
    assert path.stat().st_mtime_ns == changed


def test_memory_forget_leaves_nothing(memory: Memory) -> None:
    assert not memory.forget()
    memory.add_statements(["My budget is 400 pounds."])
    memory.transcript()
    assert memory.forget()
    assert not memory.folder.exists()
    assert memory.said() == []
    assert memory.transcript() is None


@pytest.mark.parametrize("name", ["work", "a.b-c_1", "x" * 64])
def test_memory_named_is_in_the_state_folder(name: str) -> None:
    assert Memory.named(name).folder == state_folder() / "sessions" / name


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden", "x" * 65, "a b", "a\n"])
def test_memory_named_takes_only_file_names(name: str) -> None:
    with pytest.raises(InputError, match="is no name for a session"):
        Memory.named(name)


def test_memory_that_cannot_be_used_says_so(memory: Memory) -> None:
    memory.folder.mkdir(parents=True)
    (memory.folder / "turns.db").write_text("no database " * 100)
    with pytest.raises(NotAvailable, match="cannot be used"):
        memory.turns(1)
