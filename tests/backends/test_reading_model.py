"""The test bed's model, which was trained to read, on a real vLLM on this processor: what each route is worth.

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
from pipelines import ChainOfAgents, ChunkRag, Compression, Escalate, FullContext, Pipeline

pytestmark = NEEDED

TESTBED = Path(__file__).parents[2] / "examples" / "testbed"
WORLDS = {"2k": (2_000, 21), "12k": (12_000, 14), "30k": (30_000, 7)}
"""Tokens and questions: one to three of each kind, 42 in all."""
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
    machine = Machine(tmp_path_factory.mktemp("reading"))
    flags = ("--window", "16384", "--memory", "0.25", "--", "--dtype", "float32")
    up = machine.lcrag("up", str(TESTBED / "model"), *flags)
    assert up.returncode == 0, up.stderr
    yield machine
    machine.lcrag("down")


@pytest.fixture(scope="module")
def outcomes(machine: Machine) -> list[Any]:
    """Every question by every route."""
    backend = OpenAIServer(machine.url)
    measured = []
    for name, (tokens, number) in WORLDS.items():
        folder = machine.folder / name
        module("corpus").write(folder, tokens=tokens, number=number, seed=3)
        measured += routes.measured(folder, machine.folder / "index" / name, backend, ROUTES)
    return measured


def share(outcomes: list[Any], route: Pipeline, worlds: tuple[str, ...], tasks: tuple[str, ...] = ()) -> float:
    """The share of right answers."""
    right = [
        outcome.right
        for outcome in outcomes
        if outcome.route == routes.named(route) and outcome.corpus in worlds and (outcome.task in tasks or not tasks)
    ]
    return sum(right) / len(right)


FACTS = ("single", "para")


def test_routes_answer_every_question_of_every_kind(outcomes: list[Any]) -> None:
    assert len(outcomes) == sum(number for _, number in WORLDS.values()) * len(ROUTES)
    assert {outcome.task for outcome in outcomes} == set(module("worlds").TASKS)


def test_full_context_reads_what_fits_the_trained_length(outcomes: list[Any]) -> None:
    """Measured .95 of all kinds and 1.00 of facts, at 2,000 tokens."""
    assert share(outcomes, FullContext(), ("2k",)) >= 0.75
    assert share(outcomes, FullContext(), ("2k",), FACTS) >= 0.8


def test_chain_of_agents_reads_what_full_context_cannot(outcomes: list[Any]) -> None:
    """Measured .00 against 1.00 of facts at 12,000 tokens."""
    whole = share(outcomes, FullContext(), ("12k",), FACTS)
    assert whole <= 0.5
    for mode in ("sequential", "tree"):
        assert share(outcomes, ChainOfAgents(2000, mode), ("12k",), FACTS) >= whole + 0.3  # type: ignore[arg-type]


def test_chunk_rag_finds_single_facts_in_long_texts(outcomes: list[Any]) -> None:
    """Measured 1.00 at 12,000 tokens."""
    assert share(outcomes, ChunkRag(3000), ("12k", "30k"), FACTS) >= 0.8


def test_chunk_rag_does_not_answer_what_nothing_says(outcomes: list[Any]) -> None:
    assert share(outcomes, ChunkRag(3000), tuple(WORLDS), ("absent",)) >= 0.7


def test_routes_cite_the_evidence_of_right_answers(outcomes: list[Any]) -> None:
    """Measured .82 to .93: lists and extremes cite many places, and each must be the right one."""
    cited = [outcome.cited for outcome in outcomes if outcome.cited is not None]
    assert sum(cited) / len(cited) >= 0.7


@pytest.mark.parametrize("pipeline", ["full_context", "chain_of_agents"])
def test_ask_finds_nine_tenths_of_its_prompts_in_the_cache_at_the_second_question(
    machine: Machine, outcomes: list[Any], pipeline: str
) -> None:
    docs = str(machine.folder / "2k" / "docs")
    asked = ("ask", docs, "--dense", "off", "--reader", "off", "--json", "--backend", "server", "--pipeline", pipeline)
    machine.answer(*asked, "What is the harbour code of Nobody Here?")
    second = machine.answer(*asked, "Which pet does Nobody There keep?")
    assert second["usage"]["cached_tokens"] >= 0.9 * second["usage"]["input_tokens"]
