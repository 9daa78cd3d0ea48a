"""Right or wrong, probe by probe: kept in a file as it comes, and what may be said of it without a fixed number.

``interval`` is a confidence sequence (Robbins 1970): it holds at all numbers of probes at once, so one may look after
every probe and stop when it tells enough, and the stated error still holds. A fixed test may be looked at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lcrag.types import Curve, Kind, Role, Surroundings

STEEP: Final = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 12.0)


@dataclass(slots=True)
class Cell:
    """Right ones of the probes asked at one place. ``said_nothing``: those answered NOT FOUND. ``scope``, ``written``:
    tokens of evidence and of replies, of all together.
    """

    role: Role
    kind: Kind
    surroundings: Surroundings
    tokens: int
    right: int = 0
    asked: int = 0
    said_nothing: int = 0
    scope: int = 0
    written: int = 0

    @property
    def key(self) -> str:
        return f"{self.role} {self.kind} {self.surroundings} {self.tokens}"

    @property
    def p(self) -> float:
        """The posterior mean under Jeffreys' prior."""
        return (self.right + 0.5) / (self.asked + 1)


@dataclass(slots=True)
class Outcomes:
    """The cells, and the file (None: no file) that keeps what was asked."""

    path: Path | None = None
    cells: dict[str, Cell] = field(default_factory=dict)

    @classmethod
    def resumed(cls, path: Path | None) -> Outcomes:
        """With what an earlier run kept; a last line that was cut and lines without all that is kept are left out."""
        outcomes = cls(path)
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                if line.endswith("}") and "written" in (told := json.loads(line)):
                    outcomes._count(told)
        return outcomes

    def cell(self, role: Role, kind: Kind, surroundings: Surroundings, tokens: int) -> Cell:
        cell = Cell(role, kind, surroundings, tokens)
        return self.cells.setdefault(cell.key, cell)

    def add(self, cell: Cell, *, right: bool, nothing: bool, scope: int, written: int) -> None:
        told = {
            "role": cell.role,
            "kind": cell.kind,
            "surroundings": cell.surroundings,
            "tokens": cell.tokens,
            "right": right,
            "nothing": nothing,
            "scope": scope,
            "written": written,
        }
        self._count(told)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(told) + "\n")

    def _count(self, told: Mapping[str, object]) -> None:
        cell = self.cell(told["role"], told["kind"], told["surroundings"], told["tokens"])  # type: ignore[arg-type]
        cell.asked += 1
        cell.right += bool(told["right"])
        cell.said_nothing += bool(told["nothing"])
        cell.scope += int(told["scope"])  # type: ignore[call-overload]
        cell.written += int(told["written"])  # type: ignore[call-overload]


def interval(right: int, asked: int, error: float) -> tuple[float, float]:
    """The p that a confidence sequence with this error leaves: valid at all numbers of probes at once.

    Those p are left whose likelihood is at least ``error`` times the mean likelihood under Jeffreys' prior (Ville).
    """
    if asked == 0:
        return 0.0, 1.0
    wrong = asked - right
    mixture = (
        math.lgamma(right + 0.5) + math.lgamma(wrong + 0.5) - math.lgamma(asked + 1) - 2 * math.lgamma(0.5)
    ) + math.log(error)

    def left(p: float) -> bool:
        likelihood = (right * math.log(p) if right else 0.0) + (wrong * math.log(1 - p) if wrong else 0.0)
        return likelihood > mixture

    best = min(1 - 1e-9, max(1e-9, right / asked))
    return _edge(left, best, 1e-9), _edge(left, best, 1 - 1e-9)


def _edge(left: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where the interval ends on the way from ``inside`` to ``outside``, by bisection."""
    if left(outside):
        return float(round(outside))
    for _ in range(40):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if left(middle) else (inside, middle)
    return inside


def fitted(cells: Sequence[Cell], at: Sequence[int]) -> list[float]:
    """P at these lengths by the likeliest curve ``best / (1 + (tokens / half) ** steep)`` through the cells.

    It is flat, then falls: gently as attention thins out, or as a cliff where training ended. All cells help each.
    """
    import numpy as np

    known = [cell for cell in cells if cell.asked]
    tokens = np.array([cell.tokens for cell in known], dtype=float)
    right = np.array([cell.right for cell in known], dtype=float)
    wrong = np.array([cell.asked for cell in known], dtype=float) - right
    halves = np.geomspace(tokens.min() / 4, tokens.max() * 16, 48)
    shapes = 1 / (1 + (tokens / halves[:, None, None]) ** np.array(STEEP)[:, None])
    bests = np.linspace(0.01, 0.99, 50)
    p = bests[:, None, None, None] * shapes
    likelihood = (right * np.log(p) + wrong * np.log1p(-p)).sum(axis=-1)
    best, half, steep = np.unravel_index(int(likelihood.argmax()), likelihood.shape)
    return [float(bests[best] / (1 + (length / halves[half]) ** STEEP[steep])) for length in at]


def falling(points: Sequence[tuple[int, float, float]]) -> Curve:
    """(tokens, p, weight) made not rising with tokens, by pooling neighbours that violate it."""
    blocks: list[tuple[float, float, list[int]]] = []
    for tokens, p, weight in sorted(points):
        value, mass, at = p, weight, [tokens]
        while blocks and blocks[-1][0] < value:
            before, more, earlier = blocks.pop()
            value, mass, at = (before * more + value * mass) / (more + mass), more + mass, earlier + at
        blocks.append((value, mass, at))
    return tuple((tokens, value) for value, _, at in blocks for tokens in at)
