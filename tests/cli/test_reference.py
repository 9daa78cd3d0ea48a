"""The reference page and the program cannot differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcrag.cli.commands import COMMANDS
from lcrag.cli.reference import COLUMNS, reference

PAGE = Path(__file__).parent.parent.parent / "examples/reference.md"


@pytest.mark.parametrize("columns", ["40", "200"])
def test_reference_page_is_what_the_generator_prints(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LCRAG_MAX_TOKENS", "7")
    assert PAGE.read_text(encoding="utf-8") == reference(), "python -m lcrag.cli.reference > examples/reference.md"


def test_reference_has_every_command_and_fits_80_columns() -> None:
    lines = reference().splitlines()
    assert [line.removeprefix("## lcrag ") for line in lines if line.startswith("## lcrag ")] == list(COMMANDS)
    assert max(map(len, lines)) <= COLUMNS
    assert str(Path.home()) not in reference()
