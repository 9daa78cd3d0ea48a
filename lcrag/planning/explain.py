"""Why a route was chosen, and what would have changed the choice: in words, from the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from lcrag.errors import NoRoute
from lcrag.planning.router import choose, is_within
from lcrag.types import Forecast, Policy, Prefer

MOST_COUNTERFACTUALS: Final = 3
SAME: Final = 0.005
"""P(correct) is shown with two digits: what differs by less looks the same."""
WORTH_SAYING: Final = 1.1
"""Times as many tokens from which the factor is worth saying."""


def label(option: Forecast) -> str:
    """A route as a person writes it: "chunk_rag (tokens 2000)"."""
    options = ", ".join(f"{name} {value}" for name, value in option.options.items())
    return f"{option.pipeline} ({options})" if options else option.pipeline


def reason(best: Forecast, forecasts: Sequence[Forecast], policy: Policy) -> str:
    """Why this route: its P(correct) and tokens, and the cheapest one that would be better."""
    if policy.pipeline is not None:
        return f"{label(best)}: asked for by name; P(correct) about {best.quality:.2f}"
    better = [option for option in forecasts if option.fits and option.quality > best.quality + SAME]
    text = f"{label(best)}: P(correct) about {best.quality:.2f} for {best.input_tokens:,} tokens"
    if not better:
        return f"{text}, the best of all that fit"
    next_best = min(better, key=lambda option: option.input_tokens)
    times = next_best.input_tokens / max(1, best.input_tokens)
    return (
        f"{text}; {label(next_best)} would reach {next_best.quality:.2f} for {next_best.input_tokens:,}"
        + (f", {times:.1f} times as many" if times >= WORTH_SAYING else "")
        + ("" if is_within(next_best, policy) else ", beyond the limits set")
    )


def counterfactuals(best: Forecast, forecasts: Sequence[Forecast], policy: Policy, window: int) -> Iterator[str]:
    """What would have changed the choice, found by choosing again with one input changed."""
    if policy.pipeline is not None:
        policy = replace(policy, pipeline=None)
    seen = {label(best)}
    for condition, again in _changes(best, forecasts, policy, window):
        try:
            other = label(again())
        except NoRoute:
            continue
        if other not in seen:
            seen.add(other)
            yield f"{other} {condition}"
        if len(seen) > MOST_COUNTERFACTUALS:
            return


def _changes(
    best: Forecast, forecasts: Sequence[Forecast], policy: Policy, window: int
) -> Iterator[tuple[str, Callable[[], Forecast]]]:
    def under(other: Policy, wide: int = window) -> Callable[[], Forecast]:
        return lambda: choose(forecasts, other, wide)

    if policy.max_tokens is not None:
        yield "without the limit on tokens", under(replace(policy, max_tokens=None))
    if policy.max_seconds is not None:
        yield "without the limit on seconds", under(replace(policy, max_seconds=None))
    if policy.min_quality is not None:
        yield "without the floor on P(correct)", under(replace(policy, min_quality=None))
    prefers: tuple[Prefer, ...] = ("quality", "balanced", "speed")
    for prefer in prefers:
        if prefer != policy.prefer:
            yield f"with --prefer {prefer}", under(replace(policy, prefer=prefer))
    faster = sorted({option.seconds for option in forecasts if option.seconds < best.seconds}, reverse=True)
    if faster:
        seconds = float(f"{best.seconds:.2g}")  # as it is shown, or a fifth less where that is no tighter
        limit = seconds if seconds < best.seconds else float(f"{0.8 * best.seconds:.2g}")
        yield f"under {limit:g} s", under(replace(policy, max_seconds=limit))
    for wider in sorted({option.longest_prompt for option in forecasts if option.longest_prompt > window}):
        yield f"if the window were {wider:,} tokens", under(policy, wider)
