"""llama-index itself asks lcrag, and its readers feed it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document as ReaderDocument
from llama_index.core import QueryBundle, SimpleDirectoryReader, get_response_synthesizer
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.readers import StringIterableReader
from llama_index.core.tools import QueryEngineTool
from support.scripted import QuestionBackend

import lcrag
from lcrag.errors import InputError, NoReadableDocument
from lcrag.llama_index import LcragQueryEngine, LcragRetriever
from lcrag.session import Session

WORDS: dict[str, Any] = {"dense": "off", "reader": "off"}
KEEPER = "Anna Holm kept the light from 1901 to 1923."


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/light.md").write_text(f"# The light\n\n{KEEPER}\n\nShe kept a tame raven called Brandt.\n")
    (tmp_path / "docs/bell.txt").write_text("Ben Tarn rang the bell of St Wenna's every morning.\n")
    return tmp_path / "docs"


@pytest.fixture
def docs(folder: Path) -> Iterator[Session]:
    with lcrag.open(folder, backend="embedded", **WORDS) as session:
        yield session


def test_retriever_gives_nodes_with_scores_and_places(docs: Session) -> None:
    nodes = LcragRetriever(docs, limit=1).retrieve("Who kept the light?")
    [best] = nodes
    assert KEEPER in best.node.get_content()
    assert best.score is not None
    assert best.score > 0
    assert best.metadata["file_name"] == "light.md"
    assert best.metadata["line"] == 1
    assert docs.corpus.size.documents == 2
    later = asyncio.run(LcragRetriever(docs).aretrieve("Who kept the light?"))
    assert later[0].score == best.score


def test_retriever_works_in_an_engine_of_llama_index(docs: Session) -> None:
    synthesizer = get_response_synthesizer(llm=MockLLM(max_tokens=50), response_mode="compact")
    engine = RetrieverQueryEngine(LcragRetriever(docs), response_synthesizer=synthesizer)
    response = engine.query("Who kept the light?")
    assert {node.metadata["file_name"] for node in response.source_nodes} == {"light.md"}


def test_query_engine_answers_with_its_quotes_as_nodes(docs: Session) -> None:
    engine = LcragQueryEngine(docs, pipeline="chunk_rag")
    for response in (
        engine.query("Who kept the light?"),
        asyncio.run(engine.aquery(QueryBundle("Who kept the light?"))),
    ):
        assert str(response) == f"{KEEPER} [1]"
        [node] = response.source_nodes
        assert node.node.get_content() == KEEPER
        assert (node.metadata["file_name"], node.metadata["line"]) == ("light.md", 3)
        assert response.metadata is not None
        assert response.metadata["schema"] == "lcrag.answer/1"
        assert response.metadata["plan"]["pipeline"] == "chunk_rag"


def test_query_engine_is_a_tool_of_llama_index(docs: Session) -> None:
    tool = QueryEngineTool.from_defaults(LcragQueryEngine(docs), name="docs", description="The documents")
    assert KEEPER in str(tool.call("Who kept the light?").content)


def test_query_engine_says_that_nothing_was_found(folder: Path) -> None:
    backend = QuestionBackend()
    backend.script(lambda task: "NOT FOUND")
    with lcrag.open(folder, backend=backend, **WORDS) as session:
        response = LcragQueryEngine(session).query("Which enzyme breaks down lactose?")
    assert str(response).startswith("Not in ")
    assert response.source_nodes == []


def test_query_engine_refuses_a_wrong_option(docs: Session) -> None:
    with pytest.raises(TypeError):
        LcragQueryEngine(docs, pipline="chunk_rag")  # type: ignore[call-arg]
    with pytest.raises(InputError, match="no pipeline 'nix'"):
        LcragQueryEngine(docs, pipeline="nix").query("who?")


def test_open_reads_the_documents_of_readers(folder: Path) -> None:
    loaded = SimpleDirectoryReader(str(folder)).load_data()
    with lcrag.open(documents=loaded, backend="embedded", **WORDS) as session:
        answer = session.ask("What was the raven called?")
        assert session.index_info["documents"] == 2
        kept = session.corpus.folder
        [citation] = answer.citations
        with session.fork() as other:  # for another thread: the same index, not a copy
            assert other.corpus.folder == kept
            assert other.ask("What was the raven called?").text == answer.text
            other.refresh()
            assert other.index_info["documents"] == 2
    assert not kept.exists()
    assert Path(citation.source) == folder / "light.md"
    assert citation.line == 5
    assert (folder / "light.md").read_text().splitlines()[4] == citation.quote


def test_open_reads_documents_besides_files(folder: Path, tmp_path: Path) -> None:
    texts = StringIterableReader().load_data(
        ["The ferry to Tolland leaves at nine.", "Marl cakes are baked at 170 °C."]
    )
    index = tmp_path / "index"
    with lcrag.open(folder, documents=texts, index=index, backend="embedded", **WORDS) as session:
        assert session.index_info["documents"] == 4
        answer = session.ask("When does the ferry to Tolland leave?")
    assert answer.citations[0].source == texts[0].doc_id
    assert index.exists()


def test_open_joins_the_pages_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path / "cache"))
    pages = ["The first page is about salt.", "", "Josiah Fenn built the tide mill in 1742."]
    loaded = [
        ReaderDocument(text=text, metadata={"file_path": "mill.pdf", "page_label": str(number)})
        for number, text in enumerate(pages, 1)
    ]
    with lcrag.open(documents=loaded, backend="embedded", **WORDS) as session:
        answer = session.ask("Who built the tide mill?")
        assert session.index_info["documents"] == 1
    assert (answer.citations[0].source, answer.citations[0].page, answer.citations[0].line) == ("mill.pdf", 3, None)


def test_open_without_any_text_is_refused() -> None:
    with pytest.raises(NoReadableDocument, match="none of the documents has text"):
        lcrag.open(documents=[ReaderDocument(text="  ")])
    with pytest.raises(InputError, match="no path"):
        lcrag.open()
