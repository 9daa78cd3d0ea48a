"""Text that is safe to print."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from lcrag.report.text import printable, sources, stated
from lcrag.types import Answer, Citation, Statement, Usage


@given(st.text(st.characters(codec=None)))
def test_nothing_printable_steers_a_terminal(text: str) -> None:
    safe = printable(text)
    assert {char for char in safe if unicodedata.category(char) in ("Cc", "Cs")} <= {"\n", "\t"}
    assert not {char for char in safe if unicodedata.bidirectional(char) in ("LRE", "RLE", "LRO", "RLO", "PDF")}
    assert not {char for char in safe if unicodedata.bidirectional(char) in ("LRI", "RLI", "FSI", "PDI")}
    kept = "".join(char for char in text if unicodedata.category(char)[0] in "LNPSZ")
    assert "".join(char for char in safe if char in kept) == kept.replace("\ufffd", "\ufffd")


def test_ordinary_text_stays() -> None:
    text = "Grüße, 你好, שלום, 👩\u200d👧\n\tEnd"
    assert printable(text) == text


def cited(**place: object) -> str:
    citation = Citation(**{"marker": 1, "document_id": "d", "start": 0, "end": 1, "quote": "q"} | place)  # type: ignore[arg-type]
    return sources(Answer("a", "answered", (citation,), Usage(), 0))


def test_places() -> None:
    assert cited(source="a.md", line=7, page=None) == "[1] a.md:7  “q”\n"
    assert cited(source="b.pdf", line=None, page=3) == "[1] b.pdf p. 3  “q”\n"
    assert cited(source="c.docx", line=None, page=None) == "[1] c.docx  “q”\n"
    assert cited(source="-", line=2, page=None) == "[1] standard input:2  “q”\n"
    assert cited(source="e\nvil\x1b[2J\udcff.md", line=2, page=None) == "[1] e vil[2J\ufffd.md:2  “q”\n"


def test_a_link_names_the_file_and_nothing_in_a_name_ends_it() -> None:
    citation = Citation(1, "d", "/docs/e\x1b\\vil \u202e.pdf", 0, 1, "q", None, 3, "row 2\x1b[2J")
    line = sources(Answer("a", "answered", (citation,), Usage(), 0), links=True)
    link = "\x1b]8;;file:///docs/e%1B%5Cvil%20%E2%80%AE.pdf#page=3\x1b\\"
    assert line == f"[1] {link}/docs/e\\vil .pdf p. 3 (row 2[2J)\x1b]8;;\x1b\\  “q”\n"


def test_a_quote_is_one_line_of_bounded_length() -> None:
    line = cited(source="a.md", line=1, page=None, quote="word \n" * 100)
    assert line.startswith("[1] a.md:1  “word word")
    assert line.endswith("word…”\n")
    assert len(line) < 200


def test_what_nothing_supports_is_marked_in_its_place() -> None:
    text = "One is so. Two may be. Three is. [1]"
    statements = (Statement(0, 10, False, ()), Statement(11, 22, False, ()), Statement(23, 32, True, (1,)))
    answer = Answer(text, "answered", (), Usage(), 0, statements=statements)
    assert stated(answer) == "One is so. [unsupported] Two may be. [unsupported] Three is. [1]"
    assert stated(Answer(text, "answered", (), Usage(), 0)) == text
