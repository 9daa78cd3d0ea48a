"""What is the reader worth? Short answers, reranking, pruning and "not here", on questions whose evidence is known.

    python examples/reader/evaluate.py DIR... [--index FOLDER] [--limit N] [--reader off] [--fp32] [--json]
                                       [--passages data.json.gz]

Each DIR is a dataset as lcrag.comparison.dataset reads it. It prints these figures for each dataset, with n the number
of questions that each is over:

    gold EM, F1    the best span of the passages with the evidence, where the answer is a short text in them
    EM, F1         the short answer of the embedded backend from 2,000 tokens as chunk_rag takes them; same questions
    quoted         whether a sentence that it quotes holds evidence
    1k             all the evidence within 1,000 tokens: as ranked, and as reranked
    pruned         of the evidence (characters) in the first 32 chunks, what pruning keeps in a fifth of the tokens
    hits, corpus   all the evidence kept by compression at 2,000 tokens, as a share of how often as many tokens of whole
                   chunks hold it: RETAINED and RETAINED_RERANKED in pipelines/compression.py are means over datasets
    here           the area under the ROC curve of the best "the answer is here" over the first 32 chunks

``--reader off`` prints what can be measured without a reader; ``--fp32`` reads with the model before its conversion to
int8. ``--passages`` reads the trainer's held-out questions ("ev", see data.py), each with its one passage, and prints
by source EM and F1 of the best span, and the area under the curve of "the answer is here".
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
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import numpy as np
from gold import evidence_places, rank_questions, tokens_until

from lcrag import ingest
from lcrag.backends.embedded import EmbeddedBackend
from lcrag.comparison.dataset import Question, load
from lcrag.comparison.measures import SHORT_WORDS, contained, token_f1, words
from lcrag.evidence.cite import cite
from lcrag.pipelines._prune import prune
from lcrag.pipelines._run import CANDIDATES, rerank
from lcrag.pipelines.compression import WIDER
from lcrag.retrieve import onnx_export
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.encoder import NO_TELEMETRY, weights_folder
from lcrag.retrieve.reranker import ADAPTER, MiniLMReranker
from lcrag.text.passages import passages, within
from lcrag.types import Document, Embedder, Passage, Ranking, Reranker, Task

BUDGET = 2000
"""Tokens from which the embedded backend answers, and to which is compressed."""
TOP = 1000
PRUNED = 0.2

Spans = Sequence[tuple[str, int, int]]
Values = dict[str, list[float]]
Figures = dict[str, tuple[float, int]]


def overlap(spans: Spans, places: Iterable[tuple[str, int, int]]) -> int:
    """Characters of the spans that are in the places; neither may overlap among themselves."""
    return sum(
        max(0, min(span_end, end) - max(span_start, start))
        for document, start, end in places
        for span_document, span_start, span_end in spans
        if document == span_document
    )


def overlap_of_passages(spans: Spans, read: Iterable[Passage]) -> int:
    parts = ((passage.document_id, passage.parts or ((passage.start, passage.end),)) for passage in read)
    return overlap(spans, [(document, start, end) for document, places in parts for start, end in places])


def pruning(
    ranking: Ranking, spans: Spans, backend: EmbeddedBackend, reranker: Reranker | None
) -> Iterator[tuple[str, float]]:
    """What pruning keeps of the evidence."""
    question, chunks = ranking.question, [hit.chunk for hit in ranking.hits]
    size = sum(end - start for _, start, end in spans)
    first = passages(chunks[:CANDIDATES])
    before = overlap_of_passages(spans, first)
    if before:
        budget = round(PRUNED * sum(passage.tokens for passage in first))
        kept = prune(question, first, budget, backend, ranking, reranker)
        yield "pruned", overlap_of_passages(spans, kept) / before
    for over, candidates in (("hits", within(chunks, WIDER * BUDGET)), ("corpus", chunks)):
        kept = prune(question, passages(candidates), BUDGET, backend, ranking, reranker)
        yield over, overlap_of_passages(spans, kept) == size
    whole = [(chunk.document_id, chunk.start, chunk.end) for chunk in within(chunks, BUDGET)]
    yield "covered", overlap(spans, whole) == size


def add_match(values: Values, name: str, text: str, answers: Sequence[str]) -> None:
    values[f"{name}EM"].append(max(words(text) == words(answer) for answer in answers))
    values[f"{name}F1"].append(max(token_f1(text, answer) for answer in answers))


def measure(questions: list[Question], indexes: Path, embedder: Embedder, reranker: Reranker | None) -> Values:
    """Each figure's values, one for each question that has it."""
    backend = EmbeddedBackend(embedder, reranker)
    values: Values = collections.defaultdict(list)
    documents: dict[Path, Document] = {}
    for question, ranking, gold in rank_questions(questions, embedder, indexes):
        for doc in question.docs:
            if doc not in documents:
                documents |= {Path(file.path).resolve(): ingest.read(file) for file in ingest.discover([doc]).files}
        by_id = {document.id: document for document in documents.values()}
        hits = ranking.hits
        order = list(range(len(hits)))
        if reranker is not None:
            relevances = reranker.read(question.question, [hit.chunk.text for hit in hits[:CANDIDATES]])
            order = rerank(hits, relevances)
            here = max(relevance.here for relevance in relevances)
            values["absent" if question.unanswerable else "present"].append(here)
        if question.unanswerable:
            continue
        reranked = [hits[place] for place in order]
        read = passages(within([hit.chunk for hit in reranked], BUDGET))
        [completion] = backend.run([Task("answer", question.question, tuple(read))], max_tokens=1024)
        spans = evidence_places(question.evidence or (), documents)
        quotes = [by_id[document].text[start:end] for document, start, end in spans]
        verbatim = [answer for answer in question.answers if any(contained(quote, answer) == 1 for quote in quotes)]
        if reranker is not None and verbatim and min(len(words(answer)) for answer in verbatim) <= SHORT_WORDS:
            _, span = max(
                (relevance.answer_score, quote[slice(*relevance.answer)])
                for relevance, quote in zip(reranker.read(question.question, quotes), quotes, strict=True)
            )
            add_match(values, "gold ", span, question.answers)
            add_match(values, "", completion.short or "", question.answers)
        if gold is None:
            continue
        citations = cite(completion.text, read, by_id.__getitem__).citations
        cited = [(citation.document_id, citation.start, citation.end) for citation in citations]
        values["quoted"].append(overlap(spans, cited) > 0)
        values["1k ranked"].append(gold.covered(TOP))
        needed = tokens_until(reranked, spans)
        values["1k"].append(needed is not None and needed <= TOP)
        for name, value in pruning(ranking, spans, backend, reranker):
            values[name].append(value)
    return values


