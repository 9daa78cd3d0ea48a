"""``lcrag plan`` over a million chunks, every one with a vector.

python examples/benchmarks/million.py WORK --megabytes 512

The vectors are random, around a few hundred centres, so that nobody has to embed a million chunks. What a question
costs does not depend on their values.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import corpus
from clock import LCRAG, median, print_result, run

STORE = """
import sys, numpy as np
from pathlib import Path
from lcrag.index.corpus import Corpus
from lcrag.retrieve.embedder import load_embedder
r = np.random.default_rng(0)
centres = r.standard_normal((300, 384), dtype=np.float32)
embedder = load_embedder()
with Corpus.open(Path(sys.argv[1])) as index:
    ids = index.chunk_ids()
    missing = index.missing_vectors(ids, embedder.name)
    for start in range(0, len(missing), 100_000):
        part = missing[start : start + 100_000]
        vectors = centres[r.integers(0, 300, len(part))] + r.standard_normal((len(part), 384), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        assert index.store_vectors(part, embedder.name, vectors)
    print(len(ids))
"""


def folders(work: Path, megabytes: float) -> tuple[Path, Path]:
    """The documents, written unless they are there, and the folder of their index."""
    docs = work / "docs"
    if not docs.exists():
        corpus.write(docs, megabytes, int(megabytes * 10))
    return docs, work / "index"


if __name__ == "__main__":
    import sys

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--megabytes", type=float, default=512)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    docs, index = folders(given.work, given.megabytes)
    question = "Who kept the light on the Calf?"
    base = [str(docs), "--index", str(index), "--backend", "embedded"]
    plan = [*LCRAG, "plan", base[0], question, *base[1:]]
    figures = {"index": median([run([*LCRAG, "index", base[0], *base[1:3], "--dense", "off"], every=0.2)])}
    figures["by words"] = median([run([*plan, "--dense", "off"]) for _ in range(given.repeats)])
    figures["store vectors"] = median([run([sys.executable, "-c", STORE, str(index)], every=0.2)])
    figures["first plan, writes the file of vectors"] = median([run(plan)])
    figures["plan"] = median([run(plan) for _ in range(given.repeats)])
    print_result({"runs": figures})
