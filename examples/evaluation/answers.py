"""Are citations and refusals right? Measured against gold evidence, by dataset and route.

    python examples/evaluation/answers.py DIR... [--routes a,b] [--limit N] [--dense off] [--index FOLDER] [--json]

Each DIR is a dataset as lcrag.comparison.dataset reads it, asked on the embedded backend. The columns:

    precision          of the citations of answerable questions with known evidence, the share that overlaps it
    recall             of the gold spans, the share that a citation overlaps; recall answered: of answered questions
    exact              the share of all quotes that are in the file at exactly the offsets and the line given
    unsupported        the share of sentences that no cited place supports
    answered           of the questions with an answer, the share answered; false refused: refused
    refused            of the questions without one, the share refused; false found: answered
    in part            refusals that say that only a part was read
    certified          refusals that claim that nothing is there although not everything was read; certified wrongly:
                       those of questions with an answer, whether it was not read or overlooked

``--limit`` takes N questions of each dataset, half of them without an answer as far as there are.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from gold import sampled, sessions

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.comparison.dataset import Question, load
from lcrag.errors import DoesNotFit
from lcrag.pipelines import PIPELINES
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.reranker import MiniLMReranker
from lcrag.types import Answer, Embedder, Policy, Reranker

ANSWERED = ("answered", "contradictory")


@dataclass(frozen=True)
class Row:
    """One question by one route. ``overlapping``: citations that overlap the evidence, None where none is known."""

    source: str
    route: str
    answerable: bool
    status: str
    coverage: float
    citations: int
    exact: int
    overlapping: int | None
    spans: int
    cited_spans: int
    statements: int
    unsupported: int
    dropped: int


def rows(
    folder: Path,
    routes: Sequence[str],
    limit: int | None,
    indexes: Path,
    embedder: Embedder | None,
    reranker: Reranker | None,
) -> Iterator[Row]:
    backend = EmbeddedBackend(embedder, reranker)
    for session, group in sessions(sample(load(folder), limit), indexes, backend):
        for question in group:
            ranking = session.rank(question.question)
            for route in routes:
                policy = Policy(prefer="quality", pipeline=route)
                try:
                    prepared = session.prepare(question.question, policy, ranking)
                    answer = session.answer(prepared, policy, escalate=False)
                except DoesNotFit:
                    continue
                yield row_of(folder.name, route, question, answer)


def sample(questions: list[Question], limit: int | None) -> list[Question]:
    """At most ``limit`` of them, always the same: in the order of a hash of their ids."""
    if limit is None:
        return questions
    ordered = sampled(questions, None)
    without = [question for question in ordered if question.unanswerable][: limit // 2]
    known = [question for question in ordered if not question.unanswerable and question.evidence]
    rest = [question for question in ordered if not question.unanswerable and not question.evidence]
    return [*without, *[*known, *rest][: limit - len(without)]]


def row_of(source: str, route: str, question: Question, answer: Answer) -> Row:
    texts = {citation.source: Path(citation.source).read_text(encoding="utf-8") for citation in answer.citations}
    exact = sum(
        texts[citation.source][citation.start : citation.end] == citation.quote
        and citation.line == texts[citation.source].count("\n", 0, citation.start) + 1
        for citation in answer.citations
    )
    spans = [] if question.unanswerable else [(str(span.doc), span.start, span.end) for span in question.evidence or ()]
    cited = [(citation.source, citation.start, citation.end) for citation in answer.citations]
    return Row(
        source,
        route,
        not question.unanswerable,
        answer.status,
        answer.coverage or 0.0,
        len(cited),
        exact,
        sum(any(overlap(place, span) for span in spans) for place in cited) if spans else None,
        len(spans),
        sum(any(overlap(place, span) for place in cited) for span in spans),
        len(answer.statements),
        sum(not statement.supported for statement in answer.statements),
        answer.dropped,
    )


def overlap(a: tuple[str, int, int], b: tuple[str, int, int]) -> bool:
    return a[0] == b[0] and a[1] < b[2] and b[1] < a[2]


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def summarise(listed: Sequence[Row]) -> dict[str, float | None]:
    """The figures of one dataset and route."""
    with_answer = [row for row in listed if row.answerable]
    without = [row for row in listed if not row.answerable]
    known = [row for row in with_answer if row.overlapping is not None]
    answered = [row for row in known if row.status in ANSWERED]
    certified = [row for row in listed if row.status == "not_found" and row.coverage < 1]
    return {
        "n": len(listed),
        "precision": share(sum(row.overlapping or 0 for row in answered), sum(row.citations for row in answered)),
        "recall": share(sum(row.cited_spans for row in known), sum(row.spans for row in known)),
        "recall_answered": share(sum(row.cited_spans for row in answered), sum(row.spans for row in answered)),
        "exact": share(sum(row.exact for row in listed), sum(row.citations for row in listed)),
        "unsupported": share(sum(row.unsupported for row in listed), sum(row.statements for row in listed)),
        "answered": share(sum(row.status in ANSWERED for row in with_answer), len(with_answer)),
        "false_refused": share(sum(row.status not in ANSWERED for row in with_answer), len(with_answer)),
        "refused": share(sum(row.status not in ANSWERED for row in without), len(without)),
        "false_found": share(sum(row.status in ANSWERED for row in without), len(without)),
        "in_part": share(sum(row.status == "not_retrieved" for row in listed), len(listed)),
        "contradictory": share(sum(row.status == "contradictory" for row in listed), len(listed)),
        "certified": len(certified),
        "certified_wrongly": sum(row.answerable for row in certified),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--routes", default=",".join(PIPELINES))
    parser.add_argument("--limit", type=int)
    parser.add_argument("--dense", choices=("auto", "off"), default="auto", help="off: by words alone, much faster")
    parser.add_argument("--reader", choices=("auto", "off"), default="auto")
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    routes = options.routes.split(",")
    embedder = None if options.dense == "off" else load_embedder()
    reranker = None if options.reader == "off" else MiniLMReranker()
    everything: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for folder in options.folders:
            own = list(rows(folder, routes, options.limit, options.index or Path(scratch), embedder, reranker))
            everything += own
            if not options.json:
                print_table(folder.name, own, routes)
    if options.json:
        print(json.dumps([asdict(row) for row in everything]))
    elif len(options.folders) > 1:
        print_table("all", everything, routes)


def print_table(name: str, listed: Sequence[Row], routes: Sequence[str]) -> None:
    print(f"\n{name:18}" + "".join(f"{column.replace('_', ' '):>19}" for column in summarise([])))
    for route in routes:
        values = summarise([row for row in listed if row.route == route]).values()
        cells = [
            "–" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value) for value in values
        ]
        print(f"{route:18}" + "".join(f"{cell:>19}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
