"""The cell that a question asks for, by the names of the columns."""

from __future__ import annotations

import pytest

from lcrag.text.rows import cell_asked


@pytest.mark.parametrize(
    ("question", "header", "row", "cell"),
    [
        ("What is the price of part AB-1/2?", "part,price,depot", "AB-1/2,39.50,7", "39.50"),
        ("Which depot ships part AB-1/2?", "part,price,depot", "AB-1/2,39.50,7", "7"),
        ("Who is the supplier of AB-1?", "Part;Shelf;Supplier", "AB-1;F1;Brandt, Otto", "Brandt, Otto"),
        ("What is the monthly fee of contract no 7042?", "town\tcontract\tmonthly fee", "Ellen\tno 7042\t394", "394"),
        ("What is the note on AB-1?", "part,note", 'AB-1,"two, or three"', "two, or three"),
        ("What is part AB-1?", "part,price,depot", "AB-1,39.50,7", None),
        ("What are price and depot of AB-1?", "part,price,depot", "AB-1,39.50,7", None),
        ("What is the price of AB-1?", "part,price,depot", "AB-1,39.50", None),
        ("What is the price of AB-1?", "part,price", "AB-1,", None),
        ("What is the price?", "price", "5", None),
        ("", "", "", None),
    ],
)
def test_cell_asked_is_that_of_the_one_column_named(question: str, header: str, row: str, cell: str | None) -> None:
    assert cell_asked(question, header, row) == cell
