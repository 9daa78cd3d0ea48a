"""The adapter for programs, with the real weights, on questions to tables that it has not seen."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from tables.folders import loaded
from tables.test_fresh_questions import UNMENDED, is_right

from lcrag.backends.embedded import BEAMS
from lcrag.pipelines.table import PROGRAM_TOKENS
from lcrag.tables import written
from lcrag.tables.results import say
from lcrag.tables.schema import program_of
from lcrag.writer import weights
from lcrag.writer.writer import Writer, available

pytestmark = pytest.mark.skipif(not available(), reason=f"needs the writer's weights: {weights.TO_INSTALL}")


@pytest.mark.slow
def test_programs_over_unseen_tables_are_right_more_often_than_wrong(own_cache: Path) -> None:
    writer, outcomes = Writer(weights.PROGRAMS), Counter[str]()
    asked = [json.loads(line) for line in (UNMENDED / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    for entry in asked[:72:6]:
        database, tables, documents = loaded(UNMENDED / str(entry["tables"]))
        texts, allows = written.asked(entry["question"], tables, database)
        prompts = [[{"role": "user", "content": text}] for text in texts]
        replies = [writer.several(prompt, allows, BEAMS, PROGRAM_TOKENS) for prompt in prompts]
        sql = written.chosen(entry["question"], replies, database)
        said = say(program_of(sql, tables), database, documents.__getitem__) if sql else None
        if said is None:
            outcomes["right" if entry["answer"] is None else "missed"] += 1
        else:
            is_answered = entry["answer"] is not None and is_right(said, entry["answer"])
            outcomes["right" if is_answered else "wrong"] += 1
    assert outcomes["right"] >= 3
    assert outcomes["wrong"] <= 2
