"""A ranking over many chunks from the default index and from another engine: seconds, and what is found.

    python examples/scale/million.py WORK postgresql://USER@HOST/DB --megabytes 100

The documents are those of examples/benchmarks/corpus.py, about 1,950 chunks a megabyte. Vectors are random around a few
hundred centres, so that nobody has to embed a million chunks; a question is two words of a chunk with a vector near
that chunk's, and it is found when the chunk is within the first 4,000 tokens. Both engines get the same questions in
turns. The index of vectors in PostgreSQL is made when all are there, which is faster than one by one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import corpus as documents

from lcrag.index import engine_of
from lcrag.index.corpus import Corpus
from lcrag.index.external import ExternalEngine
from lcrag.index.postgres import PostgresStore
from lcrag.ingest import discover
from lcrag.planning.estimate import estimate
from lcrag.retrieve.rank import retrieve
from lcrag.text.words import STOP_WORDS, WORD
from lcrag.types import ignore

DIMENSIONS = 384
CENTRES = 300
NEAR = 5.0
"""How far a question's vector is from its chunk's, of the length 1."""
TOKENS = 4000


@dataclass(slots=True)
class Given:
    """An embedder that returns the vector that it was given."""

    vector: npt.NDArray[np.float32]
    name: str = "random"
    dimensions: int = DIMENSIONS

    def embed(self, texts: object) -> npt.NDArray[np.float32]:
        return self.vector[None]


def fill(corpus: Corpus) -> float:
    """Store the same random vectors for every chunk; returns the seconds that it took."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((CENTRES, DIMENSIONS), np.float32)
    begun = time.monotonic()
    ids = corpus.chunk_ids()
    for start in (0, *range(100, len(ids), 10_000)):  # the first few make the table
        part = ids[start : start + 10_000] if start else ids[:100]
        vectors = centres[random.integers(0, CENTRES, len(part))]
        vectors = vectors + random.standard_normal((len(part), DIMENSIONS), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        assert corpus.store_vectors(part, "random", vectors)
        if start == 0 and isinstance(corpus._engine, ExternalEngine):
            _drop_index(corpus._engine._store)
    if isinstance(corpus._engine, ExternalEngine):
        _make_index(corpus._engine._store)
    return time.monotonic() - begun


def _drop_index(store: object) -> None:
    assert isinstance(store, PostgresStore)
    for (name,) in store._rows(
        "SELECT indexname FROM pg_indexes WHERE schemaname = %s AND indexdef LIKE '%%hnsw%%'", store._schema
    ):
        store._run(f"DROP INDEX {name}")


def _make_index(store: object) -> None:
    assert isinstance(store, PostgresStore)
    store._run("SET maintenance_work_mem = '3GB'")
    for table in store._tables("vectors_%"):
        store._run(f"CREATE INDEX ON {table} USING hnsw (vector halfvec_ip_ops)")
        store._run(f"VACUUM ANALYZE {table}")
    store._run("VACUUM ANALYZE words")


def asked(corpus: Corpus, count: int) -> list[tuple[int, str, npt.NDArray[np.float32]]]:
    """Questions: a chunk, two of its words, a vector near its own."""
    random = np.random.default_rng(1)
    questions = []
    for chunk in corpus.get(sorted(random.choice(corpus.chunk_ids(), count, replace=False).tolist())):
        words = [word for word in dict.fromkeys(WORD.findall(chunk.text)) if word.lower() not in STOP_WORDS]
        some = random.choice(words, min(2, len(words)), replace=False).tolist()
        [vector] = corpus.vectors([chunk.id], "random")[1]
        noise = random.standard_normal(DIMENSIONS).astype(np.float32)
        vector = vector + NEAR * noise / np.linalg.norm(noise)
        questions.append((chunk.id, " ".join(some), (vector / np.linalg.norm(vector)).astype(np.float32)))
    return questions


def ask(corpus: Corpus, question: str, vector: npt.NDArray[np.float32]) -> tuple[float, list[tuple[str, int]]]:
    """Seconds of a ranking with its estimate, and the places of the chunks in the first ``TOKENS``."""
    begun = time.monotonic()
    ranking = retrieve(corpus, question, embedder=Given(vector))
    estimate(ranking, reranker=False)
    seconds = time.monotonic() - begun
    read, places = 0, []
    for hit in ranking.hits:
        read += hit.chunk.tokens
        if read > TOKENS and places:
            break
        places.append((hit.chunk.source, hit.chunk.start))
    return seconds, places


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("uri")
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--questions", type=int, default=50)
    given = parser.parse_args()
    docs = given.work / "docs"
    if not docs.exists():
        documents.write(docs, given.megabytes, int(given.megabytes * 10))
    figures: dict[str, object] = {}
    with (
        Corpus.open(given.work / "default") as default,
        Corpus.open(given.work / "other", engine_of(given.work / "other", given.uri)) as other,
    ):
        for name, one in (("default", default), ("other", other)):
            begun = time.monotonic()
            one.refresh(discover([docs]), ignore)
            figures[f"{name}: index, s"] = round(time.monotonic() - begun, 1)
            if not one.status().vectors:
                figures[f"{name}: store vectors, s"] = round(fill(one), 1)
            print(figures, file=sys.stderr, flush=True)
        figures["chunks"] = default.size.chunks
        questions = asked(default, given.questions)
        place = {chunk.id: (chunk.source, chunk.start) for chunk in default.get([chunk for chunk, _, _ in questions])}
        for one in (default, other):  # files and caches are read once
            ask(one, *questions[0][1:])
        both = [[ask(one, question, vector) for one in (default, other)] for _, question, vector in questions]
    for name, results in zip(("default", "other"), zip(*both, strict=True), strict=True):
        seconds = [result[0] for result in results]
        found = [place[chunk] in places for (chunk, _, _), (_, places) in zip(questions, results, strict=True)]
        figures[f"{name}: seconds, median and worst"] = [round(statistics.median(seconds), 3), round(max(seconds), 3)]
        figures[f"{name}: found within {TOKENS} tokens"] = sum(found) / len(found)
    shared = [len(set(first[1]) & set(second[1])) / len(first[1]) for first, second in both]
    figures["share of the default's chunks that the other has too"] = round(statistics.mean(shared), 3)
    print(json.dumps(figures, indent=2))
