"""What the embedded backend is worth by how much it reads: the source of its built-in profile.

    python examples/routing/embedded.py measure OUT.jsonl DATASET... [--limit N] [--index FOLDER] [--writer off]
    python examples/routing/embedded.py fit OUT.jsonl...

``measure`` answers each question of each dataset by ``chunk_rag`` at each of BUDGETS and by ``full_context``, and
writes a line for each: the value by the measure that suits the question (``lcrag.comparison.scoring``), whether all
gold evidence was read, what was estimated before. ``fit`` prints the curves: the mean value of answers whose evidence
was read, over questions with marked evidence, sources weighing the same; and how often something is made up where
nothing is there. Then, with these curves, what the router's P(correct) is worth on the same questions.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from gold import sampled, sessions

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.comparison.dataset import Question, load
from lcrag.comparison.scoring import merge_spans, score
from lcrag.planning.estimate import estimate
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.reranker import MiniLMReranker
from lcrag.session import Session
from lcrag.types import Passage
from lcrag.writer.writer import Writer
from pipelines import ChunkRag, FullContext, Run

BUDGETS = (500, 2000, 8000)
ABSTAINED = ("not_found", "not_retrieved")


def measure(out: Path, folders: list[Path], limit: int | None, indexes: Path, writer: Writer | None) -> None:
    backend = EmbeddedBackend(load_embedder(), MiniLMReranker(), writer)
    with out.open("a", encoding="utf-8") as file:
        for folder in folders:
            listed = sampled(load(folder), limit)
            for session, group in sessions(listed, indexes, backend):
                for question in group:
                    for line in answers(session, question):
                        file.write(json.dumps({"set": folder.name, **line}, ensure_ascii=False) + "\n")
                    file.flush()
            print(folder.name, len(listed), "questions", flush=True)


def answers(session: Session, question: Question) -> Iterator[dict[str, Any]]:
    ranking = session.rank(question.question)
    size = session.corpus.size.tokens
    found = estimate(ranking, reranker=True)
    for budget in [*(budget for budget in BUDGETS if budget < size), size]:
        asked: list[Passage] = []
        run = Run(question.question, session.corpus, ranking, session.backend, session.reranker, asked=asked)
        begun = time.perf_counter()
        answer = (FullContext() if budget == size else ChunkRag(budget)).answer(run)
        value = score(question, answer.text, answer.short, answer.status)
        if value is None:
            return
        yield {
            "id": question.id,
            "task": question.task_type,
            "tokens": budget,
            "whole": budget == size,
            "value": value.value,
            "metric": value.metric,
            "exact": value.exact,
            "f1": value.f1,
            "rouge_l": value.rouge_l,
            "unanswerable": question.unanswerable,
            "abstained": answer.status in ABSTAINED,
            "read": read_all(question, asked) if question.evidence else None,
            "covered": found.covered(budget),
            "answerable": found.answerable,
            "kinds": dict(found.kinds),
            "supported": [statement.supported for statement in answer.statements],
            "seconds": time.perf_counter() - begun,
            "text": answer.text,
            "short": answer.short,
        }


def read_all(question: Question, asked: list[Passage]) -> bool:
    """Whether every gold span lies within what was read, but for white space at its end."""
    read = merge_spans((Path(passage.source).resolve(), passage.start, passage.end) for passage in asked)
    return all(
        any(doc == span.doc and start <= span.start and span.end - 2 <= end for doc, start, end in read)
        for span in question.evidence or ()
    )


def fit(paths: list[Path]) -> None:
    lines = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    for whole in (False, True):
        print("consecutive" if whole else "retrieved")
        by_budget: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for line in lines:
            if line["whole"] == whole and line["read"] and not line["unanswerable"]:
                length = round_up(line["tokens"]) if whole else line["tokens"]
                by_budget[length][line["set"]].append(line["value"])
        for budget, sources in sorted(by_budget.items()):
            own = "  ".join(f"{name} {fmean(values):.2f} ({len(values)})" for name, values in sorted(sources.items()))
            print(f"  {budget:7,}  {fmean(map(fmean, sources.values())):.3f}   {own}")
    for name in sorted({line["set"] for line in lines if line["unanswerable"]}):
        own = [line for line in lines if line["unanswerable"] and line["set"] == name]
        made_up = [not line["abstained"] for line in own]
        print(f"made up on {name}: {fmean(made_up):.2f} of {len(made_up)} answers")


def round_up(tokens: int) -> int:
    """The length of a whole corpus in steps of four times."""
    return next(step for step in (2_000, 8_000, 32_000, 128_000, 10**9) if tokens <= step)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("out", type=Path)
    measuring.add_argument("folders", type=Path, nargs="+")
    measuring.add_argument("--limit", type=int)
    measuring.add_argument("--index", type=Path, help="keep the indexes in this folder")
    measuring.add_argument("--writer", choices=("auto", "off"), default="auto")
    fitting = commands.add_parser("fit")
    fitting.add_argument("paths", type=Path, nargs="+")
    options = parser.parse_args()
    if options.command == "fit":
        return fit(options.paths)
    with tempfile.TemporaryDirectory() as scratch:
        writer = Writer() if options.writer == "auto" else None
        measure(options.out, options.folders, options.limit, options.index or Path(scratch), writer)
    return None


if __name__ == "__main__":
    main()
