"""Sources that disagree are both shown; sources that agree, or are about something else, do not disagree."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fakes import corpus_of, run_pipeline

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.evidence.contradiction import date_of, disagree
from lcrag.pipelines import ChunkRag, FullContext
from lcrag.report.text import contradictions
from lcrag.retrieve.rank import retrieve
from lcrag.types import Document, ignore

COST = "How much did the tide mill on the Wend cost?"
KEPT = "Who kept the light on the Calf?"
OPEN = "Is the ferry to the Calf open in winter?"


@pytest.mark.parametrize(
    ("question", "one", "other", "values"),
    [
        (COST, "The tide mill on the Wend cost £1,860.", "The tide mill on the Wend cost £2,100.", ("1860", "2100")),
        (COST, "The tide mill on the Wend cost £1,860.", "In all the tide mill on the Wend cost £1860.", None),
        (COST, "The tide mill on the Wend cost £1,860.", "The wind mill at Tolland cost £2,100.", None),
        (COST, "The tide mill on the Wend cost £1,860 in 1742.", "The tide mill on the Wend cost £900 in 1801.", None),
        (
            KEPT,
            "Anna Holm kept the light on the Calf alone.",
            "Berta Lund kept the light on the Calf alone.",
            ("anna holm", "berta lund"),
        ),
        (
            KEPT,
            "The keeper of the light on the Calf was Anna Holm.",
            "The keeper of the light on the Calf was Berta Lund.",
            ("anna holm", "berta lund"),
        ),
        (KEPT, "Anna Holm kept the light on the Calf.", "The light on the Calf was kept by Anna Holm.", None),
        (
            OPEN,
            "The ferry to the Calf is open in winter.",
            "The ferry to the Calf is not open in winter.",
            ("", "not open"),
        ),
        (OPEN, "The ferry to the Calf is open in winter.", "In winter the ferry to the Calf is open.", None),
        (
            "In 1742, how much did the mill cost?",
            "In 1742 the tide mill cost much.",
            "In 1743 the tide mill cost much.",
            None,
        ),
    ],
)
def test_disagree_gives_the_values_that_differ(
    question: str, one: str, other: str, values: tuple[str, str] | None
) -> None:
    assert disagree(question, one, other) == values
    assert disagree(question, other, one) == (values and values[::-1])


def test_find_contradictions_shows_both_sources_with_their_dates(tmp_path: Path) -> None:
    filler = "\n\n".join(f"Boat {number} brought {number} crates of tea." for number in range(40))
    documents = {
        "guide-1998.md": f"{filler}\n\nThe tide mill on the Wend cost £1,860 to build.",
        "letter.md": f"Date: 3 May 2023\n\nThe tide mill on the Wend cost £2,100 to build.\n\n{filler}",
    }
    for pipeline in (ChunkRag(2000), FullContext()):
        with corpus_of(tmp_path, documents) as corpus:
            question = "How much did the tide mill on the Wend cost to build?"
            ranking = retrieve(corpus, question, embedder=None)
            answer = run_pipeline(pipeline, question, corpus, ranking, EmbeddedBackend(None), ignore)
        assert answer.status == answer.steps[-1].status == "contradictory"
        [conflict] = answer.conflicts
        assert dict(zip(conflict.values, conflict.dates, strict=True)) == {"1860": "1998", "2100": "3 May 2023"}
        assert "£1,860" in answer.text
        assert "£2,100" in answer.text
        report = contradictions(answer)
        assert "1860" in report
        assert "2100 (3 May 2023)" in report


def test_find_contradictions_leaves_one_document_alone(tmp_path: Path) -> None:
    text = "The tide mill on the Wend cost £1,860.\n\nThe tide mill on the Wend cost £2,100."
    with corpus_of(tmp_path, {"a.md": text}) as corpus:
        answer = run_pipeline(
            FullContext(), COST, corpus, retrieve(corpus, COST, embedder=None), EmbeddedBackend(None), ignore
        )
    assert (answer.status, answer.conflicts) == ("answered", ())


@pytest.mark.parametrize(
    ("source", "text", "date"),
    [
        ("a/minutes-2022.md", "x", "2022"),
        ("2023-05-04.txt", "x", "2023-05-04"),
        ("a.eml", "From: x\nDate: Tue, 05 Sep 2023 09:15:51 +0100\n", "Tue, 05 Sep 2023 09:15:51 +0100"),
        ("1742/plan.md", "x", None),
        ("12345678.md", "x", None),
    ],
)
def test_date_of_reads_the_header_or_the_name(source: str, text: str, date: str | None) -> None:
    assert date_of(Document("d", source, text)) == date
