"""What the writer's second adapter learns from: a question to tables, and its program.

The prompt is lcrag's own (``lcrag.tables.prompt``), in one of many orders of tables, columns and values.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from typing import Any

from tasks import Example, chatml

from lcrag.tables.prompt import LISTED, NO_PROGRAM, Shown, described, found, prompt
from lcrag.tables.written import MOST_TABLES

WEIGHTS = {"questions": 50, "answered": 8, "spider": 26, "wikisql": 16}
UNRELATED = 0.04
"""Share of questions that are put to the tables of another database, and have no program."""
CARELESS = 0.15
"""Share of questions in small letters, without a mark at the end."""


class Programs:
    """Draws examples from what ``program_data.py`` collected."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.databases = data["databases"]
        self.kinds = [kind for kind in WEIGHTS if any(one["kind"] == kind for one in self.databases)]
        self.of: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        for place, database in enumerate(self.databases):
            for question in database["questions"]:
                self.of[database["kind"]].append((place, question))

    def draw(self, r: random.Random) -> Example:
        kind = r.choices(self.kinds, [WEIGHTS[kind] for kind in self.kinds])[0]
        place, question = r.choice(self.of[kind])
        sql = question["sql"]
        if r.random() < UNRELATED:
            other = r.randrange(len(self.databases))
            if other != place:
                place, sql = other, None
        words = r.choice(question["q"])
        if r.random() < CARELESS:
            words = words.rstrip("?. ").lower()
        text = asked(words, self.databases[place], r, sql or "")
        return Example([(chatml([{"role": "user", "content": text}]), sql or NO_PROGRAM)])


def asked(question: str, database: dict[str, Any], r: random.Random, sql: str) -> str:
    """The prompt, in one of many orders and with samples that are drawn, always with the tables of ``sql``."""
    named = [table for table in database["tables"] if re.search(rf"(?<!\w){re.escape(table['sql'])}(?!\w)", sql)]
    others = [table for table in database["tables"] if table not in named]
    r.shuffle(others)
    tables = named + others[: max(1, r.randint(1, MOST_TABLES) - len(named))]
    r.shuffle(tables)
    parts = []
    for table in tables:
        columns = list(table["columns"])
        if r.random() < 0.5:
            r.shuffle(columns)
        shown = []
        for column in columns:
            values = list(column["values"])
            r.shuffle(values)
            is_whole = column["kind"] == "text" and column["is_whole"] and len(values) <= LISTED
            shown.append(Shown(column["sql"], column["kind"], values, is_whole, column["unit"]))
        parts.append(described(table["sql"], table["rows"], shown))
    texts = [
        (f"{table['sql']}.{column['sql']}", [value for value in column["values"] if isinstance(value, str)])
        for table in tables
        for column in table["columns"]
        if column["kind"] == "text"
    ]
    names = {table["sql"] for table in tables}
    keys = [pair for pair in database["keys"] if {one.split(".")[0] for one in pair} <= names]
    return prompt(question, parts, keys, found(question, texts))
