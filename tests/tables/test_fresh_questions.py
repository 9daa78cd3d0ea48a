"""Questions to tables of several domains by rules alone, in sets; each was written, with its answers computed from the
rows, before the rules saw it. What they got then is in ``examples/evaluation/README.md``; here is what they get since.
An answer of null: the tables do not say, or the question has two readings. ``unmended`` holds sets that nothing was
mended for: leave it so, they are there to be measured on.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tables.folders import loaded

from lcrag.tables.program import write
from lcrag.tables.results import Said, say

FOLDER, UNMENDED = (Path(__file__).with_name(name) for name in ("questions", "unmended"))
NUMBER = re.compile(r"-?[£€$]?-?\d[\d,]*(?:\.\d+)?")


def number(text: str) -> float | None:
    match = NUMBER.search(text)
    return float(re.sub("[£€$,]", "", match[0])) if match else None


def is_number(text: str, wanted: float) -> bool:
    found = number(text)
    return found is not None and abs(found - wanted) <= max(0.0051, abs(wanted) * 1e-6)


def is_right(said: Said, wanted: object) -> bool:
    lines = [line for line, _ in said.lines]
    if isinstance(wanted, bool):
        return lines == ["yes" if wanted else "no"]
    if isinstance(wanted, (int, float)):
        return len(lines) == 1 and is_number(lines[0].split(": ")[-1], wanted)
    if isinstance(wanted, Mapping):
        found = dict(line.rsplit(": ", 1) for line in lines if ": " in line)
        return found.keys() == wanted.keys() and all(is_number(found[name], wanted[name]) for name in wanted)
    assert isinstance(wanted, list)
    parts = lines[0].split(", ") if len(lines) == 1 and len(wanted) > 1 else lines
    return len(parts) == len(wanted) and all(_is_named(names, parts) for names in wanted)


def _is_named(names: str, parts: Sequence[str]) -> bool:
    """Whether a part holds one of the names, "T005|Emil Dahl": a row may be called by its code or its name."""
    return any(name in part for part in parts for name in names.split("|"))


def questions(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]


def outcomes(folder: Path) -> dict[str, list[str]]:
    """Questions by what became of them: right, wrong, missed."""
    found: dict[str, list[str]] = {"right": [], "wrong": [], "missed": []}
    for number_of_set in sorted({asked["tables"] for asked in questions(folder)}):
        database, tables, documents = loaded(folder / str(number_of_set))
        for asked in questions(folder):
            if asked["tables"] != number_of_set:
                continue
            program = write(asked["question"], tables, database)
            said = say(program, database, documents.__getitem__) if program is not None else None
            wanted = asked["answer"]
            if said is None:
                outcome = "right" if wanted is None else "missed"
            else:
                outcome = "right" if wanted is not None and is_right(said, wanted) else "wrong"
            found[outcome].append(asked["question"])
    return found


def test_fresh_questions_are_answered_right_or_not_at_all() -> None:
    found, count = outcomes(FOLDER), len(questions(FOLDER))
    assert count >= 900
    assert len(found["wrong"]) <= 0.01 * count, found["wrong"]
    assert len(found["right"]) >= 0.95 * count, found["missed"]


def test_questions_that_nothing_was_mended_for_are_hardly_answered_wrong() -> None:
    found, count = outcomes(UNMENDED), len(questions(UNMENDED))
    assert count == 296
    assert len(found["wrong"]) <= 0.03 * count, found["wrong"]
    assert len(found["right"]) >= 116, found["missed"]


def test_fresh_questions_ask_for_every_kind() -> None:
    kinds = Counter(type(asked["answer"]).__name__ for asked in questions(FOLDER))
    assert min(kinds[name] for name in ("int", "float", "list", "dict", "bool", "NoneType")) >= 10
