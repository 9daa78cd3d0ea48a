"""Every route on every question of several datasets, with all that the router knew before: what ``judge.py`` reads.

    python examples/routing/measure.py OUT.jsonl DATASET... [--base-url URL | --model FOLDER [--compress-kv N]]
        [--writer off] [--limit N] [--index FOLDER] [--workers N] [--routes NAME,...]

Without ``--base-url`` the embedded backend answers, with ``--model`` a Hugging Face model in this process.
``--workers`` processes answer a few questions of the same documents at a time. ``--routes``: other routes than those of
the router's study, by their names. A line for each question: estimate, size and marks, from which any profile gives the
forecasts; and for each route its value by the measure that suits the question (``lcrag.comparison.scoring``), tokens,
seconds, status, and whether all gold evidence was read. Questions that are in OUT are not asked again. A route that
fails is written with its error.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from gold import by_documents, sampled

from lcrag.backends import open_backend
from lcrag.comparison.dataset import Question, load
from lcrag.comparison.scoring import asked as question_text
from lcrag.comparison.scoring import merge_spans, score
from lcrag.errors import LcragError
from lcrag.paths import key_of
from lcrag.pipelines import (
    ChainOfAgents,
    ChunkRag,
    Compression,
    Escalate,
    FullContext,
    Pipeline,
    Run,
    named,
    split_names,
)
from lcrag.planning.estimate import estimate
from lcrag.planning.forecast import options_of, route_key
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.reranker import MiniLMReranker
from lcrag.session import Session
from lcrag.text.prompts import most_answer_tokens
from lcrag.types import Passage, Settings, ignore

ROUTES: tuple[Pipeline, ...] = (
    *(ChunkRag(tokens) for tokens in (500, 1000, 2000, 4000)),
    Compression(1000),
    Compression(2000),
    Compression(2000, "corpus"),
    FullContext(),
    ChainOfAgents(mode="tree"),
    Escalate(500),
    Escalate(1000),
)
BLOCK = 4
"""Questions that a process answers before it takes others."""


@dataclass(frozen=True)
class Setup:
    """What a process needs to answer. ``indexes``: a folder with an index for each set of documents."""

    base_url: str | None
    writer: str
    indexes: Path
    routes: str | None
    model: str | None = None
    compress_kv: int | None = None

    def settings(self, docs: Sequence[Path]) -> Settings:
        return Settings(
            tuple(map(str, docs)),
            index=self.indexes / key_of(docs),
            backend="hf" if self.model else "server" if self.base_url else "embedded",
            base_url=self.base_url,
            model=self.model,
            compress_kv=self.compress_kv,
            writer=self.writer,
            log=False,
        )


class Worker:
    """A process's models, loaded once."""

    loaded: Worker | None = None

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.embedder, self.reranker = load_embedder(), MiniLMReranker()
        self.backend = open_backend(setup.settings([]), ignore, lambda: (self.embedder, self.reranker))

    @cached_property
    def routes(self) -> dict[str, Pipeline]:
        """The routes by the names that they are asked for by."""
        if self.setup.routes is None:
            return {route_key(route.name, options_of(route)): route for route in ROUTES}
        found = {name: named(name) for name in split_names(self.setup.routes)}
        return {name: route() if isinstance(route, type) else route for name, route in found.items()}

    def session(self, docs: Sequence[Path]) -> Session:
        session = Session.open(self.setup.settings(docs), backend=self.backend)
        session.embedder, session.reranker = self.embedder, self.reranker
        return session


def start(setup: Setup) -> None:
    Worker.loaded = Worker(setup)


def fill(docs: Sequence[Path]) -> int:
    """Index the documents, with all vectors."""
    assert Worker.loaded is not None
    with Worker.loaded.session(docs) as session:
        return session.fill()


def answers(source: str, docs: Sequence[Path], questions: Sequence[Question]) -> list[dict[str, Any]]:
    """A line for each question. ``source``: the name of the dataset."""
    assert Worker.loaded is not None
    routes = Worker.loaded.routes
    with Worker.loaded.session(docs) as session:
        return [{"set": source, "docs": key_of(docs), **line(session, question, routes)} for question in questions]


