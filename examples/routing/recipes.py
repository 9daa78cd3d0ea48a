"""What recipes are worth beside their plain routes, from answers that ``measure.py --routes`` collected.

    python examples/routing/recipes.py FILE.jsonl... [--beside NAME]

A line for each route: its mean value by source and over all sources, the difference to its plain route on the same
questions (with the 95% interval of a bootstrap), tokens read and written, seconds, calls, and the median error of the
forecast's tokens. The plain route of ``chunk_rag:shots=3`` is ``chunk_rag``: the same without what is only given by
name, where it was asked too; else NAME, chunk_rag with 4,000 tokens where none is given.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from judge import Asked

from lcrag.comparison.significance import bootstrap
from lcrag.pipelines import every_pipeline
from lcrag.planning.forecast import route_key
from lcrag.planning.profile import builtin_profile

BESIDE = "chunk_rag:tokens=4000"


def plain_key(route: Mapping[str, Any]) -> str:
    """The key of a route without the options that are only given by name."""
    kind = every_pipeline()[route["pipeline"]]
    shown = {field.name for field in fields(kind) if not field.kw_only}  # type: ignore[arg-type]
    return route_key(kind.name, {name: value for name, value in route["options"].items() if name in shown})


def forecast_errors(listed: Sequence[Asked]) -> dict[str, list[float]]:
    """By route, how far the forecast's tokens were from those read and written, in parts of these."""
    errors: dict[str, list[float]] = {}
    for asked in listed:
        profile = builtin_profile("server", "SmolLM2-135M", 8192)
        for told, route in zip(asked.forecasts(profile), asked.routes, strict=True):
            actual = route["input_tokens"] + route["output_tokens"]
            if actual:
                told_tokens = told.input_tokens + told.output_tokens
                errors.setdefault(route["name"], []).append(abs(told_tokens - actual) / actual)
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.jsonl")
    parser.add_argument("--beside", default=BESIDE, help="the route beside those that have no plain one")
    options = parser.parse_args()
    listed = [Asked(json.loads(text)) for file in options.files for text in file.read_text("utf-8").splitlines()]
    sources = sorted({asked.source for asked in listed})
    by_name: dict[str, dict[str, Mapping[str, Any]]] = {}
    failed: dict[str, int] = {}
    for asked in listed:
        for route in asked.line["routes"]:
            if "error" in route:
                failed[route["name"]] = failed.get(route["name"], 0) + 1
            else:
                by_name.setdefault(route["name"], {})[f"{asked.source}/{asked.line['id']}"] = route
    keys = {
        route_key(route["pipeline"], route["options"]): name
        for name, held in by_name.items()
        for route in held.values()
    }
    errors = forecast_errors(listed)
    columns = ["route", *sources, "all (n)", "beside its plain route", "tokens", "seconds", "calls", "forecast"]
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for name, held in by_name.items():
        of_source = [
            [route["value"] for key, route in held.items() if key.startswith(f"{source}/")] for source in sources
        ]
        plain = keys.get(plain_key(next(iter(held.values()))), options.beside)
        if plain == name:
            plain = options.beside
        both = [key for key in held if key in by_name.get(plain, {})]
        pairs = [held[key]["value"] - by_name[plain][key]["value"] for key in both]
        beside = "" if plain == name or len(pairs) < 2 else _difference(pairs, plain)
        cells = [
            name,
            *(f"{fmean(values):.3f}" if values else "" for values in of_source),
            f"**{fmean(route['value'] for route in held.values()):.3f}** ({len(held)})",
            beside,
            f"{fmean(route['input_tokens'] + route['output_tokens'] for route in held.values()):,.0f}",
            f"{median(route['seconds'] for route in held.values()):.2f}",
            f"{fmean(route['calls'] for route in held.values()):.1f}",
            f"{median(errors[name]):.0%}" if name in errors else "",
        ]
        print(f"| {' | '.join(cells)} |" + (f" {failed[name]} failed" if name in failed else ""))


def _difference(pairs: Sequence[float], plain: str) -> str:
    low, high = bootstrap(np.array(pairs), seed=0)
    return f"{fmean(pairs):+.3f} ({low:+.3f} to {high:+.3f}), {plain}"


if __name__ == "__main__":
    main()
