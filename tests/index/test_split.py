"""Chunks tile their document, end where a reader would end them, and have their headings."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lcrag.index.split import TARGET_TOKENS, contexts, split
from lcrag.text.headings import headings
from lcrag.text.tokens import count
from lcrag.types import Document

PROSE = "The harbour of Ostrava opened in 1931. It closed again after the flood, as Dr. Novak had feared. "


def document(text: str, source: str = "a.md", title: str = "") -> Document:
    return Document("id", source, text, title=title)


def pieces(doc: Document) -> list[str]:
    return [doc.text[start:end] for start, end in split(doc)]


PIECE = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["\r\n", "\n\n", "\r", "# A\n", "## B b\r\n", "Title\n=====\n", "```\n", "\x00", "\x0c", "\u2028"]),
    st.sampled_from(
        [PROSE * 5, "中文没有空格。" * 60, "ไม่มีเว้นวรรค" * 40, "x" * 3000, "a,b,c\n" * 200, "👩‍👩‍👧 é " * 90]
    ),
)


@given(st.lists(PIECE, max_size=12).map("".join), st.sampled_from(["a.md", "b.rst", "c.csv", "d.py", "-"]))
@example("", "a.md")
@example(" \n" * 2000, "a.txt")
@example("```\n" * 2000, "a.md")
def test_split_tiles_the_text(text: str, source: str) -> None:
    doc = document(text, source)
    spans = split(doc)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)
    assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
    assert len(contexts(doc, spans)) == len(spans)


def test_split_of_empty_text_is_empty() -> None:
    assert split(document("")) == []


@pytest.mark.parametrize(
    "text", [PROSE * 300, "该公司成立于一九三一年。" * 900, "8aa4abc9-3555-4fe3-8482: 01c4150c\n" * 400]
)
def test_split_meets_the_target_in_every_kind_of_text(text: str) -> None:
    sizes = [count(piece) for piece in pieces(document(text))]
    assert len(sizes) > 5
    assert all(TARGET_TOKENS * 0.5 <= size <= TARGET_TOKENS * 1.4 for size in sizes[:-1])
    assert sizes[-1] >= TARGET_TOKENS * 0.15


def test_split_ends_prose_at_a_sentence() -> None:
    assert all(piece.rstrip().endswith(("1931.", "feared.")) for piece in pieces(document(PROSE * 100)))


def test_split_keeps_paragraphs_whole() -> None:
    paragraph = PROSE * 2 + "\n\n"
    assert all(piece.endswith("\n\n") for piece in pieces(document(paragraph * 30)))


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("a.csv", "maria,Hey John! Long time no see. What is up with the boat,12,ok\n"),
        ("a.json", '  "8aa4abc9-3555": "A. Then. B",\n'),
        ("a.py", "    return None  # Which it is. It is.\n"),
        ("a.txt", "Maria: Hey John! Long time no see. What is up with the boat\r\n"),
        ("a.txt", ' "8aa4abc9-3555": "A. Then. B",\n'),
    ],
)
def test_split_keeps_lines_of_data_code_and_dialogue_whole(source: str, line: str) -> None:
    assert all(piece.endswith("\n") for piece in pieces(document(line * 300, source)))


def test_split_ignores_line_ends_of_wrapped_prose() -> None:
    text = "The ship with the grain of the whole valley left\nthe quay at dawn. " * 60
    assert all(piece.endswith("dawn. ") for piece in pieces(document(text, "a.txt")))


def test_split_starts_a_chunk_at_a_heading() -> None:
    text = "# One\n\n" + PROSE * 4 + "\n\n## Two\n\n" + PROSE * 4 + "\n\n# Three\n\n" + PROSE * 4
    assert [piece.split("\n")[0] for piece in pieces(document(text))] == ["# One", "## Two", "# Three"]


def test_split_joins_small_sections() -> None:
    assert len(pieces(document("# A\n\nshort.\n\n# B\n\nshort.\n\n# C\n\nshort.\n"))) == 1


def test_contexts_are_title_and_headings() -> None:
    text = "# One\n\n" + PROSE * 30 + "\n\n## Two ##\n\n" + PROSE * 6 + "\n\n# Three\n\n" + PROSE * 6
    doc = document(text, title="The Harbour")
    listed = contexts(doc, split(doc))
    assert list(dict.fromkeys(listed)) == ["The Harbour > One", "The Harbour > One > Two", "The Harbour > Three"]
    assert listed.count("The Harbour > One") > 1


def test_contexts_do_not_repeat_the_title() -> None:
    doc = document("# The   Harbour\n\ntext", title="The Harbour")
    assert contexts(doc, split(doc)) == ["The Harbour"]


def test_contexts_of_a_table_are_its_header_line() -> None:
    doc = document("ship,port,tons\n" + "Elbe,Ostrava,1200\n" * 300, "ships.csv", "Ships")
    listed = contexts(doc, split(doc))
    assert listed[0] == "Ships"
    assert set(listed[1:]) == {"Ships > ship,port,tons"}


def test_headings_ignore_code() -> None:
    assert headings(document("```sh\n# not one\n```\n# One\n")) != []
    assert [doc.text for doc in headings(document("```sh\n# not one\n```\n# One\n"))] == ["One"]
    assert headings(document("# a comment\nx = 1\n", "a.py")) == []


def test_headings_rank_underlines_by_first_use() -> None:
    text = "=====\nGuide\n=====\n\nFirst\n-----\n\ntext\n\nPart\r\n~~~~\r\n\r\ntext\n\nSecond\n------\n"
    listed = [(doc.level, doc.text) for doc in headings(document(text, "a.rst"))]
    assert listed == [(1, "Guide"), (2, "First"), (3, "Part"), (2, "Second")]


def test_headings_ignore_front_matter() -> None:
    assert headings(document("---\ntitle: x\n---\n\ntext\n")) == []
