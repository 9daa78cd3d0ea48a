"""What the router is worth on worlds: ``python economics.py WORLDS RESULTS... [--json FILE] [--chart FILE]``.

WORLDS is a folder of corpus.py, RESULTS what ``lcrag compare --dataset WORLDS --resume RESULTS`` has kept, one file a
profile. An answer is right as routes.py says: the exact value, lists in any order and nothing else in them. Printed are
accuracy and tokens of every route, the router, and the oracle (for each question the cheapest constant route that is
right), the paired tests, how far P(correct) can be trusted, and, where questions were asked one at a time
(``--workers 1``), how far the forecast seconds are from those that came.
"""

from __future__ import annotations

import argparse
import json
import statistics as stdlib_statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from routes import is_right
from worlds import TASKS

from lcrag.comparison import significance as statistics
from lcrag.comparison.breakdown import reliability
from lcrag.comparison.dataset import Question, load
from lcrag.comparison.results import ROUTER

SEED: Final = 0
TRAINED: Final = 4096
"""Tokens of the longest prompt that the reading model was trained on."""

Row = Mapping[str, Any]


def economics(questions: Sequence[Question], path: Path) -> dict[str, Any]:
    """All figures of one file of results. Questions that some route has no answer to are left out, and counted."""
    header, *rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    answers = {(row["id"], row["route"]): row for row in rows if not row["error"]}
    names = list(dict.fromkeys(row["route"] for row in rows if row["route"] != ROUTER))
    asked = [one for one in questions if all((one.id, name) in answers for name in (*names, ROUTER))]
    table = {name: [answers[one.id, name] for one in asked] for name in (*names, ROUTER)}
    right = {
        name: np.array([is_right(one, row["answer"], row["status"]) for one, row in zip(asked, given, strict=True)])
        for name, given in table.items()
    }
    oracle = [_cheapest(place, names, table, right) for place in range(len(asked))]
    read = {name: np.array([row["usage"]["input_tokens"] for row in table[name]]) for name in table}
    read["oracle"] = np.array([read[name][place] for place, name in enumerate(oracle)])
    right["oracle"] = np.array([right[name][place] for place, name in enumerate(oracle)])
    sizes = np.array([row["corpus"]["tokens"] for row in table[ROUTER]])
    tasks = np.array([one.task_type for one in asked])
    whole = float(read["full_context"].mean()) if "full_context" in read else None
    scores = np.array([right[name] for name in (*names, ROUTER)], dtype=float).T
    return {
        "profile": header["profile"],
        "questions": len(asked),
        "left_out": len(questions) - len(asked),
        "routes": {
            name: {
                "accuracy": float(right[name].mean()),
                "ci95": statistics.interval(right[name].astype(float), SEED),
                "tokens": float(read[name].mean()),
                "of_full_context": float(read[name].mean()) / whole if whole else None,
                "by_task": {task: float(right[name][tasks == task].mean()) for task in TASKS if (tasks == task).any()},
                "by_size": {str(size): float(right[name][sizes == size].mean()) for size in np.unique(sizes)},
            }
            for name in right
        },
        "taken": {name: [row["pipeline"] for row in table[ROUTER]].count(name) for name in names},
        "tests": [
            {"route": pair.a, "difference": -pair.difference, "p": pair.p, "p_holm": pair.p_holm}
            for pair in statistics.pairs([*names, ROUTER], scores, SEED)
            if pair.b == ROUTER
        ],
        "calibration_error": {
            name: error([row["forecast"]["quality"] for row in table[name]], right[name].tolist()) for name in table
        }
        | {
            "constants": error(
                [row["forecast"]["quality"] for name in names for row in table[name]],
                [bool(one) for name in names for one in right[name]],
            )
        },
        "seconds": seconds([row for name in names for row in table[name]]),
    }


def _cheapest(place: int, names: Sequence[str], table: Mapping[str, Sequence[Row]], right: Mapping[str, Any]) -> str:
    return min(names, key=lambda name: (not right[name][place], table[name][place]["usage"]["input_tokens"]))


def error(predicted: Sequence[float], right: Sequence[bool]) -> float | None:
    """Expected calibration error, as ``lcrag compare`` computes it."""
    said = ({"predicted": p, "score": float(one)} for p, one in zip(predicted, right, strict=True))
    found: float | None = reliability(["one"], [{"routes": {"one": one}} for one in said])["error"]
    return found


