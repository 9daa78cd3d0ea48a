"""Every recipe on a real vLLM with lcrag's own small model, on every shape of corpus.

The model was never taught these tasks, so nothing is said of its answers but that they hold together.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machine import NEEDED, Machine

from lcrag.backends.openai_server import OpenAIServer
from lcrag.pipelines import RECIPES
from lcrag.text.prompts import JUDGE_SCHEMA
from lcrag.text.shapes import parse_object
from lcrag.types import Passage, Task
from lcrag.writer.weights import TO_INSTALL
from lcrag.writer.writer import available

pytestmark = [*NEEDED, pytest.mark.skipif(not available(), reason=f"needs the writer's base weights: {TO_INSTALL}")]

FACT = "The lighthouse keeper Anna Holm kept a tame raven called Brandt."
QUESTION = "What was the raven of the lighthouse keeper Anna Holm called?"
ASK = ("--dense", "off", "--reader", "off", "--json", "--backend", "server")
WITHIN_8192 = {"context_picker": "context_picker:tokens=4000"}
"""The model's window is shorter than what this recipe reads."""
BOATS = [f"In {year} the harbour took in {year % 97 + 3} boats and {year % 31} of them stayed." for year in range(900)]
SHAPES = {
    "one": {"a.md": FACT},
    "two": {"a.md": FACT, "b.md": BOATS[0]},
    "many": {"a.md": "\n\n".join([*BOATS[:40], FACT, *BOATS[40:120]])},
    "long": {"a.md": "\n\n".join([*BOATS[:300], FACT]), "b.md": "\n\n".join(BOATS[300:600])},
    "other": {"a.md": "灯台守は鳥を飼っていた。港には船が多い。" * 40 + f"\n\n🦜 {FACT}\n\n" + "e\u0301 🦜 港。" * 40},
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("recipes"))
    for shape, texts in SHAPES.items():
        (machine.folder / shape).mkdir()
        for name, text in texts.items():
            (machine.folder / shape / name).write_text(text, encoding="utf-8")
    with machine.serving("small"):
        for shape in SHAPES:
            summed_up = machine.lcrag("index", shape, "--layers", "section", "--dense", "off", "--backend", "server")
            assert summed_up.returncode == 0, summed_up.stderr
        yield machine


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", [name for name in RECIPES if name != "hiddentables"])  # there is no table here
def test_recipe_answers_with_the_small_model(machine: Machine, name: str, shape: str) -> None:
    answer = machine.answer("ask", shape, QUESTION, *ASK, "--pipeline", WITHIN_8192.get(name, name))
    assert answer["backend"] == "server"
    assert answer["status"] in ("answered", "contradictory", "not_found", "not_retrieved")
    assert answer["usage"]["output_tokens"] > 0
    texts = SHAPES[shape]
    for citation in answer["citations"]:
        assert f"[{citation['marker']}]" in answer["answer"]
        assert citation["quote"] in texts[Path(citation["source"]).name]


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
