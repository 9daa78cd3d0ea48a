"""A citation quotes the document at its place; a marker that leads nowhere is removed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.evidence.cite import cite
from lcrag.types import Citation, Document, Passage

TEXT = (
    "The light was lit in 1871. Its first keeper was Anna Holm, who\nstayed for nine years. The lamp burned oil.\n"
    "A note says so [12]. Nothing else is known.\n"
)
DOCUMENT = Document("d", "a.md", TEXT)
MIDDLE = TEXT.index("Its")
PASSAGES = (
    Passage(3, "d", "a.md", 0, MIDDLE, TEXT[:MIDDLE], 5),
    Passage(5, "d", "a.md", MIDDLE, len(TEXT), TEXT[MIDDLE:], 20),
)


def cited(text: str, passages: tuple[Passage, ...] = PASSAGES) -> tuple[str, tuple[Citation, ...]]:
    answer = cite(text, passages, {"d": DOCUMENT}.__getitem__)
    return answer.text, answer.citations


@pytest.mark.parametrize(
    ("answer", "text", "quotes"),
    [
        ("The light was lit in 1871. [3]", "The light was lit in 1871. [1]", ["The light was lit in 1871."]),
        ("The light was lit in 1871 [3].", "The light was lit in 1871 [1].", ["The light was lit in 1871"]),
        (
            "Its first keeper was Anna Holm, who stayed for nine years. [5]",
            "Its first keeper was Anna Holm, who stayed for nine years. [1]",
            ["Its first keeper was Anna Holm, who\nstayed for nine years."],
        ),
        (
            "Anna Holm kept it for nine years [5]. It was lit in 1871 [3].",
            "Anna Holm kept it for nine years [1]. It was lit in 1871 [2].",
            ["Its first keeper was Anna Holm, who\nstayed for nine years.", "The light was lit in 1871."],
        ),
        ("The lamp burned oil. [5][3]", "The lamp burned oil. [1]", ["The lamp burned oil."]),
        ("The lamp burned oil. [3, 5]", "The lamp burned oil. [1]", ["The lamp burned oil."]),
        ("The lamp burned oil. [99]", "The lamp burned oil. [1]", ["The lamp burned oil."]),
        ("The whale sang opera. [99]", "The whale sang opera.", []),
        ("Quite another matter altogether [5].", "Quite another matter altogether.", []),
        ("A note says so [12]. [5]", "A note says so [12]. [1]", ["A note says so [12]."]),
        (
            "The lamp burned oil. [5] The lamp burned oil. [5]",
            "The lamp burned oil. [1] The lamp burned oil. [1]",
            ["The lamp burned oil."],
        ),
        ("- The lamp burned oil. [5]", "- The lamp burned oil. [1]", ["The lamp burned oil."]),
        ("No [5].", "No.", []),  # "Nothing" is no evidence
        ("No marker at all.", "No marker at all.", []),
        ("[5]", "", []),
        ("", "", []),
    ],
)
def test_cite_numbers_markers_again_and_quotes_the_document(answer: str, text: str, quotes: list[str]) -> None:
    checked, citations = cited(answer)
    assert checked == text
    assert [citation.quote for citation in citations] == quotes
    assert all(citation.quote == TEXT[citation.start : citation.end] for citation in citations)
    assert [citation.marker for citation in citations] == list(range(1, len(citations) + 1))


CITING = "A note says so [12]. Old reports [4] say less.\n[3] Smith, J. A study of lamps. 1901.\n灯台は古い[7]。"


@pytest.mark.parametrize(
    ("answer", "text", "quotes"),
    [
        ("A note says so [12] [5]", "A note says so [12] [1]", ["A note says so [12]"]),
        ("A note says so [12][5].", "A note says so [12][1].", ["A note says so [12]"]),
        (
            "A note says so [12]. [5]\nOld reports [4] say less. [5]",
            "A note says so [12]. [1]\nOld reports [4] say less. [2]",
            ["A note says so [12].", "Old reports [4] say less."],
        ),
        ("- Old reports [4] say less. [5]", "- Old reports [4] say less. [1]", ["Old reports [4] say less."]),
        (
            "[3] Smith, J. A study of lamps. [5]",
            "[3] Smith, J. A study of lamps. [1]",
            ["[3] Smith, J. A study of lamps."],
        ),
        (
            "Old reports [4] say less. [5] [3] Smith, J. A study of lamps. [5]",
            "Old reports [4] say less. [1] [3] Smith, J. A study of lamps. [2]",
            ["Old reports [4] say less.", "[3] Smith, J. A study of lamps."],
        ),
        ("灯台は古い[7]。 [5]", "灯台は古い[7]。 [1]", ["灯台は古い[7]。"]),
        ("Old reports say less [4].", "Old reports say less [1].", ["Old reports [4] say less."]),
    ],
)
def test_cite_takes_a_bracketed_number_of_the_source_for_words(answer: str, text: str, quotes: list[str]) -> None:
    document = Document("d", "a.md", CITING)
    every = tuple(Passage(marker, "d", "a.md", 0, len(CITING), CITING, 9) for marker in (3, 4, 5, 7, 12))
    checked = cite(answer, every, {"d": document}.__getitem__)
    assert checked.text == text
    assert [citation.quote for citation in checked.citations] == quotes


@pytest.mark.parametrize(
    ("answer", "statements", "dropped"),
    [
        ("The lamp burned oil. [5]", [("The lamp burned oil.", True, (1,))], 0),
        ("The lamp burned gas. [5][99]", [("The lamp burned gas.", True, (1,))], 1),  # two of three words: the limit
        (
            "It was lit in 1872 [3]. The lamp burned oil [5].",
            [("It was lit in 1872", False, ()), ("The lamp burned oil", True, (1,))],
            1,
        ),
        (
            "The lamp burned oil. Its first keeper was Anna Holm. [5] She stayed nine years.",
            [
                ("The lamp burned oil.", True, (1,)),
                ("Its first keeper was Anna Holm.", True, (2,)),
                ("She stayed nine years.", True, (2,)),
            ],
            0,
        ),
        ("Yes. The lamp burned oil. [5]", [("Yes. The lamp burned oil.", True, (1,))], 0),
        ("Two things are known:\n- The lamp burned oil. [5]", [("The lamp burned oil.", True, (1,))], 0),
        (
            "It was lit in 1871 and kept for nine years by Anna Holm. [3][5]",
            [("It was lit in 1871 and kept for nine years by Anna Holm.", True, (1, 2))],
            0,
        ),
        ("The lamp burned oil.", [("The lamp burned oil.", True, (1,))], 0),
        ("The whale sang opera.", [("The whale sang opera.", False, ())], 0),
        ("", [], 0),
    ],
)
def test_cite_ties_each_sentence_to_its_support(
    answer: str, statements: list[tuple[str, bool, tuple[int, ...]]], dropped: int
) -> None:
    checked = cite(answer, PASSAGES, {"d": DOCUMENT}.__getitem__)
    assert [
        (checked.text[statement.start : statement.end], statement.supported, statement.citations)
        for statement in checked.statements
    ] == statements
    assert checked.dropped == dropped


def test_cite_gives_an_unmarked_sentence_the_marker_of_its_support() -> None:
    checked = cite("The lamp burned oil. [5] It was lit in 1871.", PASSAGES, {"d": DOCUMENT}.__getitem__)
    assert checked.text == "The lamp burned oil. [1] It was lit in 1871."  # nothing names the passage that says so
    checked = cite("It was lit in 1871. [3] The light was lit.", PASSAGES, {"d": DOCUMENT}.__getitem__)
    assert checked.text == "It was lit in 1871. [1] The light was lit. [1]"


def test_cite_gives_the_line_where_the_quote_begins() -> None:
    _, [citation] = cited("A note says so [12]. [5]")
    assert (citation.line, citation.page) == (3, None)


def test_cite_leads_from_a_compressed_passage_to_the_document() -> None:
    parts = ((0, 27), (TEXT.index("The lamp"), TEXT.index("A note")))
    text = "\n".join(TEXT[start:end] for start, end in parts)
    compressed = Passage(1, "d", "a.md", 0, parts[1][1], text, 9, parts)
    _, [first, second] = cited("The lamp burned oil. [1] The light was lit in 1871. [1]", (compressed,))
    assert [TEXT[citation.start : citation.end] for citation in (first, second)] == [
        "The lamp burned oil.",
        "The light was lit in 1871.",
    ]


@given(st.text(alphabet=st.sampled_from("[]0123456789 ,.\nlamp oil") | st.characters(codec="utf-8")))
def test_cite_quotes_the_document_whatever_the_answer(answer: str) -> None:
    checked = cite(answer, PASSAGES, {"d": DOCUMENT}.__getitem__)
    assert all(citation.quote == TEXT[citation.start : citation.end] != "" for citation in checked.citations)
    assert all(f"[{citation.marker}]" in checked.text for citation in checked.citations)
    markers = {citation.marker for citation in checked.citations}
    for statement in checked.statements:
        assert 0 <= statement.start < statement.end <= len(checked.text)
        assert statement.supported == bool(statement.citations)
        assert markers.issuperset(statement.citations)
