"""Sentences of a task: what is a unit of its own, how it is scored, and when the answer is taken to be missing."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from lcrag.backends.answerable import answerable, threshold
from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.extract import score, units_of
from lcrag.evidence.cite import cite
from lcrag.types import Document, Passage, Task

BOLD = (
    "**Report of the mill.** The Trust reported a *tidal* wheel. "
    "The wheel of the mill broke **twice. It was mended by Josiah Fenn.** Nothing else is known.\n"
)


def task(question: str, text: str, notes: tuple[str, ...] = ()) -> Task:
    return Task("answer", question, (Passage(1, "d", "a.md", 0, len(text), text, len(text) // 4),), notes)


def test_units_have_the_markers_they_came_with() -> None:
    units = units_of(task("q", "One thing here. Another there.", ("A note [3][4]", "bare note")))
    assert [unit.markers for unit in units] == ["[1]", "[1]", "[3][4]", ""]


@pytest.mark.parametrize("question", ["What did the Trust report?", "Who mended the wheel?", "Summarise the text."])
def test_quotes_without_stray_emphasis_are_located_in_the_document(question: str) -> None:
    asked = task(question, BOLD)
    [done] = EmbeddedBackend(None).run([asked], max_tokens=500)
    cited = cite(done.text, asked.passages, {"d": Document("d", "a.md", BOLD)}.__getitem__)
    assert [citation.quote for citation in cited.citations] == [
        line.removesuffix(" [1]") for line in dict.fromkeys(done.text.split("\n"))
    ]
    for citation in cited.citations:
        assert citation.quote == BOLD[citation.start : citation.end]
        assert not citation.quote.startswith("**")
        assert not citation.quote.endswith("**")


@pytest.mark.parametrize("place", [0, 1])
def test_score_notices_that_another_speaks(place: int) -> None:
    asked = ["What did Ann bake on Sunday?", "What did Ben bake on Sunday?"][place]
    scored = score(task(asked, "Ann: I baked a cake on Sunday.\n\nBen: I burnt some toast.\n"), None, None)
    assert scored.features["another_speaks"] == place


def test_answerable_rises_with_its_features_as_the_file_has_them() -> None:
    weights = json.loads((files("lcrag.backends") / "answerable.json").read_text())
    assert {"date", "fitted_on", "questions", "dense", "lexical"} <= weights.keys()
    for judgement in ("dense", "lexical"):
        names = weights[judgement]["weights"]
        strong = dict.fromkeys(names, 0.0) | {name: 0.9 for name, sign in names.items() if sign > 0}
        weak = dict.fromkeys(names, 0.0) | {name: 0.9 for name, sign in names.items() if sign < 0}
        assert answerable(strong, judgement) > threshold(judgement) > answerable(weak, judgement)
        assert answerable({}, judgement) == 0
