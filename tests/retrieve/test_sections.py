"""Summaries of sections: made once, kept by what they sum up, and found for the chunks that they are about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.fakes import HashingEmbedder, corpus_of, run_pipeline

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import BackendFailed, NotAvailable
from lcrag.index.corpus import Corpus
from lcrag.pipelines import ChunkRag
from lcrag.retrieve.rank import COSINE_WEIGHT, SECTION_WEIGHT, Scored, retrieve
from lcrag.retrieve.sections import BATCH, TOKENS, WORDS, fill_summaries, section_scores
from lcrag.session import Session
from lcrag.types import Backend, Event, Settings, Task, ignore

WALL = "# The wall\n\n" + " ".join(f"Stone {number} was laid on the north side by Brae Marine." for number in range(30))
MILL = "# The mill\n\n" + " ".join(f"Cog {number} of the great wheel was cut from apple wood." for number in range(30))
SHORT = "# The fair\n\nThe fair is held in June."
DOCUMENTS = {"a.md": f"{WALL}\n\n{MILL}\n\n{SHORT}\n", "b.md": "Forty boats lie in the harbour.\n"}


class Writer(ScriptedBackend):
    """A model that names the first three words of what it sums up."""

    template_tokens = 32

    def __init__(self, model: str = "m") -> None:
        super().__init__(self.says, window=32_768)
        self.model = model

    def says(self, task: Task) -> str:
        return f"It is about {' '.join(task.passages[0].text.split()[:3])} [1]."


def fill(corpus: Corpus, backend: Backend, events: list[Event] | None = None) -> int:
    return fill_summaries(corpus, backend, HashingEmbedder(), ignore if events is None else events.append)


def said(corpus: Corpus) -> list[str]:
    return [summary.text for summary in corpus.summaries("hashing")]


def test_sections_are_summed_up_by_heading_and_short_ones_are_their_own_summary(tmp_path: Path) -> None:
    backend, events = Writer(), list[Event]()
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        assert fill(corpus, backend, events) == 4
        assert said(corpus) == [
            "It is about # The wall.",
            "It is about # The mill.",
            "# The fair The fair is held in June.",
            "Forty boats lie in the harbour.",
        ]
        spans = [corpus.get(range(one.first, one.first + one.chunks)) for one in corpus.summaries("hashing")]
        assert [span[0].text.split("\n")[0] for span in spans][:3] == ["# The wall", "# The mill", "# The fair"]
        assert sum(len(span) for span in spans) == corpus.size.chunks
    assert [(task.role, task.words) for task in backend.tasks] == [("summarise", WORDS)] * 2
    tokens = events[0].data["message"]
    assert tokens == f"sections to sum up: 4, up to {corpus.size.tokens:,} tokens to read"
    assert events[-1].data == {"summed_up": 4, "total": 4}


def test_long_sections_are_cut(tmp_path: Path) -> None:
    long = "# One\n\n" + "\n\n".join(f"Year {number}: the sea was calm and the lamp was lit." for number in range(600))
    with corpus_of(tmp_path, {"a.md": long}) as corpus:
        fill(corpus, Writer())
        sizes = [
            sum(chunk.tokens for chunk in corpus.get(range(one.first, one.first + one.chunks)))
            for one in corpus.summaries("")
        ]
    assert len(sizes) > 2
    assert max(sizes) <= TOKENS


def test_what_has_not_changed_is_not_summed_up_again(tmp_path: Path) -> None:
    backend = Writer()
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        fill(corpus, backend)
        assert fill(corpus, backend) == 0
    asked = len(backend.tasks)
    changed = DOCUMENTS["a.md"].replace("apple", "pear")
    with corpus_of(tmp_path, {"a.md": changed}) as corpus:
        assert said(corpus) == ["Forty boats lie in the harbour."]  # the rows of the old text are found no more
        assert fill(corpus, backend) == 1
        assert len(said(corpus)) == 4
    assert len(backend.tasks) == asked + 1
    assert "pear" in backend.tasks[-1].passages[0].text


def test_another_model_sums_up_anew(tmp_path: Path) -> None:
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        fill(corpus, Writer())
        assert fill(corpus, EmbeddedBackend(HashingEmbedder())) == 4
        assert len(said(corpus)) == 4
        whole = " ".join(" ".join(DOCUMENTS.values()).split())
        assert "It is about" not in " ".join(said(corpus))
        assert all(sentence.strip(". ") in whole for text in said(corpus) for sentence in text.split(". "))


def test_another_embedder_costs_no_summary(tmp_path: Path) -> None:
    backend = Writer()
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        fill_summaries(corpus, backend, None, ignore)
        assert all(one.vector is None for one in corpus.summaries("hashing"))
        asked = len(backend.tasks)
        assert fill(corpus, backend) == 0
        assert len(backend.tasks) == asked
        assert all(one.vector is not None for one in corpus.summaries("hashing"))


def test_an_interrupted_run_is_resumed(tmp_path: Path) -> None:
    text = "\n\n".join(f"# Part {part}\n\n" + f"Part {part} tells of stone. " * 40 for part in range(BATCH + 5))
    failing = Writer()

    def once(task: Task) -> str:
        if len(failing.tasks) > BATCH:
            raise BackendFailed("the server is gone")
        return failing.says(task)

    failing._reply = once
    with corpus_of(tmp_path, {"a.md": text}) as corpus:
        with pytest.raises(BackendFailed):
            fill(corpus, failing)
        assert len(said(corpus)) == BATCH
        assert fill(corpus, Writer()) == 5
        assert len(said(corpus)) == BATCH + 5


def test_rows_go_with_their_file(tmp_path: Path) -> None:
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        fill(corpus, Writer())
    (tmp_path / "documents" / "a.md").unlink()
    with corpus_of(tmp_path, {}) as corpus:
        assert said(corpus) == ["Forty boats lie in the harbour."]
        assert corpus._live.execute("SELECT count(*) FROM summaries").fetchone() == (1,)


def test_section_that_says_nothing_is_not_asked_again_and_not_found(tmp_path: Path) -> None:
    backend = Writer()
    backend._reply = lambda task: "NOT FOUND"
    with corpus_of(tmp_path, {"a.md": f"{WALL}\n"}) as corpus:
        assert (fill(corpus, backend), said(corpus), fill(corpus, backend)) == (1, [], 0)


def test_hit_on_a_summary_counts_for_the_chunks_of_its_section(tmp_path: Path) -> None:
    class Knowing(Writer):
        def says(self, task: Task) -> str:
            return "How the windmill of Tolland was built." if "Cog" in task.passages[0].text else "Something else."

    question = "How was the windmill of Tolland built?"
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        fill(corpus, Knowing())
        ids, _ = corpus.layout()
        embedder = HashingEmbedder()
        query, summaries = embedder.embed([question])[0], corpus.summaries(embedder.name)
        scores = section_scores(summaries, question, query, COSINE_WEIGHT, ids)
        chunks = corpus.get(ids.tolist())
        of_mill = np.array(["Cog" in chunk.text for chunk in chunks])
        assert scores[of_mill].min() == 1.0
        assert scores[~of_mill].max() < 0.5
        ranking = Scored.of(corpus, question, HashingEmbedder()).ranking(section_weight=1.0)
        assert "Cog" in ranking.hits[0].chunk.text
        assert not section_scores(corpus.summaries(""), question, None, COSINE_WEIGHT, ids[:0]).size


@pytest.mark.parametrize("documents", [{}, {"a.md": SHORT}, {"a.md": SHORT, "b.md": "🦜 灯台守は鳥を飼っていた。"}])
def test_small_corpora_are_summed_up_and_ranked(tmp_path: Path, documents: dict[str, str]) -> None:
    with corpus_of(tmp_path, documents) as corpus:
        assert fill(corpus, EmbeddedBackend(HashingEmbedder())) == len(documents)
        plain = retrieve(corpus, "When is the fair?", embedder=HashingEmbedder())
        again = Scored.of(corpus, "When is the fair?", HashingEmbedder()).ranking(section_weight=1.0)
        assert {hit.chunk.id for hit in again.hits} == {hit.chunk.id for hit in plain.hits}


def test_route_by_section_needs_summaries(tmp_path: Path) -> None:
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        ranking = retrieve(corpus, "Who laid the stones?", embedder=None)
        with pytest.raises(NotAvailable) as refused:
            run_pipeline(ChunkRag(layer="section"), "Who laid the stones?", corpus, ranking, EmbeddedBackend(None))
    assert "--layers section" in refused.value.hint


def test_route_by_section_looks_nothing_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words and vectors are those of the first ranking."""
    question = "Who laid the stones?"
    with corpus_of(tmp_path, DOCUMENTS) as corpus:
        fill(corpus, EmbeddedBackend(HashingEmbedder()))
        ranking = retrieve(corpus, question, embedder=HashingEmbedder())
        expected = Scored.of(corpus, question, HashingEmbedder()).ranking(SECTION_WEIGHT)
        for name in ("lexical", "cosines", "layout"):
            monkeypatch.setattr(corpus, name, None)
        assert ranking.by_section is not None
        assert ranking.by_section() == expected
        assert [hit.score for hit in expected.hits] != [hit.score for hit in ranking.hits]


def test_route_by_section_cites_the_text_and_no_summary(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(DOCUMENTS["a.md"])
    settings = Settings((str(tmp_path / "a.md"),), index=tmp_path / "index", dense="off", reader="off")
    with Session.open(settings, ignore, backend=Writer()) as session:
        assert session.sum_up() == 3
        session.backend = EmbeddedBackend(None)
        answer = session.ask("What were the cogs of the great wheel cut from?", pipeline="summary_rag")
    assert answer.status == "answered"
    assert answer.citations
    for citation in answer.citations:
        assert DOCUMENTS["a.md"][citation.start : citation.end] == citation.quote
