"""Outcomes of probes: stored in a file as they come, and what can be concluded without fixing their number beforehand.

``confidence_interval`` is a confidence sequence (Robbins 1970): it holds at all numbers of probes at once, so one may
look after every probe and stop as soon as the answer is clear, and the stated error still holds. A fixed-size test may
be looked at only once. scipy is imported late: it takes 0.4 s.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lcrag.types import Curve, Kind, Role, Surroundings

STEEP: Final = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 12.0)
"""Exponents of the smooth curve, from a gentle slope to a cliff."""
HALVES: Final = 48
"""Lengths tried for half use: a quarter octave apart when the cells span a factor of 64."""
BESTS: Final = 50
"""Values tried for use of short texts, 0.01 to 0.99: 0.02 apart, finer than 32 probes can tell."""
EDGE: Final = 1e-9
"""Probabilities stay this far from 0 and 1, where the logarithm ends."""


@dataclass(slots=True)
class Cell:
    """The outcomes of probes of one role, kind, surroundings and length (``tokens``): ``right`` ones of all ``asked``.

    ``said_nothing``: replies of NOT FOUND. ``scope``, ``written``: tokens of evidence and of replies, summed.
    """

    role: Role
    kind: Kind
    surroundings: Surroundings
    tokens: int
    right: float = 0
    asked: int = 0
    said_nothing: int = 0
    scope: int = 0
    written: int = 0

    @property
    def key(self) -> str:
        return f"{self.role} {self.kind} {self.surroundings} {self.tokens}"


@dataclass(slots=True)
class Outcomes:
    """The cells, and the file that stores every outcome (None: no file)."""

    path: Path | None = None
    cells: dict[str, Cell] = field(default_factory=dict)

    @classmethod
    def resumed(cls, path: Path | None) -> Outcomes:
        """With the outcomes of an earlier run. Incomplete lines, which a kill or an older version left, are ignored."""
        outcomes = cls(path)
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                if line.endswith("}") and "written" in (record := json.loads(line)):
                    outcomes._count(record)
        return outcomes

    def cell(self, role: Role, kind: Kind, surroundings: Surroundings, tokens: int) -> Cell:
        """The cell, added if it is not there."""
        cell = Cell(role, kind, surroundings, tokens)
        return self.cells.setdefault(cell.key, cell)

    def add(self, cell: Cell, *, right: float, nothing: bool, scope: int, written: int) -> None:
        """Count an outcome in its cell, and write it to the file."""
        record = {
            "role": cell.role,
            "kind": cell.kind,
            "surroundings": cell.surroundings,
            "tokens": cell.tokens,
            "right": right,
            "nothing": nothing,
            "scope": scope,
            "written": written,
        }
        self._count(record)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

    def _count(self, record: Mapping[str, Any]) -> None:
        cell = self.cell(record["role"], record["kind"], record["surroundings"], record["tokens"])
        cell.asked += 1
        cell.right += record["right"]
        cell.said_nothing += record["nothing"]
        cell.scope += record["scope"]
        cell.written += record["written"]


def confidence_interval(right: float, asked: int, error: float) -> tuple[float, float]:
    """The P(right) that a confidence sequence with this error leaves: valid at all numbers of probes at once.

    It leaves those whose likelihood is at least ``error`` times the mean likelihood under Jeffreys' prior (Ville 1939).
    """
    from scipy.optimize import brentq
    from scipy.special import betaln

    if asked == 0:
        return 0.0, 1.0
    wrong = asked - right
    threshold = float(math.log(error) + betaln(right + 0.5, wrong + 0.5) - betaln(0.5, 0.5))

    def excess(p: float) -> float:
        return right * math.log(p) + wrong * math.log1p(-p) - threshold

    likeliest = min(1 - EDGE, max(EDGE, right / asked))
    low = brentq(excess, EDGE, likeliest) if excess(EDGE) < 0 else 0.0
    high = brentq(excess, likeliest, 1 - EDGE) if excess(1 - EDGE) < 0 else 1.0
    return float(low), float(high)


def fit_use(cells: Sequence[Cell], at: Sequence[int]) -> list[float]:
    """P(right) at these lengths by the likeliest curve ``best / (1 + (tokens / half) ** steep)`` through the cells.

    It is flat, then falls: gently as attention thins out, or as a cliff where training ended. Every cell informs every
    length. A grid search, which needs no start value. ``cells``: at least one was asked.
    """
    import numpy as np

    known = [cell for cell in cells if cell.asked]
    tokens = np.array([cell.tokens for cell in known], dtype=float)
    right = np.array([cell.right for cell in known], dtype=float)
    wrong = np.array([cell.asked for cell in known], dtype=float) - right
    halves = np.geomspace(tokens.min() / 4, tokens.max() * 16, HALVES)
    shapes = 1 / (1 + (tokens / halves[:, None, None]) ** np.array(STEEP)[:, None])
    bests = np.linspace(0.01, 0.99, BESTS)
    p = bests[:, None, None, None] * shapes
    likelihood = (right * np.log(p) + wrong * np.log1p(-p)).sum(axis=-1)
    best, half, steep = np.unravel_index(int(likelihood.argmax()), likelihood.shape)
    return [float(bests[best] / (1 + (length / halves[half]) ** STEEP[steep])) for length in at]


def falling_curve(points: Sequence[tuple[int, float, float]]) -> Curve:
    """The closest curve that never rises with tokens, by weighted least squares, through (tokens, p, weight)."""
    from scipy.optimize import isotonic_regression

    if not points:
        return ()
    tokens, p, weights = zip(*sorted(points), strict=True)
    fitted = isotonic_regression(p, weights=weights, increasing=False).x
    return tuple(zip(tokens, map(float, fitted), strict=True))
