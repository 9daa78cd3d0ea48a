"""What calibrate measured, to look at: curves and cost as text for a terminal, and as an SVG file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Final

from lcrag.calibrate.calibrate import SHARE
from lcrag.planning.use import at, effective_window
from lcrag.report.text import printable
from lcrag.types import CostModel, Curve, Profile

BARS: Final = " ▁▂▃▄▅▆▇█"
COLOURS: Final = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b9770e", "#555555")
WIDTH, HEIGHT, LEFT, TOP, GAP = 420, 260, 56, 40, 90


def profile_report(profile: Profile) -> str:
    """Use by kind, surroundings and length, effective windows, rates, hand-overs, and cost at some lengths."""
    lines = [f"profile: {profile.name}, {'' if profile.measured else 'not '}measured"]
    facts = (profile.backend, f"window {profile.window:,}", profile.dtype, profile.device)
    lines += [", ".join(fact for fact in facts if fact), ""]
    for surroundings, title in (("consecutive", "consecutive text"), ("retrieved", "best-ranked passages")):
        curves = {kind: curves[surroundings] for kind, curves in profile.kinds.items() if surroundings in curves}
        lines += _table(title, curves or {"any kind": profile.use[surroundings]}, profile.window)
    if profile.retention:
        short = "  ".join(f"{role} {curve[0][1]:.2f} at {curve[0][0]:,}" for role, curve in profile.retention.items())
        lines.append(f"retained when handed on: {short}")
    if profile.false_found is not None and profile.false_refused is not None:
        lines.append(f"made up where nothing is: {profile.false_found:.0%}")
        lines.append(f"refused where it was read: {profile.false_refused:.0%}")
    if profile.measured:
        lines.append(f"tokens written for one reckoned with: {profile.output_ratio:.2f}")
    return printable("\n".join([*lines, "", *_cost(profile.cost, profile.window)]) + "\n")


def _table(title: str, curves: Mapping[str, Curve], window: int) -> list[str]:
    """A row a kind: a bar and a number for each length, then the effective window."""
    where = sorted({tokens for curve in curves.values() for tokens, _ in curve if tokens <= window})
    lines = [f"{title:21}" + "".join(f"{_short(tokens):>7}" for tokens in where) + "  effective window"]
    for kind, curve in curves.items():
        cells = "".join(f"  {BARS[round(8 * at(curve, tokens))]}{_percent(at(curve, tokens)):>4}" for tokens in where)
        lines.append(f"{kind:21}{cells}  {effective_window(curve, SHARE):,}")
    return [*lines, ""]


def _percent(p: float) -> str:
    return f"{p:.2f}".removeprefix("0") if p < 0.995 else "1.0"


def _short(tokens: int) -> str:
    return (
        f"{tokens:,}" if tokens < 1000 else f"{tokens / 1024:.0f}k" if tokens % 1024 == 0 else f"{tokens / 1000:.0f}k"
    )


def _cost(cost: CostModel, window: int) -> list[str]:
    read = (
        f"seconds = {cost.per_batch:.3g} + {cost.per_token:.3g} n + {cost.per_pair:.3g} n (n + m), "
        f"n new tokens after m cached; {cost.per_step:.3g} a token written"
    )
    fit = [] if cost.error is None else [f"median error of the fit: {cost.error:.1%}"]
    lengths = [tokens for tokens in (512, 4096, 32768, 131072) if tokens <= window]
    shown = [
        f"{_short(tokens)}: {cost.seconds(tokens):.2g} s, warm {cost.seconds(16, tokens):.2g} s" for tokens in lengths
    ]
    return [read, *fit, *shown]


def profile_svg(profile: Profile) -> str:
    """The use curves in both surroundings and the seconds to read a prompt, cold and warm, side by side."""
    panels = []
    for number, surroundings in enumerate(("consecutive", "retrieved")):
        curves = {kind: curves[surroundings] for kind, curves in profile.kinds.items() if surroundings in curves}
        panels.append(_panel(number, f"use, {surroundings}", curves or {"any kind": profile.use[surroundings]}, 1.0))
    lengths = [2**power for power in range(9, 24) if 2**power <= profile.window]
    cold = tuple((tokens, profile.cost.seconds(tokens)) for tokens in lengths)
    warm = tuple((tokens, profile.cost.seconds(16, tokens)) for tokens in lengths)
    if lengths:
        panels.append(_panel(2, "seconds to read", {"cold": cold, "warm": warm}, max(1e-9, *(p for _, p in cold))))
    width = LEFT + 3 * (WIDTH + GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT + 2 * TOP}" '
        f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
        f'<text x="{LEFT}" y="18" font-size="14">{escape(profile.name)}</text>\n{"".join(panels)}</svg>\n'
    )


def _panel(number: int, title: str, curves: Mapping[str, Curve], highest: float) -> str:
    """Lines over the logarithm of the tokens read."""
    left = LEFT + number * (WIDTH + GAP)
    where = sorted({tokens for curve in curves.values() for tokens, _ in curve})
    low, high = math.log2(where[0]), max(math.log2(where[-1]), math.log2(where[0]) + 1)

    def x(tokens: float) -> float:
        return left + WIDTH * (math.log2(tokens) - low) / (high - low)

    def y(p: float) -> float:
        return TOP + HEIGHT * (1 - p / highest)

    parts = [f'<text x="{left}" y="{TOP - 6}">{escape(title)}</text>\n']
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(
            f'<line x1="{left}" x2="{left + WIDTH}" y1="{y(share * highest):.1f}" y2="{y(share * highest):.1f}" '
            f'stroke="#ddd"/>\n<text x="{left - 6}" y="{y(share * highest) + 4:.1f}" text-anchor="end">'
            f"{share * highest:.2g}</text>\n"
        )
    for tokens in where[:: max(1, len(where) // 6)]:
        parts.append(
            f'<text x="{x(tokens):.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{_short(tokens)}</text>\n'
        )
    for place, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(f"{x(tokens):.1f},{y(p):.1f}" for tokens, p in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>\n')
        parts.append(_label(left, place, name, colour))
    return "".join(parts)


def _label(left: float, place: int, name: str, colour: str) -> str:
    return f'<text x="{left + 8}" y="{TOP + HEIGHT - 8 - 15 * place}" fill="{colour}">{escape(name)}</text>\n'
