"""Questions to tables with their programs, from which the writer's second adapter is trained.

    python examples/writer/program_data.py OUT.json.xz --spider TRAIN.json --schemas TABLES.json \
        --wikisql WIKISQL.json --questions FOLDER... --answered FOLDER [--leave-out DOMAIN]...

``--spider``, ``--schemas``: Spider's questions and ``tables.json``. ``--wikisql``: WikiSQL as the repository
text2sql-data publishes it. ``--questions``: folders of domains, each with CSV files and a ``questions.jsonl``,
``{"q": [wordings], "sql": a program, or null}``. ``--answered``: ``tests/tables/questions``, with the programs of the
rules that give the right answer. A database that has no rows here shows the values that its programs name.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
import re
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from programs import WEIGHTS
from tables.folders import loaded
from tables.test_fresh_questions import is_right, questions

from lcrag.tables.database import Database
from lcrag.tables.grammar import WORDS
from lcrag.tables.keys import likely_keys
from lcrag.tables.loaded import Loaded
from lcrag.tables.names import quoted
from lcrag.tables.program import write
from lcrag.tables.prompt import LONGEST
from lcrag.tables.results import say
from lcrag.tables.written import values_of

MOST_VALUES = 300
_ALIAS = re.compile(r"\b(\w+)\s+as\s+(t\d+)\b", re.IGNORECASE)
_TEXT = re.compile(r"""'(?:[^']|'')*'|"[^"]*\"""")
_FIELD = re.compile(r"([^\s(]+)_FIELD")
_COMPARED = re.compile(r'([^\s(]+)_FIELD (=|<|>) "?(var\d+)"?')
_ADDED = re.compile(r"(?:SUM|AVG|MIN|MAX)[ (]+([^\s(]+)_FIELD")
_UPPER = (
    "select from where group by order having limit join on and or not in like between desc asc distinct union intersect"
    " except is null case when then else end exists left"
).split()
_LOWER = "count sum avg min max".split()


def with_rows(database: Database, tables: Sequence[Loaded]) -> dict[str, Any]:
    """Tables and keys as ``asked`` wants them."""
    listed = []
    for table in tables:
        columns = []
        for column in table.columns:
            values = list(values_of(column, table, database))[:MOST_VALUES]
            columns.append(
                {"sql": column.sql, "kind": column.kind, "values": values, "is_whole": True, "unit": column.reader.unit}
            )
        listed.append({"sql": table.sql, "rows": table.rows, "columns": columns})
    of = {(table["sql"], column["sql"]): set(column["values"]) for table in listed for column in table["columns"]}
    keys = likely_keys(tables, lambda table, column: of[table.sql, column.sql])
    return {"tables": listed, "keys": keys}


def written(folder: Path) -> Iterator[dict[str, Any]]:
    """Domains with questions and programs."""
    for domain in sorted(path.parent for path in folder.rglob("questions.jsonl")):
        database, tables, _ = loaded(domain)
        lines = (domain / "questions.jsonl").read_text(encoding="utf-8").splitlines()
        questions = [json.loads(line) for line in lines]
        yield {"kind": "questions", "name": domain.name, **with_rows(database, tables), "questions": questions}


def answered(folder: Path) -> Iterator[dict[str, Any]]:
    """The sets of questions whose answers the rules have right."""
    entries = questions(folder)
    for number in sorted({entry["tables"] for entry in entries}):
        database, tables, documents = loaded(folder / str(number))
        kept = []
        for entry in entries:
            if entry["tables"] != number:
                continue
            program = write(entry["question"], tables, database)
            said = say(program, database, documents.__getitem__) if program is not None else None
            if said is None and entry["answer"] is None:
                kept.append({"q": [entry["question"]], "sql": None})
            elif said is not None and program is not None and entry["answer"] is not None:
                kept += [{"q": [entry["question"]], "sql": program.sql}] if is_right(said, entry["answer"]) else []
        yield {"kind": "answered", "name": str(number), **with_rows(database, tables), "questions": kept}


