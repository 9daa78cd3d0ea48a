"""Time, memory and size of an index as the documents grow tenfold each time, as JSON and as a picture.

python examples/benchmarks/growth.py WORK --megabytes 1,10,100,1000 --chart growth.png

A slope is that of log seconds over log MB between two sizes: 1 is linear. The fixed 0.3 s of a start make the first
ones less.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import corpus
from clock import LCRAG, Run, median, print_result, run


def measured(work: Path, megabytes: float) -> tuple[dict[str, Any], Run]:
    docs, index = work / f"docs-{megabytes:g}", work / f"index-{megabytes:g}"
    if not docs.exists():
        corpus.write(docs, megabytes, max(1, int(megabytes * 20)), seed=1)
    shutil.rmtree(index, ignore_errors=True)
    base = [str(docs), "--index", str(index)]
    fresh = run([*LCRAG, "index", base[0], *base[1:], "--dense", "off"], every=0.1)
    plan = [*LCRAG, "plan", base[0], "Who kept the light on the Calf?", *base[1:], "--backend", "embedded"]
    run(plan)
    plans = median([run(plan) for _ in range(5)])
    text = sum(path.stat().st_size for path in docs.rglob("*.md"))
    size = sum(path.stat().st_size for path in index.iterdir())
    figures = {"index": median([fresh]), "plan": plans, "index over text": round(size / text, 3)}
    return {"megabytes": megabytes, **figures}, fresh


def draw(rows: list[dict[str, Any]], curves: list[Run], target: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5))
    sizes = [row["megabytes"] for row in rows]
    for verb, colour in (("index", "#1f5fa8"), ("plan", "#c8553d")):
        left.plot(sizes, [row[verb]["wall"] for row in rows], "o-", color=colour, label=verb)
    left.plot(
        sizes, [size * rows[-1]["index"]["wall"] / sizes[-1] for size in sizes], ":", color="#9aa5b1", label="linear"
    )
    left.set(xscale="log", yscale="log", xlabel="MB of text", ylabel="seconds", title="Time")
    left.legend(frameon=False)
    for row, curve in zip(rows, curves, strict=True):
        right.plot(
            [t / curve.wall for t, _ in curve.memory], [m for _, m in curve.memory], label=f"{row['megabytes']:g} MB"
        )
    right.set(
        xlabel="share of the run", ylabel="MB of memory, all processes", title="Memory while indexing", ylim=(0, None)
    )
    right.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--megabytes", default="1,10,100,1000")
    parser.add_argument("--chart", type=Path)
    given = parser.parse_args()
    rows, curves = [], []
    for size in given.megabytes.split(","):
        row, curve = measured(given.work, float(size))
        rows.append(row)
        curves.append(curve)
        print(row, file=sys.stderr)
    slopes = {
        verb: [
            round(math.log(b[verb]["wall"] / a[verb]["wall"]) / math.log(b["megabytes"] / a["megabytes"]), 2)
            for a, b in pairwise(rows)
        ]
        for verb in ("index", "plan")
    }
    if given.chart:
        draw(rows, curves, given.chart)
    print_result({"sizes": rows, "slopes": slopes})
