"""Every route on test-bed corpora, answered by a running server: ``python routes.py URL CORPUS...``.

A corpus is a folder that corpus.py wrote. What the reading model was taught decides what is right: the value after the
last " = ", lists in any order, and for what is absent that nothing is answered. ``cited``: of the right answers, the
share whose citations touch every piece of the gold evidence; a count cites with markers alone, which lead nowhere.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from worlds import TASKS, bare, final

from lcrag.backends.openai_server import OpenAIServer
from lcrag.comparison.dataset import Question, load
from lcrag.comparison.scoring import ABSTAINED
from lcrag.index.corpus import Corpus
from lcrag.session import Session
from lcrag.types import Answer, Backend, Citation, Ranking, Settings, Status
from pipelines import ChainOfAgents, ChunkRag, Compression, Escalate, FullContext, Pipeline, Run

ROUTES: Final[tuple[Pipeline, ...]] = (
    ChunkRag(1000),
    ChunkRag(3000),
    Compression(1000, "hits"),
    Compression(1000, "corpus"),
    Compression(3000, "hits", "summarise"),
    FullContext(),
    ChainOfAgents(2000, "sequential"),
    ChainOfAgents(2000, "tree"),
    Escalate(1000),
)
CONCURRENT: Final = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question by one route. ``cited`` is None where the answer is not right, or holds nothing to cite."""

    corpus: str
    route: str
    task: str
    id: str
    question: str
    text: str
    right: bool
    cited: bool | None
    input_tokens: int
    cached_tokens: int
    calls: int


def named(route: Pipeline) -> str:
    """A route with its options, as a person writes it."""
    return " ".join([route.name, *(str(getattr(route, option.name)) for option in fields(route))])


def measured(
    folder: Path, index: Path, backend: Backend, routes: Sequence[Pipeline] = ROUTES, *, reader: str = "auto"
) -> list[Outcome]:
    """Every route on every question of a corpus, route by route; several questions at a time."""
    questions = load(folder)
    settings = Settings((str(folder / "docs"),), index=index, backend="embedded", reader=reader)
    with Session.open(settings) as session:
        ranked = [(question, session.rank(question.question)) for question in questions]
        reranker = session.reranker

    def answered(some: Sequence[tuple[Question, Ranking]]) -> list[Outcome]:
        with Corpus.open(index) as corpus:  # an index's connection belongs to its thread
            return [
                _outcome(
                    folder.name,
                    route,
                    question,
                    route.answer(Run(question.question, corpus, ranking, backend, reranker)),
                )
                for route in routes
                for question, ranking in some
            ]

    with ThreadPoolExecutor(CONCURRENT) as pool:
        shares = pool.map(answered, (ranked[first::CONCURRENT] for first in range(CONCURRENT)))
        return [outcome for share in shares for outcome in share]


def _outcome(corpus: str, route: Pipeline, question: Question, answer: Answer) -> Outcome:
    task = question.task_type or ""
    right = is_right(question, answer.text, answer.status)
    return Outcome(
        corpus=corpus,
        route=named(route),
        task=task,
        id=question.id,
        question=question.question,
        text=answer.text,
        right=right,
        cited=is_cited(question, answer.citations) if right and task not in ("absent", "count") else None,
        input_tokens=answer.usage.input_tokens,
        cached_tokens=answer.usage.cached_tokens,
        calls=answer.usage.calls,
    )


def is_right(question: Question, text: str, status: Status) -> bool:
    if question.unanswerable:
        return status in ABSTAINED
    said = bare(final(f" {text}"))
    if question.task_type == "list":
        return sorted(said.split(", ")) == sorted(question.answers[0].split(", "))
    return said == question.answers[0]


def is_cited(question: Question, citations: Sequence[Citation]) -> bool:
    """Whether a citation touches each piece of evidence."""
    places = [(Path(one.source).resolve(), one.start, one.end) for one in citations]
    return all(
        any(source == span.doc and start < span.end and span.start < end for source, start, end in places)
        for span in question.evidence or ()
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """Markdown: a row for each corpus and route; shares of right answers by kind of question, citations, tokens."""
    lines = [
        "| corpus | route | " + " | ".join(TASKS) + " | all | cited | tokens a question | of them cached |",
        "|---|---|" + "---|" * (len(TASKS) + 4),
    ]
    for corpus, route in dict.fromkeys((one.corpus, one.route) for one in outcomes):
        here = [one for one in outcomes if (one.corpus, one.route) == (corpus, route)]
        shares = [_share([one.right for one in here if one.task == task]) for task in TASKS]
        cited = _share([one.cited for one in here if one.cited is not None])
        tokens = sum(one.input_tokens for one in here)
        cached = sum(one.cached_tokens for one in here) / max(1, tokens)
        row = [corpus, route, *shares, _share([one.right for one in here]), cited]
        lines.append("| " + " | ".join([*row, f"{tokens / len(here):,.0f}", f"{cached:.0%}"]) + " |")
    return "\n".join(lines)


def _share(right: Sequence[bool | None]) -> str:
    return f"{sum(map(bool, right)) / len(right):.2f}" if right else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("url", help="of the server that lcrag up started")
    parser.add_argument("corpora", nargs="+", type=Path, metavar="CORPUS")
    parser.add_argument("--index", type=Path, required=True, help="a folder for the indexes")
    parser.add_argument("--reader", choices=("auto", "off"), default="auto")
    parser.add_argument("--json", type=Path, help="a file for each outcome, one JSON object a line")
    given = parser.parse_args()
    backend = OpenAIServer(given.url)
    outcomes: list[Outcome] = []
    for folder in given.corpora:
        began = time.perf_counter()
        made = measured(folder, given.index / folder.name, backend, reader=given.reader)
        print(f"{folder}: {time.perf_counter() - began:.0f} s\n{table(made)}", flush=True)
        outcomes += made
    if given.json:
        lines = (json.dumps(asdict(one)) for one in outcomes)
        given.json.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
