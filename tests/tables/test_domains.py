"""The programs that the small model learned from: each runs over its tables, and the grammar lets it be written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tables.folders import loaded

from lcrag.tables.prompt import NO_PROGRAM
from lcrag.tables.written import asked

DOMAINS = sorted(Path(__file__).parents[2].glob("examples/writer/domains/*"))


@pytest.mark.parametrize("part", range(4))
def test_programs_of_the_domains_run_and_may_be_written(part: int) -> None:
    refused, programs = [], 0
    for domain in DOMAINS[part::4]:
        database, tables, _ = loaded(domain)
        for line in (domain / "questions.jsonl").read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            sql = entry["sql"] or NO_PROGRAM
            _, allows = asked(entry["q"][0], tables, database)
            programs += 1
            if not all(allows(sql[:end], False) for end in range(len(sql))) or not allows(sql, True):
                refused.append((domain.name, sql))
    assert programs > 300
    assert len(refused) <= 0.03 * programs, refused
