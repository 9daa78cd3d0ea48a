"""Whatever the route and whatever a model writes, each quote is in its file, at its line or page."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fakes import run_pipeline

from lcrag import ingest
from lcrag.backends.scripted import ScriptedBackend
from lcrag.index.corpus import Corpus
from lcrag.pipelines import ChainOfAgents, ChunkRag, Compression, Escalate, FullContext, Pipeline, Summarise
from lcrag.retrieve.rank import retrieve
from lcrag.text.prompts import NOT_FOUND
from lcrag.text.sentences import sentences
from lcrag.types import Answer, Citation, Task, ignore

SALTMARSH = Path(__file__).parent.parent.parent / "examples/saltmarsh"
NAMES = ("mill-report.pdf", "museum-inventory.csv", "gannet-bar.ipynb", "letter-curator.eml", "ferry.html")
QUESTION = "What is known of the mill, the ferry and the museum of Saltmarsh?"
ROUTES: dict[str, tuple[Pipeline, int]] = {
    "chunk_rag": (ChunkRag(2000), 100_000),
    "full_context": (FullContext(), 100_000),
    "full_context in parts": (FullContext(), 4_500),
    "chain_of_agents": (ChainOfAgents(700), 4_000),
    "chain_of_agents as a tree": (ChainOfAgents(700, "tree"), 4_000),
    "compression": (Compression(800), 100_000),
    "compression of everything": (Compression(800, "corpus"), 100_000),
    "summarise": (Summarise(piece=300), 100_000),
    "summarise piece by piece": (Summarise("refine", piece=600), 100_000),
    "summarise by documents": (Summarise(by="documents", chained=True, piece=300), 100_000),
    "summarise by clusters": (Summarise(over="hits", by="clusters"), 100_000),
    "summarise by votes": (Summarise("extract"), 100_000),
    "escalate": (Escalate(300), 100_000),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    with Corpus.open(tmp_path_factory.mktemp("provenance")) as corpus:
        corpus.refresh(ingest.discover([str(SALTMARSH / name) for name in NAMES]), ignore)
        yield corpus


class Writer:
    """A model of all sorts: it quotes, shortens, drops, merges and invents, markers as well as words."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)

    def __call__(self, task: Task) -> str:
        draw = self._draw
        if draw.random() < 0.1:
            return NOT_FOUND
        sentences_written = []
        for _ in range(draw.randint(1, 4)):
            if task.notes and draw.random() < (0.5 if task.passages else 1):
                note = draw.choice(task.notes)
                sentences_written.append(
                    draw.choice(note.split("\n")) if draw.random() < 0.8 else note.replace("[", "(", 1)
                )
            elif task.passages:
                passage = draw.choice(task.passages)
                start, end = draw.choice(sentences(passage.text))
                sentences_written.append(self._sentence(passage.text[start:end].strip(), passage.marker))
        return draw.choice(("\n", " ", "\n- ")).join(sentences_written)

    def _sentence(self, text: str, marker: int) -> str:
        draw = self._draw
        words = text.split()
        if draw.random() < 0.4 and len(words) > 4:
            words = [word for word in words if draw.random() < 0.8]
        marked = draw.choice((f" [{marker}]", f" [{marker}]", f"[{marker}, 3]", "", f" [{draw.randint(0, 999_999)}]"))
        return " ".join(words) + marked


def is_at_its_place(citation: Citation) -> bool:
    """Whether the file has the quote's words at the line or on the page, the file being read as what it is."""
    path = Path(citation.source)
    words = citation.quote.split()
    if path.suffix == ".pdf":
        document = pypdfium2.PdfDocument(path)
        assert citation.page is not None
        pages = [document[number].get_textpage().get_text_range() for number in range(len(document))]
        document.close()
        rest = "".join("".join(pages[citation.page - 1 :]).split()).replace("\ufffe", "").replace("\x02", "")
        page = "".join(pages[citation.page - 1].split()).replace("\ufffe", "").replace("\x02", "")
        quote = "".join(words)
        return rest.find(quote) in range(len(page)) or quote[:40] in page
    raw = path.read_text(encoding="utf-8")
    assert citation.line is not None
    line = raw.split("\n")[citation.line - 1]
    if path.suffix == ".csv":
        return " ".join(words) in " ".join(" ".join(raw.split("\n")[citation.line - 1 :]).split())
    first = citation.quote.split("\n")[0].split()
    if path.suffix == ".ipynb":
        line = line.replace('\\"', '"')
    matching = [word.strip("`#*|-") in line for word in first[:3]]
    return any(matching) if path.suffix == ".html" else all(matching)


@pytest.mark.parametrize("name", ROUTES)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_citations_are_in_their_files_at_their_places(name: str, corpus: Corpus, seed: int) -> None:
    pipeline, window = ROUTES[name]
    ranking = retrieve(corpus, QUESTION, embedder=None)
    backend = ScriptedBackend(Writer(seed), window=window)
    answer = run_pipeline(pipeline, QUESTION, corpus, ranking, backend, ignore)
    for citation in answer.citations:
        assert citation.quote == corpus.document(citation.document_id).text[citation.start : citation.end]
        assert f"[{citation.marker}]" in answer.text
        assert is_at_its_place(citation), citation
    markers = {citation.marker for citation in answer.citations}
    for statement in answer.statements:
        assert statement.supported == bool(statement.citations)
        assert markers.issuperset(statement.citations)


def forgetful(task: Task) -> str:
    """Quotes with a marker when it reads, and forgets all markers when it merges or answers from notes."""
    if task.passages:
        passage = task.passages[0]
        start, end = max(sentences(passage.text), key=lambda span: span[1] - span[0])
        return f"{' '.join(passage.text[start:end].split())} [{passage.marker}]" + " and more" * 60
    return "\n".join(line.partition(" [")[0] for note in task.notes for line in note.split("\n"))


@pytest.mark.parametrize(
    "name", [name for name in ROUTES if "agents" in name or "summaries" in name or "parts" in name]
)
def test_markers_lost_in_merges_are_restored(name: str, corpus: Corpus) -> None:
    pipeline, window = ROUTES[name]
    ranking = retrieve(corpus, QUESTION, embedder=None)
    answer: Answer = run_pipeline(
        pipeline, QUESTION, corpus, ranking, ScriptedBackend(forgetful, window=window), ignore
    )
    assert answer.citations
    supported = [statement for statement in answer.statements if statement.supported]
    assert len(supported) >= 0.8 * len(answer.statements)
