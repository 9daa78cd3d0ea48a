"""A conversation: follow-up questions, what the user said as a document, and no answer of a model as evidence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.scripted import ScriptedBackend
from lcrag.conversation.memory import Memory, Turn
from lcrag.conversation.talk import Talk, stand_alone
from lcrag.errors import BackendFailed, LcragError
from lcrag.session import Session
from lcrag.types import Answer, Backend, Event, Policy, Settings, Task

TURNS = [Turn("Who built the mill?", "Fenn"), Turn("When was the mill built?", "in 1742")]
INVENTED = "the zeppelin of Zanzibar"


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text(
        "The mill was built in 1742 by Josiah Fenn.\n\nThe boat Otter costs 350 pounds.\n\n"
        + "The sea was calm. " * 400
    )
    return folder


@contextmanager
def talk(docs: Path, backend: Backend, events: list[Event] | None = None) -> Iterator[Talk]:
    settings = Settings((str(docs),), dense="off", reader="off")
    emit = [].append if events is None else events.append
    memory = Memory(docs.parent / "sessions" / "work")
    with Session.open(settings, emit, backend=backend) as session, Talk(session, memory) as opened:
        yield opened


def ask(opened: Talk, typed: str, pipeline: str = "chunk_rag:tokens=500") -> Answer:
    return opened.answer(opened.understand(typed), Policy(pipeline=pipeline))


def reply(task: Task) -> str:
    return "Who sold the mill?" if task.role == "rewrite" else f"Josiah Fenn and {INVENTED} [1]."


def test_talk_asks_a_model_to_rewrite_only_what_looks_like_a_follow_up(docs: Path) -> None:
    backend, events = ScriptedBackend(reply), []  # type: ignore[var-annotated]
    with talk(docs, backend, events) as opened:
        ask(opened, "Who built it?")  # there is no turn before it
        ask(opened, "Who built the mill?")
        assert [task.role for task in backend.tasks] == ["answer", "answer"]
        answer = ask(opened, "And who sold it?")
    assert [task.role for task in backend.tasks[2:]] == ["rewrite", "answer"]
    assert backend.tasks[3].question == "Who sold the mill?"
    assert backend.tasks[2].notes[-2] == "Who built the mill?"
    assert answer.usage.calls == 2
    assert [event.data["question"] for event in events if event.kind == "rewrite"] == ["Who sold the mill?"]


def test_talk_remembers_between_calls(docs: Path) -> None:
    with talk(docs, ScriptedBackend(reply)) as opened:
        ask(opened, "Who built the mill?")
    with talk(docs, ScriptedBackend(reply)) as opened:
        assert opened.understand("And who sold it?").question == "Who sold the mill?"


def test_talk_never_reads_what_a_model_said(docs: Path) -> None:
    backend = ScriptedBackend(reply)
    with talk(docs, backend) as opened:
        for question in ("Who built the mill?", "My boat is red.", "What is Zanzibar?", "And what does it say of me?"):
            asked = opened.understand(question)
            if asked.question:
                for pipeline in ("chunk_rag", "full_context"):
                    opened.answer(asked, Policy(pipeline=pipeline))
    read = [passage.text for task in backend.tasks for passage in task.passages]
    assert any("My boat is red." in text for text in read)
    assert not any("Zanzibar" in text for text in read)
    assert not any("Zanzibar" in path.read_text() for path in docs.parent.rglob("*.md"))


def test_talk_reads_what_the_user_said_with_its_day_where_the_question_is_about_them(docs: Path) -> None:
    backend = ScriptedBackend(reply)
    with talk(docs, backend) as opened:
        assert opened.understand("My budget is 400 pounds.").question == ""
        opened.understand("Actually, my budget is 600 pounds.")
        ask(opened, "Which boats can I afford?", "chunk_rag:tokens=1000")
    said = [passage for passage in backend.tasks[-1].passages if passage.source.endswith("you said.md")]
    assert [passage.text.strip().splitlines()[-1] for passage in said] == ["Actually, my budget is 600 pounds."]
    assert "You said on " in said[0].context + said[0].text
    assert 4 * sum(passage.tokens for passage in said) <= sum(passage.tokens for passage in backend.tasks[-1].passages)


def test_talk_question_has_what_was_stated_with_it(docs: Path) -> None:
    with talk(docs, ScriptedBackend(reply)) as opened:
        asked = opened.understand("My budget is 400 pounds. Which boats are cheap?")
    assert asked.statements == ("My budget is 400 pounds.",)
    assert asked.question == "My budget is 400 pounds. Which boats are cheap?"


def test_talk_leaves_the_index_of_the_documents_alone(docs: Path) -> None:
    with talk(docs, ScriptedBackend(reply)) as opened:
        ask(opened, "My boat is red. What is red?")
        assert opened.session.index_info["documents"] == 2
    with Session.open(Settings((str(docs),), dense="off", reader="off"), backend=ScriptedBackend(reply)) as session:
        assert session.index_info["documents"] == 1
    assert b"My boat" not in b"".join(path.read_bytes() for path in (docs.parent / "cache").rglob("index.*"))
    assert Memory(docs.parent / "sessions" / "work").forget()
    assert not list((docs.parent / "sessions").rglob("*"))


def test_talk_cites_what_the_user_said(docs: Path) -> None:
    with talk(docs, EmbeddedBackend(None)) as opened:
        opened.understand("My budget is 400 pounds.")
        answer = ask(opened, "What is my budget?", "chunk_rag:tokens=2000")
        assert [citation.quote for citation in answer.citations][:1] == ["My budget is 400 pounds."]
        assert answer.citations[0].source.endswith("you said.md")


@pytest.mark.parametrize(
    ("written", "alone"),
    [
        ("Who sold the mill?", "Who sold the mill?"),
        ('Question: "Who sold the mill of 1742?"', "Who sold the mill of 1742?"),
        ("Who sold the mill? [1]", "Who sold the mill?"),
        ("Who sold the mill of Oban?", ""),  # a name from nowhere
        ("NOT FOUND", ""),
        ("", ""),
        ("Who?\nThe miller.", ""),
        ("What is " + "the mill " * 60, ""),
        ("The mill was built in 1742.", ""),
    ],
)
def test_stand_alone_takes_a_question_that_invents_no_name(written: str, alone: str) -> None:
    warnings: list[str] = []
    found, usage = stand_alone("Who sold it?", TURNS, ScriptedBackend([written]), warnings.append)
    assert found == (alone or "Who sold it (the mill)?")
    assert usage.calls == 1
    assert bool(warnings) is not bool(alone)


def test_stand_alone_survives_a_backend_that_fails() -> None:
    script: list[str | LcragError] = [BackendFailed("gone")]
    warnings: list[str] = []
    found, usage = stand_alone("Who sold it?", TURNS, ScriptedBackend(script), warnings.append)
    assert (found, usage.calls) == ("Who sold it (the mill)?", 0)
    assert "gone" in warnings[0]


def test_stand_alone_is_done_by_rules_without_a_model() -> None:
    warnings: list[str] = []
    backend = EmbeddedBackend(None)
    assert stand_alone("Who sold it?", TURNS, backend, warnings.append)[0] == "Who sold it (the mill)?"
    assert stand_alone("Who sold it?", [], backend, warnings.append)[0] == "Who sold it?"
    assert warnings == []