def spider(train: Path, schemas: Path) -> Iterator[dict[str, Any]]:
    asked_of = defaultdict(list)
    for entry in json.loads(train.read_text(encoding="utf-8")):
        asked_of[entry["db_id"]].append((entry["question"], entry["query"]))
    for schema in json.loads(schemas.read_text(encoding="utf-8")):
        if schema["db_id"] not in asked_of:
            continue
        names = [quoted(name) for name in schema["table_names_original"]]
        columns = [
            (table, quoted(name), kind)
            for (table, name), kind in zip(schema["column_names_original"], schema["column_types"], strict=True)
        ]
        db = sqlite3.connect(":memory:")
        for place, name in enumerate(names):
            listed = ", ".join(f"{column} {kind}" for table, column, kind in columns if table == place)
            if name != "sqlite_sequence":
                db.execute(f"CREATE TABLE {name} ({listed})")
        questions, literals = [], defaultdict(dict)
        for question, query in asked_of[schema["db_id"]]:
            sql = in_case(plain(query), [*names, *(column for _, column, _ in columns)])
            if not runs(db, sql):
                continue
            for column, value in re.findall(r"([\w.]+) (?:=|!=|LIKE|<|>|<=|>=) ('(?:[^']|'')*'|[\d.]+)", sql):
                text = value.strip("'").strip("%").replace("''", "'")
                literals[column.split(".")[-1].lower()][text] = None
            questions.append({"q": [question], "sql": sql})
        tables = [
            {
                "sql": table,
                "rows": 10 + 7 * place,
                "columns": [_spider_column(name, kind, literals) for of, name, kind in columns if of == place],
            }
            for place, table in enumerate(names)
        ]
        keys = [tuple(f"{names[columns[one][0]]}.{columns[one][1]}" for one in pair) for pair in schema["foreign_keys"]]
        yield {"kind": "spider", "name": schema["db_id"], "tables": tables, "keys": keys, "questions": questions}


def _spider_column(column: str, kind: str, literals: Mapping[str, Mapping[str, None]]) -> dict[str, Any]:
    """``literals``: what programs compare columns with, by the columns' names in small letters."""
    values: list[Any] = list(literals.get(column.strip('"').lower(), {}))
    kind = {"number": "number", "time": "date"}.get(kind, "text")
    if kind == "number":
        values = [float(v) if "." in v else int(v) for v in values if re.fullmatch(r"\d+(\.\d+)?", v)]
    return {"sql": column, "kind": kind, "values": values, "is_whole": False, "unit": ""}


def runs(db: sqlite3.Connection, sql: str) -> bool:
    try:
        db.execute(sql)
    except sqlite3.Error:
        return False
    return True


def in_case(sql: str, listed: Sequence[str]) -> str:
    """The program with the names of tables and columns as they are listed."""
    names = {name.strip('"').lower(): name for name in listed} | {name.strip('"'): name for name in listed}
    words = {word: word for word in WORDS}
    parts = re.split(r"""('(?:[^']|'')*'|"[^"]*")""", sql)
    parts[::2] = [
        re.sub(
            r"[A-Za-z_]\w*(?!\w|\()",
            lambda match: words.get(match[0]) or names.get(match[0]) or names.get(match[0].lower(), match[0]),
            part,
        )
        for part in parts[::2]
    ]
    return "".join(parts)


def plain(query: str) -> str:
    """A program in the form of the others: no aliases of tables, words of SQL in capitals, texts in single quotes."""
    texts: list[str] = []

    def hide(match: re.Match[str]) -> str:
        texts.append("'" + match[0][1:-1].replace("''", "'").replace("'", "''") + "'")
        return f" \x00{len(texts) - 1}\x00 "

    sql = _TEXT.sub(hide, query.rstrip("; "))
    aliases = {alias.lower(): table for table, alias in _ALIAS.findall(sql)}
    if len(set(aliases.values())) < len(aliases):
        return ""  # a table joined with itself
    sql = _ALIAS.sub(r"\1", sql)
    sql = re.sub(r"\b(t\d+)\.", lambda match: f"{aliases.get(match[1].lower(), match[1])}.", sql, flags=re.IGNORECASE)
    sql = re.sub(r"\s*([<>!]?=|[<>])\s*", r" \1 ", sql).replace("> =", ">=").replace("< =", "<=").replace("! =", "!=")
    sql = re.sub(r"\s*,\s*", ", ", re.sub(r"\s*\(\s*", "(", re.sub(r"\s*\)", ")", sql)))
    sql = re.sub(r"\b(IN|AND|OR|WHERE|FROM|NOT|ON)\(", r"\1 (", sql, flags=re.IGNORECASE)
    sql = re.sub(rf"\b({'|'.join(_UPPER)})\b", lambda match: match[0].upper(), sql, flags=re.IGNORECASE)
    sql = re.sub(rf"\b({'|'.join(_LOWER)})\s*\(", lambda match: f"{match[1].lower()}(", sql, flags=re.IGNORECASE)
    sql = re.sub(r" ?\x00(\d+)\x00 ?", lambda match: f" {texts[int(match[1])]} ", sql)
    return re.sub(r"(?<=\() | (?=[),])", "", re.sub(r"(?<=[=<>])\(", " (", " ".join(sql.split())))


