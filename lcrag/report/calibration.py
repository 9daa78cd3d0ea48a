"""What ``lcrag calibrate`` measured: curves and cost as text for a terminal, and as an SVG file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lcrag.planning.use import at, effective_window
from lcrag.report.terminal import printable
from lcrag.types import CostModel, Curve, Profile, Surroundings

BARS: Final = " ▁▂▃▄▅▆▇█"
SURROUNDINGS: Final[Mapping[Surroundings, str]] = {
    "consecutive": "consecutive text",
    "retrieved": "best-ranked passages",
}
COLOURS: Final = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b9770e", "#555555")


def profile_report(profile: Profile) -> str:
    """Use by kind of question, surroundings and length; effective windows, error rates, retention, and cost."""
    lines = [f"profile: {profile.name}, {'' if profile.measured else 'not '}measured"]
    facts = (profile.backend, f"window {profile.window:,}", profile.dtype, profile.device)
    lines += [", ".join(fact for fact in facts if fact), ""]
    for surroundings, title in SURROUNDINGS.items():
        lines += _table(title, _curves(profile, surroundings), profile.window)
    if profile.retention:
        short = "  ".join(f"{role} {curve[0][1]:.2f} at {curve[0][0]:,}" for role, curve in profile.retention.items())
        lines.append(f"retained when handed on: {short}")
    if whole := profile.kinds.get("whole"):
        tokens, share = whole["consecutive"][0]
        lines.append(f"said of what a summary should say: {share:.2f} at {tokens:,}")
    if profile.false_found is not None and profile.false_refused is not None:
        lines.append(f"made up an answer that was not there: {profile.false_found:.0%}")
        lines.append(f"missed an answer that was read: {profile.false_refused:.0%}")
    if profile.measured:
        lines.append(f"tokens written per token forecast: {profile.output_ratio:.2f}")
    return printable("\n".join([*lines, "", *_cost(profile.cost, profile.window)]) + "\n")


def _curves(profile: Profile, surroundings: Surroundings) -> Mapping[str, Curve]:
    """Of use, by kind of question where that was measured."""
    curves = {
        kind: curves[surroundings]
        for kind, curves in profile.kinds.items()
        if kind != "whole" and surroundings in curves
    }
    return curves or {"any kind": profile.use[surroundings]}


def _table(title: str, curves: Mapping[str, Curve], window: int) -> list[str]:
    """One row per kind: a bar and a number for each length, then the effective window."""
    lengths = sorted({tokens for curve in curves.values() for tokens, _ in curve if tokens <= window})
    lines = [f"{title:21}" + "".join(f"{_short(tokens):>7}" for tokens in lengths) + "  effective window"]
    for kind, curve in curves.items():
        cells = "".join(f"  {BARS[round(8 * at(curve, tokens))]}{_share(at(curve, tokens)):>4}" for tokens in lengths)
        lines.append(f"{kind:21}{cells}  {effective_window(curve):,}")
    return [*lines, ""]


def _share(p: float) -> str:
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
    from lcrag.report import charts
    from lcrag.report.templating import render

    panels = [
        charts.curves(_curves(profile, surroundings), score=f"use, {title}", highest=1.0, title=f"Use of {title}")
        for surroundings, title in SURROUNDINGS.items()
    ]
    lengths = [2**power for power in range(9, 24) if 2**power <= profile.window]
    if lengths:
        cold = [(tokens, profile.cost.seconds(tokens)) for tokens in lengths]
        warm = [(tokens, profile.cost.seconds(16, tokens)) for tokens in lengths]
        reading, highest = {"cold": cold, "warm": warm}, max(1e-9, *(seconds for _, seconds in cold))
        panels.append(charts.curves(reading, score="seconds", highest=highest, title="Seconds to read a prompt"))
    return render(
        "profile.svg",
        name=profile.name,
        panels=panels,
        colours=COLOURS,
        width=charts.WIDTH,
        height=charts.HEIGHT,
    )
