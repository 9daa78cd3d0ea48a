"""How well a backend uses what it reads: the curves of its profile, read at a length and for a kind of question."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

from lcrag.types import Curve, Estimate, Kind, Profile, Role, Surroundings

EFFECTIVE_SHARE: Final = 0.85
"""A length is within the effective window while use is at least this share of its best (RULER's own yardstick)."""
MOST_SPREAD: Final = 2.0
"""A list is not extrapolated beyond twice, or under half, the evidence that was measured. Not measured itself."""


def at(curve: Curve, tokens: float) -> float:
    """The curve's value at ``tokens``, linear between the points, flat outside them."""
    place = bisect_right(curve, tokens, key=lambda point: point[0])
    if place == 0:
        return curve[0][1]
    if place == len(curve):
        return curve[-1][1]
    (low, p), (high, q) = curve[place - 1], curve[place]
    return p + (q - p) * (tokens - low) / (high - low)


def used(
    profile: Profile,
    surroundings: Surroundings,
    tokens: float,
    kinds: Mapping[Kind, float] | None = None,
    scope: float | None = None,
) -> float:
    """P(the model uses the evidence | it reads this many tokens), for a question of these kinds and scope.

    Kinds that were not measured are left out; where none was, the curve over all questions counts. A list or a count
    is right when every item is used: with twice the evidence of the questions measured, the probability squared.
    """
    found = {
        kind: weight
        for kind, weight in (kinds or {}).items()
        if weight > 0 and surroundings in profile.kinds.get(kind, {})
    }
    if not found:
        return at(profile.use[surroundings], tokens)
    total = 0.0
    for kind, weight in found.items():
        total += weight * math.pow(at(profile.kinds[kind][surroundings], tokens), _spread_power(profile, kind, scope))
    return total / sum(found.values())


def _spread_power(profile: Profile, kind: Kind, scope: float | None) -> float:
    """How many times as much evidence as in the questions measured, within bounds."""
    if scope is None or kind not in ("list", "count") or not profile.scopes.get(kind):
        return 1.0
    return min(MOST_SPREAD, max(1 / MOST_SPREAD, scope / profile.scopes[kind]))


def retained(profile: Profile, role: Role, tokens: float) -> float:
    """P(the evidence is in what ``role`` writes | it reads this many tokens)."""
    return at(profile.retention.get(role) or profile.use["consecutive"], tokens)


def invents(profile: Profile) -> float:
    """P(an answer is made up | nothing is there), of a model that has just been asked; 0 where nobody knows."""
    absent = profile.kinds.get("absent", {}).get("consecutive")
    return 1 - absent[-1][1] if absent else profile.false_found or 0.0


def shifted(profile: Profile, surroundings: Surroundings, estimate: Estimate) -> float:
    """What outcomes have taught to add to P(correct) for a question with these features."""
    learned = profile.shift.get(surroundings, {})
    return sum(weight * estimate.features.get(name, 1.0 if name == "bias" else 0.0) for name, weight in learned.items())


def effective_window(curve: Curve, share: float = EFFECTIVE_SHARE) -> int:
    """The longest measured length where the use is still ``share`` of its best, everything shorter included (MECW)."""
    floor = share * max(p for _, p in curve)
    longest = 0
    for tokens, p in curve:
        if p < floor and longest:
            break
        if p >= floor:
            longest = tokens
    return longest
