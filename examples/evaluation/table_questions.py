"""Questions to tables: what rules answer, and what the small model's programs answer where they do not.

    python examples/evaluation/table_questions.py FOLDER... [--adapter FILE] [--replies OUT.jsonl] [--every N]

FOLDER has numbered folders of tables and ``questions.jsonl`` with answers (``tests/tables/unmended``), or files of
tables and ``questions.jsonl`` with programs (``examples/writer/domains/*``). Prints what became of the questions by the
least probability from which the model is believed. About 3 s a question on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from tables.folders import loaded
from tables.test_fresh_questions import is_right, questions

from lcrag.backends.embedded import BEAMS
from lcrag.pipelines.table import PROGRAM_TOKENS
from lcrag.tables import written
from lcrag.tables.database import Database, Refused
from lcrag.tables.loaded import Loaded
from lcrag.tables.program import write
from lcrag.tables.results import Said, say
from lcrag.tables.schema import program_of
from lcrag.types import Document
from lcrag.writer.weights import PROGRAMS
from lcrag.writer.writer import Writer

LEAST = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Asked:
    """``by_rules``, ``by_model``: right, wrong or missed; the model's is as if it were believed with ``share``."""

    question: str
    wanted: Any
    by_rules: str
    by_model: str
    share: float
    seconds: float
    program: str | None

    def outcome(self, least: float, *, with_rules: bool) -> str:
        if with_rules and self.by_rules != "missed":
            return self.by_rules
        return self.by_model if self.share >= least else "right" if self.wanted is None else "missed"


def ask_folder(folder: Path, writer: Writer, every: int) -> Iterator[Asked]:
    first = json.loads((folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()[0])
    if "answer" in first:
        for number in sorted({entry["tables"] for entry in questions(folder)}):
            database, tables, documents = loaded(folder / str(number))
            for entry in questions(folder):
                if entry["tables"] == number:
                    yield ask(entry["question"], entry["answer"], None, database, tables, documents, writer)
        return
    database, tables, documents = loaded(folder)
    entries = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    for question, sql in [(question, entry["sql"]) for entry in entries for question in entry["q"]][::every]:
        yield ask(question, sql, sql, database, tables, documents, writer)


def ask(
    question: str,
    wanted: Any,
    gold: str | None,
    database: Database,
    tables: list[Loaded],
    documents: dict[str, Document],
    writer: Writer,
) -> Asked:
    """``gold``: a program whose rows are the right ones; else ``wanted`` is the answer."""

    def outcome(said: Said | None) -> str:
        if said is None:
            return "right" if wanted is None else "missed"
        if wanted is None:
            return "wrong"
        if gold is None:
            return "right" if is_right(said, wanted) else "wrong"
        return "right" if says(result(said.program, database), result(gold, database)) else "wrong"

    def said_by(sql: str | None) -> Said | None:
        try:
            return say(program_of(sql, tables), database, documents.__getitem__) if sql else None
        except Refused:
            return None

    program = write(question, tables, database)
    by_rules = outcome(say(program, database, documents.__getitem__) if program is not None else None)
    if program is None and wanted is None:
        by_rules = "missed"  # the model may still answer
    begun = time.perf_counter()
    texts, allows = written.asked(question, tables, database)
    prompts = [[{"role": "user", "content": text}] for text in texts]
    replies = [writer.several(prompt, allows, BEAMS, PROGRAM_TOKENS) for prompt in prompts]
    seconds = time.perf_counter() - begun
    sql, share = written.likeliest(question, replies, database)
    return Asked(question, wanted, by_rules, outcome(said_by(sql)), share, seconds, sql)


def result(sql: str, database: Database) -> set[frozenset[Any]]:
    rows = database.run(sql).rows
    return {frozenset(round(cell, 4) if isinstance(cell, float) else cell for cell in row) for row in rows}


def says(rows: set[frozenset[Any]], wanted: set[frozenset[Any]]) -> bool:
    """Whether the rows are those wanted; each may say more, as that of the longest boat with its length."""
    return len(rows) == len(wanted) and all(any(one <= row for row in rows) for one in wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--adapter", type=Path, default=PROGRAMS)
    parser.add_argument("--every", type=int, default=1, help="of the wordings of programs, each so many-th alone")
    parser.add_argument("--replies", type=Path, help="what became of each question, as JSON lines")
    options = parser.parse_args()
    writer = Writer(options.adapter)
    asked = [one for folder in options.folders for one in ask_folder(folder, writer, options.every)]
    if options.replies:
        lines = [json.dumps(vars(one), ensure_ascii=False) + "\n" for one in asked]
        options.replies.write_text("".join(lines), encoding="utf-8")
    seconds = sorted(one.seconds for one in asked)
    print(f"{len(asked)} questions; the model {seconds[len(seconds) // 2]:.1f} s a question, at most {seconds[-1]:.1f}")
    print("| believed from | model alone: right, wrong | after the rules: right, wrong |\n|---|---|---|")
    for least in LEAST:
        alone, both = (Counter(one.outcome(least, with_rules=rules) for one in asked) for rules in (False, True))
        print(f"| {least} | {alone['right']} {alone['wrong']} | {both['right']} {both['wrong']} |")


if __name__ == "__main__":
    main()
