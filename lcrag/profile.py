"""What is assumed of a backend until it has been measured: cautious numbers, marked as such."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from lcrag.types import CostModel, Profile, Surroundings

_SHARES: Final = ((1 / 64, 0.95), (1 / 16, 0.92), (1 / 8, 0.88), (1 / 4, 0.8), (1 / 2, 0.68), (1.0, 0.5))
"""P(the evidence is used) by the share of the published window that is read. Effective windows are a fraction of the
published ones: at half of it most models of RULER (Hsieh et al. 2024, table 3) and NoLiMa (Modarressi et al. 2025,
table 3) have lost a fifth to a half of what they know at 4k."""

_DISTRACTED: Final = 0.95
"""Passages that rank high are the worst distractors, so the same number of tokens is used less well."""

_SERVER_COST: Final = CostModel(a=0.05, b=1.5e-5, c=3.6e-10, d=1 / 105, parallel=3.0)
"""One H100 with a model of 7B: 4k tokens in 0.11 s, 128k in 8.2 s, 105 tokens/s out, 32 prompts of 4k in 4.8 s."""

_EMBEDDED_USE: Final[dict[str, tuple[tuple[int, float], ...]]] = {
    "retrieved": ((500, 0.72), (1000, 0.7), (2000, 0.68), (4000, 0.66), (16000, 0.6), (100_000, 0.5), (4_000_000, 0.4)),
    "consecutive": (
        (500, 0.72),
        (1000, 0.7),
        (2000, 0.67),
        (4000, 0.64),
        (16000, 0.57),
        (100_000, 0.46),
        (4_000_000, 0.3),
    ),
}
_EMBEDDED_COST: Final = CostModel(a=0.1, b=1.5e-5, c=0.0, d=0.0)


def builtin_profile(backend: str, model: str, window: int) -> Profile:
    """The Profile of a backend that nobody has calibrated."""
    if backend == "embedded":
        return Profile("built-in (embedded)", backend, model, window, _EMBEDDED_USE, _EMBEDDED_COST)
    consecutive = tuple((max(1, round(share * window)), p) for share, p in _SHARES)
    retrieved = tuple((k, p * _DISTRACTED) for k, p in consecutive)
    use = {"consecutive": consecutive, "retrieved": retrieved}
    return Profile("built-in (a typical 7B model)", backend, model, window, use, _SERVER_COST)


def used(profile: Profile, surroundings: Surroundings, tokens: float) -> float:
    """P(the model uses the evidence | it reads this many tokens), linear between the points, flat outside them."""
    points = profile.use[surroundings]
    place = bisect_right(points, tokens, key=lambda point: point[0])
    if place == 0:
        return points[0][1]
    if place == len(points):
        return points[-1][1]
    (low, p), (high, q) = points[place - 1], points[place]
    return p + (q - p) * (tokens - low) / (high - low)
