"""Questions to tables that share keys: what belongs to which rows, and rows of others that there are none of."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcrag import ingest
from lcrag.tables.database import Database
from lcrag.tables.program import write
from lcrag.tables.results import say

TABLES = {
    "artists": "artist_id,name,born,country\nA1,Lena Fisk,1950,Norway\n"
    "A2,Omar Badr,1978,Egypt\nA3,Pia Rossi,1963,Italy\n"
    "A4,Tom Hale,1985,UK\n",
    "works": "code,title,artist_id,medium,height_cm,on display\nW1,Blue Door,A1,oil,120,yes\n"
    "W2,Red Boat,A1,print,40,no\n"
    "W3,Desert,A2,oil,200,yes\nW4,Hands,A3,bronze,60,no\nW5,Still Life,A3,oil,50,yes\nW6,Rain,A2,print,30,\n",
    "loans": "loan_no,item,borrower,out,fee per week,total\nL1,W1,City Hall,2022-01-10,£10,£100\n"
    "L2,W3,Rex Museum,2022-02-01,£30,£300\nL3,W1,Rex Museum,2023-03-01,£15,£150\nL4,W4,City Hall,2023-12-27,£25,£250\n"
    "L5,W5,Old Mill,2024-01-15,£8,£80\n",
}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    for name, text in TABLES.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    documents = {document.id: document for document in map(ingest.read, ingest.discover([tmp_path]).files)}
    found = Database()
    for document in documents.values():
        found.load(document)
    found.open(documents)
    return found


def answered(question: str, database: Database, folder: Path) -> list[str] | None:
    documents = {document.id: document for document in map(ingest.read, ingest.discover([folder]).files)}
    program = write(question, database.tables, database)
    said = say(program, database, documents.__getitem__) if program is not None else None
    return None if said is None else sorted(line for line, _ in said.lines)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which artists have no works?", ["Tom Hale"]),
        ("Which works have never been lent?", ["Rain", "Red Boat"]),
        ("How many works have no loans at all?", ["2"]),
        ("Which artists have works on display?", ["Lena Fisk", "Omar Badr", "Pia Rossi"]),
        ("Who borrowed Blue Door?", ["City Hall", "Rex Museum"]),
        ("How many loans were there of works by Lena Fisk?", ["2"]),
        ("How many works aren't on display?", ["2"]),
        ("Which works by Pia Rossi can't be on display?", ["Hands"]),
        ("Average height of oils against bronzes", ["bronze: 60", "oil: 123.33"]),
        ("How much money did City Hall pay?", ["£350"]),
        ("Which loans were after Christmas 2023?", ["L4", "L5"]),
        ("How many artists were born in 1963 or later?", ["3"]),
    ],
)
def test_write_finds_rows_through_keys(question: str, answer: list[str], database: Database, tmp_path: Path) -> None:
    assert answered(question, database, tmp_path) == answer


@pytest.mark.parametrize(
    "question",
    [
        "Name the three tallest artists.",  # heights are of works
        "What is the average height of loans?",  # a work that is lent twice has one height
        "Which are the two cheapest works?",  # fees are of loans
    ],
)
def test_write_gives_no_rows_what_belongs_to_others(question: str, database: Database, tmp_path: Path) -> None:
    assert answered(question, database, tmp_path) is None
