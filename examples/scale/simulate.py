"""What would 10 million documents, 1,000 questions a second and 100 collections take? A plan on paper.

    python examples/scale/simulate.py [--chart plan.png] [--gpu-price 3.5] [--replicas 160,200,240] …

Speeds are those measured in examples/benchmarks/README.md (``SOURCES`` quotes the lines); all that was not measured is
an option, with what is assumed as its default. Collections and document sets are popular by Zipf's law. Replicas are
simulated question by question: each has a prefix cache (least recently used goes first) and a queue; questions go to
replicas as lcrag/backends/replicas.py places them (rendezvous hashing with bounded loads; of several that hold the
documents the least busy one; what nobody holds evenly), or to the one with least to do.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import OrderedDict
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lcrag.backends.replicas import SHARE

SOURCES = {
    "prefill, cached prefill": "| 8,793 | 0.216 | 0.238 | 0.297 | 0.185 | 0.028 | 0.052 |",
    "seconds an output token takes in a batch": "| none | 2.06 M tokens | 1.01 | 7.74 | .076 | .278 | 4.7 | 1,829 |",
    "chain of agents": "pieces of 8,000 as tree 7.5 s",
    "ranking": "| ranking and estimate, 197,277 chunks, in a process | 84 ms",
    "index": "| 100 MB in 10,000 files | 10.2 s",
    "looking for changes": "| nothing changed; one file changed | 0.29 s",
    "vectors": "| vectors | 188 chunks/s",
    "bytes of a token": "62 MB, 7.0 million tokens",
    "growth": "| 1 GB | to the end",
}
"""Lines of examples/benchmarks/README.md."""

TOKENS = (0, 8793, 32353, 64617, 128351)
FIRST = (0.0, 0.216, 1.039, 2.741, 8.100)
"""Seconds to the first token of so many on one H200, a model of 7B; linear in between."""
SECOND = (0.015, 0.028, 0.062, 0.114, 0.197)
"""The same from the prefix cache; the first is where the line through the next two begins."""
BATCHED_TOKEN = 1 / 1829
"""Seconds a token while 16 replies behind 8,000 tokens are written at once."""
AGENTS_SECONDS, AGENTS_TOKENS = 7.5, 123_600
RANKING = 0.084 / 197_277
"""Seconds a chunk, words and vectors, on two cores of which the second does little."""
INDEXED_BYTES = 100e6 / 10.2 / 2
"""A second and core."""
LOOK = 0.29 / 10_000
"""Seconds a file when nothing has changed."""
EMBEDDED = 188 / 2
"""Chunks a second and core."""
TOKEN_BYTES = 62 / 7.0
INDEX_BYTES = 1.42
"""Of a byte of text."""
VECTOR_BYTES = 384 * 2
CHUNK_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Assumed:
    """What was not measured. Prices in dollars an hour; ``kv_tokens`` is (141 GB x 0.9 - weights) / 57,344 bytes."""

    documents: int = 10_000_000
    document_tokens: int = 1000
    collections: int = 100
    questions: float = 1000.0
    retrieval_tokens: int = 4000
    full_tokens: int = 32_000
    answer_tokens: int = 100
    full_share: float = 0.09
    agents_share: float = 0.01
    sets: int = 300
    zipf: float = 1.0
    kv_tokens: int = 1_900_000
    gpu_price: float = 3.5
    core_price: float = 0.04
    ranking_seconds: float = 0.3
    seconds: float = 120.0
    seed: int = 0


def zipf(count: int, exponent: float) -> npt.NDArray[np.float64]:
    """The shares of ``count`` things, the most popular first."""
    weights = 1.0 / np.arange(1, count + 1) ** exponent
    return np.asarray(weights / weights.sum())


def gpu_seconds(assumed: Assumed) -> dict[str, float]:
    """What one question takes of a GPU that has others to do meanwhile, by route."""
    answer = assumed.answer_tokens * BATCHED_TOKEN
    return {
        "chunk_rag": float(np.interp(assumed.retrieval_tokens, TOKENS, FIRST)) + answer,
        "full_context, first": float(np.interp(assumed.full_tokens, TOKENS, FIRST)) + answer,
        "full_context, cached": float(np.interp(assumed.full_tokens, TOKENS, SECOND)) + answer,
        "chain_of_agents": AGENTS_SECONDS,
    }


def index_plan(assumed: Assumed) -> dict[str, float]:
    """Sizes, shards and processor time of the index. Collections are as popular as they are large."""
    chunks = assumed.documents * assumed.document_tokens / CHUNK_TOKENS
    text = assumed.documents * assumed.document_tokens * TOKEN_BYTES
    shares = zipf(assumed.collections, assumed.zipf)
    shard = assumed.ranking_seconds / RANKING
    ranked = chunks * float((shares**2).sum())
    return {
        "chunks": chunks,
        "text, GB": text / 1e9,
        "index and vectors, GB": (text * INDEX_BYTES + chunks * VECTOR_BYTES) / 1e9,
        "largest collection, chunks": chunks * float(shares[0]),
        "seconds to rank it in one process": chunks * float(shares[0]) * RANKING,
        "chunks of a shard": shard,
        "shards": float(np.ceil(shares * chunks / shard).sum()),
        "core-seconds of ranking a question": ranked * RANKING,
        "cores for ranking": assumed.questions * ranked * RANKING,
        "cores for embedding questions": assumed.questions / EMBEDDED,
        "core-hours to index by words": text / INDEXED_BYTES / 3600,
        "core-hours to embed": chunks / EMBEDDED / 3600,
        "seconds to look for changes": assumed.documents * LOOK,
    }


@dataclass(frozen=True, slots=True)
class Served:
    """``hit_rate``: of the prompt tokens of full_context; ``busy``: of the replicas' time; ``wait``: seconds to the end
    of a full_context answer, median and 95th percentile; None where more comes than is done."""

    replicas: int
    placed: str
    hit_rate: float
    busy: float
    wait: tuple[float, float] | None


def serve(assumed: Assumed, replicas: int, placed: str) -> Served:
    """Simulate ``replicas`` for twice ``assumed.seconds``, of which the second half counts.

    chunk_rag and chain_of_agents are spread evenly and take their share of each replica's time; full_context questions
    come one by one. ``placed``: "by prefix" or "least busy".
    """
    random = np.random.default_rng(assumed.seed)
    cost = gpu_seconds(assumed)
    others = (1 - assumed.full_share - assumed.agents_share) * cost["chunk_rag"]
    others = assumed.questions * (others + assumed.agents_share * cost["chain_of_agents"]) / replicas
    rate = assumed.questions * assumed.full_share
    count = random.poisson(2 * assumed.seconds * rate)
    times = np.sort(random.uniform(0, 2 * assumed.seconds, count))
    within = random.choice(assumed.sets, count, p=zipf(assumed.sets, assumed.zipf))
    asked = random.choice(assumed.collections, count, p=zipf(assumed.collections, assumed.zipf)) * assumed.sets + within
    room = max(1, assumed.kv_tokens // assumed.full_tokens)
    caches: list[OrderedDict[int, None]] = [OrderedDict() for _ in range(replicas)]
    backlog, work = np.zeros(replicas), np.zeros(replicas)
    names = np.arange(replicas, dtype=np.uint64)
    hits, waits, before = [], [], 0.0
    for now, documents in zip(times.tolist(), asked.tolist(), strict=True):
        np.maximum(backlog - (now - before) * max(0.0, 1 - others), 0.0, out=backlog)
        before = now
        if placed == "by prefix":
            share = max(cost["full_context, first"], SHARE * float(backlog.mean()))
            holding = [one for one, cache in enumerate(caches) if documents in cache and backlog[one] <= share]
            if holding:
                replica = min(holding, key=lambda one: float(backlog[one]))
            else:
                order = np.argsort(_mixed(names, documents))
                most = min(share, float(backlog.min()) + cost["full_context, first"])
                replica = int(order[np.argmax(backlog[order] <= most)])
        else:
            replica = int(np.argmin(backlog))
        cache = caches[replica]
        is_hit = documents in cache
        cache[documents] = None
        cache.move_to_end(documents)
        if len(cache) > room:
            cache.popitem(last=False)
        seconds = cost["full_context, cached" if is_hit else "full_context, first"]
        backlog[replica] += seconds
        if now >= assumed.seconds:
            hits.append(is_hit)
            work[replica] += seconds
            waits.append(backlog[replica])
    busy = others + float(work.mean()) / assumed.seconds
    median, late = np.percentile(waits, [50, 95]).tolist()
    wait = (median / (1 - others), late / (1 - others)) if busy < 1 else None
    return Served(replicas, placed, float(np.mean(hits)), busy, wait)


def _mixed(names: npt.NDArray[np.uint64], documents: int) -> npt.NDArray[np.uint64]:
    """A random-looking number for each pair, by splitmix64 (Steele, Lea and Flood 2014): blake2b is 50 times slower."""
    x = names * np.uint64(0x9E3779B97F4A7C15) + np.uint64(documents * 0xBF58476D1CE4E5B9 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def costs(assumed: Assumed) -> dict[str, float]:
    """Dollars for a thousand questions by route, the ranking included, on GPUs and cores that are never idle."""
    ranking = index_plan(assumed)["core-seconds of ranking a question"] * assumed.core_price
    return {route: (seconds * assumed.gpu_price + ranking) / 3.6 for route, seconds in gpu_seconds(assumed).items()}


def draw(assumed: Assumed, runs: list[Served], target: Path) -> None:
    """Hit rate and waiting by the number of replicas, and the cost of each route."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4))
    for placed, colour in (("by prefix", "#1f5fa8"), ("least busy", "#c8553d")):
        own = [run for run in runs if run.placed == placed]
        replicas = [run.replicas for run in own]
        left.plot(replicas, [100 * run.hit_rate for run in own], "o-", color=colour, label=placed)
        for style, name, place in (("o-", "median", 0), ("o:", "95th percentile", 1)):
            waits = [math.nan if run.wait is None else run.wait[place] for run in own]
            middle.plot(replicas, waits, style, color=colour, label=f"{placed}, {name}")
    left.set(xlabel="replicas", ylabel="% of prompt tokens", title="full_context: from the prefix cache", ylim=(0, 100))
    middle.set(xlabel="replicas", ylabel="seconds", title="full_context: until answered", ylim=(0, 12))
    middle.set_xlim(left.get_xlim())
    values = costs(assumed)
    bars = right.barh(list(values), list(values.values()), color="#1f5fa8")
    right.bar_label(bars, [f"{value:.2f} $" for value in values.values()], padding=3)
    right.set(xlabel="dollars", title="1,000 questions", xlim=(0, max(values.values()) * 1.25))
    right.invert_yaxis()
    for axes in (left, middle):
        axes.legend(frameon=False)
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in fields(Assumed):
        flag, kind = f"--{field.name.replace('_', '-')}", {"int": int, "float": float}[str(field.type)]
        parser.add_argument(flag, type=kind, default=field.default, help=f"assumed: {field.default:,}")
    parser.add_argument("--replicas", default="280,300,320,340,360,400,480")
    parser.add_argument("--chart", type=Path)
    given = vars(parser.parse_args())
    chart, counts = given.pop("chart"), [int(count) for count in given.pop("replicas").split(",")]
    assumed = Assumed(**given)
    runs = [serve(assumed, count, placed) for placed in ("by prefix", "least busy") for count in counts]
    if chart:
        draw(assumed, runs, chart)
    results = {
        "assumed": asdict(assumed),
        "index": index_plan(assumed),
        "GPU seconds of a question": gpu_seconds(assumed),
        "dollars for 1,000 questions": costs(assumed),
        "replicas": [asdict(run) for run in runs],
    }
    print(json.dumps(json.loads(json.dumps(results), parse_float=lambda text: float(f"{float(text):.4g}")), indent=2))
