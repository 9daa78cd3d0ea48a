"""Names in a text, and the sentences that introduce them."""

from __future__ import annotations

import pytest

from lcrag.text.names import introduces, names_in


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("It was flown by Charles Nungesser and François Coli.", ["Charles Nungesser", "François Coli"]),
        ("The song is on the soundtrack to the film End of Days.", ["End of Days"]),
        (
            "However, the Mayor of the City lives in Tern's Anna Holm House.",
            ["Mayor of the City", "Tern's Anna Holm House"],
        ),
        ("Who is older, Ólafur Þór or Зоя Ильина?", ["Ólafur Þór", "Зоя Ильина"]),
        ("nothing here", []),
        ("", []),
    ],
)
def test_names_in_finds_runs_of_capitals(text: str, names: list[str]) -> None:
    assert names_in(text) == names


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("Columbia University\nColumbia University is in New York.", "Columbia University", True),
        ("It is old. The Tern College is older.", "Tern College", True),
        ("He went to Columbia University.", "Columbia University", False),
        ("Caroline: I went home.", "Caroline", False),
        ("Ternary numbers are rare.", "Tern", False),
        ("anything", "", False),
        ("[a+] is one.", "a+]", True),
    ],
)
def test_introduces_a_name_at_the_start_of_a_sentence(text: str, name: str, expected: bool) -> None:
    assert introduces(text, name) is expected
