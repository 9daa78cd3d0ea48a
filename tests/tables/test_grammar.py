"""The grammar lets every program pass that runs, as far as it has been written, and no name that no table has."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lcrag.tables.grammar import Grammar

GRAMMAR = Grammar(
    {
        "pets": {"code": None, "name": frozenset({"Rex", "O'Neil", "Rexina"}), '"weight kg"': None},
        "visits": {"pet": None, '"date"': None, "paid": frozenset({"yes", "no"}), "cost": None},
    },
    [("visits.pet", "pets.code")],
)
PROGRAMS = """
SELECT count(*) FROM pets
SELECT name FROM pets WHERE "weight kg" IS NOT NULL ORDER BY "weight kg" DESC LIMIT 3
SELECT name, "weight kg" FROM pets WHERE name = 'O''Neil' OR name LIKE '%ina'
SELECT avg(cost) FROM visits WHERE "date" >= '2023-06-01' AND "date" < '2024-01-01' AND paid != 'no'
SELECT pets.name, sum(visits.cost) FROM visits JOIN pets ON visits.pet = pets.code GROUP BY pets.name
SELECT name FROM pets WHERE code NOT IN (SELECT pet FROM visits WHERE pet IS NOT NULL)
SELECT CASE WHEN EXISTS(SELECT 1 FROM visits WHERE paid IN ('no', 'yes')) THEN 'yes' ELSE 'no' END
SELECT strftime('%m', "date"), 100.0 * sum(cost) / (SELECT sum(cost) FROM visits) FROM visits GROUP BY 1
NONE
""".strip().splitlines()


@pytest.mark.parametrize("program", PROGRAMS)
def test_grammar_allows_a_program_from_its_first_letter_on(program: str) -> None:
    assert [program[:end] for end in range(len(program) + 1) if not GRAMMAR.allows(program[:end])] == []


@pytest.mark.parametrize(
    "beginning",
    [
        "DROP",
        "select",
        "SELECT  ",
        "SELECT age",
        "SELECT name FROM visits",
        "SELECT name, cost",
        "SELECT count(*) FROM owners",
        "SELECT name FROM pets WHERE cost",
        "SELECT pets.cost",
        "SELECT name FROM pets WHERE name = 'Max",
        "SELECT name FROM pets WHERE name = 'Rexi'",
        "SELECT cost FROM visits WHERE paid = 'Rex'",
        "SELECT pets.name FROM visits JOIN visits",
        "SELECT pets.name FROM visits JOIN pets ON visits.cost",
        "SELECT pets.name FROM visits JOIN pets ON visits.pet = pets.name",
        "SELECT count(*))",
        "SELECT name FROM pets; ",
        "SELECT name FROM pets -- all",
    ],
)
def test_grammar_refuses_what_cannot_run(beginning: str) -> None:
    assert not GRAMMAR.allows(beginning)


@given(st.text(st.sampled_from("SELECT FROM JOIN ON WHERE name pets.visits='\"(),*%1 \n;é"), max_size=40))
@example('ON"pets')
@example("SELECT FROM JOIN ON.")
def test_grammar_takes_any_text(text: str) -> None:
    for beginning in (text, f"SELECT {text}", f"SELECT name FROM pets {text}"):
        assert GRAMMAR.allows(beginning) in (True, False)