def wikisql(path: Path, r: random.Random) -> Iterator[dict[str, Any]]:
    """Tables of the columns and values that their questions name, each under a name that is drawn."""
    values: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    asked_of: dict[str, list[tuple[str, str, dict[str, str]]]] = defaultdict(list)
    for entry in json.loads(path.read_text(encoding="utf-8")):
        sql = entry["sql"][0].rstrip("; ").replace("TABLEalias0.", "")
        for sentence in entry["sentences"]:
            table, variables = sentence["table-id"], sentence["variables"]
            for column in _FIELD.findall(sql):
                values[table][column].update({})
            for column, _, name in _COMPARED.findall(sql):
                if name in variables:
                    values[table][column][variables[name]] = None
            asked_of[table].append((sentence["original"], sql, variables))
    for table, asked in asked_of.items():
        name = r.choice(["list", "table_1", "data", "results", "records", "rows", "sheet1", "export"])
        added = {column for _, sql, _ in asked for column in _ADDED.findall(sql)}
        columns = {
            column: _wiki_column(column, list(values[table][column]), column in added, table)
            for column in values[table]
        }
        db = sqlite3.connect(":memory:")
        if not runs(db, f"CREATE TABLE {name} ({', '.join(column['sql'] for column in columns.values())})"):
            continue
        questions = []
        for question, sql, variables in asked:
            program = _wiki_program(sql, variables, columns).replace("TABLE AS TABLEalias0", name)
            if runs(db, program) and all(len(text) <= LONGEST + 2 for text in _TEXT.findall(program)):
                questions.append({"q": [" ".join(question.split())], "sql": program})
        if questions:
            listed = [{"sql": name, "rows": 8 + len(questions) * 3, "columns": list(columns.values())}]
            yield {"kind": "wikisql", "name": table, "tables": listed, "keys": [], "questions": questions}


def _wiki_column(name: str, values: list[str], is_added: bool, table: str) -> dict[str, Any]:
    is_number = all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in values) and (bool(values) or is_added)
    numbers = (
        [float(value) if not value.endswith(".0") and "." in value else int(float(value)) for value in values]
        if is_number
        else []
    )
    kind = "number" if is_number else "text"
    return {"sql": spelled(name, table), "kind": kind, "values": numbers or values, "is_whole": False, "unit": ""}


def _wiki_program(sql: str, variables: dict[str, str], columns: dict[str, dict[str, Any]]) -> str:
    """The program with the values for its variables, and the names of columns as they are spelled."""

    def compared(match: re.Match[str]) -> str:
        value = variables.get(match[3], "")
        is_number = columns[match[1]]["kind"] == "number"
        text = value.removesuffix(".0") if is_number else "'" + value.replace("'", "''") + "'"
        return f"{match[1]}_FIELD {match[2]} {text}"

    sql = re.sub(
        r"^SELECT (COUNT|SUM|AVG|MIN|MAX)[ (]+(\S+?_FIELD) *\)?", lambda m: f"SELECT {m[1].lower()}({m[2]}) ", sql
    )
    sql = _COMPARED.sub(compared, sql)
    return " ".join(_FIELD.sub(lambda match: columns[match[1]]["sql"], sql).split())


def spelled(column: str, table: str) -> str:
    """A column's name in one of three styles, the same in all of a table."""
    name = column.lower()
    style = sum(map(ord, table)) % 3
    return quoted([name, name.replace("_", " ").capitalize(), name.title()][style])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json.xz")
    parser.add_argument("--spider", type=Path)
    parser.add_argument("--schemas", type=Path)
    parser.add_argument("--wikisql", type=Path)
    parser.add_argument("--questions", type=Path, action="append", default=[])
    parser.add_argument("--answered", type=Path)
    parser.add_argument("--leave-out", action="append", default=[], help="domains, which are not trained on")
    options = parser.parse_args()
    databases = []
    if options.spider:
        databases += spider(options.spider, options.schemas)
    if options.wikisql:
        databases += wikisql(options.wikisql, random.Random(1))
    for folder in options.questions:
        databases += written(folder)
    if options.answered:
        databases += answered(options.answered)
    databases = [one for one in databases if one["name"] not in options.leave_out and one["questions"]]
    for kind in WEIGHTS:
        of = [one for one in databases if one["kind"] == kind]
        asked = [question for one in of for question in one["questions"]]
        print(f"{kind}: {len(of)} databases, {len(asked)} programs, {sum(len(q['q']) for q in asked)} questions")
    with lzma.open(options.out, "wt", encoding="utf-8", preset=6) as file:
        json.dump({"databases": databases}, file, ensure_ascii=False)
    print(f"{options.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
