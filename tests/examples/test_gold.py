"""Gold values follow from the evidence's place in the ranking."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from gold import Gold, evidence_places, rank_questions, tokens_until

from lcrag import ingest
from lcrag.comparison.dataset import Span, load
from lcrag.types import Chunk, Hit


def hits(*places: int) -> list[Hit]:
    return [Hit(Chunk(n, "d", "d.txt", n * 10, n * 10 + 10, "x" * 10, 7), 1.0) for n in places]


def test_tokens_until_counts_until_all_evidence_is_seen() -> None:
    assert tokens_until(hits(3, 0, 1, 2), [("d", 5, 15)]) == 21
    assert tokens_until(hits(3, 0, 1, 2), [("d", 31, 32)]) == 7
    assert tokens_until(hits(3, 0), [("d", 5, 15)]) is None
    assert tokens_until(hits(3, 0), [("another", 31, 32)]) is None


def test_gold_diffusion_and_coverage_follow_from_reading() -> None:
    gold = Gold(reading=1000, scope=30, size=20_000)
    assert gold.diffusion == pytest.approx(math.log(1001) / math.log(20_001))
    assert [gold.covered(k) for k in (999, 1000)] == [False, True]


def test_rank_questions_measures_a_dataset(tmp_path: Path) -> None:
    text = "The mill was built by Fenn in 1742. " + "Nobody spoke about the weather for a long while. " * 60
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    record = {"id": "1", "question": "Who built the mill?", "docs": ["a.txt"], "answers": ["Fenn"]}
    span = {"doc": "a.txt", "start": 0, "end": 35}
    lines = [record | {"evidence_spans": [span]}, record | {"id": "2", "unanswerable": True}]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    one, other = rank_questions(load(tmp_path), None, tmp_path / "indexes")
    assert one[2] is not None
    assert one[2].reading == one[1].hits[0].chunk.tokens < one[2].size
    assert 8 <= one[2].scope <= 12
    assert other[2] is None


def test_evidence_places_follow_links(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The mill was built by Fenn.", encoding="utf-8")
    (tmp_path / "link.txt").symlink_to(tmp_path / "a.txt")
    document = ingest.from_text("The mill was built by Fenn.", "a.txt")
    places = evidence_places([Span(tmp_path / "link.txt", 4, 8)], {(tmp_path / "a.txt").resolve(): document})
    assert places == [(document.id, 4, 8)]
