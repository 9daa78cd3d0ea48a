"""Ranking: words and vectors together, neighbours, depth, ties; vectors are made lazily and stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lcrag.retrieve.rank
from lcrag import ingest
from lcrag.index.corpus import Corpus
from lcrag.retrieve.rank import NEIGHBOURS, NEIGHBOURS_BROAD, add_neighbours, fill_vectors, retrieve
from lcrag.types import Document, Event

MEANINGS = {"car": "vehicle", "automobile": "vehicle", "physician": "doctor"}
FILLER = "The lamps along the quay were lit at dusk and nobody spoke about the weather for a long while. "


class WordEmbedder:
    """Texts whose words mean the same have the same vector; ``seen`` records the texts."""

    name = "words"
    dimensions = 256

    def __init__(self, fail_after: int | None = None) -> None:
        self.seen: list[str] = []
        self.fail_after = fail_after

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if self.fail_after is not None and len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen.extend(texts)
        vectors = np.full((len(texts), self.dimensions), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().replace(".", " ").replace("?", " ").split():
                place = hashlib.sha256(MEANINGS.get(word, word).encode()).digest()[0]
                vectors[row, place] += 1
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


class EqualEmbedder(WordEmbedder):
    """All texts have the same vector."""

    name = "equal"

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return super().embed(["same"] * len(texts))


def quiet(event: Event) -> None:
    pass


def corpus_of(folder: Path, texts: dict[str, str]) -> Corpus:
    corpus = Corpus.open(folder)
    documents: list[Document] = [ingest.from_text(text, source) for source, text in texts.items()]
    corpus.refresh(ingest.Scan((), {}), quiet, documents)
    return corpus


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Corpus]:
    texts = {
        "a.txt": "The red automobile stands in the yard.",
        "b.txt": "The harbour opens at six.",
        "c.txt": "The physician keeps a harbour boat and a harbour flag.",
        "d.txt": "Nothing of note happened.",
    }
    with corpus_of(tmp_path, texts) as corpus:
        yield corpus


def sources(hits: Sequence[object]) -> list[str]:
    return [hit.chunk.source for hit in hits]  # type: ignore[attr-defined]


def test_retrieve_by_words_alone(town: Corpus) -> None:
    ranking = retrieve(town, "When does the harbour open?", embedder=None)
    assert sources(ranking.hits) == ["b.txt", "c.txt"]
    assert [hit.lexical_rank for hit in ranking.hits] == [0, 1]
    assert [hit.chunk.id for hit in ranking.hits] == [chunk for chunk, _ in town.lexical("harbour open", 9)]
    assert all(hit.dense_rank is None and hit.dense_score is None for hit in ranking.hits)
    assert not ranking.dense
    assert ranking.size == town.size
    assert ranking.terms == town.terms("When does the harbour open?")


def test_retrieve_finds_by_meaning_what_words_miss(town: Corpus) -> None:
    assert retrieve(town, "Any car?", embedder=None).hits == ()
    ranking = retrieve(town, "Any car?", embedder=WordEmbedder())
    assert ranking.dense
    assert sources(ranking.hits)[0] == "a.txt"
    assert len(ranking.hits) == 4
    assert sorted(hit.dense_rank for hit in ranking.hits if hit.dense_rank is not None) == [0, 1, 2, 3]
    first = ranking.hits[0]
    assert (first.lexical_rank, first.lexical_score) == (None, None)
    assert first.dense_score == max(hit.dense_score or 0 for hit in ranking.hits)


def test_retrieve_from_empty_corpus(tmp_path: Path) -> None:
    with corpus_of(tmp_path, {}) as corpus:
        assert retrieve(corpus, "Who?", embedder=None).hits == ()
        assert retrieve(corpus, "Who?", embedder=WordEmbedder()).hits == ()
        assert fill_vectors(corpus, WordEmbedder(), quiet) == 0


def test_retrieve_cuts_at_the_depth(town: Corpus) -> None:
    whole = retrieve(town, "harbour car", embedder=WordEmbedder()).hits
    for depth in range(1, len(whole) + 1):
        tokens = sum(hit.chunk.tokens for hit in whole[:depth])
        assert retrieve(town, "harbour car", embedder=WordEmbedder(), depth_tokens=tokens).hits == whole[:depth]
    assert retrieve(town, "harbour car", embedder=WordEmbedder(), depth_tokens=1).hits == whole[:1]


def test_retrieve_puts_an_exact_key_first(tmp_path: Path) -> None:
    question = "What is the value of the key 7f3a-99c2?"
    texts = {f"{number}.txt": f"House {number} has a key." for number in range(20)}
    with corpus_of(tmp_path, texts | {"z.txt": "7f3a-99c2: 41"}) as corpus:
        ranking = retrieve(corpus, question, embedder=WordEmbedder())
        assert ranking.hits[0].chunk.source == "z.txt"
        assert ranking.hits[0].dense_rank == 20


def test_retrieve_breaks_ties_by_reading_order(tmp_path: Path) -> None:
    texts = {f"{name}.txt": f"The harbour is open, says {name}." for name in "hcafbdge"}
    with corpus_of(tmp_path, texts) as corpus:
        assert sources(retrieve(corpus, "harbour", embedder=None).hits) == sorted(texts)


def test_retrieve_numbers_equal_vectors_in_reading_order(tmp_path: Path) -> None:
    with corpus_of(tmp_path, {f"{name}.txt": f"A car, says {name}." for name in "ecabd"}) as corpus:
        hits = retrieve(corpus, "car", embedder=EqualEmbedder()).hits
        assert {hit.chunk.source: hit.dense_rank for hit in hits} == {
            f"{name}.txt": n for n, name in enumerate("abcde")
        }


def test_retrieve_raises_neighbours_in_the_same_document(tmp_path: Path) -> None:
    filler = "\n\n".join([FILLER * 7] * 9)
    texts = {"m.txt": f"Zinnober was bought by Ann. {filler}", "l.txt": filler, "n.txt": filler}
    with corpus_of(tmp_path, texts) as corpus:
        chunks = [chunk for chunk in corpus.chunks() if chunk.source == "m.txt"]
        assert "Zinnober" in chunks[0].text
        hits = retrieve(corpus, "Where is Zinnober?", embedder=None).hits
        assert [hit.chunk for hit in hits] == chunks[: 1 + len(NEIGHBOURS)]
        assert hits[1].lexical_rank is None
        assert [hit.score for hit in hits] == pytest.approx([1.0, *NEIGHBOURS])
        broad = retrieve(corpus, "What was said about Zinnober?", embedder=None).hits
        assert [hit.chunk for hit in broad] == chunks[: 1 + len(NEIGHBOURS_BROAD)]


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.lists(st.floats(0, 1), max_size=4),
    st.randoms(use_true_random=False),
)
def test_add_neighbours_equals_the_sum_per_chunk(counts: list[int], weights: list[float], r: Random) -> None:
    documents = [number for number, count in enumerate(counts) for _ in range(count)]
    scores = [r.uniform(-1, 2) for _ in documents]

    def expected(place: int) -> float:
        near = [(away, other) for away in range(1, len(weights) + 1) for other in (place - away, place + away)]
        inside = [
            (away, other)
            for away, other in near
            if 0 <= other < len(documents) and documents[other] == documents[place]
        ]
        return max(scores[place], 0) + sum(weights[away - 1] * max(scores[other], 0) for away, other in inside)

    total = add_neighbours(np.array(scores), counts, weights)
    assert total == pytest.approx([expected(place) for place in range(len(documents))])


def test_retrieve_makes_few_missing_vectors_once(town: Corpus) -> None:
    embedder = WordEmbedder()
    first = retrieve(town, "harbour", embedder=embedder)
    assert len(embedder.seen) == 1 + 4
    again = retrieve(town, "harbour", embedder=embedder)
    assert len(embedder.seen) == 1 + 4 + 1
    assert again == first


def test_retrieve_embeds_only_candidates_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lcrag.retrieve.rank, "EMBED_ALL", 10)
    monkeypatch.setattr(lcrag.retrieve.rank, "EMBED_CANDIDATES", 5)
    texts = {f"{number:02}.txt": f"Boat {number} has a harbour." for number in range(20)}
    texts |= {f"{number:02}.txt": f"Nothing {number}." for number in range(20, 40)}
    embedder = WordEmbedder()
    with corpus_of(tmp_path, texts) as corpus:
        best = [chunk for chunk, _ in corpus.lexical("harbour", 5)]
        ranking = retrieve(corpus, "harbour", embedder=embedder)
        assert len(embedder.seen) == 1 + 5
        assert sorted(hit.chunk.id for hit in ranking.hits if hit.dense_rank is not None) == sorted(best)
        assert len(ranking.hits) == 20
        assert retrieve(corpus, "harbour", embedder=embedder) == ranking
        assert len(embedder.seen) == 1 + 5 + 1
        retrieve(corpus, "nothing", embedder=embedder)
        assert len(corpus.missing_vectors(corpus.chunk_ids(), "words")) == 40 - 10


def test_fill_vectors_resumes_after_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lcrag.retrieve.rank, "_BATCH", 4)
    texts = {f"{number}.txt": f"Boat {number}." for number in range(10)}
    events: list[Event] = []
    with corpus_of(tmp_path, texts) as corpus:
        with pytest.raises(KeyboardInterrupt):
            fill_vectors(corpus, WordEmbedder(fail_after=4), quiet)
        assert len(corpus.missing_vectors(corpus.chunk_ids(), "words")) == 6
        assert fill_vectors(corpus, WordEmbedder(), events.append) == 6
        assert [event.data for event in events] == [{"embedded": 4, "total": 6}, {"embedded": 6, "total": 6}]
        assert corpus.missing_vectors(corpus.chunk_ids(), "words") == []


def test_fill_vectors_waits_for_another_writer(town: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    store = town.store_vectors
    answers = iter([False, True])
    monkeypatch.setattr(town, "store_vectors", lambda *values: next(answers) and store(*values))
    events: list[Event] = []
    assert fill_vectors(town, WordEmbedder(), events.append) == 4
    assert ["message" in event.data for event in events] == [True, False]
    assert town.missing_vectors(town.chunk_ids(), "words") == []


def test_fill_vectors_embeds_headings_with_the_text(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    with corpus_of(tmp_path, {"a.md": "# Harbour\n\n## Hours\n\nOpen at six.\n"}) as corpus:
        fill_vectors(corpus, embedder, quiet)
        ids = corpus.chunk_ids()
        lines = [chunk.context for chunk in corpus.get(ids)]
        assert any("Harbour" in line for line in lines)
        assert embedder.seen == [f"{line}\n{chunk.text}" for line, chunk in zip(lines, corpus.get(ids), strict=True)]


def test_retrieve_ranks_the_same_with_the_vector_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    r = Random(7)
    words = [f"word{number}" for number in range(60)] + ["harbour", "boat", "flag"]
    texts = {f"{number}.txt": " ".join(r.choices(words, k=400)) + "." for number in range(12)}
    with corpus_of(tmp_path, texts) as corpus:
        fill_vectors(corpus, WordEmbedder(), quiet)
        plain = [retrieve(corpus, f"harbour {word}?", embedder=WordEmbedder()) for word in words]
        monkeypatch.setattr("lcrag.index.vectors.FILE_FROM", 1)
        monkeypatch.setattr("lcrag.index.vectors.BLOCK_ROWS", 5)
        filed = [retrieve(corpus, f"harbour {word}?", embedder=WordEmbedder()) for word in words]
        for plain_ranking, filed_ranking in zip(plain, filed, strict=True):
            assert [hit.chunk for hit in plain_ranking.hits] == [hit.chunk for hit in filed_ranking.hits]
            assert [hit.dense_rank for hit in plain_ranking.hits] == [hit.dense_rank for hit in filed_ranking.hits]
            assert [hit.score for hit in plain_ranking.hits] == [hit.score for hit in filed_ranking.hits]
        [file] = tmp_path.glob("*.vectors")
        corpus.refresh(ingest.Scan((), {}), quiet, [ingest.from_text("harbour word3 boat.", "new.txt")])
        [hit] = retrieve(corpus, "harbour word3?", embedder=WordEmbedder()).hits
        assert (hit.chunk.source, hit.dense_rank) == ("new.txt", 0)
        assert list(tmp_path.glob("*.vectors")) == [file]


def test_retrieve_with_gaps_in_the_vector_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.index.vectors.FILE_FROM", 1)
    monkeypatch.setattr("lcrag.retrieve.rank.EMBED_ALL", 0)
    monkeypatch.setattr("lcrag.retrieve.rank.EMBED_CANDIDATES", 1)
    with corpus_of(tmp_path, {f"{number}.txt": f"Boat {number} is red." for number in range(9)}) as corpus:
        for asked in range(4):
            ranking = retrieve(corpus, f"{asked}?", embedder=WordEmbedder())
            assert sum(hit.dense_score is not None for hit in ranking.hits) == asked + 1
            assert not any(np.isnan(hit.score) for hit in ranking.hits)


@given(st.lists(st.integers(0, 6), max_size=60), st.integers(1, 20))
def test_order_sorts_by_falling_score(scores: list[int], first: int) -> None:
    values = np.array(scores, np.float64)
    known = values > 0
    batches = list(lcrag.retrieve.rank.order(values, known, first))
    expected = sorted(np.flatnonzero(known).tolist(), key=lambda place: -scores[place])
    assert [place for batch in batches for place in batch.tolist()] == expected
