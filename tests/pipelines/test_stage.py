"""What happens between the passages and the answer: selections, demonstrations, enough sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.fakes import HashingEmbedder, corpus_of, run_pipeline

from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import DoesNotFit, InputError
from lcrag.pipelines import named
from lcrag.retrieve.rank import retrieve
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Answer, Event, Task

FACT = "The lighthouse keeper Anna Holm kept a tame raven called Brandt."
QUESTION = "What was the raven of the lighthouse keeper Anna Holm called?"
BOATS = [f"In {year} the harbour took in {year % 97 + 3} boats and {year % 31} of them stayed." for year in range(300)]
TEXTS = {"a.md": "\n\n".join([*BOATS[:60], FACT, *BOATS[60:]]), "b.md": "\n\n".join(BOATS[100:200])}


def ask(
    folder: Path, name: str, reply: Callable[[Task], str], window: int = 100_000, question: str = QUESTION
) -> tuple[Answer, list[Task], list[Event]]:
    pipeline = named(name)
    assert not isinstance(pipeline, type)
    events: list[Event] = []
    backend = ScriptedBackend(reply, window=window)
    with corpus_of(folder, TEXTS) as corpus:
        ranking = retrieve(corpus, question, embedder=HashingEmbedder())
        answer = run_pipeline(pipeline, question, corpus, ranking, backend, events.append)
    return answer, backend.tasks, events


def marker(task: Task) -> str:
    return next((f"[{passage.marker}]" for passage in task.passages if FACT in passage.text), "[99]")


@pytest.mark.parametrize("pipeline", ["full_context:", "chunk_rag:tokens=1000,", "compression:tokens=1000,"])
@pytest.mark.parametrize(
    ("select", "said", "kept"),
    [
        ("quotes", FACT, FACT),
        ("quotes", f"The keeper was a queen of France.\n- “{FACT}”", FACT),
        ("sentences", "The lighthouse keeper Anna Holm kept", FACT),
        ("passages", "", None),
    ],
)
def test_the_answer_is_from_what_was_selected(
    tmp_path: Path, pipeline: str, select: str, said: str, kept: str | None
) -> None:
    def reply(task: Task) -> str:
        return f"{said} {marker(task)}" if task.role != "answer" else f"Brandt was her raven {marker(task)}."

    answer, [selecting, answering], events = ask(tmp_path, f"{pipeline}select={select}", reply)
    assert selecting.role == {"quotes": "quote", "sentences": "point", "passages": "pick"}[select]
    [passage] = answering.passages
    assert passage.text.strip() == kept if kept else passage in selecting.passages
    assert answer.text == "Brandt was her raven [1]."
    assert answer.citations[0].quote == FACT
    assert answer.tokens_read == sum(one.index_tokens for one in selecting.passages)
    dropped = [event for event in events if "1 quotes of the model" in str(event.data.get("message"))]
    assert len(dropped) == ("queen" in said)


def test_a_selection_without_an_answer_is_followed_by_all_passages(tmp_path: Path) -> None:
    def reply(task: Task) -> str:
        if task.role == "quote":
            return BOATS[3]
        return FACT if marker(task) != "[99]" else NOT_FOUND

    answer, tasks, _ = ask(tmp_path, "full_context:select=quotes", reply)
    assert [task.role for task in tasks] == ["quote", "answer", "answer"]
    assert tasks[0].passages == tasks[2].passages
    assert answer.status == "answered"


@pytest.mark.parametrize("said", [NOT_FOUND, "The moon is made of cheese, says the keeper.", "", "[77]"])
def test_an_empty_selection_is_followed_by_all_passages(tmp_path: Path, said: str) -> None:
    answer, tasks, _ = ask(
        tmp_path, "full_context:select=passages", lambda task: said if task.role == "pick" else f"{FACT} {marker(task)}"
    )
    assert [task.role for task in tasks] == ["pick", "answer"]
    assert answer.citations


def test_rounds_select_from_what_was_selected_until_nothing_is_dropped(tmp_path: Path) -> None:
    def reply(task: Task) -> str:
        if task.role == "answer":
            return f"{FACT} {marker(task)}"
        markers = [passage.marker for passage in task.passages if FACT in passage.text or len(task.passages) > 4]
        return " ".join(f"[{one}]" for one in sorted({*markers[:3], int(marker(task)[1:-1])}))

    _, tasks, _ = ask(tmp_path, "full_context:select=passages,rounds=9", reply)
    picks = [len(task.passages) for task in tasks if task.role == "pick"]
    assert picks[0] > 4
    assert picks[1:] in ([4, 1], [3, 1])
    assert [len(task.passages) for task in tasks if task.role == "answer"] == [1]


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (f"{FACT} [2]\nANSWER: Brandt was the raven of Anna Holm [M].", "Brandt was the raven of Anna Holm [1]."),
        ("Brandt was the raven of Anna Holm [M].", "Brandt was the raven of Anna Holm [1]."),
        (NOT_FOUND, ""),
        (f"{FACT} [M]\nANSWER: NOT FOUND", ""),
    ],
)
def test_what_was_repeated_is_no_part_of_the_answer(tmp_path: Path, said: str, text: str) -> None:
    answer, [task], _ = ask(tmp_path, "full_context:select=repeat", lambda task: said.replace("[M]", marker(task)))
    assert task.role == "repeat"
    assert answer.text == text


def test_shots_come_before_the_question_where_the_passage_holds_their_answer(tmp_path: Path) -> None:
    def reply(task: Task) -> str:
        if task.role != "demonstrate":
            return f"{FACT} {marker(task)}"
        words = " ".join(task.passages[0].text.split()[:4])
        shots.append(words)
        return json.dumps({"question": "What stayed?", "answer": words if len(shots) != 2 else "a whale"})

    shots: list[str] = []
    answer, tasks, _ = ask(tmp_path, "chunk_rag:tokens=1500,shots=3", reply)
    assert [task.role for task in tasks] == ["demonstrate"] * 3 + ["answer"]
    assert len({task.passages[0].marker for task in tasks[:3]}) == 3
    assert all(FACT not in task.passages[0].text for task in tasks[:3])
    [note] = tasks[3].notes
    assert note.count("What stayed?") == 2
    assert shots[0] in note
    assert "whale" not in note
    assert answer.citations[0].quote == FACT


def test_shots_are_paid_once(tmp_path: Path) -> None:
    def reply(task: Task) -> str:
        if task.role != "demonstrate":
            return f"{FACT} {marker(task)}"
        return json.dumps({"question": "What stayed?", "answer": " ".join(task.passages[0].text.split()[:4])})

    counts = []
    for question in (QUESTION, "How many boats did the harbour take in 17?", QUESTION):
        _, tasks, _ = ask(tmp_path, "full_context:shots=2", reply, question=question)
        counts.append(sum(task.role == "demonstrate" for task in tasks))
        assert tasks[-1].notes[0].count("What stayed?") == 2
    assert counts[0] == 2
    assert counts[1:] in ([0, 0], [1, 0], [2, 0])  # another question may draw other passages


@pytest.mark.parametrize(
    ("select", "note"),
    [("quotes", f"{FACT} [M]"), ("sentences", f"{FACT} [M]"), ("passages", "Passages that are needed: [M]")],
)
def test_all_passages_are_read_with_the_selection_as_notes(tmp_path: Path, select: str, note: str) -> None:
    def reply(task: Task) -> str:
        return f"{FACT} {marker(task)}" if task.role != "pick" else marker(task)

    answer, [selecting, answering], _ = ask(tmp_path, f"full_context:select={select},read_all=on", reply)
    assert answering.passages == selecting.passages
    assert answering.notes == (note.replace("[M]", marker(selecting)),)
    assert answer.citations[0].quote == FACT


def test_all_passages_in_several_prompts_are_answered_from_the_selection(tmp_path: Path) -> None:
    def reply(task: Task) -> str:
        return f"{FACT} {marker(task)}" if marker(task) != "[99]" else NOT_FOUND

    answer, tasks, _ = ask(tmp_path, "full_context:select=quotes,read_all=on", reply, window=4000)
    assert [task.role for task in tasks[-2:]] == ["quote", "answer"]
    assert [one.text.strip() for one in tasks[-1].passages] == [FACT]
    assert answer.citations


@pytest.mark.parametrize("said", ["", NOT_FOUND, "{", '{"question": 3, "answer": null}', '{"answer": "In"}'])
def test_a_shot_that_is_none_is_left_out(tmp_path: Path, said: str) -> None:
    _, tasks, _ = ask(tmp_path, "chunk_rag:shots=2", lambda task: said if task.role == "demonstrate" else NOT_FOUND)
    assert tasks[-1].notes == ()


@pytest.mark.parametrize("select", ["quotes", "passages", "sentences", "repeat"])
def test_documents_beyond_the_window_are_selected_from_in_parts(tmp_path: Path, select: str) -> None:
    def reply(task: Task) -> str:
        return f"{FACT} {marker(task)}" if marker(task) != "[99]" or task.role == "synthesise" else NOT_FOUND

    answer, tasks, _ = ask(tmp_path, f"full_context:select={select}", reply, window=3200)
    assert len({task.passages for task in tasks if task.role != "answer"}) > 1
    assert answer.text == f"{FACT} [1]"


def test_sufficient_takes_more_sentences_until_they_suffice(tmp_path: Path) -> None:
    def reply(task: Task) -> str:
        size = sum(passage.tokens for passage in task.passages)
        return ("yes" if size > 300 else "no") if task.role == "judge" else f"{FACT} {marker(task)}"

    answer, tasks, _ = ask(tmp_path, "compression:sufficient=on,tokens=1600,over=corpus", reply)
    sizes = [sum(passage.tokens for passage in task.passages) for task in tasks]
    assert [task.role for task in tasks] == ["judge", "judge", "answer"]
    assert 100 < sizes[0] <= 200 < sizes[1] <= 400
    assert sizes[2] == sizes[1]
    assert answer.citations


def test_sufficient_ends_at_its_budget(tmp_path: Path) -> None:
    _, tasks, _ = ask(tmp_path, "compression:sufficient=on,tokens=1600,over=corpus", lambda task: "no")
    assert [task.role for task in tasks] == ["judge", "judge", "judge", "answer"]
    assert sum(passage.tokens for passage in tasks[-1].passages) > 800


@pytest.mark.parametrize(
    "name",
    [
        "chunk_rag:rounds=2",
        "chunk_rag:select=repeat,rounds=2",
        "chunk_rag:read_all=on",
    ],
)
def test_options_that_contradict_each_other_are_wrong_input(name: str) -> None:
    with pytest.raises(InputError, match=r"(rounds|read_all) needs"):
        named(name)


@pytest.mark.parametrize("name", ["chunk_rag:tokens=1000,select=repeat", "chunk_rag:tokens=1000,shots=9"])
def test_what_a_stage_needs_in_addition_must_fit_too(tmp_path: Path, name: str) -> None:
    ask(tmp_path / "plain", "chunk_rag:tokens=1000", lambda task: NOT_FOUND, window=2300)
    with pytest.raises(DoesNotFit):
        ask(tmp_path / "more", name, lambda task: NOT_FOUND, window=2300)


def test_sources_are_looked_for_after_the_answer(tmp_path: Path) -> None:
    boat = BOATS[250]

    def reply(task: Task) -> str:
        if task.role == "quote":
            asked.append(task)
            return f"{boat} [{next(one.marker for one in task.passages if boat in one.text)}]"
        return f"{FACT} {marker(task)} {boat} {marker(task)}"  # the second names a passage that does not say it

    asked: list[Task] = []
    plain, tasks, _ = ask(tmp_path / "plain", "full_context:cite=marked", reply)
    assert (len(tasks), [one.supported for one in plain.statements]) == (1, [True, False])
    answer, tasks, _ = ask(tmp_path, "full_context:cite=after", reply)
    assert [task.question for task in asked] == [boat]
    assert len(asked[0].passages) <= 10
    assert [one.supported for one in answer.statements] == [True, True]
    assert [one.quote for one in answer.citations] == [FACT, boat]
    assert answer.text == f"{FACT} [1] {boat} [2]"


def test_an_answer_without_markers_keeps_the_sources_that_words_lead_to(tmp_path: Path) -> None:
    def reply(task: Task) -> str:
        return f"{FACT} [1]" if task.role == "quote" else f"{FACT} Whales sing in the deep sea at night."

    answer, tasks, _ = ask(tmp_path, "full_context:cite=after", reply)
    assert [task.role for task in tasks] == ["answer", "quote"]
    assert [one.supported for one in answer.statements] == [True, False]
    assert [one.quote for one in answer.citations] == [FACT]


def test_nobody_is_asked_for_sources_where_all_are_known(tmp_path: Path) -> None:
    _, tasks, _ = ask(tmp_path, "full_context:cite=after", lambda task: f"{FACT} {marker(task)}")
    assert len(tasks) == 1
    _, tasks, _ = ask(tmp_path / "none", "full_context:cite=after", lambda task: NOT_FOUND)
    assert len(tasks) == 1
