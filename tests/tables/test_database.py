"""What programs may do, how long they may take, and how cells become values."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.office import paragraph, sheet_row, table, word, workbook

from lcrag import ingest
from lcrag.index.status import clear
from lcrag.tables import database as limits
from lcrag.tables import fill, opened
from lcrag.tables.database import Database, Refused
from lcrag.tables.program import write
from lcrag.tables.read import tables_of
from lcrag.tables.results import say
from lcrag.tables.values import read_date, read_number, reader_for

PARTS = 'part,made,price\nAB-1,2020-01-05,"£1,860"\nAB-2,2021-03-07,£20\nAB-3,2022-11-30,"£2,000.50"\n'


def loaded(folder: Path, name: str, text: str) -> Database:
    (folder / name).write_text(text, encoding="utf-8")
    database = Database()
    documents = [ingest.read(file) for file in ingest.discover([folder]).files]
    for document in documents:
        database.load(document)
    database.open([document.id for document in documents])
    return database


def test_clear_removes_the_rows_that_are_kept(tmp_path: Path) -> None:
    Database(tmp_path / opened.FILE).close()
    assert clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_run_reads_numbers_and_dates(tmp_path: Path) -> None:
    database = loaded(tmp_path, "parts.csv", PARTS)
    assert database.run("SELECT sum(price), max(made) FROM parts").rows == ((3880.5, "2022-11-30"),)
    assert database.run("SELECT part FROM parts WHERE made >= '2021' ORDER BY price").rows == (("AB-2",), ("AB-3",))


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("DROP TABLE parts", "may only read"),
        ("DELETE FROM parts", "may only read"),
        ("UPDATE parts SET price = 0", "may only read"),
        ("INSERT INTO parts VALUES ('x', 'y', 1)", "may only read"),
        ("CREATE TABLE other (x)", "may only read"),
        ("ATTACH DATABASE 'other.db' AS other", "may only read"),
        ("PRAGMA temp_store = FILE", "may only read"),
        ("VACUUM INTO 'copy.db'", "may only read|does not run"),
        ("SELECT sql FROM sqlite_master", "may only read"),
        ("SELECT load_extension('evil')", "may only read|does not run"),
        ("SELECT readfile('/etc/passwd')", "may only read|does not run"),
        ("SELECT randomblob(100000000)", "call randomblob"),
        ("SELECT zeroblob(100000000)", "call zeroblob"),
        ("SELECT count(*) FROM parts; DROP TABLE parts", "does not run"),
        ("SELECT colour FROM parts", "no such column: colour"),
        ("SELECT 'x\ud800'", "does not run"),
        ("SELECT " + "1 + " * 2000 + "1", "longer than"),
        ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n", "call itself"),
    ],
)
def test_run_refuses_what_is_no_reading_of_the_tables(tmp_path: Path, program: str, reason: str) -> None:
    database = loaded(tmp_path, "parts.csv", PARTS)
    with pytest.raises(Refused, match=reason):
        database.run(program)
    assert database.run("SELECT count(*) FROM parts").rows == ((3,),)


def test_run_stops_a_program_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.2)
    database = loaded(tmp_path, "n.csv", "number,word\n" + "".join(f"{n},w{n}\n" for n in range(3000)))
    with pytest.raises(Refused, match=r"more than 0\.2 s"):
        database.run("SELECT count(*) FROM n a, n b, n c WHERE a.number + b.number = c.number")


def test_run_stops_a_program_that_takes_too_much_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_BYTES", 30 << 20)
    monkeypatch.setattr(limits, "SECONDS", 60.0)
    database = loaded(tmp_path, "n.csv", "number,word\n" + "".join(f"{n},w{n}\n" for n in range(3000)))
    with pytest.raises(Refused, match="more than 30 MB"):
        database.run("SELECT a.word || b.word || a.number FROM n a, n b ORDER BY 1")


def test_run_gives_a_thousand_rows_at_most(tmp_path: Path) -> None:
    database = loaded(tmp_path, "n.csv", "number,word\n" + "".join(f"{n},w{n}\n" for n in range(1500)))
    result = database.run("SELECT number FROM n")
    assert (len(result.rows), result.more) == (1000, True)


def test_load_leaves_out_a_table_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill, "MOST_CELLS", 5)
    database = loaded(tmp_path, "parts.csv", PARTS)
    assert database.tables == []
    assert "more than 5 cells" in database.skipped[0]


def test_load_leaves_out_rows_with_too_many_cells_and_totals(tmp_path: Path) -> None:
    rows = "".join(f"p{n},{n}\n" for n in range(30))
    database = loaded(tmp_path, "parts.csv", f"part,price\n{rows}one,2,3\nTotal,435\n")
    [table] = database.tables
    assert (table.rows, table.left_out) == (30, 1)
    assert database.run("SELECT sum(price) FROM parts").rows == ((435,),)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1860", (1860, "")),
        ("£1,860.50", (1860.5, "£")),
        ("-12", (-12, "")),
        ("(1,200)", (-1200, "")),
        ("12.5%", (12.5, "%")),
        ("3 kg", (3, "kg")),
        ("1,86", None),
        ("free", None),
        ("2020-01-05", None),
        ("12 to 14", None),
    ],
)
def test_read_number_takes_signs_groups_and_units(cell: str, number: object) -> None:
    assert read_number(cell) == number


@pytest.mark.parametrize(
    ("cell", "iso"),
    [
        ("2020-01-05", "2020-01-05"),
        ("5 January 2020", "2020-01-05"),
        ("Jan 5, 2020", "2020-01-05"),
        ("January 2020", "2020-01"),
        ("05.01.2020", "2020-01-05"),
        ("05/01/2020", "2020-01-05"),
        ("1868", "1868"),
        ("c. 1480", "1480"),
        ("1931-38", "1931"),
        ("2020-13-05", None),
        ("medieval", None),
    ],
)
def test_read_date_gives_iso(cell: str, iso: str | None) -> None:
    assert read_date(cell) == iso


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("price", ["£1", "£2,000", "–"], "number"),
        ("price", ["1.234,50 €", "12,00 €"], "number"),
        ("price", ["£1", "$2"], "text"),
        ("accession", ["1931.1", "1931.10"], "text"),
        ("number", ["1931.1", "1931.10"], "text"),
        ("zip", ["01234", "99999"], "text"),
        ("when", ["13/02/2020", "05/03/2020"], "date"),
        ("when", ["03/05/2020", "05/03/2020"], "text"),
        ("year", ["1999", "2004"], "year"),
        ("saved", ["61", "54", "88", "231", "346", "see the returns"], "number"),
        ("note", ["", ""], "text"),
    ],
)
def test_reader_for_finds_the_kind_of_a_column(name: str, cells: list[str], kind: str) -> None:
    assert reader_for(name, cells).kind == kind


def test_reader_for_reads_decimal_commas() -> None:
    assert reader_for("price", ["1.234,50 €", "12,00 €"]).read("1.234,50 €") == 1234.5


def tables(folder: Path, name: str, content: str | bytes) -> list[tuple[str, tuple[str, ...], list[list[str]]]]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    [file] = ingest.discover([path]).files
    document = ingest.read(file)
    for found in tables_of(document):
        for start, end, _ in found.rows(document.text):
            assert found.cells_at(document.text, start, end)
    return [(table.name, table.columns, [row[2] for row in table.rows(document.text)]) for table in tables_of(document)]


def test_tables_of_html_knows_header_and_heading(tmp_path: Path) -> None:
    page = (
        "<h2>Fares</h2><p>In pounds | and pence.</p><table><thead><tr><th>Ticket</th><th>Single</th></tr></thead>"
        "<tbody><tr><td>Adult</td><td>13.50</td></tr><tr><td>Child</td><td>6.75</td></tr></tbody></table><p>End.</p>"
    )
    found = tables(tmp_path, "ferry.html", page)
    assert found == [("ferry Fares", ("Ticket", "Single"), [["Adult", "13.50"], ["Child", "6.75"]])]


def test_tables_of_markdown_and_json(tmp_path: Path) -> None:
    markdown = "# Boats\n\n| Boat | Lives |\n|---|---:|\n| *Ann* | 3 |\n| Ben | 4 |\n"
    assert tables(tmp_path, "a.md", markdown) == [("a Boats", ("Boat", "Lives"), [["Ann", "3"], ["Ben", "4"]])]
    rows = [["Ann", "3"], ["Ben", ""]]
    for name, text in (
        ("a.jsonl", '{"boat": "Ann", "lives": 3, "crew": [1]}\n{"boat": "Ben", "lives": null}\n'),
        ("a.json", '[{"boat": "Ann", "lives": 3},\n {"boat": "Ben"}]'),
    ):
        assert tables(tmp_path, name, text) == [("a", ("boat", "lives"), rows)]
    assert tables(tmp_path, "b.jsonl", '{"boat": "Ann", "lives": 3}\nbroken\n{"boat": "Ben", "lives": 3}\n') == []
    assert tables(tmp_path, "b.json", '{"boat": "Ann"}') == []


@pytest.mark.parametrize(
    "text",
    [
        "only one column\na\nb\n",
        "1,2,3\n4,5,6\n",
        "name,name\na,b\n",
        "name,price\n",
    ],
)
def test_tables_of_csv_without_names_of_columns_are_none(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, "a.csv", text).tables == []


def test_tables_of_csv_skip_a_title_and_keep_cells_of_several_lines(tmp_path: Path) -> None:
    found = tables(tmp_path, "a.csv", 'Parts of 2020,\n\npart,note\nAB-1,"of two\nlines"\n\nAB-2,plain\n')
    assert found == [("a", ("part", "note"), [["AB-1", "of two\nlines"], ["AB-2", "plain"]])]


def test_tables_of_sheets_and_word_are_the_rows_of_each(tmp_path: Path) -> None:
    rows = [sheet_row(1, "Prices of 2020"), sheet_row(2, "part", "price"), sheet_row(3, "AB-1", 20.5)]
    book = workbook({"Prices": "".join([*rows, sheet_row(4, "AB-2", 7)]), "Empty": sheet_row(1, "nothing")})
    found = tables(tmp_path, "a.xlsx", book)
    assert found == [("Prices", ("part", "price"), [["AB-1", "20.5"], ["AB-2", "7"]])]
    text = word(paragraph("Dues") + table(("What", "Due"), ("Yacht", "£2.60"), ("Cargo", "£1.85")))
    assert tables(tmp_path, "b.docx", text) == [("b", ("What", "Due"), [["Yacht", "£2.60"], ["Cargo", "£1.85"]])]


@pytest.mark.parametrize(
    ("name", "content", "question", "answer"),
    [
        ("a.csv", "name;amount\nAnn;3,5\nBo;1.200,00\n", "What is the total amount?", "1,203.5"),
        ("a.csv", "name;rent\nAnn;1.648\nBo;968\n", "What is the total rent?", "2,616"),
        ("a.csv", "\ufeffname,amount\nAnn,3\nBo,4\n", "What is the total amount?", "7"),
        ("a.csv", 'name,note,amount\nAnn,"two\nlines, and more",3\nBo,x,4\n', "What is the total amount?", "7"),
        ("a.csv", "Report 2024; all\nby Ann\n\nname,amount\nA,3\nB,5\n", "What is the total amount?", "8"),
        ("a.csv", "buyer,price,price\nAnn,1,2\nBo,3,4\n", "How many rows are there?", "2"),
        ("a.csv", "buyer,price,price\nAnn,1,2\nBo,3,4\n", "What is the total price?", None),
        ("a.csv", "owner,amount\nAnn Lee,3\nBo Day,4\n", "Who?", None),
        ("a.csv", "owner,amount\nAnn Lee,3\nBo Day,4\n", "Who has the highest amount?", "Bo Day"),
        ("a.csv", "names\nAnn\nBo\n", "How many names are there?", None),
        ("a.csv", "name,amount\n", "What is the total amount?", None),
        ("a.csv", "name,amount\nAnn,3\nBo,5\n", "How much CO2 did Ann use?", None),  # a digit inside a word
        ("a.csv", "rowid,select\na,3\nb,5\n", "How many rows are there?", "2"),
    ],
)
def test_write_takes_tables_of_many_shapes(
    tmp_path: Path, name: str, content: str, question: str, answer: str | None
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    [file] = ingest.discover([tmp_path / name]).files
    document = ingest.read(file)
    database = Database()
    database.load(document)
    program = write(question, database.open([document.id]), database)
    said = say(program, database, lambda identity: document) if program is not None else None
    assert (said.short if said is not None else None) == answer
