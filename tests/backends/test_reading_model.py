"""The test bed's model, which really reads, served by a real vLLM on this processor: what each route is worth.

Three worlds of 2,000, 12,000 and 30,000 tokens are written to disk; every route answers every question about them. The
model was trained on prompts of up to 4,096 tokens and is served with a window four times as long.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.machine import NEEDED, Machine

from lcrag.backends.openai_server import OpenAIServer
from lcrag.types import Pipeline
from pipelines import ChainOfAgents, ChunkRag, Compression, Escalate, FullContext

pytestmark = NEEDED

TESTBED = Path(__file__).parents[2] / "examples" / "testbed"
WORLDS = {"2k": (2_000, 21), "12k": (12_000, 14), "30k": (30_000, 7)}
"""Tokens and questions: one to three of each kind, forty and two in all."""
ROUTES: tuple[Pipeline, ...] = (
    ChunkRag(3000),
    Compression(1000, "hits"),
    FullContext(),
    ChainOfAgents(2000, "sequential"),
    ChainOfAgents(2000, "tree"),
    Escalate(1000),
)


def module(name: str) -> ModuleType:
    if str(TESTBED) not in sys.path:
        sys.path.insert(0, str(TESTBED))
    return importlib.import_module(name)


routes = module("routes")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(tmp_path_factory.mktemp("reading"))
    flags = ("--window", "16384", "--memory", "0.25", "--", "--dtype", "float32")
    up = made.lcrag("up", str(TESTBED / "model"), *flags)
    assert up.returncode == 0, up.stderr
    yield made
    made.lcrag("down")


@pytest.fixture(scope="module")
def outcomes(machine: Machine) -> list[Any]:
    """Every question by every route; the table is printed, so that -s shows it."""
    backend = OpenAIServer(machine.url)
    made = []
    for name, (tokens, number) in WORLDS.items():
        folder = machine.folder / name
        module("corpus").write(folder, tokens=tokens, number=number, seed=3)
        made += routes.measured(folder, machine.folder / "index" / name, backend, ROUTES)
    print("\n" + routes.table(made))
    return made


def share(outcomes: list[Any], route: Pipeline, worlds: tuple[str, ...], tasks: tuple[str, ...] = ()) -> float:
    """Of right answers."""
    here = [
        one.right
        for one in outcomes
        if one.route == routes.named(route) and one.corpus in worlds and (one.task in tasks or not tasks)
    ]
    return sum(here) / len(here)


FACTS = ("single", "para")


def test_every_route_answered_every_question_and_every_kind_was_asked(outcomes: list[Any]) -> None:
    assert len(outcomes) == sum(number for _, number in WORLDS.values()) * len(ROUTES)
    assert {one.task for one in outcomes} == set(module("worlds").TASKS)


def test_what_fits_the_trained_length_is_read_whole(outcomes: list[Any]) -> None:
    """Measured .95 of all kinds and 1.00 of facts, at 2,000 tokens."""
    assert share(outcomes, FullContext(), ("2k",)) >= 0.75
    assert share(outcomes, FullContext(), ("2k",), FACTS) >= 0.8


def test_beyond_it_everything_at_once_is_lost_and_a_chain_of_agents_is_not(outcomes: list[Any]) -> None:
    """Measured .00 against 1.00 of facts at 12,000 tokens."""
    whole = share(outcomes, FullContext(), ("12k",), FACTS)
    assert whole <= 0.5
    for mode in ("sequential", "tree"):
        assert share(outcomes, ChainOfAgents(2000, mode), ("12k",), FACTS) >= whole + 0.3  # type: ignore[arg-type]


def test_single_facts_are_found_in_long_texts_by_retrieval(outcomes: list[Any]) -> None:
    """Measured 1.00 at 12,000 tokens."""
    assert share(outcomes, ChunkRag(3000), ("12k", "30k"), FACTS) >= 0.8


def test_what_nothing_tells_is_not_answered(outcomes: list[Any]) -> None:
    assert share(outcomes, ChunkRag(3000), tuple(WORLDS), ("absent",)) >= 0.7


def test_right_answers_cite_their_evidence(outcomes: list[Any]) -> None:
    """Measured .82 to .93: lists and extremes cite many places, and each must be the right one."""
    cited = [one.cited for one in outcomes if one.cited is not None]
    assert sum(cited) / len(cited) >= 0.7


@pytest.mark.parametrize("pipeline", ["full_context", "chain_of_agents"])
def test_a_second_question_finds_nine_tenths_of_its_prompts_read(
    machine: Machine, outcomes: list[Any], pipeline: str
) -> None:
    docs = str(machine.folder / "2k" / "docs")
    asked = ("ask", docs, "--dense", "off", "--reader", "off", "--json", "--backend", "server", "--pipeline", pipeline)
    first, second = (
        machine.answer(*asked, question)
        for question in ("What is the harbour code of Nobody Here?", "Which pet does Nobody There keep?")
    )
    print(pipeline, first["usage"], second["usage"])
    assert second["usage"]["cached_tokens"] >= 0.9 * second["usage"]["input_tokens"]
