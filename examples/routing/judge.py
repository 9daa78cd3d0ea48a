"""What the router would have been worth on questions whose every route is known (``measure.py``), by replay.

    python examples/routing/judge.py FILE.jsonl... [--profile PROFILE.json] [--fit] [--sweep] [--save PROFILE.json]

The forecasts are made again from what was estimated then, with the profile in PROFILE.json, the built-in one of the
backend, or (``--fit``) one fitted on the answers to the other sources: each source gets a profile that has not seen it.
``choose`` takes a route; where its answer was unsupported, ``further`` takes another, as in ``lcrag ask``. They are
compared with every constant route, a random one, and the oracle.

P(correct) is judged by the mean distance of forecast and value in ten bins of equal size (ECE), over the answers that
the router took and over all. ``--sweep`` prints what other prices would have given. ``--save`` writes the profile
fitted on all sources.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from fitting import fit

from lcrag.comparison.significance import bootstrap
from lcrag.pipelines import every_pipeline
from lcrag.planning import router
from lcrag.planning.forecast import forecast
from lcrag.planning.profile import builtin_profile, from_object, on_real_questions, to_object
from lcrag.planning.router import choose, further
from lcrag.planning.use import invents
from lcrag.types import CorpusSize, Estimate, Forecast, Policy, Prefer, Profile, Usage

BINS = 10
PREFERS: tuple[Prefer, ...] = ("quality", "balanced", "speed")
PRICES = (0.0, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.1)


@dataclass(frozen=True)
class Asked:
    """One question, with every route's answer."""

    line: Mapping[str, Any]

    @property
    def source(self) -> str:
        return str(self.line["set"])

    @cached_property
    def routes(self) -> list[Mapping[str, Any]]:
        return [route for route in self.line["routes"] if "error" not in route]

    @cached_property
    def estimate(self) -> Estimate:
        stored = dict(self.line["estimate"])
        return Estimate(**{**stored, "coverage": tuple((k, p) for k, p in stored["coverage"])})

    def forecasts(self, profile: Profile) -> tuple[Forecast, ...]:
        kinds = every_pipeline()
        pipelines = [kinds[route["pipeline"]](**route["options"]) for route in self.routes]
        size = CorpusSize(**self.line["size"])
        return forecast(pipelines, self.estimate, size, profile, self.line["marks"])


@dataclass(frozen=True)
class Outcome:
    """What a choice gave. ``promised``: P(correct) of the route that was chosen first."""

    source: str
    value: float
    tokens: float
    promised: float
    route: str


def name_of(route: Mapping[str, Any]) -> str:
    return " ".join([route["pipeline"], *(str(value) for value in route["options"].values())])


def routed(asked: Asked, profile: Profile, policy: Policy) -> Outcome:
    """The router's answer and what it cost, with the routes that would have followed an unsupported answer."""
    forecasts = asked.forecasts(profile)
    first = choose(forecasts, policy, profile.window)
    place = forecasts.index(first)
    answer, tried, tokens = asked.routes[place], [first], asked.routes[place]["input_tokens"]
    while answer["unsupported"]:
        made_up = invents(profile) if answer["status"] != "answered" else 0.0
        used = Usage(input_tokens=tokens)
        option = further(forecasts, tried, used, asked.estimate, policy, made_up)
        if option is None:
            break
        tried.append(option)
        again = asked.routes[forecasts.index(option)]
        tokens += again["input_tokens"]
        if not (again["unsupported"] and answer["status"] == "answered"):
            answer = again
    return Outcome(asked.source, answer["value"], tokens, first.quality, name_of(asked.routes[place]))


def ece(pairs: Sequence[tuple[float, float]]) -> float:
    """Mean distance of forecast and value in BINS of equal size, by forecast."""
    ordered = np.array(sorted(pairs))
    return float(
        sum(
            len(part) * abs(part[:, 0].mean() - part[:, 1].mean())
            for part in np.array_split(ordered, min(BINS, len(ordered)))
        )
        / len(ordered)
    )


def constants(listed: Sequence[Asked]) -> dict[str, list[Outcome]]:
    """By name, each route as if it were always taken; where it was not offered, reading everything is the same."""
    names = dict.fromkeys(name_of(route) for asked in listed for route in asked.routes)
    table: dict[str, list[Outcome]] = {}
    for name in names:
        table[name] = []
        for asked in listed:
            by_name = {name_of(route): route for route in asked.routes}
            route = by_name.get(name) or by_name["full_context"]
            table[name].append(Outcome(asked.source, route["value"], route["input_tokens"], 0.0, name))
    return table


