"""Words that no table explains: what may stand for them, and what must not be left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcrag import ingest
from lcrag.tables.database import Database
from lcrag.tables.program import write

FILMS = "Film,Director,Budget (USD),Gross (USD),Minutes\nLow Tide,Ana Ruiz,100,300,90\nIron Valley,Tom Beck,50,20,150\n"
MOVES = "player,from_club,to_club,fee\nAda Berg,Rovers,Dynamo,5\nBo Lind,Dynamo,Rovers,7\nCy Holm,Rovers,Albion,2\n"


def asked(question: str, text: str, path: Path) -> str | None:
    path.write_text(text, encoding="utf-8")
    [file] = ingest.discover([path]).files
    held = ingest.read(file)
    database = Database()
    database.load(held)
    database.open([held.id])
    program = write(question, database.tables, database)
    return None if program is None else program.sql


@pytest.mark.parametrize(
    ("question", "sql"),
    [
        ("How many movies did Ana Ruiz shoot?", "SELECT count(*) FROM films WHERE Director = 'Ana Ruiz'"),
        ("How many films lasted more than two hours?", "SELECT count(*) FROM films WHERE Minutes > 120.0"),
        (
            "What was the profit of Low Tide?",
            'SELECT ("Gross (USD)" - "Budget (USD)") FROM films WHERE Film = \'Low Tide\'',
        ),
    ],
)
def test_write_explains_synonyms_verbs_units_and_profit(question: str, sql: str, tmp_path: Path) -> None:
    assert asked(question, FILMS, tmp_path / "films.csv") == sql


@pytest.mark.parametrize(
    "question",
    [
        "How many films did Ana Ruiz reject?",
        "How many prizes did Ana Ruiz win?",
        "How many films did Ana Ruiz make in Rome?",
    ],
)
def test_write_leaves_out_no_word_that_says_which_rows(question: str, tmp_path: Path) -> None:
    assert asked(question, FILMS, tmp_path / "films.csv") is None


@pytest.mark.parametrize(
    ("question", "sql"),
    [
        ("How many players left Rovers?", "SELECT count(*) FROM moves WHERE from_club = 'Rovers'"),
        ("How many players moved to Rovers?", "SELECT count(*) FROM moves WHERE to_club = 'Rovers'"),
    ],
)
def test_write_knows_the_two_ends_of_a_move(question: str, sql: str, tmp_path: Path) -> None:
    assert asked(question, MOVES, tmp_path / "moves.csv") == sql


@pytest.mark.parametrize(
    "question", ["", "?", "Which movie was released first?", "How much higher is Low Tide than Iron Valley?"]
)
def test_write_refuses_what_no_column_says(question: str, tmp_path: Path) -> None:
    assert asked(question, FILMS, tmp_path / "films.csv") is None
