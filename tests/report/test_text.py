"""Answers as they are printed."""

from __future__ import annotations

from lcrag.report.text import nothing_found, sources, stated
from lcrag.types import Answer, Citation, Statement, Usage


def cited(**place: object) -> str:
    citation = Citation(**{"marker": 1, "document_id": "d", "start": 0, "end": 1, "quote": "q"} | place)  # type: ignore[arg-type]
    return sources(Answer("a", "answered", (citation,), Usage(), 0))


def test_sources_name_line_page_or_file() -> None:
    assert cited(source="a.md", line=7, page=None) == "[1] a.md:7  “q”\n"
    assert cited(source="b.pdf", line=None, page=3) == "[1] b.pdf p. 3  “q”\n"
    assert cited(source="c.docx", line=None, page=None) == "[1] c.docx  “q”\n"
    assert cited(source="-", line=2, page=None) == "[1] standard input:2  “q”\n"
    assert cited(source="e\nvil\x1b[2J\udcff.md", line=2, page=None) == "[1] e vil[2J\ufffd.md:2  “q”\n"


def test_sources_link_to_the_file_and_no_name_ends_a_link() -> None:
    citation = Citation(1, "d", "/docs/e\x1b\\vil \u202e.pdf", 0, 1, "q", None, 3, "row 2\x1b[2J")
    line = sources(Answer("a", "answered", (citation,), Usage(), 0), links=True)
    link = "\x1b]8;;file:///docs/e%1B%5Cvil%20%E2%80%AE.pdf#page=3\x1b\\"
    assert line == f"[1] {link}/docs/e\\vil .pdf p. 3 (row 2[2J)\x1b]8;;\x1b\\  “q”\n"


def test_sources_put_a_quote_on_one_line_of_bounded_length() -> None:
    line = cited(source="a.md", line=1, page=None, quote="word \n" * 100)
    assert line.startswith("[1] a.md:1  “word word")
    assert line.endswith("word…”\n")
    assert len(line) < 200


def test_stated_marks_each_unsupported_sentence() -> None:
    text = "One is so. Two may be. Three is. [1]"
    statements = (Statement(0, 10, False, ()), Statement(11, 22, False, ()), Statement(23, 32, True, (1,)))
    answer = Answer(text, "answered", (), Usage(), 0, statements=statements)
    assert stated(answer) == "One is so. [unsupported] Two may be. [unsupported] Three is. [1]"
    assert stated(Answer(text, "answered", (), Usage(), 0)) == text


def test_nothing_found_says_how_much_was_read() -> None:
    absent = Answer("", "not_found", (), Usage(), 900, coverage=0.97)
    assert nothing_found(absent, 1200) == (
        "Not in these documents: 900 of 1,200 tokens were read, which would hold it with probability 0.97."
    )
    assert nothing_found(absent, 900) == "Not in these documents: all 900 tokens were read."
    unread = Answer("", "not_retrieved", (), Usage(), 900)
    assert nothing_found(unread, 1200).startswith("Not in the 900 of 1,200 tokens that were read.\n")


def test_nothing_found_names_five_files_that_were_left_out_or_all_of_them() -> None:
    files = tuple((f"{number}.doc", "why") for number in range(7))
    absent = Answer("", "not_found", (), Usage(), 900, coverage=1.0)
    one, seven = absent.with_left_out(files[:1]), absent.with_left_out(files)
    assert nothing_found(one, 900) == (
        "Not in the 900 tokens that were read.\n1 file was not read, or only in part, and may hold it:\n  0.doc: why"
    )
    assert nothing_found(seven, 900).splitlines()[1:] == [
        "7 files were not read, or only in part, and may hold it:",
        *(f"  {number}.doc: why" for number in range(5)),
        "  and 2 more (--all-sources names them)",
    ]
    assert nothing_found(seven, 900, all_sources=True).splitlines()[-1] == "  6.doc: why"
    assert nothing_found(one, 1200).splitlines()[1] == "  --pipeline full_context reads everything"
    assert absent.with_left_out(()) == absent
