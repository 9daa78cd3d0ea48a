"""The writer reads the best parts within its short window, and only what they support is kept of its reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import HashingEmbedder, Pointing

from lcrag.backends import compose, extract
from lcrag.backends.embedded import EmbeddedBackend
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Passage, Role, Task

TEXT = (
    "The council met in March 2023. It decided to buy a new crane for the quay. The old crane had failed in the storm "
    "of January.\n\nBread was baked on Mondays. The baker was ill for a week.\n"
)
SPOKEN = (
    "Ann: We should buy a new crane for the quay.\nBen: Yes. The old crane failed in January.\n"
    "Ann: Then it is decided.\n"
)
SUMMARY = "Summarise the council's decisions."


@dataclass
class Reply:
    text: str


@dataclass
class Scripted:
    """A writer that says what it is told to, and remembers what it was asked; a word is a token."""

    reply: str
    asked: list[str] = field(default_factory=list)

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def generate(self, prompts: Sequence[Sequence[dict[str, str]]], max_tokens: int) -> list[Reply]:
        self.asked += ["\n".join(message["content"] for message in messages) for messages in prompts]
        return [Reply(self.reply) for _ in prompts]


def task(question: str, *texts: str, role: Role = "answer", notes: tuple[str, ...] = ()) -> Task:
    passages = tuple(
        Passage(number, f"d{number}", f"{number}.md", 0, len(text), text, len(text) // 4)
        for number, text in enumerate(texts, 1)
    )
    return Task(role, question, passages, notes)


def sentences(asked: Task, writer: Scripted) -> tuple[str, ...]:
    units = extract.units_of(asked)
    return compose.supported_sentences(asked, units, compose.by_relevance(asked, units, HashingEmbedder()), writer, 500)


def test_supported_sentences_drop_what_nothing_supports_and_correct_markers() -> None:
    writer = Scripted("The council decided to buy a new crane [2]. The mayor resigned in 1999 [1].")
    assert sentences(task(SUMMARY, TEXT, "It rained all day."), writer) == (
        "The council decided to buy a new crane [1]",
    )


@pytest.mark.parametrize("reply", [NOT_FOUND, "", "The passages do not contain the answer.", "The mayor resigned. [1]"])
def test_supported_sentences_are_none_where_the_writer_has_nothing(reply: str) -> None:
    assert sentences(task(SUMMARY, TEXT), Scripted(reply)) == ()


def test_writer_reads_the_best_parts_in_order_within_its_tokens() -> None:
    texts = [f"Day {n}: the weather was fair and bread was baked in the village by the sea. " * 8 for n in range(40)]
    texts[31] = "The council decided to buy a crane. " * 4
    writer = Scripted(NOT_FOUND)
    sentences(task(SUMMARY, *texts), writer)
    [prompt] = writer.asked
    assert "The council decided to buy a crane." in prompt
    assert len(prompt.split()) < compose.READS + 150
    markers = [int(part.split("]")[0]) for part in prompt.split('marker="[')[1:]]
    assert markers == sorted(markers)
    assert 32 in markers


def test_writer_reads_from_all_over_where_nothing_particular_is_asked() -> None:
    texts = [f"On day {n} the village baked bread and the ferry came in late from the island. " * 6 for n in range(60)]
    writer = Scripted(NOT_FOUND)
    sentences(task("Summarise the whole text.", *texts), writer)
    markers = [int(part.split("]")[0]) for part in writer.asked[0].split('marker="[')[1:]]
    assert markers[0] <= 10
    assert markers[-1] >= 50


@given(st.lists(st.text(alphabet="ab c.\n", min_size=1, max_size=80), min_size=1, max_size=12), st.integers(1, 60))
def test_parts_are_of_the_passages_and_the_best_is_always_read(texts: list[str], tokens: int) -> None:
    asked = task("What is a?", *texts)
    units = extract.units_of(asked)
    if not units:
        return
    writer = Scripted("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose, "READS", tokens)
        compose.supported_sentences(asked, units, [1.0] * len(units), writer, 9)
    held = " ".join(" ".join(text.split()) for text in texts)
    body = writer.asked[0].split("<documents>\n")[1].split("</documents>")[0]
    lines = [line for line in body.splitlines() if line and not line.startswith(("<passage", "</passage"))]
    assert lines
    assert all(line in held for line in lines)


def test_run_sums_up_a_dialogue_in_the_writers_sentences() -> None:
    writer = Scripted("They decided to buy a new crane for the quay [1]. It was painted green [1].")
    backend = EmbeddedBackend(HashingEmbedder(), writer=writer)
    for question in ("Summarise what was decided.", "What did Ann say about a new crane for the quay?"):
        [done] = backend.run([task(question, SPOKEN)], max_tokens=500)
        assert done.text == "They decided to buy a new crane for the quay [1]"


@pytest.mark.parametrize("reply", [NOT_FOUND, "It was painted green [1]."])
def test_run_quotes_where_the_writer_has_nothing_that_holds(reply: str) -> None:
    [done] = EmbeddedBackend(HashingEmbedder(), writer=Scripted(reply)).run(
        [task("Summarise what was decided.", SPOKEN)], max_tokens=500
    )
    assert "Ann: We should buy a new crane for the quay. [1]" in done.text.splitlines()


def test_run_sums_up_prose_in_its_own_sentences() -> None:
    writer = Scripted("The mayor resigned.")
    text = (
        TEXT + "| day | bread |\n| Monday | forty loaves of rye and barley |\n\n# The bread of the council of Monday\n"
    )
    [done] = EmbeddedBackend(HashingEmbedder(), writer=writer).run([task(SUMMARY, text)], max_tokens=500)
    assert "It decided to buy a new crane for the quay. [1]" in done.text.splitlines()
    assert not any(line.startswith(("|", "#")) for line in done.text.splitlines())
    assert writer.asked == []


def test_run_quotes_facts_and_takes_the_short_answer_of_the_writer() -> None:
    asked = task("What did the council buy?", TEXT)
    [done] = EmbeddedBackend(HashingEmbedder(), writer=Scripted("a new crane [1]")).run([asked], max_tokens=500)
    assert done.text.startswith("It decided to buy a new crane for the quay. [1]")
    assert done.short == "a new crane"


@pytest.mark.parametrize("says", [NOT_FOUND, f"{NOT_FOUND} [1].", "The passages do not mention it."])
def test_run_quotes_nothing_where_the_writer_finds_no_answer(says: str) -> None:
    asked = task("What did the council buy?", TEXT)
    [done] = EmbeddedBackend(HashingEmbedder(), writer=Scripted(says)).run([asked], max_tokens=500)
    assert (done.text, done.short) == (NOT_FOUND, None)


def test_run_quotes_though_the_writer_finds_nothing_where_a_code_or_notes_say_it() -> None:
    backend = EmbeddedBackend(HashingEmbedder(), writer=Scripted(NOT_FOUND))
    text = "The pump PX-4401 runs at 900 turns a minute.\n\nThe pump PX-4402 runs at 700 turns a minute.\n"
    coded = task("How many turns a minute does the pump PX-4401 run at?", text)
    noted = task(
        "What did the council decide to buy?", role="synthesise", notes=("The council decided to buy a crane. [2]",)
    )
    [code, note] = backend.run([coded, noted], max_tokens=500)
    assert code.text == "The pump PX-4401 runs at 900 turns a minute. [1]"
    assert note.text == "The council decided to buy a crane. [2]"


def test_run_asks_the_writer_nothing_where_the_reader_is_sure() -> None:
    writer = Scripted(NOT_FOUND)
    backend = EmbeddedBackend(HashingEmbedder(), Pointing("a new crane"), writer)
    [done] = backend.run([task("What did the council buy?", TEXT)], max_tokens=500)
    assert done.short == "a new crane"
    assert writer.asked == []


def test_run_asks_the_writer_nothing_for_notes_and_judgements() -> None:
    writer = Scripted("a crane [1]")
    backend = EmbeddedBackend(HashingEmbedder(), writer=writer)
    for role in ("note", "judge", "summarise"):
        backend.run([task("What did the council buy?", TEXT, role=role)], max_tokens=500)
    assert writer.asked == []


def test_run_answers_from_notes_of_a_talk_with_their_markers() -> None:
    writer = Scripted("They bought a crane [4].")
    notes = ("Ann: They bought a crane. [4]\nBen: It was in March. [5]",)
    asked = task("Summarise what was decided.", role="synthesise", notes=notes)
    [done] = EmbeddedBackend(HashingEmbedder(), writer=writer).run([asked], max_tokens=500)
    assert done.text == "They bought a crane [4]"
