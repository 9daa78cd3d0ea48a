"""The small model, as ``lcrag up small`` builds and serves it, on a real vLLM on this processor: what routes are worth,
and that every recipe holds together.

Its writer learned short answers, lists and refusals, partly on such generated worlds, so that right and wrong mean
something. It reads a world of 2,000 tokens well and one of 6,000 badly, though its window of 8,192 holds both.
Recipes set it tasks that it was never taught: nothing is said of what it answers but that answer and quotes agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import chdir
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from support.machine import NEEDED, NEEDS_WEIGHTS, UNBOUND, Machine
from worlds import corpus
from worlds.world import TASKS

from lcrag.backends.openai_server import CONCURRENCY, OpenAIServer
from lcrag.pipelines import PIPELINES, RECIPES
from lcrag.session import Session
from lcrag.text.prompts import JUDGE_SCHEMA
from lcrag.text.shapes import parse_object
from lcrag.types import Answer, Passage, Settings, Task

pytestmark = [*NEEDED, NEEDS_WEIGHTS]

FACTS = ("single", "para")
SMALL, LARGE = 2000, 6000
"""Tokens of the worlds."""
OPTIONS = ("--dense", "off", "--reader", "off", "--json", "--backend", "server")

FACT = "The lighthouse keeper Anna Holm kept a tame raven called Brandt."
QUESTION = "What was the raven of the lighthouse keeper Anna Holm called?"
NAMES = [name for name in RECIPES if name != "hiddentables"]  # there is no table here
OPTIONS_OF = {
    "context_picker": "context_picker:tokens=4000",
    "agentwrite": "agentwrite:words=500",
    "l2mac": "l2mac:words=500",
}
"""The model's window is shorter than what the first reads, and two sections of a report are enough."""
BOATS = [f"In {year} the harbour took in {year % 97 + 3} boats and {year % 31} of them stayed." for year in range(340)]
SHAPES = {
    "one": {"a.md": FACT},
    "two": {"a.md": FACT, "b.md": BOATS[0]},
    "many": {"a.md": "\n\n".join([*BOATS[:20], FACT, *BOATS[20:60]])},
    "long": {"a.md": "\n\n".join([*BOATS[:170], FACT]), "b.md": "\n\n".join(BOATS[170:])},
    "other": {"a.md": "灯台守は鳥を飼っていた。港には船が多い。" * 20 + f"\n\n🦜 {FACT}\n\n" + "e\u0301 🦜 港。" * 20},
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("small"), UNBOUND)
    with machine.serving("small"):
        yield machine


def write(folder: Path, tokens: int, tasks: tuple[str, ...], first: tuple[str, ...] = ()) -> None:
    """A world, with those of its 42 questions that are of these kinds, and the first one of each kind in ``first``."""
    corpus.write(folder, tokens=tokens, number=42, seed=3)
    questions = folder / "questions.jsonl"
    by_kind: dict[str, list[str]] = {kind: [] for kind in TASKS}
    for line in questions.read_text(encoding="utf-8").splitlines(keepends=True):
        by_kind[json.loads(line)["task_type"]].append(line)
    chosen = [*(by_kind[kind] for kind in tasks), *(by_kind[kind][:1] for kind in first)]
    questions.write_text("".join(chain.from_iterable(chosen)), encoding="utf-8")


@pytest.fixture(scope="module")
def small(machine: Machine) -> dict[str, Any]:
    """Every route on the facts of the small world, and on a question of each other kind."""
    write(machine.folder / "small", SMALL, FACTS, tuple(kind for kind in TASKS if kind not in FACTS))
    return machine.answer("compare", "--dataset", "small", *OPTIONS)


@pytest.fixture(scope="module")
def lists(machine: Machine) -> dict[str, Any]:
    """The routes that read a part, on lists and on what nothing says."""
    write(machine.folder / "lists", SMALL, ("list", "absent"))
    return machine.answer("compare", "--dataset", "lists", "--pipelines", "chunk_rag,compression", *OPTIONS)


@pytest.fixture(scope="module")
def large(machine: Machine) -> dict[str, Any]:
    """Reading the best chunks or everything, for the facts of the large world."""
    write(machine.folder / "large", LARGE, FACTS)
    return machine.answer("compare", "--dataset", "large", "--pipelines", "chunk_rag,full_context", *OPTIONS)


def answers(comparison: dict[str, Any], route: str, tasks: tuple[str, ...]) -> list[dict[str, Any]]:
    found = [item["routes"][route] for item in comparison["items"] if item["task_type"] in tasks]
    assert len(found) >= 4
    return found


def share(comparison: dict[str, Any], route: str, *tasks: str) -> float:
    """The mean score: of facts and refusals the share of right answers, of lists that of the items found."""
    scores = [answer["score"] for answer in answers(comparison, route, tasks)]
    return float(sum(scores) / len(scores))


def test_up_small_serves_the_writer(machine: Machine) -> None:
    status = machine.lcrag("status").stdout
    assert "model: SmolLM2-135M-bf16-" in status  # the name says the size, from which the router has its prior
    assert "window: 8,192 tokens" in status


def test_routes_answer_every_question_of_every_kind(small: dict[str, Any]) -> None:
    assert small["failed"] == []
    assert {route["pipeline"] for route in small["routes"]} == set(PIPELINES) - {"outline"}
    assert {item["task_type"] for item in small["items"]} == set(TASKS)
    assert all(route["n"] == small["questions"] for route in small["routes"])


