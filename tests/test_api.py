"""The public surface: its names, that they are lazy, and that the examples in its docstrings run."""

from __future__ import annotations

import doctest
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import pytest
from support.fakes import corpus_of

import lcrag
from lcrag.pipelines import PIPELINES, Run
from lcrag.text.passages import passages
from lcrag.types import Answer, CorpusSize, Estimate, Workload

ROOT = Path(__file__).parent.parent


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("Anna Holm kept the light from 1901 to 1923.\n\nBen rang the bell.\n")
    return tmp_path / "docs"


def test_api_names_are_all_there() -> None:
    assert lcrag.__all__ == sorted(lcrag.__all__)
    for name in lcrag.__all__:
        assert getattr(lcrag, name) is not None
        assert name in dir(lcrag)
    with pytest.raises(AttributeError, match="no_such_name"):
        lcrag.no_such_name  # noqa: B018


def test_api_import_is_lazy() -> None:
    script = (
        "import sys, lcrag; print(sorted(name for name in sys.modules if name.startswith(('lcrag.', 'pipelines'))))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert loaded.stdout.strip() == "[]"


def test_api_subpackages_do_not_hide_functions() -> None:
    import lcrag.comparison.run
    import lcrag.session

    assert callable(lcrag.compare)
    assert callable(lcrag.open)


@pytest.mark.parametrize("module", ["lcrag"])
def test_api_docstring_examples_run(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(sys.modules[module], extraglobs={"lcrag": lcrag})
    assert (result.failed, result.attempted > 3) == (0, True)


def test_api_ask_takes_policy_and_settings_by_name(docs: Path) -> None:
    answer = lcrag.ask(docs, "Who kept the light?", backend="embedded", dense="off", pipeline="full_context")
    assert answer.plan is not None
    assert answer.plan.pipeline == "full_context"
    assert answer.citations[0].quote.startswith("Anna Holm")
    assert str(answer) == answer.text
    with pytest.raises(TypeError, match="densee"):
        lcrag.ask(docs, "Who kept the light?", densee="off")


def test_api_session_takes_a_backend_of_ones_own(docs: Path) -> None:
    backend = lcrag.ScriptedBackend(lambda task: f"Anna Holm kept the light [{task.passages[0].marker}].")
    with lcrag.open([docs / "a.md"], backend=backend, dense="off") as session:
        answers = list(session.ask_many(["Who kept the light?", "Who was Anna Holm?"]))
    assert [answer.text for answer in answers] == ["Anna Holm kept the light [1]."] * 2
    assert len(backend.tasks) == 2


def test_api_ask_many_raises_the_first_error_in_its_turn(docs: Path) -> None:
    with lcrag.open(docs, backend="embedded", dense="off") as session:
        answers = session.ask_many(["Who kept the light?", " ", "Who rang the bell?"])
        assert next(answers).status == "answered"
        with pytest.raises(lcrag.InputError, match="empty"):
            next(answers)


def test_api_compare_scores_against_right_answers(docs: Path) -> None:
    questions = {"Who kept the light?": "Anna Holm", "Who rang the bell?": ["Ben"]}
    settings = lcrag.Settings((), backend="embedded", dense="off")
    comparison = lcrag.compare(docs, questions, pipelines=["chunk_rag", "full_context"], settings=settings)
    assert [route["pipeline"] for route in comparison.value["routes"]] == ["chunk_rag", "full_context"]
    assert comparison.value["router"]["accuracy"] == 1.0
    assert "chunk_rag" in str(comparison)


def test_api_values_show_themselves_in_notebooks(docs: Path) -> None:
    answer = lcrag.ask(docs, "Who kept the light?", backend="embedded", dense="off")
    assert answer.plan is not None
    assert "Anna Holm" in answer._repr_html_()
    assert "chunk_rag" in answer.plan._repr_html_()


def test_register_pipeline_makes_the_router_offer_it(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.pipelines.PIPELINES", dict(PIPELINES))

    @lcrag.register_pipeline
    @dataclass(frozen=True, slots=True)
    class FirstChunk:
        tokens: int = 100
        name: ClassVar[str] = "first_chunk"

        @classmethod
        def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
            return [cls()]

        def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
            read = min(self.tokens, size.tokens)
            return Workload(read + 200, 64, 1, 1, read + 1300, estimate.covered(read), read, "retrieved")

        def answer(self, run: Run) -> Answer:
            return run.answer(passages(run.best_chunks(self.tokens)))

    answer = lcrag.ask(docs, "Who kept the light?", backend="embedded", dense="off", pipeline="first_chunk")
    assert answer.steps[0].pipeline == "first_chunk"
    with pytest.raises(ValueError, match="already"):
        lcrag.register_pipeline(FirstChunk)


def test_run_counts_in_the_tokens_of_the_backend(tmp_path: Path) -> None:
    backend = lcrag.ScriptedBackend(["Ann [1]."])
    with corpus_of(tmp_path, {"a.md": "Ann sang. " * 200}) as corpus:
        from lcrag.retrieve.rank import retrieve

        run = Run("Who sang?", corpus, retrieve(corpus, "Who sang?", embedder=None), backend)
        chunks = run.best_chunks(50)
        assert sum(chunk.tokens for chunk in chunks) == sum(len(chunk.text.split()) for chunk in chunks)
        answer = run.answer(passages(chunks))
    assert answer.tokens_read == sum(chunk.index_tokens for chunk in chunks)
