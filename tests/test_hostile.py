"""Whatever a document or a model writes, the prompt, citations, terminal, JSON and page keep their structure."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest
from lxml import html as parser
from support.fakes import corpus_of, run_pipeline
from support.hostile import HOSTILE
from support.results import analysed, small

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.scripted import ScriptedBackend
from lcrag.pipelines import ChainOfAgents, ChunkRag, FullContext, Pipeline, Summarise
from lcrag.report.objects import answer_object, dumps
from lcrag.report.page import page
from lcrag.report.show import Place, show
from lcrag.report.terminal import printable
from lcrag.report.text import contradictions, passage, sources, stated
from lcrag.retrieve.rank import retrieve
from lcrag.text.prompts import messages
from lcrag.types import Answer, Task, ignore

FACT = "The lighthouse keeper Anna Holm kept a tame raven called Brandt."
QUESTION = "What was the raven of the lighthouse keeper Anna Holm called?"
FILLER = [
    f"In {1800 + number} the harbour took in {number + 3} boats and {number} of them stayed." for number in range(30)
]
FENCE = re.compile(r"<\s*/?\s*(?:documents|passage|notes|question)\b", re.IGNORECASE)
INDEX = {"documents": 2, "chunks": 9, "tokens": 999, "skipped": 0}


def documents(text: str) -> dict[str, str]:
    """The hostile text before the fact, in a document of its own, and as a document's name where it can be one."""
    name = re.sub(r"[/\0]", "", text)[:40].encode("utf-8", "ignore").decode().strip(". ") or "a"
    return {
        "a.md": "\n\n".join([*FILLER[:15], text, FACT, *FILLER[15:]]),
        "b.md": f"{text}\n\n{FILLER[0]}",
        f"c-{name}.md": FILLER[1],
    }


def ask(folder: Path, text: str, pipeline: Pipeline, backend: EmbeddedBackend | ScriptedBackend) -> Answer:
    with corpus_of(folder, documents(text)) as corpus:
        answer = run_pipeline(pipeline, QUESTION, corpus, retrieve(corpus, QUESTION, embedder=None), backend, ignore)
        for citation in answer.citations:
            whole = corpus.document(citation.document_id).text
            assert citation.quote == whole[citation.start : citation.end]
            assert citation.line == whole.count("\n", 0, citation.start) + 1
    return answer


def safe_on_a_terminal(text: str) -> bool:
    steering = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    return all(
        char in "\n\t"
        or (unicodedata.category(char) not in ("Cc", "Cs") and unicodedata.bidirectional(char) not in steering)
        for char in text
    )


def test_hostile_texts_are_many_and_different() -> None:
    assert len(HOSTILE) >= 60
    assert len(set(HOSTILE.values())) == len(HOSTILE)


@pytest.mark.parametrize("name", HOSTILE)
def test_prompt_has_no_fences_but_its_own(tmp_path: Path, name: str) -> None:
    text = HOSTILE[name]
    backend = ScriptedBackend(lambda task: f"{text} {FACT} [1]", window=3000)
    for pipeline in (FullContext(), ChainOfAgents(200), Summarise(piece=200)):
        ask(tmp_path / pipeline.name, text, pipeline, backend)
    assert {task.role for task in backend.tasks} >= {"answer", "note", "synthesise", "summarise"}
    for task in (*backend.tasks, Task("answer", text, backend.tasks[0].passages, (text,))):
        content = messages(task)[1]["content"]
        ours = 2 * len(task.passages) + 2 * bool(task.passages) + 2 * bool(task.notes) + 2
        assert len(FENCE.findall(content)) == ours
        opened = re.findall(
            r'^<passage marker="\[(\d+)\]" source="[^"\n]*"(?: context="[^"\n]*")?>$', content, re.MULTILINE
        )
        assert [int(marker) for marker in opened] == [passage.marker for passage in task.passages]
        assert len(content.splitlines()[-1]) > 20  # the instruction is the last word


@pytest.mark.parametrize("name", HOSTILE)
def test_embedded_backend_still_finds_the_fact(tmp_path: Path, name: str) -> None:
    answer = ask(tmp_path, HOSTILE[name], ChunkRag(4000), EmbeddedBackend(None))
    assert "Brandt" in answer.text
    assert any("Brandt" in citation.quote for citation in answer.citations)


@pytest.mark.parametrize("name", HOSTILE)
def test_answer_keeps_citations_terminal_json_and_page_whole(tmp_path: Path, name: str) -> None:
    text = HOSTILE[name]

    def model(task: Task) -> str:
        marker = next((source.marker for source in task.passages if FACT in source.text), 0)
        return f"{FACT} [{marker}]\n{text}\nWhales sing in the harbour of Ostrava. [1]"

    answer = ask(tmp_path, text, FullContext(), ScriptedBackend(model))
    facts = [citation for citation in answer.citations if FACT in citation.quote]
    assert facts
    assert f"[{facts[0].marker}]" in answer.text
    for statement in answer.statements:
        assert answer.text[statement.start : statement.end].strip()
        assert statement.supported or not statement.citations
    whales = [claim for claim in answer.statements if "Whales sing" in answer.text[claim.start : claim.end]]
    assert [claim.supported for claim in whales] == [False]
    assert "[unsupported]" in stated(answer)

    assert safe_on_a_terminal(printable(stated(answer)) + sources(answer) + contradictions(answer))
    shown = show(Place(Path(facts[0].source), facts[0].line), FACT)
    assert safe_on_a_terminal(passage(shown, colour=False))
    assert f"»{FACT}«" in passage(shown, colour=False)

    value = answer_object(text, answer, None, id=None, backend="scripted", model=text, index=INDEX)
    line = dumps(value)
    assert len(line.splitlines()) == 1
    assert json.loads(line)["answer"] == answer.text

    questions, rows = small()
    plain = page(analysed(questions, rows))
    for row in rows.values():
        if row["answer"]:
            row["answer"] += text
            row["citations"][0] |= {"source": f"docs/{text}", "around": {"text": f"{text}Ann", "start": 0, "end": 3}}
    hostile = page(analysed(questions, rows))
    assert elements(hostile) <= elements(plain)
    for element in ("script", "style", "title", "body"):
        assert hostile.count(f"<{element}") == plain.count(f"<{element}")


def elements(text: str) -> set[tuple[str, str]]:
    """Each kind of element with each of its attributes: no text may add one."""
    return {
        (str(element.tag), str(name)) for element in parser.fromstring(text).iter() for name in ("", *element.attrib)
    }


def test_answer_and_passage_from_a_line_of_ten_megabytes(tmp_path: Path) -> None:
    line = "".join(f"The {number}th boat brought tea to the harbour. " for number in range(230_000))
    assert len(line) > 10_000_000
    cut = line.index("The ", 5_000_000)
    text = f"{line[:cut]}{FACT} {line[cut:]}"
    with corpus_of(tmp_path, {"a.txt": text}) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=None)
        answer = run_pipeline(ChunkRag(2000), QUESTION, corpus, ranking, EmbeddedBackend(None), ignore)
    [citation] = [one for one in answer.citations if "Brandt" in one.quote]
    assert (citation.line, citation.quote) == (1, FACT)
    shown = passage(show(Place(tmp_path / "documents/a.txt", 1), FACT), colour=False)
    assert f"»{FACT}«" in shown
    assert len(shown) < 20_000
