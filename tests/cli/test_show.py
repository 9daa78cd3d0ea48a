"""``lcrag show``."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.invocation import Lcrag

REPORT = Path(__file__).parent.parent.parent / "examples/saltmarsh/mill-report.pdf"


def test_show_prints_the_passage_of_a_line(lcrag: Lcrag) -> None:
    Path("docs/a.md").write_text("One.\n\nThe \x1b[31mlight was lit. It burned.\n")
    result = lcrag("show", "docs/a.md:3")
    assert (result.code, result.out) == (
        0,
        "docs/a.md:3\n     1  One.\n\n     3  »The [31mlight was lit.« It burned.\n",
    )


def test_show_takes_a_page_as_printed_and_writes_its_image(lcrag: Lcrag) -> None:
    result = lcrag("show", str(REPORT), "p.", "1", "--quote", "Commission of 12 January 2023.", "--png", "page.png")
    assert result.code == 0
    assert "»Commission of 12 January 2023.«" in result.out
    assert "1 line of it marked" in result.err
    assert Path("page.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["docs/none.md:3"], "no such file"),
        (["docs/a.md:30"], "no text in line 30"),
        (["docs/a.md", "--quote", "gone"], "does not contain these words"),
        (["docs/a.md", "--png", "page.png"], "needs a PDF"),
        (["docs/a.bin"], "binary file"),
        (["docs/bad.pdf:p1"], "cannot read docs/bad.pdf"),
    ],
)
def test_show_fails_with_the_reason(lcrag: Lcrag, words: list[str], message: str) -> None:
    Path("docs/a.md").write_text("One.\n")
    Path("docs/bad.pdf").write_bytes(b"%PDF-1.4 and no more")
    Path("docs/a.bin").write_bytes(b"\0\1\2" * 99)
    result = lcrag("show", *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
