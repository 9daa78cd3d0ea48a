"""Probes hold their evidence, are as long as asked, and are judged correctly."""

from __future__ import annotations

import json
import re

import pytest

from lcrag.backends.scripted import ScriptedBackend
from lcrag.calibrate.invented_facts import POINTS
from lcrag.calibrate.probes import EnglishProbes
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Kind, Surroundings

KINDS: tuple[Kind, ...] = ("fact", "paraphrase", "hops", "list", "count", "absent")


@pytest.mark.parametrize("surroundings", ["consecutive", "retrieved"])
@pytest.mark.parametrize("tokens", [300, 3000])
def test_probes_contain_their_evidence_and_are_as_long_as_asked(surroundings: Surroundings, tokens: int) -> None:
    backend = ScriptedBackend(lambda task: "")
    source = EnglishProbes(backend)
    for seed in range(5):
        for probe in source.probes(KINDS, tokens, surroundings, seed, seed / 5):
            text = "\n".join(passage.text for passage in probe.task.passages)
            assert 0.75 * tokens <= backend.count_many([text])[0] <= 1.3 * tokens
            assert not probe.right("Nobody knows.")
            assert probe.right(NOT_FOUND) == (probe.kind == "absent")
            if probe.kind not in ("absent", "count"):
                assert probe.right(text)  # who quotes everything has the evidence too
                assert probe.scope > 0
            markers = [passage.marker for passage in probe.task.passages]
            assert markers == list(range(1, len(markers) + 1))


def test_probes_in_retrieved_text_are_about_the_question_and_those_in_consecutive_text_are_not() -> None:
    source = EnglishProbes(ScriptedBackend(lambda task: ""))
    words = {}
    for surroundings in ("consecutive", "retrieved"):
        [probe] = source.probes(["fact"], 2000, surroundings, 3, 0.5)  # type: ignore[arg-type]
        asked = set(probe.task.question.lower().strip("?").split()) - {"what", "is", "the", "of", "in"}
        text = " ".join(passage.text for passage in probe.task.passages).lower()
        words[surroundings] = sum(text.count(word) for word in asked)
    assert words["retrieved"] > 5 * words["consecutive"]


def test_probes_in_consecutive_text_share_their_passages() -> None:
    source = EnglishProbes(ScriptedBackend(lambda task: ""))
    probes = source.probes(KINDS, 1000, "consecutive", 1, 0.2)
    assert len({json.dumps([p.text for p in probe.task.passages]) for probe in probes}) == 1
    other = source.probes(KINDS, 1000, "consecutive", 2, 0.2)
    assert other[0].task.passages != probes[0].task.passages


def test_probes_from_notes_have_no_passages() -> None:
    source = EnglishProbes(ScriptedBackend(lambda task: ""))
    [probe] = source.probes(["fact"], 500, "consecutive", 1, 0.2, "synthesise")
    assert probe.task.passages == ()
    assert probe.right("\n".join(probe.task.notes))


def test_probes_of_a_note_about_a_count_expect_what_is_counted() -> None:
    source = EnglishProbes(ScriptedBackend(lambda task: ""))
    for seed in range(4):
        [probe] = source.probes(["count"], 500, "consecutive", seed, 0.2, "note")
        assert probe.right(" ".join(passage.text for passage in probe.task.passages))
        assert not probe.right("There were 4.")


def test_filler_is_new_for_every_seed() -> None:
    source = EnglishProbes(ScriptedBackend(lambda task: ""))
    assert source.filler(500, 1) == source.filler(500, 1) != source.filler(500, 2)


def test_probes_of_a_whole_count_the_share_that_a_summary_states() -> None:
    source = EnglishProbes(ScriptedBackend(lambda task: ""))
    for seed in range(3):
        [probe] = source.probes(["whole"], 1000, "consecutive", seed, 0.2, "summarise")
        assert probe.task.words > 0
        stated = re.findall(r"\b\d{5}\b", " ".join(passage.text for passage in probe.task.passages))
        assert len(stated) == POINTS
        assert probe.right(" ".join(stated)) == 1
        assert probe.right(f"There are {stated[0]} and {stated[3]}.") == 2 / POINTS
        assert probe.right("Nothing much.") == 0
