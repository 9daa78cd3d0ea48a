"""A real small language model, untuned, on a real vLLM on this processor: whatever it writes, `ask` ends well.

SmolLM2-135M-Instruct was never taught lcrag's prompts: it sets no markers, refuses in its own words, repeats itself.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machine import NEEDED, NEEDS_WEIGHTS, Machine

pytestmark = [*NEEDED, NEEDS_WEIGHTS]

ROOT = Path(__file__).parents[2]
WRITE = """
import pathlib, sys
from lcrag.writer.prepare import write_checkpoint
write_checkpoint(pathlib.Path(sys.argv[1]), adapter=None)
"""
QUESTIONS = [
    "At what oven temperature are Marl cakes baked?",
    "Who won the raft race at the Samphire Fair of 2023?",
    "List all the harbour masters of Saltmarsh in order.",
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("language"))
    shutil.copytree(ROOT / "examples" / "saltmarsh", machine.folder / "docs")
    subprocess.run([sys.executable, "-c", WRITE, str(machine.folder / "smollm2")], check=True, cwd=ROOT)
    with machine.serving("smollm2"):
        yield machine


@pytest.mark.slow
@pytest.mark.parametrize("question", QUESTIONS)
def test_ask_answers_or_refuses_whatever_the_model_writes(machine: Machine, question: str) -> None:
    answer = machine.ask(question, "--pipeline", "chunk_rag", "--max-tokens", "1600")
    assert answer["backend"] == "server"
    assert 0 < answer["usage"]["output_tokens"] < 1024
    assert all(f"[{citation['marker']}]" in answer["answer"] for citation in answer["citations"])
