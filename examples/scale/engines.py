"""Do other index engines find and answer the same as the default index?

    python examples/scale/engines.py examples/saltmarsh-questions.jsonl postgresql://USER@HOST/DB milvus:http://HOST:19530

Prints for the default index and for each other one: the share of questions whose evidence is wholly within the first
1,000 and 4,000 tokens of the ranking, the share of the default's first 4,000 tokens that are in its own, and the share
of questions that get the default's answer from the embedded backend. Removes the other indexes afterwards.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from gold import evidence_places, tokens_until

from lcrag import ingest
from lcrag.comparison.dataset import Question, checked, question_of, records
from lcrag.errors import LcragError
from lcrag.index import index_clear
from lcrag.session import Session
from lcrag.types import Document, Settings

BUDGETS = (1000, 4000)


@dataclass(frozen=True, slots=True)
class Found:
    """What one index gave for a question. ``needs``: tokens until the evidence was seen, None without gold evidence;
    ``first``: ids and tokens of the chunks in the first 4,000 tokens, by source and start."""

    needs: float | None
    first: dict[tuple[str, int], int]
    answer: str


def measure(questions: Sequence[Question], index: str | Path) -> list[Found]:
    """Each question asked of its documents, all of which have one index."""
    paths = tuple(map(str, questions[0].docs))
    with Session.open(Settings(paths, index=index, backend="embedded", dense="on")) as session:
        documents = {Path(file.path).resolve(): ingest.read(file) for file in session.scan().files}
        return [_found(session, question, documents) for question in questions]


def _found(session: Session, question: Question, documents: dict[Path, Document]) -> Found:
    hits = session.rank(question.question).hits
    needs = None
    if question.evidence and not question.unanswerable:
        until = tokens_until(hits, evidence_places(question.evidence, documents))
        needs = float("inf") if until is None else until
    first: dict[tuple[str, int], int] = {}
    for hit in hits:
        first[hit.chunk.source, hit.chunk.start] = hit.chunk.tokens
        if sum(first.values()) >= BUDGETS[-1]:
            break
    return Found(needs, first, session.ask(question.question).text)


def row(name: str, found: Sequence[Found], default: Sequence[Found]) -> str:
    """One line of the table: recall at each budget, overlap, same answers."""
    needs = [one.needs for one in found if one.needs is not None]
    recall = [sum(need <= tokens for need in needs) / len(needs) for tokens in BUDGETS]
    shared = [
        sum(tokens for place, tokens in other.first.items() if place in one.first) / sum(other.first.values())
        for one, other in zip(found, default, strict=True)
    ]
    same = [one.answer == other.answer for one, other in zip(found, default, strict=True)]
    cells = [*recall, sum(shared) / len(shared), sum(same) / len(same)]
    return f"| {name} | {len(needs)} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path, help="a file of questions on one set of documents")
    parser.add_argument("indexes", nargs="+", help="addresses, as --index takes them")
    given = parser.parse_args()
    try:
        lines = [question_of(value, given.questions.parent, where) for where, value in records(given.questions)]
        questions = checked(lines, given.questions)
        with tempfile.TemporaryDirectory() as folder:
            default = measure(questions, Path(folder))
            print("| index | n | recall, 1,000 | recall, 4,000 | shared | same answer |\n|---|---|---|---|---|---|")
            print(row("default", default, default))
            for index in given.indexes:
                print(row(index.partition(":")[0], measure(questions, index), default))
                index_clear(map(str, questions[0].docs), index)
    except LcragError as error:
        sys.exit(f"{error}\n{error.hint}".rstrip())
