"""Does a section's summary find what its chunks do not? Evidence and answers with and without, at equal tokens.

    python examples/evaluation/sections.py DIR... [--limit 60] [--weights 0.25,0.5,1] [--answers] [--index FOLDER]

Summaries are made of central sentences, without a model. For each weight of a section's summary, 0 for none, it prints
the share of questions whose evidence is wholly within 1,000 and 4,000 tokens in rank order; with ``--answers`` the mean
score of the answers of ``chunk_rag:tokens=4000`` without and with summaries as well, on the embedded backend.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

sys.path.append(str(Path(__file__).parents[1]))

from gold import evidence_places, sampled, sessions

from lcrag import ingest
from lcrag.backends.embedded import EmbeddedBackend
from lcrag.comparison.dataset import Question, load
from lcrag.comparison.scoring import asked, score
from lcrag.errors import LcragError
from lcrag.retrieve import open_embedder, open_reranker
from lcrag.retrieve.rank import Scored
from lcrag.text.passages import within
from lcrag.types import Chunk, ignore

BUDGETS = (1000, 4000)
ROUTES = ("chunk_rag:tokens=4000", "chunk_rag:tokens=4000,layer=section")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--weights", default="0.25,0.5,1")
    parser.add_argument("--answers", action="store_true")
    parser.add_argument("--index", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    weights = [0.0, *map(float, options.weights.split(","))]
    embedder = open_embedder("auto", None, ignore)
    backend = EmbeddedBackend(embedder, open_reranker("auto", "auto", ignore))
    try:
        with tempfile.TemporaryDirectory() as scratch:
            for folder in options.folders:
                questions = [question for question in load(folder) if question.evidence]
                drawn = sampled(questions, options.limit)
                found, scores = measure(drawn, backend, options.index or Path(scratch), weights, options.answers)
                for weight, shares in found.items():
                    line = " ".join(f"{fmean(shares[k]):.3f}" for k in BUDGETS)
                    print(f"{folder.name:16} n {len(drawn)} weight {weight:<5} {line}", flush=True)
                for route, values in scores.items():
                    print(f"{folder.name:16} n {len(values)} {route} {fmean(values):.3f}", flush=True)
    except LcragError as error:
        sys.exit(f"{error}\n{error.hint}".rstrip())


def measure(
    questions: Sequence[Question], backend: EmbeddedBackend, indexes: Path, weights: Sequence[float], answers: bool
) -> tuple[dict[float, dict[int, list[bool]]], dict[str, list[float]]]:
    """By weight and budget whether the evidence of each question is there; by route the score of each answer."""
    found: dict[float, dict[int, list[bool]]] = {weight: defaultdict(list) for weight in weights}
    scores: dict[str, list[float]] = defaultdict(list)
    for session, group in sessions(questions, indexes, backend):
        session.fill()
        session.sum_up()
        files = ingest.discover(list(session.settings.paths)).files
        documents = {Path(file.path).resolve(): ingest.read(file) for file in files}
        for question in group:
            spans = evidence_places(question.evidence or (), documents)
            scored = Scored.of(session.corpus, question.question, backend.embedder)
            for weight in weights:
                hits = [hit.chunk for hit in scored.ranking(weight).hits]
                for budget in BUDGETS:
                    found[weight][budget].append(holds(within(hits, budget), spans))
            for route in ROUTES if answers else ():
                answer = session.ask(asked(question), pipeline=route)
                value = score(question, answer.text, answer.short, answer.status)
                if value is not None:
                    scores[route].append(value.value)
    return found, scores


def holds(read: Sequence[Chunk], spans: Sequence[tuple[str, int, int]]) -> bool:
    """Whether these chunks hold every character of the ``(document id, start, end)`` spans."""
    return all(
        sum(max(0, min(end, one.end) - max(start, one.start)) for one in read if one.document_id == document)
        >= end - start
        for document, start, end in spans
    )


if __name__ == "__main__":
    main()
