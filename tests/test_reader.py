"""The reader: built from the embedding weights and its adapter, it finds answer and evidence, and reads in batches."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from lcrag.errors import NotAvailable

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "reader"))
module: Any = importlib.import_module("reader")
Reader = module.Reader

PASSAGE = "The market is held on Tuesdays. The light on the Calf was lit in 1871. Bread was baked by the widow Pell."
OTHER = "Samphire grows on the marsh and is cut in June, when the tides are low and the mud is firm."
QUESTION = "When was the light on the Calf lit?"


@pytest.fixture(scope="module")
def reader() -> Any:
    return Reader()


def test_it_finds_the_answer_and_the_sentence_that_holds_it(reader: Any) -> None:
    [found] = reader.read(QUESTION, [PASSAGE])
    assert PASSAGE[slice(*found.answer)] in ("1871", "in 1871")
    start, end = PASSAGE.index("The light"), PASSAGE.index(" Bread")
    assert found.evidence_in(start, end) > max(found.evidence_in(0, start), found.evidence_in(end, len(PASSAGE)))


def test_the_passage_that_answers_ranks_first_and_says_that_it_is_here(reader: Any) -> None:
    yes, no = reader.read(QUESTION, [PASSAGE, OTHER])
    assert yes.rank > no.rank
    assert yes.here > no.here
    assert yes.answer_score > no.answer_score


def test_places_are_characters_of_the_passage_whatever_it_is_read_with(reader: Any) -> None:
    texts = ["  Né en 1871 à Tolland.", PASSAGE * 40, "", PASSAGE]
    found = reader.read(QUESTION, texts)
    assert len(found) == len(texts)
    assert "".join(texts[0][a:b] for a, b in found[0].places) == "Néen1871àTolland."
    assert found[2].answer == (0, 0)
    assert all(0 <= one.answer[0] <= one.answer[1] <= len(text) for one, text in zip(found, texts, strict=True))
    assert all(len(one.places) == len(one.evidence) <= module.LENGTH for one in found)


def test_an_adapter_that_cannot_be_merged_is_an_error_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "adapter.safetensors"
    broken.write_bytes(b"no weights")
    monkeypatch.setattr(module, "ADAPTER", broken)
    with pytest.raises(NotAvailable, match="could not be prepared"):
        Reader()