def seconds(rows: Sequence[Row]) -> dict[str, float] | None:
    """How far forecast seconds are from measured ones, of the answers that were asked for one at a time."""
    alone = [row for row in rows if row["at_once"] == 1 and row["usage"]["seconds"] > 0]
    if not alone:
        return None
    apart = [abs(row["forecast"]["seconds"] / row["usage"]["seconds"] - 1) for row in alone]
    return {"answers": len(apart), "median_error": stdlib_statistics.median(apart)}


def shown(made: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    tasks = list(made["routes"][ROUTER]["by_task"])
    lines = [
        f"Profile {made['profile']}; {made['questions']} questions, {made['left_out']} left out.",
        "",
        f"| route | {' | '.join(tasks)} | all | 95% | tokens | of full context | router better by | p (Holm) | ECE |",
        "|---|" + "---|" * (len(tasks) + 7),
    ]
    tests = {one["route"]: one for one in made["tests"]}
    for name, one in made["routes"].items():
        low, high = one["ci95"]
        test = tests.get(name)
        cells = [name, *(f"{one['by_task'][task]:.2f}" for task in tasks), f"{one['accuracy']:.3f}"]
        cells += [f"{low:.2f}–{high:.2f}", f"{one['tokens']:,.0f}"]
        cells.append("" if one["of_full_context"] is None else f"{one['of_full_context']:.0%}")
        cells += [f"{test['difference']:+.3f}", f"{test['p_holm']:.2g}"] if test else ["", ""]
        cells.append(f"{made['calibration_error'][name]:.3f}" if name in made["calibration_error"] else "")
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", f"ECE over all constant routes: {made['calibration_error']['constants']:.3f}"]
    lines.append("the router took: " + ", ".join(f"{name} {number}" for name, number in made["taken"].items()))
    share = made["routes"][ROUTER]["accuracy"] / made["routes"]["oracle"]["accuracy"]
    lines.append(f"the router reaches {share:.1%} of the oracle's accuracy")
    if made["seconds"]:
        lines.append(
            f"seconds, {made['seconds']['answers']} answers one at a time: "
            f"median error of the forecast {made['seconds']['median_error']:.1%}"
        )
    sizes = list(made["routes"][ROUTER]["by_size"])
    lines += ["", "| corpus | " + " | ".join(f"{int(size):,}" for size in sizes) + " |", "|---|" + "---|" * len(sizes)]
    for name, one in made["routes"].items():
        lines.append(f"| {name} | " + " | ".join(f"{one['by_size'][size]:.2f}" for size in sizes) + " |")
    return "\n".join(lines)


def chart(made: Mapping[str, Any], window: int, path: Path) -> None:
    """Accuracy over the size of the corpus, a line a route; the trained length and the served window as marks."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for name, one in made["routes"].items():
        bold = name in (ROUTER, "oracle")
        where = [int(size) for size in one["by_size"]]
        axes.plot(
            where,
            list(one["by_size"].values()),
            label=f"{name} ({one['accuracy']:.2f}, {one['tokens']:,.0f} tokens)",
            color={ROUTER: "black", "oracle": "grey"}.get(name),
            linestyle=":" if name == "oracle" else "-",
            linewidth=3 if bold else 1.5,
        )
    for tokens, what in ((TRAINED, "trained on"), (window, "served")):
        axes.axvline(tokens, color="grey", linewidth=0.8, linestyle="--")
        axes.text(tokens, 1.02, f"{what}: {tokens:,}", ha="center", fontsize=8)
    axes.set(xscale="log", ylim=(0, 1), xlabel="tokens of the corpus", ylabel="share of right answers")
    axes.legend(fontsize=8, loc="lower left")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("worlds", type=Path)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--chart", type=Path, help="a file for a chart of the first results (needs matplotlib)")
    parser.add_argument("--window", type=int, default=16384, help="that the model was served with, for the chart")
    given = parser.parse_args()
    questions = load(given.worlds)
    made = [economics(questions, path) for path in given.results]
    print("\n\n".join(map(shown, made)))
    if given.json:
        given.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    if given.chart:
        chart(made[0], given.window, given.chart)


if __name__ == "__main__":
    main()
