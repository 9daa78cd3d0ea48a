"""Every pipeline and recipe on every shape of corpus, on the backend that extracts and on a scripted one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.fakes import HashingEmbedder, corpora_of, run_pipeline

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.scripted import ScriptedBackend
from lcrag.index.corpus import Corpus
from lcrag.pipelines import PIPELINES, RECIPES, Pipeline, Report, Summarise, named
from lcrag.planning.estimate import estimate
from lcrag.retrieve.rank import retrieve
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Answer, Backend, Ranking, Reranker

OVER_TABLES = ("hiddentables",)
"""Reads no text: its shapes are in ``test_table.py``."""
NAMES = [name for name in (*PIPELINES, "summarise", "iterate", "report", *RECIPES) if name not in OVER_TABLES]
READS_ALL = (
    "full_context",
    "chain_of_agents",
    "escalate",
    "self_route",
    "alr2",
    "paraphrase",
    "cfic",
    "extagents",
    "xl3m",
)
"""What reads everything before it says that nothing is there."""

FILLER = [
    f"In {year} the harbour took in {year % 97 + 3} boats and {year % 31} of them stayed." for year in range(1800, 1990)
]
FACT = "The lighthouse keeper Anna Holm kept a tame raven called Brandt."
QUESTION = "What was the raven of the lighthouse keeper Anna Holm called?"
MANY = "\n\n".join([*FILLER[:90], FACT, *FILLER[90:]])

SHAPES = {
    "none": {},
    "one chunk": {"a.md": FACT},
    "two chunks": {"a.md": FACT, "b.md": FILLER[0]},
    "many chunks": {"a.md": MANY, "b.md": "\n\n".join(FILLER)},
    "one very long line": {"a.txt": " ".join([*FILLER, FACT, *FILLER])},
    "no spaces at all": {"a.txt": "x" * 9000},
    "Japanese": {
        "a.md": "灯台守のアンナ・ホルムはブラントという名のカラスを飼っていた。" * 3 + "港には船が多い。" * 400
    },
    "emoji and marks": {"a.md": f"🦜 e\u0301a\u0300 👩‍👩‍👧‍👦 \u202eabc\u202c\n\n{FACT} 🦜"},
}
STATUSES = {"answered", "not_found", "not_retrieved"}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Corpus]]:
    """The index of each shape, made once: pipelines only read it."""
    with corpora_of(tmp_path_factory, SHAPES) as opened:
        yield opened


def route(name: str) -> Pipeline:
    """The pipeline of this name, with its own options where the name leaves them open."""
    found = named(name)
    return found() if isinstance(found, type) else found


def ask(corpus: Corpus, name: str, backend: Backend, reader: Reranker | None = None) -> tuple[Answer, dict[str, str]]:
    """The answer, and the texts of the documents."""

    def search(text: str) -> Ranking:
        return retrieve(corpus, text, embedder=HashingEmbedder())

    found = search(QUESTION)
    ranking = replace(found, search=search, by_section=lambda: found)
    answer = run_pipeline(route(name), QUESTION, corpus, ranking, backend, reranker=reader)
    return answer, {chunk.document_id: corpus.document(chunk.document_id).text for chunk in corpus.chunks()}


def check(answer: Answer, texts: dict[str, str]) -> None:
    assert answer.status in STATUSES
    assert (answer.status == "answered") == bool(answer.text)
    assert answer.steps
    assert answer.steps[-1].status == answer.status
    for citation in answer.citations:
        assert citation.quote == texts[citation.document_id][citation.start : citation.end]
        assert f"[{citation.marker}]" in answer.text


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_pipeline_answers_by_extraction(corpora: dict[str, Corpus], name: str, shape: str) -> None:
    answer, texts = ask(corpora[shape], name, EmbeddedBackend(HashingEmbedder()))
    check(answer, texts)
    assert answer.tokens_read <= corpora[shape].size.tokens
    if FACT in "".join(texts.values()):
        assert "Brandt" in answer.text
        assert answer.citations
    if not texts:
        assert answer.status == "not_found"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_pipeline_answers_by_extraction_with_a_reranker(
    corpora: dict[str, Corpus], reader: Reranker, name: str, shape: str
) -> None:
    answer, texts = ask(corpora[shape], name, EmbeddedBackend(HashingEmbedder(), reader), reader)
    check(answer, texts)
    assert answer.tokens_read <= corpora[shape].size.tokens
    if FACT in "".join(texts.values()):
        assert "Brandt" in answer.text
        if not isinstance(route(name), (Summarise, Report)):  # they have no short answer
            assert answer.short is not None
            assert answer.short in " ".join(answer.text.split())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_pipeline_reports_that_nothing_was_found(corpora: dict[str, Corpus], name: str, shape: str) -> None:
    answer, texts = ask(corpora[shape], name, ScriptedBackend(lambda task: NOT_FOUND))
    check(answer, texts)
    assert (answer.text, answer.citations) == ("", ())
    assert answer.status in ("not_found", "not_retrieved")
    if name in READS_ALL:
        assert answer.status == "not_found"  # all of it was read


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reply", ["", "  ", "Ann [1] [99] [", "\x1b[31mred [1]", "[1]" * 500, "word " * 5000])
def test_pipeline_accepts_whatever_a_model_writes(corpora: dict[str, Corpus], name: str, reply: str) -> None:
    answer, texts = ask(corpora["many chunks"], name, ScriptedBackend(lambda task: reply))
    check(answer, texts)


@pytest.mark.parametrize("name", NAMES)
def test_tasks_have_unique_markers_and_text_of_the_documents(corpora: dict[str, Corpus], name: str) -> None:
    backend = ScriptedBackend(lambda task: NOT_FOUND)
    _, texts = ask(corpora["many chunks"], name, backend)
    assert any(task.passages for task in backend.tasks)
    for task in backend.tasks:
        markers = [passage.marker for passage in task.passages]
        assert markers == sorted(set(markers))
        for passage in task.passages:
            whole = texts[passage.document_id]
            pieces = [whole[start:end] for start, end in passage.parts or ((passage.start, passage.end),)]
            assert passage.text == "\n".join(pieces)


@pytest.mark.parametrize("name", PIPELINES)
def test_workload_forecasts_what_is_asked(corpora: dict[str, Corpus], name: str) -> None:
    """Forecast input tokens and calls, in the index's own tokens, against what the extracting backend is asked."""
    backend = EmbeddedBackend(None)
    corpus = corpora["many chunks"]
    ranking = retrieve(corpus, QUESTION, embedder=HashingEmbedder())
    pipeline = PIPELINES[name]()
    work = pipeline.workload(estimate(ranking), corpus.size, backend.window)
    answer = run_pipeline(pipeline, QUESTION, corpus, ranking, backend)
    if name == "escalate":
        assert answer.usage.calls <= work.calls
    else:
        assert answer.usage.calls <= work.calls
        assert 0.5 * work.input_tokens <= answer.usage.input_tokens <= work.input_tokens


def test_tasks_never_change_the_question(corpora: dict[str, Corpus]) -> None:
    for name in NAMES:
        backend = ScriptedBackend(lambda task: "Something [1].")
        ask(corpora["many chunks"], name, backend)
        other = ("demonstrate", "write", *(["quote"] if name == "longcite" else []))  # about sections, and statements
        assert {task.question for task in backend.tasks if task.role not in other} == {QUESTION}
