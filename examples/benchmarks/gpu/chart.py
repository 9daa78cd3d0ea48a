"""Draws the results of measure.py as one picture: ``python chart.py results.json chart.png`` (needs matplotlib)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, THEIRS, LEAST = "#1f5fa8", "#9aa5b1", "#c8553d"


def first(axes: Axes, found: list[Mapping[str, Any]]) -> None:
    """Seconds to the first token by length, both logarithmic: lcrag and raw, first and second question."""
    tokens = [one["tokens"] for one in found]
    for place, style in (("first", "-"), ("second", "--")):
        axes.plot(
            tokens,
            [one["raw"][place]["median"] for one in found],
            style,
            color=THEIRS,
            marker="o",
            label=f"vLLM, {place}",
        )
        axes.plot(
            tokens,
            [one["session"][place]["median"] for one in found],
            style,
            color=OURS,
            marker=".",
            label=f"lcrag, {place}",
        )
    axes.set(xscale="log", yscale="log", xlabel="tokens of the prompt", ylabel="seconds to the first token")
    axes.set_title("First and second question on the same documents")
    axes.legend(frameon=False)


def limit(axes: Axes, found: Mapping[str, Any]) -> None:
    """Measured over least seconds, for reading and for writing."""
    for kind, measured, colour in (("prefill", "ours", OURS), ("decode", "measured", LEAST)):
        rows = found[kind]
        if not rows:
            continue
        axes.plot(
            [one["tokens"] for one in rows],
            [one["least"] / one[measured] for one in rows],
            "o-",
            color=colour,
            label=kind,
        )
    axes.set(xscale="log", ylim=(0, 1), xlabel="tokens of the prompt", ylabel="share of what the chip can do")
    axes.set_title("Reading against arithmetic, writing against bandwidth")
    axes.legend(frameon=False)


def bars(axes: Axes, found: Mapping[str, Mapping[str, Any]], title: str) -> None:
    names = list(found)
    values = [found[name]["seconds"] for name in names]
    axes.barh(names, values, color=OURS)
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        label = f" {value:.1f} s" + (f", {found[name]['hit_rate']:.1%} cached" if "hit_rate" in found[name] else "")
        axes.text(value, place, label, va="center")
    axes.set(xlabel="seconds", xlim=(0, max(values) * 1.45))
    axes.invert_yaxis()
    axes.set_title(title)


def cost(axes: Axes, found: Mapping[str, Any]) -> None:
    """Forecast over measured seconds of the asks, by route."""
    asks = found["asks"]
    for number, route in enumerate(dict.fromkeys(one["route"] for one in asks)):
        own = [one for one in asks if one["route"] == route]
        axes.scatter(
            [one["seconds"] for one in own], [one["forecast"] for one in own], s=18, color=f"C{number}", label=route
        )
    ends = [min(one["seconds"] for one in asks), max(one["seconds"] for one in asks)]
    axes.plot(ends, ends, color=THEIRS, linewidth=1)
    errors = sorted(one["error"] for one in asks)
    axes.set(xscale="log", yscale="log", xlabel="seconds measured", ylabel="seconds forecast")
    axes.set_title(f"Cost model: median error {errors[len(errors) // 2]:.1%} over {len(asks)} asks")
    axes.legend(frameon=False)


def draw(found: Mapping[str, Any], target: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    parts = [
        ("first", first),
        ("limit", limit),
        ("agents", lambda axes, value: bars(axes, value, "Chain of agents and full context, the longest documents")),
        ("small", lambda axes, value: bars(axes, value, "The same with a small model and many workers")),
        ("batch", lambda axes, value: bars(axes, value, "The same questions together and one by one")),
        ("cost", cost),
    ]
    there = [(name, plot) for name, plot in parts if name in found and "failed" not in found[name]]
    figure, grid = plt.subplots(-(-len(there) // 2), 2, figsize=(12, 4 * -(-len(there) // 2)), squeeze=False)
    for axes, (name, plot) in zip(grid.flat, there, strict=False):
        plot(axes, found[name])  # type: ignore[operator]
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid.flat[len(there) :]:
        axes.set_visible(False)
    figure.tight_layout()
    figure.savefig(target, dpi=75)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="the file of measure.py")
    parser.add_argument("chart", type=Path, help="the picture to write")
    options = parser.parse_args()
    draw(json.loads(options.results.read_text(encoding="utf-8")), options.chart)
