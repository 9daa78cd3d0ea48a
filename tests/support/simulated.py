"""A backend whose use curves and cost are known, so that what calibrate finds can be held against the truth."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lcrag.calibrate.probes import Probe
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Backend, Completion, CostModel, Kind, OnToken, Passage, Role, Surroundings, Task, Usage


class SimulatedProbes:
    """Probes that are nothing but their length and kind: the simulated backend reads those from the passage."""

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

    ``clock`` is its own. A task that came before is cached but for 16 tokens.
    """

    true: Callable[[str, str, str, int], float]
    cost: CostModel
    seed: int = 0
    window: int = 131_072
    noise: float = 0.0
    writes: int = 64
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
        done = [self._completion(task, max_tokens) for task in tasks]
        usages = [one.usage for one in done]
        calls = len(tasks)
        seconds = self.cost.seconds(
            sum(one.input_tokens - one.cached_tokens for one in usages) / calls,
            sum(one.cached_tokens for one in usages) / calls,
            sum(one.output_tokens for one in usages) / calls,
            calls,
        )
        self.now += seconds * max(0.1, self._random.gauss(1.0, self.noise))
        return done

    def _completion(self, task: Task, max_tokens: int) -> Completion:
        [passage] = task.passages
        kind, surroundings = task.question.split()
        cached = passage.tokens - 16 if task in self._seen and passage.text else 0
        self._seen.add(task)
        right = self._random.random() < self.true(task.role, kind, surroundings, passage.tokens)
        said = "right" if right else "wrong" if kind == "absent" else NOT_FOUND
        if kind == "absent" and right:
            said = "right"
        return Completion(said, Usage(passage.tokens, max(0, cached), min(self.writes, max_tokens), 1, 0.0))
