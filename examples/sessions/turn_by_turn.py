"""Follow-up questions made of LoCoMo's: does a session find what the question with a name finds?

Two questions in a row about the same person of a conversation; in the second the name becomes a pronoun. Compared are
the ranks of its evidence: as it was, with the pronoun, and made to stand alone by the rules that need no model.

    python examples/sessions/turn_by_turn.py DATASET... --tokens 2000
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from lcrag.session import Session
from lcrag.text.followup import depends_on_the_last, names, standing_alone
from lcrag.types import Settings

Row = dict[str, list[str]]


def follow_ups(rows: list[Row]) -> Iterator[tuple[str, str, Row]]:
    """The question before, the follow-up, and the row that it is made of."""
    for before, row in pairwise(rows):
        question = str(row["question"])
        shared = [name for name in names(question) if " " not in name and name in names(str(before["question"]))]
        if row["docs"] == before["docs"] and row.get("evidence") and shared:
            possessive = re.sub(rf"\b{shared[0]}['’]s\b", "their", question)
            yield str(before["question"]), re.sub(rf"\b{shared[0]}\b", "they", possessive), row


def found(session: Session, question: str, evidence: list[str], tokens: int) -> float:
    """The share of the evidence in the first chunks of so many tokens."""
    read, left = "", tokens
    for hit in session.rank(question).hits:
        left -= hit.chunk.tokens
        if left < 0:
            break
        read += " " + " ".join(hit.chunk.text.split())
    return sum(" ".join(text.split())[:80] in read for text in evidence) / len(evidence)


def read_rows(dataset: Path) -> list[Row]:
    """The dataset's questions, those on the same documents after each other."""
    lines = (dataset / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return sorted(map(json.loads, lines), key=lambda row: (row["docs"], row["id"]))


def report(dataset: Path, tokens: int) -> None:
    """Print how many questions that stand alone are taken for follow-ups, and what becomes of real ones."""
    rows = read_rows(dataset)
    taken = sum(depends_on_the_last(str(row["question"])) for row in rows)
    print(f"{dataset.name}: {taken} of {len(rows)} questions that stand alone look like follow-ups")
    scores: dict[str, list[float]] = {"as it was": [], "with the pronoun": [], "in a session": []}
    seen = named = 0
    cases = list(follow_ups(rows))
    for docs in sorted({str(row["docs"]) for *_, row in cases}):
        own = [case for case in cases if str(case[2]["docs"]) == docs]
        paths = tuple(str(dataset / name) for name in own[0][2]["docs"])
        with Session.open(Settings(paths, dense=os.environ.get("LCRAG_DENSE", "on"), reader="off")) as session:
            for before, question, row in own:
                alone = standing_alone(question, before, "")
                seen += depends_on_the_last(question)
                named += set(names(str(row["question"]))) <= set(names(f"x {alone}"))
                for way, text in zip(scores, (str(row["question"]), question, alone), strict=True):
                    scores[way].append(found(session, text, row["evidence"], tokens))
    if cases:
        print(f"{len(cases)} follow-ups, {seen} seen as such, {named} with all names again")
        for way, shares in scores.items():
            print(f"{way:<17} {sum(shares) / len(shares):.3f} of the evidence in {tokens:,} tokens")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--tokens", type=int, default=2000)
    options = parser.parse_args()
    for dataset in options.datasets:
        report(dataset, options.tokens)


if __name__ == "__main__":
    main()
