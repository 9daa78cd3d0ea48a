"""A backend whose use curves and cost are known, so that what calibrate measures can be compared with the truth."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lcrag.calibrate.probes import Probe
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Backend, Completion, CostModel, Kind, OnToken, Passage, Role, Surroundings, Task, Usage

COST = CostModel(
    per_batch=0.03,
    per_token=1.5e-5,
    per_pair=3.6e-10,
    per_step=0.01,
    per_call=0.004,
    per_step_token=2e-8,
    per_step_call=4e-4,
)


def use_that_fades(half: float, best: float = 0.95, steep: float = 2.0) -> Callable[[str, str, str, int], float]:
    """Use that is ``best`` for short texts and half of it at ``half`` tokens."""
    return lambda role, kind, surroundings, tokens: best / (1 + (tokens / half) ** steep)


class SimulatedProbes:
    """Probes with a length and a kind but no text: the simulated backend reads both from the passage."""

    kinds: tuple[Kind, ...] = ("fact", "list", "absent")

    def probes(
        self, kinds: Sequence[Kind], tokens: int, surroundings: Surroundings, seed: int, depth: float, role: Role
    ) -> list[Probe]:
        return [
            Probe(kind, self._task(role, f"{kind} {surroundings}", tokens), lambda text: text == "right", 40)
            for kind in kinds
        ]

    def filler(self, tokens: int, seed: int) -> Task:
        return self._task("note", "filler consecutive", tokens, str(seed))

    @staticmethod
    def _task(role: Role, question: str, tokens: int, text: str = "") -> Task:
        return Task(role, question, (Passage(1, "d", "d", 0, len(text), text, tokens),))


@dataclass
class SimulatedBackend(Backend):
    """Right with probability ``true(role, kind, surroundings, tokens)``; time passes as ``cost`` says, with noise.

    ``clock`` is its own. A task that was run before is cached except for 16 tokens, if ``reports_cached``.
    """

    true: Callable[[str, str, str, int], float]
    cost: CostModel
    seed: int = 0
    window: int = 131_072
    noise: float = 0.0
    writes: int = 64
    reports_cached: bool = True
    name: str = "server"
    model: str = "simulated"

    def __post_init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self._random = random.Random(self.seed)
        self._seen: set[Task] = set()

    @property
    def tokenizer(self) -> str:
        return "simulated"

    def clock(self) -> float:
        return self.now

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        self.asked += len(tasks)
        completions = [self._completion(task, max_tokens) for task in tasks]
        usages = [completion.usage for completion in completions]
        calls = len(tasks)
        seconds = self.cost.seconds(
            sum(usage.input_tokens - usage.cached_tokens for usage in usages) / calls,
            sum(usage.cached_tokens for usage in usages) / calls,
            sum(usage.output_tokens for usage in usages) / calls,
            calls,
        )
        self.now += seconds * max(0.1, self._random.gauss(1.0, self.noise))
        return completions

    def _completion(self, task: Task, max_tokens: int) -> Completion:
        [passage] = task.passages
        kind, surroundings = task.question.split()
        cached = passage.tokens - 16 if self.reports_cached and task in self._seen and passage.text else 0
        self._seen.add(task)
        right = self._random.random() < self.true(task.role, kind, surroundings, passage.tokens)
        reply = "right" if right else "wrong" if kind == "absent" else NOT_FOUND
        return Completion(reply, Usage(passage.tokens, max(0, cached), min(self.writes, max_tokens), 1, 0.0))
