"""The curves and the Profile that outcomes of probes give.

A curve is the mean of each cell and of a smooth curve through all cells of a kind, which counts as ``PRIOR`` probes,
made falling (isotonic regression), as use falls with length.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, get_args

from lcrag.calibrate.outcomes import Cell, Outcomes, falling_curve, fit_use
from lcrag.planning.profile import builtin_profile
from lcrag.planning.use import at as value_at
from lcrag.text.prompts import answer_tokens
from lcrag.types import Backend, Curve, Kind, Profile, Role, Surroundings

PRIOR: Final = 32.0
"""Probes that the smooth curve counts as; against 8 to 32 of a cell's own, those count for a fifth to a half."""
RETENTION_KINDS: Final[tuple[tuple[Role, Kind], ...]] = (
    ("note", "fact"),
    ("quote", "fact"),
    ("summarise", "fact"),
    ("summarise", "whole"),
    ("synthesise", "fact"),
)
"""What each role is asked. One fact is lost or not, whereas a list may be kept in part."""


def use_curve(outcomes: Outcomes, role: Role, kind: Kind, surroundings: Surroundings, window: int) -> Curve:
    """The falling curve through the cells that were asked; beyond them, the smooth one. () if none was asked."""
    cells = {
        cell.tokens: cell
        for cell in outcomes.cells.values()
        if (cell.role, cell.kind, cell.surroundings) == (role, kind, surroundings) and cell.asked
    }
    if not cells:
        return ()
    at = sorted(cells)
    while at[-1] * 2 <= window:
        at.append(at[-1] * 2)
    points = []
    for tokens, smooth in zip(at, fit_use(list(cells.values()), at), strict=True):
        cell = cells.get(tokens) or Cell(role, kind, surroundings, tokens)
        weight = cell.asked + PRIOR
        points.append((tokens, (cell.right + PRIOR * smooth) / weight, weight))
    return falling_curve(points)


def profile_of(outcomes: Outcomes, backend: Backend) -> Profile:
    """The built-in Profile with the curves that these outcomes give. Its cost is the built-in one."""
    base = builtin_profile(backend.name, backend.model, backend.window)
    kinds: dict[str, dict[str, Curve]] = {}
    use: dict[str, Curve] = {}
    for place in get_args(Surroundings):
        for kind in get_args(Kind):
            if curve := use_curve(outcomes, "answer", kind, place, backend.window):
                kinds.setdefault(kind, {})[place] = curve
        use[place] = _mean([curves[place] for kind, curves in kinds.items() if kind != "absent" and place in curves])
    retention: dict[str, Curve] = {
        role: curve
        for role, kind in RETENTION_KINDS
        if kind == "fact" and (curve := use_curve(outcomes, role, kind, "consecutive", backend.window))
    }
    if whole := use_curve(outcomes, "summarise", "whole", "consecutive", backend.window):
        kinds["whole"] = {"consecutive": whole}
    answered = [cell for cell in outcomes.cells.values() if cell.role == "answer"]
    present = [cell for cell in answered if cell.kind != "absent"]
    absent = [cell for cell in answered if cell.kind == "absent"]
    return replace(
        base,
        use={place: use[place] or base.use[place] for place in use},
        kinds=kinds,
        scopes={kind: _scope(present, kind) for kind in ("list", "count") if kind in kinds},
        retention={**base.retention, **retention},
        false_found=1 - _not_found_share(absent) if absent else None,
        false_refused=_not_found_share(present) if present else None,
        output_ratio=_output_ratio(present) if present else base.output_ratio,
    )


def _mean(curves: Sequence[Curve]) -> Curve:
    """The mean of curves, at every length that any of them has."""
    at = sorted({tokens for curve in curves for tokens, _ in curve})
    return tuple((tokens, sum(value_at(curve, tokens) for curve in curves) / len(curves)) for tokens in at)


def _not_found_share(cells: Sequence[Cell]) -> float:
    """The share of probes answered NOT FOUND."""
    return sum(cell.said_nothing for cell in cells) / max(1, sum(cell.asked for cell in cells))


def _output_ratio(cells: Sequence[Cell]) -> float:
    """Tokens written for each token that workloads forecast."""
    forecast = sum(cell.asked * answer_tokens(cell.scope / cell.asked) for cell in cells if cell.asked)
    return sum(cell.written for cell in cells) / forecast


def _scope(cells: Iterable[Cell], kind: Kind) -> int:
    """The mean tokens of evidence of this kind."""
    of_kind = [cell for cell in cells if cell.kind == kind]
    return round(sum(cell.scope for cell in of_kind) / max(1, sum(cell.asked for cell in of_kind)))
