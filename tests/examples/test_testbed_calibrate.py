"""Probes for the test bed's model: in its own language, no longer than asked, the evidence among what is read."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from lcrag.text.prompts import NOT_FOUND, messages
from lcrag.types import Surroundings

TESTBED = Path(__file__).parents[2] / "examples" / "testbed"
if str(TESTBED) not in sys.path:
    sys.path.insert(0, str(TESTBED))
calibrate = importlib.import_module("calibrate")
worlds = importlib.import_module("worlds")
SOURCE = calibrate.WorldProbes(Tokenizer.from_file(str(TESTBED / "tokenizer" / "tokenizer.json")))


@pytest.mark.parametrize("surroundings", ["consecutive", "retrieved"])
def test_probes_fit_and_are_judged_by_their_gold(surroundings: Surroundings) -> None:
    for kind in SOURCE.kinds:
        for seed in range(3):
            [probe] = SOURCE.probes([kind], 1200, surroundings, seed, 0.5, "answer")
            prompt = worlds.chatml(messages(probe.task))
            assert SOURCE.count(prompt) <= 1250
            assert SOURCE.count(prompt) > (600 if surroundings == "retrieved" else 1000)
            assert probe.right(NOT_FOUND) == (kind == "absent")
            assert not probe.right("something else [1]")


@pytest.mark.parametrize("role", ["note", "summarise", "synthesise"])
def test_probes_of_handovers_have_passages_or_notes(role: str) -> None:
    [probe] = SOURCE.probes(["fact"], 900, "consecutive", 4, 0.5, role)
    assert probe.task.role == role
    assert bool(probe.task.notes) == (role == "synthesise")
    assert not probe.right("something else [1]")


def test_filler_differs_each_time() -> None:
    one, other = SOURCE.filler(500, 1), SOURCE.filler(500, 2)
    assert one.passages != other.passages
