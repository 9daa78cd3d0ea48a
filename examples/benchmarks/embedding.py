"""Vectors a second: lcrag's built-in embedder next to sentence-transformers with the same weights, and how they agree.

python examples/benchmarks/embedding.py --chunks 400

Agreement: the share of the ten nearest chunks of each of 50 others that are the same with lcrag's int8 as with fp32.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import corpus
import numpy as np
from clock import print_result

from lcrag import ingest
from lcrag.index.split import split
from lcrag.retrieve.embedder import MiniLM, SentenceTransformerEmbedder
from lcrag.retrieve.encoder import weights_folder

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    texts: list[str] = []
    pool = corpus.sentences()
    for number in range(given.chunks):
        document = ingest.from_text(corpus.document(pool, 3000, number), "a.md")
        texts += [document.text[start:end] for start, end in split(document)][:5]
    texts = list(dict.fromkeys(texts))[: given.chunks]
    begun = time.perf_counter()
    ours = MiniLM()
    ours.embed(["warm"])
    loads = {"lcrag": time.perf_counter() - begun}
    begun = time.perf_counter()
    theirs = SentenceTransformerEmbedder(str(weights_folder()))
    theirs.embed(["warm"])
    loads["sentence-transformers"] = time.perf_counter() - begun
    seconds: dict[str, list[float]] = {"lcrag": [], "sentence-transformers": []}
    cpu: dict[str, list[float]] = {"lcrag": [], "sentence-transformers": []}
    vectors = {}
    for _ in range(given.repeats):
        for name, embedder in (("lcrag", ours), ("sentence-transformers", theirs)):
            wall, used = time.perf_counter(), time.process_time()
            vectors[name] = embedder.embed(texts)
            seconds[name].append(time.perf_counter() - wall)
            cpu[name].append(time.process_time() - used)
    near = {name: np.argsort(-(found[:50] @ found[50:].T), axis=1)[:, :10] for name, found in vectors.items()}
    agreement = [len(set(a) & set(b)) / 10 for a, b in zip(*near.values(), strict=True)]
    rates = {name: len(texts) / statistics.median(taken) for name, taken in seconds.items()}
    print_result(
        {
            "chunks": len(texts),
            "characters": round(statistics.mean(map(len, texts))),
            "load seconds": loads,
            "chunks a second": rates,
            "processor seconds": {name: statistics.median(taken) for name, taken in cpu.items()},
            "times": rates["lcrag"] / rates["sentence-transformers"],
            "top-10 agreement with fp32": statistics.mean(agreement),
        }
    )
