"""``lcrag ask`` as a whole process on a warm index, answered by the embedded backend.

python examples/benchmarks/questions.py WORK      WORK: the folder that ingest.py has filled
"""

from __future__ import annotations

import argparse
from pathlib import Path

from clock import LCRAG, median, print_result, run

QUESTIONS = (
    "Who kept the light on the Calf?",
    "When was the lighthouse made automatic?",
    "What does the harbour charge for a mooring?",
    "Which wreck lies nearest to the bar?",
    "How many walks start at the mill?",
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    base = [str(given.work / "docs"), "--index", str(given.work / "index"), "--backend", "embedded"]
    figures = {}
    for verb in ("plan", "ask"):
        runs = {question: [] for question in QUESTIONS}
        for _ in range(given.repeats + 1):
            for question in QUESTIONS:
                # 1: not found, after every route that reads more has been tried
                runs[question].append(run([*LCRAG, verb, base[0], question, *base[1:]], allowed=(0, 1)))
        # not the first of each: it makes the vectors of the best candidates
        figures[verb] = median([one for ran in runs.values() for one in ran[1:]])
        figures[f"{verb}, by question"] = {question: median(ran[1:])["wall"] for question, ran in runs.items()}
    print_result({"questions": len(QUESTIONS), "runs": figures})
