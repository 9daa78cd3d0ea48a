"""Chunks tile their document, end where a reader would end them, and know where they stand."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lcrag.index.split import TARGET_TOKENS, contexts, headings, split
from lcrag.text.tokens import count
from lcrag.types import Document

PROSE = "The harbour of Ostrava opened in 1931. It closed again after the flood, as Dr. Novak had feared. "


def document(text: str, source: str = "a.md", title: str = "") -> Document:
    return Document("id", source, text, title=title)


def pieces(one: Document) -> list[str]:
    return [one.text[start:end] for start, end in split(one)]


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
def test_chunks_tile_the_text(text: str, source: str) -> None:
    one = document(text, source)
    spans = split(one)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)
    assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
    assert len(contexts(one, spans)) == len(spans)


def test_empty_text_has_no_chunks() -> None:
    assert split(document("")) == []


@pytest.mark.parametrize(
    "text", [PROSE * 300, "该公司成立于一九三一年。" * 900, "8aa4abc9-3555-4fe3-8482: 01c4150c\n" * 400]
)
def test_chunks_have_about_the_target_in_every_kind_of_text(text: str) -> None:
    sizes = [count(piece) for piece in pieces(document(text))]
    assert len(sizes) > 5
    assert all(TARGET_TOKENS * 0.5 <= size <= TARGET_TOKENS * 1.4 for size in sizes[:-1])
    assert sizes[-1] >= TARGET_TOKENS * 0.15


def test_prose_ends_with_a_sentence() -> None:
    assert all(piece.rstrip().endswith(("1931.", "feared.")) for piece in pieces(document(PROSE * 100)))


def test_paragraphs_stay_whole_where_they_can() -> None:
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
def test_lines_of_data_code_and_dialogue_stay_whole(source: str, line: str) -> None:
    assert all(piece.endswith("\n") for piece in pieces(document(line * 300, source)))


def test_hard_wrapped_prose_is_not_cut_at_its_line_ends() -> None:
    text = "The ship with the grain of the whole valley left\nthe quay at dawn. " * 60
    assert all(piece.endswith("dawn. ") for piece in pieces(document(text, "a.txt")))


def test_a_heading_begins_a_chunk() -> None:
    text = "# One\n\n" + PROSE * 4 + "\n\n## Two\n\n" + PROSE * 4 + "\n\n# Three\n\n" + PROSE * 4
    assert [piece.split("\n")[0] for piece in pieces(document(text))] == ["# One", "## Two", "# Three"]


def test_small_sections_share_a_chunk() -> None:
    assert len(pieces(document("# A\n\nshort.\n\n# B\n\nshort.\n\n# C\n\nshort.\n"))) == 1


def test_contexts_are_title_and_headings_above() -> None:
    text = "# One\n\n" + PROSE * 30 + "\n\n## Two ##\n\n" + PROSE * 6 + "\n\n# Three\n\n" + PROSE * 6
    one = document(text, title="The Harbour")
    found = contexts(one, split(one))
    assert list(dict.fromkeys(found)) == ["The Harbour > One", "The Harbour > One > Two", "The Harbour > Three"]
    assert found.count("The Harbour > One") > 1


def test_a_title_that_is_the_first_heading_is_said_once() -> None:
    one = document("# The   Harbour\n\ntext", title="The Harbour")
    assert contexts(one, split(one)) == ["The Harbour"]


def test_a_table_repeats_its_header_line() -> None:
    one = document("ship,port,tons\n" + "Elbe,Ostrava,1200\n" * 300, "ships.csv", "Ships")
    found = contexts(one, split(one))
    assert found[0] == "Ships"
    assert set(found[1:]) == {"Ships > ship,port,tons"}


def test_fenced_code_and_source_code_have_no_headings() -> None:
    assert headings(document("```sh\n# not one\n```\n# One\n")) != []
    assert [one.text for one in headings(document("```sh\n# not one\n```\n# One\n"))] == ["One"]
    assert headings(document("# a comment\nx = 1\n", "a.py")) == []


def test_underlined_headings_take_their_level_from_the_order_of_their_lines() -> None:
    text = "=====\nGuide\n=====\n\nFirst\n-----\n\ntext\n\nPart\r\n~~~~\r\n\r\ntext\n\nSecond\n------\n"
    found = [(one.level, one.text) for one in headings(document(text, "a.rst"))]
    assert found == [(1, "Guide"), (2, "First"), (3, "Part"), (2, "Second")]


def test_front_matter_is_no_heading() -> None:
    assert headings(document("---\ntitle: x\n---\n\ntext\n")) == []