def measure_passages(examples: Iterable[Mapping[str, Any]], reranker: Reranker) -> Iterator[tuple[str, Figures]]:
    """By source, EM, F1 and "the answer is here" of questions that each have one passage."""
    by_source: dict[str, Values] = collections.defaultdict(lambda: collections.defaultdict(list))
    for example in examples:
        values = by_source[example["src"]]
        [relevance] = reranker.read(example["q"], [example["c"]])
        values["present" if example["a"] else "absent"].append(relevance.here)
        if example["a"]:
            add_match(values, "", example["c"][slice(*relevance.answer)], example["gold"])
    for source, values in by_source.items():
        yield source, figures_of(values)


def figures_of(values: Values) -> Figures:
    """Each figure, and the number of questions that it is over."""
    present, absent = values["present"], values["absent"]
    figures = {
        name: (float(np.mean(listed)), len(listed))
        for name, listed in values.items()
        if name not in ("present", "absent")
    }
    if present and absent:
        wins = [(a > b) + 0.5 * (a == b) for a in present for b in absent]
        figures["here"] = (float(np.mean(wins)), len(present) + len(absent))
    if "covered" in figures:
        covered, count = figures.pop("covered")
        for over in ("hits", "corpus"):
            figures[over] = (figures[over][0] / covered if covered else float("nan"), count)
    return figures


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
        reranker = None if options.reader == "off" else MiniLMReranker()
        if options.fp32:
            os.environ.update(NO_TELEMETRY)
            onnx_export.export_reader(weights_folder(), Path(scratch, "reader"), ADAPTER)
            reranker = MiniLMReranker(Path(scratch, "reader.fp32"))
        embedder = load_embedder()
        for folder in options.folders:
            questions = list(load(folder))[: options.limit]
            values = measure(questions, options.index or Path(scratch), embedder, reranker)
            show(folder.name, figures_of(values), options.json)
        if options.passages and reranker is not None:
            with gzip.open(options.passages, "rt", encoding="utf-8") as file:
                held_out = json.load(file)["ev"]
            for source, figures in measure_passages(held_out, reranker):
                show(source, figures, options.json)


def show(name: str, figures: Figures, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"dataset": name, **figures}), flush=True)
    else:
        shown = (f"{figure} {value:.3f} (n {count})" for figure, (value, count) in figures.items())
        print(f"{name}: {', '.join(shown)}", flush=True)


if __name__ == "__main__":
    main()