def line(session: Session, question: Question, asked: Mapping[str, Pipeline]) -> dict[str, Any]:
    text = question_text(question)
    ranking = replace(session.rank(text), search=session.rank)
    found = session.scale.estimate(estimate(ranking, reranker=True))
    size = session.scale.size(session.corpus.size)
    routes = []
    for name, route in asked.items():
        if getattr(route, "tokens", 0) >= size.tokens and not isinstance(route, ChunkRag):
            continue
        passages: list[Passage] = []
        run = Run(
            text,
            session.corpus,
            ranking,
            session.backend,
            session.reranker,
            pipeline=route.name,
            answer_tokens=most_answer_tokens(found.scope_tokens),
            asked=passages,
        )
        begun = time.perf_counter()
        result: dict[str, Any] = {"name": name, "pipeline": route.name, "options": options_of(route)}
        try:
            answer = route.answer(run)
        except LcragError as error:
            routes.append(result | {"error": f"{type(error).__name__}: {error}"})
            continue
        value = score(question, answer.text, answer.short, answer.status)
        assert value is not None
        result |= asdict(value) | {
            "status": answer.status,
            "unsupported": answer.is_unsupported,
            "input_tokens": answer.usage.input_tokens,
            "cached_tokens": answer.usage.cached_tokens,
            "output_tokens": answer.usage.output_tokens,
            "calls": answer.usage.calls,
            "seconds": time.perf_counter() - begun,
            "kv_bytes": getattr(session.backend, "kv_bytes", None),
            "read": read_all(question, passages) if question.evidence else None,
            "citations": len(answer.citations),
            "supported": [statement.supported for statement in answer.statements],
            "text": answer.text,
            "short": answer.short,
        }
        routes.append(result)
    return {
        "id": question.id,
        "question": question.question,
        "task": question.task_type,
        "unanswerable": question.unanswerable,
        "estimate": asdict(found),
        "size": asdict(size),
        "marks": dict(session.scale.marks),
        "routes": routes,
    }


def read_all(question: Question, asked: Sequence[Passage]) -> bool:
    """Whether every gold span lies within what was read, but for white space at its end."""
    read = merge_spans((Path(passage.source).resolve(), passage.start, passage.end) for passage in asked)
    return all(
        any(doc == span.doc and start <= span.start and span.end - 2 <= end for doc, start, end in read)
        for span in question.evidence or ()
    )


def blocks(folder: Path, limit: int | None, done: set[str]) -> Iterator[tuple[str, tuple[Path, ...], list[Question]]]:
    """The questions of a dataset that have a gold answer, a few at a time, by documents."""
    listed = [question for question in load(folder) if question.answers or question.unanswerable]
    for docs, group in by_documents(sampled(listed, limit)).items():
        left = [question for question in group if question.id not in done]
        for first in range(0, len(left), BLOCK):
            yield folder.name, docs, left[first : first + BLOCK]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.jsonl")
    parser.add_argument("folders", type=Path, nargs="+", metavar="DATASET")
    parser.add_argument("--base-url")
    parser.add_argument("--model")
    parser.add_argument("--compress-kv", type=int)
    parser.add_argument("--writer", choices=("auto", "off"), default="auto")
    parser.add_argument("--limit", type=int, help="questions of each dataset")
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    parser.add_argument("--routes", help="names, with commas between them")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    done = set()
    if options.out.exists():
        done = {json.loads(text)["id"] for text in options.out.read_text(encoding="utf-8").splitlines()}
    with tempfile.TemporaryDirectory() as scratch, options.out.open("a", encoding="utf-8") as file:
        indexes = options.index or Path(scratch)
        setup = Setup(options.base_url, options.writer, indexes, options.routes, options.model, options.compress_kv)
        todo = [block for folder in options.folders for block in blocks(folder, options.limit, done)]
        with ProcessPoolExecutor(options.workers, get_context("spawn"), start, (setup,)) as pool:
            list(pool.map(fill, dict.fromkeys(docs for _, docs, _ in todo)))
            print(f"{sum(len(block) for *_, block in todo)} questions; the indexes are ready", flush=True)
            begun, written = time.perf_counter(), 0
            for future in as_completed([pool.submit(answers, *block) for block in todo]):
                for value in future.result():
                    file.write(json.dumps(value, ensure_ascii=False) + "\n")
                    written += 1
                file.flush()
                print(f"{written} questions in {time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
