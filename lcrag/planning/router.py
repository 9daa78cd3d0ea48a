"""Forecasts and a policy to a plan. Pure: no clock, no files, no model; the same numbers give the same plan.

    utility = P(correct) - price × log2(1 + input tokens / 500)

so the price is what one doubling of the reading must add to P(correct): 0.1 points under "quality", 2 under "balanced",
6 under "speed". Doublings, because a route is worth its cost in proportion: from 1k to 2k tokens is felt as much as
from 50k to 100k. Budgets are hard limits. What does not fit the window is never chosen; of equals, the cheaper is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from lcrag.errors import DoesNotFit, NoRoute, OverBudget
from lcrag.planning.forecast import failed, remaining, route_key
from lcrag.types import Answer, Estimate, Forecast, Plan, Policy, Prefer, Profile, Usage

PRICE: Final[Mapping[Prefer, float]] = {"quality": 0.001, "balanced": 0.02, "speed": 0.06}
UNIT: Final = 500


def utility(option: Forecast, prefer: Prefer) -> float:
    return option.quality - PRICE[prefer] * math.log2(1 + option.input_tokens / UNIT)


def route(
    question: str,
    forecasts: Sequence[Forecast],
    estimate: Estimate,
    profile: Profile,
    policy: Policy,
    tokenizer: str = "",
) -> Plan:
    """The plan of the route with the highest utility within the policy.

    Raises DoesNotFit when no prompt fits the window, OverBudget when the budgets leave nothing; both say by how much.
    """
    from lcrag.planning.explain import counterfactuals, reason

    best = choose(forecasts, policy, profile.window)
    return Plan(
        question=question,
        pipeline=best.pipeline,
        options=best.options,
        reason=reason(best, forecasts, policy),
        counterfactuals=tuple(counterfactuals(best, forecasts, policy, profile.window)),
        estimate=estimate,
        forecasts=tuple(forecasts),
        profile=profile,
        tokenizer=tokenizer,
    )


def choose(forecasts: Sequence[Forecast], policy: Policy, window: int) -> Forecast:
    """The forecast with the highest utility within the policy and the window. Raises as ``route`` does."""
    named = [option for option in forecasts if policy.pipeline in (None, option.pipeline)]
    if not named:
        raise NoRoute(
            f"{policy.pipeline} has nothing to offer here: the documents are shorter than its smallest budget"
        )
    fit = [option for option in named if option.longest_prompt <= window]
    if not fit:
        shortest = min(named, key=lambda option: option.longest_prompt)
        raise DoesNotFit(
            f"{shortest.pipeline} needs a prompt of {shortest.longest_prompt:,} tokens, "
            f"{shortest.longest_prompt - window:,} more than the window ({window:,})",
            tokens=shortest.longest_prompt,
            window=window,
            hint="leave --pipeline to the router" if policy.pipeline else "use a model with a longer window",
        )
    within = [option for option in fit if is_within(option, policy)]
    if not within:
        raise OverBudget(_shortfall(fit, policy), hint="raise the limit, or leave it out")
    return max(within, key=lambda option: _rank(option, policy.prefer))


def _rank(option: Forecast, prefer: Prefer) -> tuple[float, int, float]:
    """By utility; of equals the cheaper, then the faster."""
    return utility(option, prefer), -option.input_tokens, -option.seconds


def further(
    forecasts: Sequence[Forecast],
    tried: Sequence[Forecast],
    used: Usage,
    estimate: Estimate,
    policy: Policy,
    made_up: float = 0.0,
) -> Forecast | None:
    """The route to take after those in ``tried`` found nothing supported; None when none is worth its price any more.

    ``used``: what they cost. A route that would read no more than they did, or exceeds what is left of the budgets, is
    left out. Of P(correct) counts what remains given that they failed (``remaining``), less what another try may spoil:
    "not here" is right where nothing is, and ``made_up`` is P(an answer is made up then).
    """
    done = {route_key(option.pipeline, option.options) for option in tried}
    rest = replace(
        policy,
        pipeline=None,
        min_quality=None,
        max_tokens=None if policy.max_tokens is None else policy.max_tokens - used.input_tokens,
        max_seconds=None if policy.max_seconds is None else policy.max_seconds - used.seconds,
    )
    before = max(tried, key=lambda option: option.quality)
    spoiled = made_up * (1 - estimate.answerable) / failed(before.quality, estimate.answerable)
    left = []
    for option in forecasts:
        is_new = route_key(option.pipeline, option.options) not in done and option.input_tokens > used.input_tokens
        if option.fits and option.calls and is_new:
            tried_one, this = (before.quality, before.evidence), (option.quality, option.evidence)
            right = remaining(tried_one, this, estimate.answerable)
            left.append((replace(option, quality=right - spoiled), option))
    worth = [pair for pair in left if is_within(pair[0], rest) and utility(pair[0], policy.prefer) > 0]
    return max(worth, key=lambda pair: _rank(pair[0], policy.prefer))[1] if worth else None


def as_it_went(option: Forecast, answer: Answer) -> Forecast:
    """The forecast of a route that was run, with P(the evidence is in what it read) instead of what it was to read."""
    read = option.evidence if answer.coverage is None else min(option.evidence, answer.coverage)
    return replace(option, evidence=read, quality=option.quality * read / max(1e-9, option.evidence))


def is_within(option: Forecast, policy: Policy) -> bool:
    """Whether a route keeps the limits of the policy."""
    return (
        (policy.max_tokens is None or option.most_tokens <= policy.max_tokens)
        and (policy.max_seconds is None or option.seconds <= policy.max_seconds)
        and (policy.min_quality is None or option.quality >= policy.min_quality)
    )


def _shortfall(fit: Sequence[Forecast], policy: Policy) -> str:
    """Each limit that alone leaves nothing, with how far the nearest route misses it."""
    misses = []
    fewest = min(fit, key=lambda option: option.most_tokens)
    if policy.max_tokens is not None and fewest.most_tokens > policy.max_tokens:
        over = fewest.most_tokens - policy.max_tokens
        misses.append(
            f"the cheapest route ({fewest.pipeline}) needs {fewest.most_tokens:,} tokens, {over:,} more than the "
            f"limit of {policy.max_tokens:,}"
        )
    fastest = min(fit, key=lambda option: option.seconds)
    if policy.max_seconds is not None and fastest.seconds > policy.max_seconds:
        misses.append(
            f"the fastest route ({fastest.pipeline}) takes about {fastest.seconds:.2g} s, "
            f"{fastest.seconds - policy.max_seconds:.2g} s more than the limit of {policy.max_seconds:g} s"
        )
    best = max(fit, key=lambda option: option.quality)
    if policy.min_quality is not None and best.quality < policy.min_quality:
        misses.append(
            f"the best route ({best.pipeline}) has P(correct) {best.quality:.2f}, "
            f"{policy.min_quality - best.quality:.2f} less than the {policy.min_quality:.2f} asked for"
        )
    return "; ".join(misses) or "no route keeps all the limits at once, though each alone can be kept"
