"""No table and no question may end in a fault: heads without words, empty cells, names that occur twice, odd signs."""

from __future__ import annotations

import csv
import io
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcrag import ingest
from lcrag.tables.database import Database
from lcrag.tables.program import write
from lcrag.tables.results import say

HEADS = (
    "",
    " ",
    "%",
    "#",
    "£",
    "No.",
    "name",
    "Name",
    "id",
    "code",
    "year",
    "date",
    "total",
    "price (GBP)",
    "2023",
    "a b",
)
CELLS = (
    "",
    "-",
    "n/a",
    "yes",
    "no",
    "3",
    "1,200",
    "£4.50",
    "12%",
    "2023-01-05",
    "5 May",
    "x",
    "Ann Lee",
    "a-1",
    "?",
    "総計",
)
ASKED = """
How many {cell}?
How many rows are there by {head}?
How many are not {cell}?
How many different {head}?
What is the total {head}?
What is the total {head} by {other}?
What is the average {head} of {cell}?
What is the {head} of {cell} in {cell}?
What is the difference between {head} and {other}?
What share of {head} is {cell}?
Which {head} has the highest {other}?
Which three {head} have the lowest {other}?
Which {head} are before {cell}?
Which year has the most?
Who came second in {head}?
List the {head} with {other} over 3
How much more {head} has {cell} than {cell}?
How did {head} change from 2020 to 2023?
{head} {other} {cell}
"""


def written(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


@st.composite
def table(draw: st.DrawFn) -> str:
    columns = draw(st.integers(1, 5))
    heads = draw(st.lists(st.sampled_from(HEADS), min_size=columns, max_size=columns))
    rows = draw(st.lists(st.lists(st.sampled_from(CELLS), min_size=columns, max_size=columns), min_size=1, max_size=6))
    return written([heads, *rows])


@settings(max_examples=300, deadline=None)
@given(
    texts=st.lists(table(), min_size=1, max_size=2),
    asked=st.sampled_from(ASKED.strip().splitlines()),
    head=st.sampled_from(HEADS),
    other=st.sampled_from(HEADS),
    cell=st.sampled_from(CELLS),
)
def test_write_takes_any_table_and_question(texts: list[str], asked: str, head: str, other: str, cell: str) -> None:
    question = asked.format(head=head, other=other, cell=cell)
    with TemporaryDirectory() as folder, closing(Database()) as database:
        files = [Path(folder) / f"t{number}.csv" for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, encoding="utf-8")
        documents = {document.id: document for document in map(ingest.read, ingest.discover(files).files)}
        for document in documents.values():
            database.load(document)
        database.open(documents)
        program = write(question, database.tables, database)
        said = say(program, database, documents.__getitem__) if program is not None else None
    assert said is None or said.lines


@pytest.mark.parametrize("head", ["", "%", "£"])
def test_write_takes_a_table_whose_rows_have_no_name(head: str) -> None:
    """As README's own: the first column, of the things measured, has no head."""
    with TemporaryDirectory() as folder, closing(Database()) as database:
        file = Path(folder) / "speeds.csv"
        file.write_text(f"{head},measured,goal\nlight start,52,100\nfull start,433,500\n", encoding="utf-8")
        document = ingest.read(ingest.discover([file]).files[0])
        database.load(document)
        database.open([document.id])
        program = write("What is the total measured?", database.tables, database)
        assert program is not None
        said = say(program, database, {document.id: document}.__getitem__)
    assert said is not None
    assert said.short == "485"
