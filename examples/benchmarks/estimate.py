"""Ranking and estimate together, in one process on a warm index of 100,000 chunks that all have a vector.

    python examples/benchmarks/estimate.py WORK [--megabytes 51]

The vectors are million.py's, drawn at random: what a question costs does not depend on their values.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from clock import LCRAG, print_result
from million import STORE, folders

from lcrag.index.corpus import Corpus
from lcrag.planning.estimate import estimate
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.rank import retrieve

ASKED = (
    "Who kept the light on the Calf?",
    "When was the lighthouse made automatic?",
    "What does the harbour charge for a mooring?",
    "Which wreck lies nearest to the bar?",
    "How many walks start at the mill?",
    "What did the council decide about the ferry?",
    "List all the storms in which the lifeboat went out.",
    "Why was the tide mill closed?",
    "Is a dog allowed on the marsh in spring?",
    "Which birds were counted on Gannet Bar?",
)


def milliseconds(index: Path, repeats: int) -> dict[str, object]:
    """Without the first time of each question, which writes the file of vectors and fills the caches."""
    embedder = load_embedder()
    ranking, estimating = [], []
    with Corpus.open(index) as opened:
        for turn in range(repeats + 1):
            for question in ASKED:
                begun = time.perf_counter()
                ranked = retrieve(opened, question, embedder=embedder)
                between = time.perf_counter()
                estimate(ranked)
                if turn:
                    ranking.append(1000 * (between - begun))
                    estimating.append(1000 * (time.perf_counter() - between))
        chunks = opened.size.chunks
    both = [sum(pair) for pair in zip(ranking, estimating, strict=True)]
    figures = {"retrieve": ranking, "estimate": estimating, "both": both}
    return {
        "chunks": chunks,
        "questions": len(both),
        "milliseconds": {
            name: {"median": round(statistics.median(values), 1), "low": round(min(values), 1)}
            for name, values in figures.items()
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--megabytes", type=float, default=51)
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    docs, index = folders(given.work, given.megabytes)
    subprocess.run([*LCRAG, "index", str(docs), "--index", str(index), "--dense", "off"], check=True)
    subprocess.run([sys.executable, "-c", STORE, str(index)], check=True, stdout=subprocess.DEVNULL)
    print_result(milliseconds(index, given.repeats))
