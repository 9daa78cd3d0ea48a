"""A ranking over many chunks from the default index and from another engine: seconds, and what is found.

    python examples/scale/million.py WORK postgresql://USER@HOST/DB --megabytes 530

The documents are those of examples/benchmarks/corpus.py, about 1,900 chunks a megabyte. Vectors are random around a few
hundred centres, so that nobody has to embed a million chunks; a question is two words of a chunk with a vector near
that chunk's, and it is found when the chunk is within the first 4,000 tokens. Both engines get the same questions in
turns. Then ``lcrag plan`` is asked some of them as a whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import corpus as documents

from lcrag.index import engine_of, folder_of
from lcrag.index.corpus import Corpus
from lcrag.ingest import discover
from lcrag.planning.estimate import estimate
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.rank import retrieve
from lcrag.text.words import STOP_WORDS, WORD
from lcrag.types import ignore

DIMENSIONS = 384
CENTRES = 300
NEAR = 5.0
"""How far a question's vector is from its chunk's, of the length 1."""
TOKENS = 4000
PROCESSES = 7
"""Of ``lcrag plan``, of which the first is not counted."""


@dataclass(slots=True)
class Given:
    """An embedder that returns the vector that it was given."""

    vector: npt.NDArray[np.float32]
    name: str
    dimensions: int = DIMENSIONS

    def embed(self, texts: object) -> npt.NDArray[np.float32]:
        return self.vector[None]


def fill(corpus: Corpus, embedder: str) -> float:
    """Store the same random vectors for every chunk; returns the seconds that it took."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((CENTRES, DIMENSIONS), np.float32)
    begun = time.monotonic()
    ids = corpus.chunk_ids()
    for start in range(0, len(ids), 10_000):
        part = ids[start : start + 10_000]
        vectors = centres[random.integers(0, CENTRES, len(part))]
        vectors = vectors + random.standard_normal((len(part), DIMENSIONS), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        assert corpus.store_vectors(part, embedder, vectors)
    corpus.settle()
    return time.monotonic() - begun


def asked(corpus: Corpus, embedder: str, count: int) -> list[tuple[int, str, npt.NDArray[np.float32]]]:
    """Questions: a chunk, two of its words, a vector near its own."""
    random = np.random.default_rng(1)
    questions = []
    for chunk in corpus.get(sorted(random.choice(corpus.chunk_ids(), count, replace=False).tolist())):
        words = [word for word in dict.fromkeys(WORD.findall(chunk.text)) if word.lower() not in STOP_WORDS]
        some = random.choice(words, min(2, len(words)), replace=False).tolist()
        [vector] = corpus.vectors([chunk.id], embedder)[1]
        noise = random.standard_normal(DIMENSIONS).astype(np.float32)
        vector = vector + NEAR * noise / np.linalg.norm(noise)
        questions.append((chunk.id, " ".join(some), (vector / np.linalg.norm(vector)).astype(np.float32)))
    return questions


def ask(corpus: Corpus, question: str, embedder: Given) -> tuple[float, list[tuple[str, int]]]:
    """Seconds of a ranking with its estimate, and the places of the chunks in the first ``TOKENS``."""
    begun = time.monotonic()
    ranking = retrieve(corpus, question, embedder=embedder)
    estimate(ranking, reranker=False)
    seconds = time.monotonic() - begun
    read = 0
    places: list[tuple[str, int]] = []
    for hit in ranking.hits:
        read += hit.chunk.tokens
        if read > TOKENS and places:
            break
        places.append((hit.chunk.source, hit.chunk.start))
    return seconds, places


def process(docs: Path, index: str, questions: Sequence[str]) -> tuple[list[float], list[float]]:
    """``lcrag plan`` for each question: seconds from the start to the end of its process, and its processor time."""
    command = [sys.executable, "-m", "lcrag", "plan", str(docs), "--index", index, "--backend", "embedded"]
    seconds, busy = [], []
    for question in questions:
        begun, used = time.monotonic(), os.times()
        subprocess.run([*command, question], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.monotonic() - begun)
        now = os.times()
        busy.append(now.children_user + now.children_system - used.children_user - used.children_system)
    return seconds, busy


def median_and_worst(seconds: Sequence[float]) -> list[float]:
    return [round(statistics.median(seconds), 3), round(max(seconds), 3)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("index", help="an address that --index takes")
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--questions", type=int, default=50)
    given = parser.parse_args()
    docs = given.work / "docs"
    if not docs.exists():
        documents.write(docs, given.megabytes, int(given.megabytes * 10))
    figures: dict[str, object] = {}
    embedder = load_embedder().name
    folder = folder_of([str(docs)], given.index)
    with (
        Corpus.open(given.work / "default") as default,
        Corpus.open(folder, engine_of(folder, given.index)) as other,
    ):
        for name, one in (("default", default), ("other", other)):
            begun = time.monotonic()
            one.refresh(discover([docs]), ignore)
            figures[f"{name}: index, s"] = round(time.monotonic() - begun, 1)
            if not one.status().vectors.get(embedder):
                figures[f"{name}: store vectors, s"] = round(fill(one, embedder), 1)
            print(figures, file=sys.stderr, flush=True)
        figures["chunks"] = default.size.chunks
        questions = asked(default, embedder, given.questions)
        place = {chunk.id: (chunk.source, chunk.start) for chunk in default.get([chunk for chunk, _, _ in questions])}
        both = []
        for _, question, vector in [questions[0], *questions]:  # the first reads files and fills caches
            both.append([ask(one, question, Given(vector, embedder)) for one in (default, other)])
        del both[0]
    for name, results in zip(("default", "other"), zip(*both, strict=True), strict=True):
        found = [place[chunk] in places for (chunk, _, _), (_, places) in zip(questions, results, strict=True)]
        figures[f"{name}: seconds, median and worst"] = median_and_worst([seconds for seconds, _ in results])
        figures[f"{name}: found within {TOKENS} tokens"] = sum(found) / len(found)
    shared = [len(set(first[1]) & set(second[1])) / len(first[1]) for first, second in both]
    figures["share of the default's chunks that the other has too"] = round(statistics.mean(shared), 3)
    some = [question for _, question, _ in questions[:PROCESSES]]
    for name, index in (("default", str(given.work / "default")), ("other", given.index)):
        seconds, busy = process(docs, index, some)
        figures[f"{name}: lcrag plan, s, median and worst"] = median_and_worst(seconds[1:])
        figures[f"{name}: its processor time"] = median_and_worst(busy[1:])
    figures["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(figures, indent=2))
