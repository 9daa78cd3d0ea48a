"""What is the reader worth? Short answers, reranking, pruning and "not here", on questions whose evidence is known.

    python examples/reader/evaluate.py DIR... [--index FOLDER] [--limit N] [--reader off] [--fp32] [--json]
                                       [--passages data.json.gz]

Each DIR is a dataset as lcrag.comparison.dataset reads it. Printed per dataset, with n the questions that each figure
is over:

    gold EM, F1    the best span of the passages with the evidence, where the answer is a short text that stands there
    EM, F1         the short answer of the embedded backend from 2,000 tokens as chunk_rag takes them; same questions
    quoted         whether a sentence that it quotes holds evidence
    1k             all the evidence within 1,000 tokens as ranked, and with the reader's rank score
    pruned         of the evidence (characters) in the first 32 chunks, what compression keeps in a fifth of the tokens
    hits, corpus   all the evidence kept by compression at 2,000 tokens, as a share of how often as many tokens of whole
                   chunks hold it: RETAINED in pipelines/compression.py is the mean over datasets
    here           the area under the ROC curve of the best "the answer is here" over the first 32 chunks

``--reader off`` prints what can be without one; ``--fp32`` reads with the model as it is before int8. ``--passages``
reads the questions that the trainer kept apart ("ev", see data.py), each beside its one passage: EM and F1 of the best
span, and the area under the curve of "the answer is here", by source.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import numpy as np
from gold import ranked, tokens_until

from lcrag import ingest
from lcrag.backends.embedded import EmbeddedBackend
from lcrag.comparison.dataset import Question, load
from lcrag.comparison.measures import SHORT_WORDS, contained, token_f1, words
from lcrag.comparison.scoring import merge_spans
from lcrag.evidence.cite import cite
from lcrag.retrieve import onnx_export
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.encoder import NO_TELEMETRY, weights_folder
from lcrag.retrieve.reranker import ADAPTER, MiniLMReranker
from lcrag.text.passages import passages, within
from lcrag.types import Document, Passage, Ranking, Reranker, Task
from pipelines.chunk_rag import CANDIDATES, reranked
from pipelines.compression import WIDER, compressed

READ = 2000
"""Tokens from which the embedded backend answers, and to which is compressed."""
SEEN = 1000
PRUNED = 0.2

Spans = Sequence[tuple[str, int, int]]
Figures = dict[str, tuple[float, int]]


def overlap(spans: Spans, places: Iterable[tuple[str, int, int]]) -> int:
    """Characters of the spans in the places; neither overlap among themselves."""
    return sum(max(0, min(e, b) - max(s, a)) for one, a, b in places for other, s, e in spans if one == other)


def held(spans: Spans, kept: Iterable[Passage]) -> int:
    return overlap(spans, [(one.document_id, a, b) for one in kept for a, b in one.parts or ((one.start, one.end),)])


def shares(ranking: Ranking, spans: Spans, backend: EmbeddedBackend) -> Iterable[tuple[str, float]]:
    """What compression keeps of the evidence."""
    asked, chunks = ranking.question, [hit.chunk for hit in ranking.hits]
    size = sum(end - start for _, start, end in spans)
    first = passages(chunks[:CANDIDATES])
    there = held(spans, first)
    if there:
        budget = round(PRUNED * sum(passage.tokens for passage in first))
        yield "pruned", held(spans, compressed(asked, first, budget, backend, ranking)) / there
    for over, looked in (("hits", within(chunks, WIDER * READ)), ("corpus", chunks)):
        yield over, held(spans, compressed(asked, passages(looked), READ, backend, ranking)) == size
    yield "covered", overlap(spans, [(one.document_id, one.start, one.end) for one in within(chunks, READ)]) == size


def compare(found: dict[str, list[float]], name: str, said: str, golds: Sequence[str]) -> None:
    found[f"{name}EM"].append(max(words(said) == words(gold) for gold in golds))
    found[f"{name}F1"].append(max(token_f1(said, gold) for gold in golds))


def measured(
    questions: list[Question], indexes: Path, backend: EmbeddedBackend, reader: Reranker | None
) -> dict[str, list[float]]:
    """The figures of each question that has them."""
    found: dict[str, list[float]] = collections.defaultdict(list)
    documents: dict[Path, Document] = {}
    for question, ranking, gold in ranked(questions, backend.embedder, indexes):
        for doc in question.docs:
            if doc not in documents:
                documents |= {Path(file.path).resolve(): ingest.read(file) for file in ingest.discover([doc]).files}
        by_id = {document.id: document for document in documents.values()}
        hits = ranking.hits
        chunks = [hit.chunk for hit in hits]
        order = list(range(len(hits)))
        if reader is not None:
            readings = reader.read(question.question, [chunk.text for chunk in chunks[:CANDIDATES]])
            order = reranked(hits, readings)
            found["absent" if question.unanswerable else "present"].append(max(one.here for one in readings))
        if question.unanswerable:
            continue
        read = passages(within([chunks[place] for place in order], READ))
        [done] = backend.run([Task("answer", question.question, tuple(read))], max_tokens=1024)
        spans = merge_spans((documents[one.doc].id, one.start, one.end) for one in question.evidence or ())
        quotes = [by_id[one].text[start:end] for one, start, end in spans]
        verbatim = [one for one in question.answers if any(contained(quote, one) == 1 for quote in quotes)]
        if reader is not None and verbatim and min(len(words(one)) for one in verbatim) <= SHORT_WORDS:
            _, said = max(
                (one.answer_score, quote[slice(*one.answer)])
                for one, quote in zip(reader.read(question.question, quotes), quotes, strict=True)
            )
            compare(found, "gold ", said, question.answers)
            compare(found, "", done.short or "", question.answers)
        if gold is None:
            continue
        cited = cite(done.text, read, by_id.__getitem__).citations
        found["quoted"].append(overlap(spans, [(one.document_id, one.start, one.end) for one in cited]) > 0)
        found["1k ranked"].append(gold.covered(SEEN))
        until = tokens_until([hits[place] for place in order], spans)
        found["1k"].append(until is not None and until <= SEEN)
        for name, value in shares(replace(ranking, reader=reader), spans, backend):
            found[name].append(value)
    return found


def beside_their_passage(examples: Iterable[Mapping[str, Any]], reader: Reranker) -> Iterator[tuple[str, Figures]]:
    """EM, F1 and whether it is here, of questions each of which has one passage, by source."""
    by_source: dict[str, dict[str, list[float]]] = collections.defaultdict(lambda: collections.defaultdict(list))
    for one in examples:
        found = by_source[one["src"]]
        [reading] = reader.read(one["q"], [one["c"]])
        found["present" if one["a"] else "absent"].append(reading.here)
        if one["a"]:
            said = one["c"][slice(*reading.answer)]
            compare(found, "", said, one["gold"])
    for source, found in by_source.items():
        yield source, told(found)


def told(found: dict[str, list[float]]) -> Figures:
    """Each figure and the number of questions that it is over."""
    values = {name: (float(np.mean(those)), len(those)) for name, those in found.items()}
    values.pop("present", None), values.pop("absent", None)
    if found["present"] and found["absent"]:
        won = [(a > b) + 0.5 * (a == b) for a in found["present"] for b in found["absent"]]
        values["here"] = (float(np.mean(won)), len(found["present"]) + len(found["absent"]))
    if "covered" in values:
        covered, count = values.pop("covered")
        for over in ("hits", "corpus"):
            values[over] = (values[over][0] / covered if covered else float("nan"), count)
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="DIR")
    parser.add_argument("--passages", type=Path)
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    parser.add_argument("--limit", type=int, help="questions of each")
    parser.add_argument("--reader", choices=("auto", "off"), default="auto")
    parser.add_argument("--fp32", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.folders and not options.passages:
        parser.error("name a dataset's folder, or --passages")
    with tempfile.TemporaryDirectory() as scratch:
        reader = None if options.reader == "off" else MiniLMReranker()
        if options.fp32:
            os.environ.update(NO_TELEMETRY)
            onnx_export.export_reader(weights_folder(), Path(scratch, "reader"), ADAPTER)
            reader = MiniLMReranker(Path(scratch, "reader.fp32"))
        backend = EmbeddedBackend(load_embedder(), reader)
        for folder in options.folders:
            questions = list(load(folder))[: options.limit]
            show(folder.name, told(measured(questions, options.index or Path(scratch), backend, reader)), options.json)
        if options.passages and reader is not None:
            with gzip.open(options.passages, "rt", encoding="utf-8") as file:
                kept_apart = json.load(file)["ev"]
            for source, values in beside_their_passage(kept_apart, reader):
                show(source, values, options.json)


def show(name: str, values: Figures, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"dataset": name, **values}), flush=True)
    else:
        shown = (f"{figure} {value:.3f} (n {count})" for figure, (value, count) in values.items())
        print(f"{name}: {', '.join(shown)}", flush=True)


if __name__ == "__main__":
    main()