@pytest.mark.parametrize(
    ("route", "least"),
    [("chunk_rag", 0.6), ("escalate", 0.6), ("compression", 0.7), ("full_context", 0.7), ("chain_of_agents", 0.25)],
)
def test_routes_find_single_facts(small: dict[str, Any], route: str, least: float) -> None:
    """Measured .75, .81, .81, .81 and .44 of 16; untuned, chunk_rag finds .19."""
    assert share(small, route, *FACTS) >= least


def test_chunk_rag_lists_what_is_spread(lists: dict[str, Any]) -> None:
    """Measured .75 of the items of 4 lists."""
    assert share(lists, "chunk_rag", "list") >= 0.5


def test_compression_does_not_answer_what_nothing_says(lists: dict[str, Any]) -> None:
    """Measured .88 of 8."""
    assert share(lists, "compression", "absent") >= 0.7


def test_answers_cite_their_evidence(small: dict[str, Any]) -> None:
    """Measured 1.00 of 16."""
    right = [answer for answer in answers(small, "chunk_rag", FACTS) if answer["score"] == 1]
    assert sum(answer["evidence"]["recall"] for answer in right) >= 0.8 * len(right)


def test_full_context_loses_facts_well_within_the_window(small: dict[str, Any], large: dict[str, Any]) -> None:
    """Measured .42 of 12 where chunk_rag finds .83, after .81 in the small world."""
    whole = share(large, "full_context", *FACTS)
    assert whole <= share(small, "full_context", *FACTS) - 0.15
    assert whole < share(large, "chunk_rag", *FACTS)


@pytest.mark.parametrize("pipeline", ["full_context", "chain_of_agents"])
def test_ask_finds_four_fifths_of_its_prompts_in_the_cache_at_the_second_question(
    machine: Machine, small: dict[str, Any], pipeline: str
) -> None:
    """Measured .88 in pieces: the cache holds whole blocks only."""
    asked = ("ask", "small/docs", *OPTIONS, "--pipeline", pipeline)
    machine.answer(*asked, "What is the harbour code of Nobody Here?")
    second = machine.answer(*asked, "Which pet does Nobody There keep?")
    assert second["usage"]["cached_tokens"] >= 0.8 * second["usage"]["input_tokens"]


@pytest.fixture(scope="module")
def recipes(machine: Machine) -> Iterator[dict[tuple[str, str], Future[Answer]]]:
    """What each recipe answers on each shape, several at a time.

    The server reads new prompts before it writes on, so that a reply waits for as long as others keep asking.
    """
    server = OpenAIServer(machine.url, deadline=1500)

    def open_session(shape: str) -> Session:
        settings = Settings((shape,), index=Path(f"{shape}.index"), dense="off", reader="off")
        return Session.open(settings, backend=server)

    def ask(name: str, shape: str) -> Answer:
        with open_session(shape) as session:
            return session.ask(QUESTION, pipeline=OPTIONS_OF.get(name, name))

    for shape, texts in SHAPES.items():
        (machine.folder / shape).mkdir()
        for name, text in texts.items():
            (machine.folder / shape / name).write_text(text, encoding="utf-8")
    with chdir(machine.folder), ThreadPoolExecutor(CONCURRENCY // 2) as threads:  # prompts hold paths as shown
        for shape in SHAPES:
            with open_session(shape) as session:
                assert session.sum_up() > 0
        yield {(name, shape): threads.submit(ask, name, shape) for name in NAMES for shape in SHAPES}
        threads.shutdown(cancel_futures=True)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_recipe_answers_with_the_small_model(
    recipes: dict[tuple[str, str], Future[Answer]], name: str, shape: str
) -> None:
    answer = recipes[name, shape].result()
    assert answer.status in ("answered", "contradictory", "not_found", "not_retrieved")
    assert answer.usage.output_tokens > 0
    for citation in answer.citations:
        assert f"[{citation.marker}]" in answer.text
        assert citation.quote in SHAPES[shape][Path(citation.source).name]


@pytest.mark.slow
def test_vllm_keeps_replies_to_a_shape_and_tells_odds(machine: Machine) -> None:
    passage = Passage(3, "d", "a.md", 0, len(FACT), FACT, 16)
    server = OpenAIServer(machine.url)
    schema = {**JUDGE_SCHEMA}
    tasks = [
        Task("choose", QUESTION, (passage,), shape=("retrieve", "everything")),
        Task("pick", QUESTION, (passage,), shape=r"\[\d\](, \[\d\])?|NOT FOUND"),
        Task("demonstrate", QUESTION, (passage,), shape=schema),
        Task("answer", QUESTION, (passage,), odds=20),
    ]
    choice, picked, written, answer = server.run(tasks, max_tokens=48)
    assert choice.text in ("retrieve", "everything")
    assert picked.text == "NOT FOUND" or picked.text[0] + picked.text[2] == "[]"
    assert parse_object(written.text)["verdict"] in ("yes", "no")
    assert len(answer.odds) == 20
    assert answer.text.startswith(answer.odds[0][0].strip())
    assert 0.5 < sum(p for _, p in answer.odds) <= 1.001
