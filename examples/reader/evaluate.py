"""Does the reader help? Reranking, pruning, short answers and "not here", on questions whose evidence is known.

    python examples/reader/evaluate.py DIR... [--index FOLDER] [--limit N]

Each DIR is a dataset as lcrag.dataset reads it. The first ``CANDIDATES`` chunks of lcrag's ranking are read once.
Printed per dataset: the share of questions with all evidence in the first 1,000 tokens as ranked, and with the rank
score added at several weights; the share of the evidence's characters in the candidates that is kept when whole
sentences are pruned to a fifth of the text, by evidence probability and by BM25; EM and F1 of the best span over all
candidates and on the gold passage alone; the area under the ROC curve of the best "here".
"""

from __future__ import annotations

import argparse
import collections
import re
import string
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from reader import Reader, Reading

from lcrag import ingest
from lcrag.dataset import Question, load
from lcrag.embed import load_embedder
from lcrag.gold import ranked, tokens_until
from lcrag.sentences import sentences
from lcrag.types import Chunk, Hit
from pipelines.compression import _relevance

CANDIDATES = 32
WEIGHTS = (0.05, 0.1, 0.2, 0.4)
BUDGET = 1000
KEPT = 0.2


def normal(text: str) -> str:
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def overlap(said: str, gold: str) -> float:
    mine, theirs = normal(said).split(), normal(gold).split()
    same = sum((collections.Counter(mine) & collections.Counter(theirs)).values())
    return 2 * same / (len(mine) + len(theirs)) if same else 0.0


def reranked(hits: Sequence[Hit], readings: Sequence[Reading], weight: float) -> list[Hit]:
    first = sorted(range(len(readings)), key=lambda at: -(hits[at].score + weight * readings[at].rank))
    return [*(hits[at] for at in first), *hits[len(readings) :]]


def kept_share(
    question: str, chunks: Sequence[Chunk], readings: Sequence[Reading], spans: list[tuple[str, int, int]], by: str
) -> float | None:
    """Of the evidence's characters in the chunks, the share in the best sentences that a fifth of the text holds."""
    units = [(n, a, b) for n, chunk in enumerate(chunks) for a, b in sentences(chunk.text) if chunk.text[a:b].strip()]
    if by == "reader":
        scores = [readings[n].evidence_in(a, b) for n, a, b in units]
    else:
        scores = _relevance(question, [chunks[n].text[a:b] for n, a, b in units])
    left = KEPT * sum(b - a for _, a, b in units)
    held = kept = 0
    for at in sorted(range(len(units)), key=lambda at: -scores[at]):
        n, a, b = units[at]
        start, end = chunks[n].start + a, chunks[n].start + b
        mine = sum(max(0, min(end, e) - max(start, s)) for document, s, e in spans if document == chunks[n].document_id)
        held += mine
        if b - a <= left:
            left -= b - a
            kept += mine
    return kept / held if held else None


def measured(questions: list[Question], indexes: Path, reader: Reader) -> dict[str, float]:
    embedder = load_embedder()
    found: dict[str, list[float]] = collections.defaultdict(list)
    here: list[tuple[bool, float]] = []
    ids: dict[Path, str] = {}
    for question, ranking, gold in ranked(questions, embedder, indexes):
        hits = ranking.hits
        readings = reader.read(question.question, [hit.chunk.text for hit in hits[:CANDIDATES]])
        best = max(range(len(readings)), key=lambda at: readings[at].answer_score)
        here.append((not question.unanswerable, max(reading.here for reading in readings)))
        for doc in question.docs:
            if doc not in ids:
                ids |= {file.path.resolve(): ingest.read(file).id for file in ingest.discover([doc]).files}
        if question.unanswerable:
            continue
        if question.answers and max(len(one.split()) for one in question.answers) <= 8:
            span = readings[best].answer
            said = hits[best].chunk.text[slice(*span)]
            found["EM pipeline"].append(max(normal(said) == normal(one) for one in question.answers))
            found["F1 pipeline"].append(max(overlap(said, one) for one in question.answers))
            if question.evidence and len(question.evidence) == 1:
                one = question.evidence[0]
                passage = one.doc.read_text(encoding="utf-8")[one.start : one.end]
                [alone] = reader.read(question.question, [passage])
                said = passage[slice(*alone.answer)]
                found["EM gold passage"].append(max(normal(said) == normal(gold) for gold in question.answers))
                found["F1 gold passage"].append(max(overlap(said, gold) for gold in question.answers))
        if gold is None:
            continue
        spans = [(ids[span.doc], span.start, span.end) for span in question.evidence or ()]
        found["at 1k"].append(gold.covered(BUDGET))
        for weight in WEIGHTS:
            until = tokens_until(reranked(hits, readings, weight), spans)
            found[f"at 1k, rank {weight}"].append(until is not None and until <= BUDGET)
        for by in ("reader", "words"):
            share = kept_share(question.question, [hit.chunk for hit in hits[:CANDIDATES]], readings, spans, by)
            if share is not None:
                found[f"kept by {by}"].append(share)
    told = {name: float(np.mean(values)) for name, values in found.items()}
    yes, no = [score for held, score in here if held], [score for held, score in here if not held]
    if yes and no:
        told["AUROC here"] = float(np.mean([(a > b) + 0.5 * (a == b) for a in yes for b in no]))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    parser.add_argument("--limit", type=int, help="questions of each")
    options = parser.parse_args()
    reader = Reader()
    with tempfile.TemporaryDirectory() as scratch:
        for folder in options.folders:
            questions = list(load(folder))[: options.limit]
            told = measured(questions, options.index or Path(scratch), reader)
            print(folder.name, len(questions), *(f"{name} {value:.3f};" for name, value in told.items()), flush=True)


if __name__ == "__main__":
    main()
