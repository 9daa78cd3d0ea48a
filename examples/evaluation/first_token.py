"""Does the small writer know that the answer is not there? By the odds of its first token, and by what it replies.

    python examples/evaluation/first_token.py DIR... [--tokens 4000] [--limit N] [--index FOLDER] [--json]

Each DIR is a dataset as lcrag.comparison.dataset reads it. The writer is asked for a short answer from the best parts
of the first hits, as the embedded backend asks it. For each dataset it prints the area under the ROC curve of P(the
reply begins like NOT FOUND) and of the judgement of lcrag/backends/answerable.json, which some datasets were fitted on;
and the shares of unanswerable questions refused and of answerable ones answered by the backend without the writer and
with it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import numpy as np
from gold import rank_questions, sampled
from sklearn.metrics import roc_auc_score

from lcrag.backends import answerable, compose, extract
from lcrag.backends.embedded import EmbeddedBackend
from lcrag.comparison.dataset import load
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.reranker import MiniLMReranker
from lcrag.text.passages import passages, within
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Task
from lcrag.writer.writer import Writer


@dataclass(frozen=True)
class Case:
    """``judged``: P(the passages hold the answer) by the judgement; the rest by the writer and by the backends."""

    answerable: bool
    first_token: float
    judged: float
    refused: bool
    refused_with_writer: bool


def cases(folder: Path, backend: EmbeddedBackend, writer: Writer, options: argparse.Namespace) -> Iterator[Case]:
    plain = EmbeddedBackend(backend.embedder, backend.reranker)
    judgement = answerable.judgement_for(backend.embedder, backend.reranker)
    questions = sampled(load(folder), options.limit)
    for question, ranking, _ in rank_questions(questions, backend.embedder, options.index):
        read = passages(within([hit.chunk for hit in ranking.hits], options.tokens))
        task = Task("answer", question.question, tuple(read))
        scored = extract.score(task, backend.embedder, backend.reranker)
        if not scored.units:
            continue
        prompt = compose.short_prompt(task, scored.units, scored.weights, writer)
        [first_token] = writer.odds(prompt, [NOT_FOUND])
        without, with_writer = (each.run([task], max_tokens=1024)[0] for each in (plain, backend))
        yield Case(
            not question.unanswerable,
            first_token,
            answerable.answerable(scored.features, judgement),
            without.text == NOT_FOUND,
            with_writer.text == NOT_FOUND,
        )


def figures(listed: list[Case]) -> dict[str, float | int | None]:
    there = np.array([case.answerable for case in listed])

    def share(name: str, chosen: np.ndarray, value: bool) -> float | None:
        found = np.array([getattr(case, name) is value for case in listed])[chosen]
        return round(float(found.mean()), 3) if len(found) else None

    def auroc(values: list[float]) -> float | None:
        return round(float(roc_auc_score(there, values)), 3) if 0 < there.mean() < 1 else None

    return {
        "n": len(listed),
        "unanswerable": int((~there).sum()),
        "auroc_first_token": auroc([-case.first_token for case in listed]),
        "auroc_judgement": auroc([case.judged for case in listed]),
        "refused": share("refused", ~there, True),
        "refused_with_writer": share("refused_with_writer", ~there, True),
        "answered": share("refused", there, False),
        "answered_with_writer": share("refused_with_writer", there, False),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--limit", type=int, help="questions of each dataset")
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    parser.add_argument("--json", action="store_true", help="the cases, one object a line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        options.index = options.index or Path(scratch)
        writer = Writer()
        backend = EmbeddedBackend(load_embedder(), MiniLMReranker(), writer)
        for folder in options.folders:
            listed = list(cases(folder, backend, writer, options))
            if options.json:
                print("\n".join(json.dumps(asdict(case)) for case in listed), flush=True)
            else:
                print(folder.name, figures(listed), flush=True)


if __name__ == "__main__":
    main()
