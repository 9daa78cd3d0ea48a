"""Can the answers be checked? Citations against gold evidence and abstention, per source and route.

    python examples/evaluation/answers.py DIR... [--routes a,b] [--limit N] [--dense off] [--index FOLDER] [--json]

Each DIR is a dataset as lcrag.comparison.dataset reads it, asked on the embedded backend. Citations: of those of
answerable questions whose evidence is known, the share that touches gold evidence (precision); of the gold spans, the
share that is touched (recall); of all quotes, the share that stands in the file exactly at the offsets and the line
that are told. Abstention: of the questions with an answer, the share answered, refused (false refused); of those
without, the share refused, answered (false found); "in part" counts refusals that say that only a part was read.
Certificate: of refusals that claim that nothing is there without having read everything, how many were of questions
with an answer, unread or overlooked. ``--limit`` takes N questions of each source, with and without an answer in equal
shares as far as there are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.comparison.dataset import Question, load
from lcrag.errors import DoesNotFit
from lcrag.paths import key_of
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.reranker import MiniLMReranker
from lcrag.session import Session
from lcrag.types import Answer, Event, Policy, Settings
from pipelines import PIPELINES


@dataclass(frozen=True)
class Row:
    source: str
    route: str
    answerable: bool
    status: str
    coverage: float
    citations: int
    exact: int
    touching: int | None
    spans: int
    touched: int
    statements: int
    unsupported: int
    dropped: int


def quiet(event: Event) -> None:
    """Progress is not shown."""


def rows(folder: Path, routes: list[str], limit: int | None, indexes: Path, backend: EmbeddedBackend) -> Iterator[Row]:
    questions = sorted(sampled(load(folder), limit), key=lambda question: question.docs)
    for docs, asked in groupby(questions, key=lambda question: question.docs):
        key = key_of(docs)
        with Session.open(Settings(tuple(map(str, docs)), index=indexes / key, backend="embedded"), quiet) as session:
            session.embedder, session.reader, session.backend = backend.embedder, backend.reranker, backend
            for question in asked:
                ranking = session.rank(question.question)
                for route in routes:
                    policy = Policy(prefer="quality", pipeline=route)
                    try:
                        prepared = session.prepare(question.question, policy, ranking)
                        answer = session.answer(prepared, policy, escalate=False)
                    except DoesNotFit:
                        continue
                    yield row(folder.name, route, question, answer)


def sampled(questions: list[Question], limit: int | None) -> list[Question]:
    """At most ``limit`` of them, always the same: by a hash of their ids."""
    if limit is None:
        return questions
    ordered = sorted(questions, key=lambda question: hashlib.sha256(question.id.encode()).digest())
    without = [question for question in ordered if question.unanswerable][: limit // 2]
    known = [question for question in ordered if not question.unanswerable and question.evidence]
    rest = [question for question in ordered if not question.unanswerable and not question.evidence]
    return [*without, *[*known, *rest][: limit - len(without)]]


def row(source: str, route: str, question: Question, answer: Answer) -> Row:
    texts = {citation.source: Path(citation.source).read_text(encoding="utf-8") for citation in answer.citations}
    exact = sum(
        texts[one.source][one.start : one.end] == one.quote
        and one.line == texts[one.source].count("\n", 0, one.start) + 1
        for one in answer.citations
    )
    spans = [] if question.unanswerable else [(str(span.doc), span.start, span.end) for span in question.evidence or ()]
    cited = [(one.source, one.start, one.end) for one in answer.citations]
    return Row(
        source,
        route,
        not question.unanswerable,
        answer.status,
        answer.coverage or 0.0,
        len(cited),
        exact,
        sum(any(touch(one, span) for span in spans) for one in cited) if spans else None,
        len(spans),
        sum(any(touch(one, span) for one in cited) for span in spans),
        len(answer.statements),
        sum(not one.supported for one in answer.statements),
        answer.dropped,
    )


def touch(one: tuple[str, int, int], other: tuple[str, int, int]) -> bool:
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def told(found: list[Row]) -> dict[str, float | None]:
    """The figures of one source and route."""
    answered = ("answered", "contradictory")
    with_answer = [one for one in found if one.answerable]
    without = [one for one in found if not one.answerable]
    known = [one for one in with_answer if one.touching is not None]
    said = [one for one in known if one.status in answered]
    return {
        "n": len(found),
        "precision": share(sum(one.touching or 0 for one in said), sum(one.citations for one in said)),
        "recall": share(sum(one.touched for one in known), sum(one.spans for one in known)),
        "recall_answered": share(sum(one.touched for one in said), sum(one.spans for one in said)),
        "exact": share(sum(one.exact for one in found), sum(one.citations for one in found)),
        "unsupported": share(sum(one.unsupported for one in found), sum(one.statements for one in found)),
        "answered": share(sum(one.status in answered for one in with_answer), len(with_answer)),
        "false_refused": share(sum(one.status not in answered for one in with_answer), len(with_answer)),
        "refused": share(sum(one.status not in answered for one in without), len(without)),
        "false_found": share(sum(one.status in answered for one in without), len(without)),
        "in_part": share(sum(one.status == "not_retrieved" for one in found), len(found)),
        "contradictory": share(sum(one.status == "contradictory" for one in found), len(found)),
        "certified": sum(one.status == "not_found" and one.coverage < 1 for one in found),
        "certified_wrongly": sum(one.status == "not_found" and one.coverage < 1 and one.answerable for one in found),
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
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        reader = None if options.reader == "off" else MiniLMReranker()
        backend = EmbeddedBackend(None if options.dense == "off" else load_embedder(), reader)
        for folder in options.folders:
            mine = list(rows(folder, routes, options.limit, options.index or Path(scratch), backend))
            found += mine
            if not options.json:
                print_table(folder.name, mine, routes)
    if options.json:
        print(json.dumps([asdict(one) for one in found]))
    elif len(options.folders) > 1:
        print_table("all", found, routes)


def print_table(name: str, found: Iterable[Row], routes: list[str]) -> None:
    listed = list(found)
    columns = list(told([]))
    print(f"\n{name:18}" + "".join(f"{column.replace('_', ' '):>16}" for column in columns))
    for route in routes:
        values = told([one for one in listed if one.route == route])
        cells = [
            "–" if value is None else f"{value:.3f}" if isinstance(value, float) else f"{value}"
            for value in values.values()
        ]
        print(f"{route:18}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
