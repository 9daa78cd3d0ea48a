"""How well a trained writer answers real questions that it was not trained on.

    python examples/writer/evaluate.py collect OUT.jsonl.xz DATASET... [--tokens 500,1000,2000] [--limit N]
    python examples/writer/evaluate.py score OUT.jsonl.xz REPLIES.jsonl

``collect`` writes the prompts that ``chunk_rag`` would send at each budget, after lcrag's own ranking and reranking,
with the gold answers. ``train.py --evaluate`` answers them. ``score`` prints, by dataset and budget: exact match, F1
and ROUGE-L of the whole reply without markers, ``value`` by the measure that suits each question
(``lcrag.comparison.scoring``), and how often the writer said NOT FOUND, rightly and wrongly.
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from gold import sampled, sessions

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.comparison.dataset import Question, load
from lcrag.comparison.scoring import SUMMARY, score
from lcrag.pipelines._run import Run
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.reranker import MiniLMReranker
from lcrag.session import Session
from lcrag.text.passages import passages
from lcrag.text.prompts import messages, says_nothing
from lcrag.types import Task

LONG = 120
"""Tokens of a reply to a question that asks for a summary; others get 48."""


def collect(out: Path, folders: list[Path], budgets: list[int], limit: int | None, indexes: Path) -> None:
    backend = EmbeddedBackend(load_embedder(), MiniLMReranker())
    with lzma.open(out, "wt", encoding="utf-8") as file:
        for folder in folders:
            listed = sampled(load(folder), limit)
            for session, group in sessions(listed, indexes, backend):
                for question in group:
                    for entry in prompts_of(session, question, folder.name, budgets):
                        file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            print(folder.name, len(listed), "questions", flush=True)


def prompts_of(session: Session, question: Question, dataset: str, budgets: list[int]) -> Iterator[dict[str, Any]]:
    ranking = session.rank(question.question)
    run = Run(question.question, session.corpus, ranking, session.backend, session.reranker)
    for tokens in budgets:
        read = passages(run.best_chunks(tokens))
        yield {
            "id": f"{question.id} {tokens}",
            "dataset": dataset,
            "tokens": tokens,
            "most": LONG if SUMMARY.search(question.task_type or "") else 48,
            "messages": messages(Task("answer", question.question, tuple(read))),
            "question": question.question,
            "answers": question.answers,
            "unanswerable": question.unanswerable,
            "options": question.options,
            "task_type": question.task_type,
        }


def show(asked: Path, replies: Path) -> None:
    with replies.open(encoding="utf-8") as file:
        said = {entry["id"]: entry["reply"] for entry in map(json.loads, file)}
    figures: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with lzma.open(asked, "rt", encoding="utf-8") as file:
        for entry in map(json.loads, file):
            reply = re.sub(r"\s*\[\d+\]", "", said[entry["id"]]).strip()
            nothing = says_nothing(reply)
            own = figures[entry["dataset"], entry["tokens"]]
            if entry["unanswerable"]:
                own["refused rightly"].append(nothing)
                continue
            own["refused wrongly"].append(nothing)
            question = Question(
                entry["id"],
                entry["dataset"],
                entry["question"],
                tuple(entry["answers"]),
                (),
                None,
                False,
                options=tuple(entry["options"] or ()),
                task_type=entry["task_type"],
            )
            short = reply.rstrip(".")
            value = score(question, reply, short, "not_retrieved" if nothing else "answered")
            if value is not None:
                own["value"].append(value.value)
                for name in ("exact", "f1", "rouge_l"):
                    own[name].append(getattr(value, name) or 0.0)
    for (dataset, tokens), own in sorted(figures.items()):
        cells = [f"{name} {fmean(values):.3f} ({len(values)})" for name, values in own.items()]
        print(f"{dataset:16} {tokens:5}  {'  '.join(cells)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    collecting = commands.add_parser("collect")
    collecting.add_argument("out", type=Path)
    collecting.add_argument("folders", type=Path, nargs="+")
    collecting.add_argument("--tokens", default="500,1000,2000")
    collecting.add_argument("--limit", type=int)
    collecting.add_argument("--index", type=Path, help="keep the indexes in this folder")
    scoring = commands.add_parser("score")
    scoring.add_argument("asked", type=Path)
    scoring.add_argument("replies", type=Path)
    options = parser.parse_args()
    if options.command == "score":
        return show(options.asked, options.replies)
    with tempfile.TemporaryDirectory() as scratch:
        budgets = [int(tokens) for tokens in options.tokens.split(",")]
        collect(options.out, options.folders, budgets, options.limit, options.index or Path(scratch))
    return None


if __name__ == "__main__":
    main()