def row(name: str, outcomes: Iterable[Outcome], sources: Sequence[str]) -> str:
    listed = list(outcomes)
    own = [fmean(one.value for one in listed if one.source == source) for source in sources]
    tokens = fmean(one.tokens for one in listed)
    cells = "".join(f"{value:>9.3f}" for value in own)
    return f"{name:36}{fmean(one.value for one in listed):>7.3f}{tokens:>9,.0f}{cells}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.jsonl")
    parser.add_argument("--profile", type=Path, metavar="PROFILE.json")
    parser.add_argument("--as-measured", action="store_true", help="with --profile: not bounded by real questions")
    parser.add_argument("--fit", action="store_true", help="fit a profile on the other sources")
    parser.add_argument("--backend", choices=("embedded", "server"), default="embedded")
    parser.add_argument("--model", default="", help="the name of a server's model, from which its size is taken")
    parser.add_argument("--window", type=int, default=8192, help="of a server's model")
    parser.add_argument("--sweep", action="store_true", help="the router at other prices")
    parser.add_argument("--save", type=Path, metavar="PROFILE.json")
    options = parser.parse_args()
    lines = [json.loads(text) for path in options.files for text in path.read_text(encoding="utf-8").splitlines()]
    listed = [Asked(line) for line in lines]
    sources = sorted({asked.source for asked in listed})
    window = 4_000_000 if options.backend == "embedded" else options.window
    base = builtin_profile(options.backend, options.model, window)
    if options.profile:
        measured = from_object(json.loads(options.profile.read_text(encoding="utf-8")))
        base = measured if options.as_measured else on_real_questions(measured)
    profiles = dict.fromkeys(sources, base)
    if options.fit:
        profiles = {source: fit(base, [one for one in listed if one.source != source]) for source in sources}

    print(f"{len(listed)} questions: " + ", ".join(f"{s} {sum(a.source == s for a in listed)}" for s in sources))
    print(f"{'':36}{'value':>7}{'tokens':>9}" + "".join(f"{source[:8]:>9}" for source in sources))
    fixed = constants(listed)
    for name, outcomes in sorted(fixed.items(), key=lambda item: -fmean(one.value for one in item[1])):
        print(row(name, outcomes, sources))
    best = max(fixed.values(), key=lambda outcomes: fmean(one.value for one in outcomes))
    for prefer in PREFERS:
        taken = [routed(asked, profiles[asked.source], Policy(prefer)) for asked in listed]
        print(row(f"router, {prefer}", taken, sources))
        gap = np.array([one.value - other.value for one, other in zip(taken, best, strict=True)])
        low, high = bootstrap(gap, seed=0)
        error = ece([(one.promised, one.value) for one in taken])
        promised, value = fmean(one.promised for one in taken), fmean(one.value for one in taken)
        print(
            f"    against {best[0].route}: {gap.mean():+.3f} ({low:+.3f} to {high:+.3f}); P(correct) "
            f"{promised:.3f} for {value:.3f}, ECE {error:.3f}; "
            + ", ".join(f"{n} {sum(one.route == n for one in taken)}" for n in sorted({one.route for one in taken}))
        )
    print(row("random", (o for outcomes in fixed.values() for o in outcomes), sources))
    oracle = [max(column, key=lambda one: (one.value, -one.tokens)) for column in zip(*fixed.values(), strict=True)]
    print(row("oracle", oracle, sources))
    pairs = [
        (option.quality, route["value"])
        for asked in listed
        for option, route in zip(asked.forecasts(profiles[asked.source]), asked.routes, strict=True)
    ]
    print(f"ECE of P(correct) over all {len(pairs)} answers: {ece(pairs):.3f}")
    if options.sweep:
        for price in PRICES:
            router.PRICE = {**router.PRICE, "balanced": price}  # type: ignore[misc]
            print(row(f"price {price}", [routed(a, profiles[a.source], Policy()) for a in listed], sources))
    if options.save:
        fitted = replace(fit(base, listed), name=f"fitted on {len(listed)} questions")
        options.save.write_text(json.dumps(to_object(fitted), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
