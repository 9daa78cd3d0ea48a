"""Recipes with a model that does what each task asks: what they read, and whether that was forecast."""

from __future__ import annotations

from contextlib import chdir
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from support.fakes import HashingEmbedder, Obliging

from lcrag.pipelines import RECIPES, named
from lcrag.planning.forecast import reached
from lcrag.session import Session
from lcrag.types import Plan, Settings, ignore

FACT = "The lighthouse keeper Anna Holm kept a tame raven called Brandt."
QUESTION = "What was the raven of the lighthouse keeper Anna Holm called?"


OTHERS = ("hiddentables", "agentwrite", "l2mac")
"""One reads tables, the others write to an outline of several sections, which this model makes none of."""
NAMES = [name for name in RECIPES if name not in OTHERS]
EXAMPLES = Path(__file__).parents[2] / "examples"


def boats(number: int, first: int = 1800) -> list[str]:
    years = range(first, first + number)
    return [f"In {year} the harbour took in {year % 97 + 3} boats, {year % 31} of them stayed." for year in years]


def harbour(number: int, documents: int = 1) -> dict[str, str]:
    """Documents of so many paragraphs in all, the fact in the first third of the first."""
    texts = {f"{place}.md": "\n\n".join(boats(number // documents, 1000 * place)) for place in range(documents)}
    lines = texts["0.md"].split("\n\n")
    return texts | {"0.md": "\n\n".join([*lines[: number // 3], FACT, *lines[number // 3 :]])}


def written(pattern: str) -> dict[str, str]:
    """Files of the examples, the fact at the end of the first."""
    paths = sorted(EXAMPLES.glob(pattern))
    texts = {f"{place}.md": path.read_text(encoding="utf-8") for place, path in enumerate(paths)}
    return texts | {"0.md": f"{texts['0.md']}\n\n{FACT}\n"}


SHAPES = {
    "one chunk": {"a.md": FACT},
    "two chunks": {"a.md": FACT, "b.md": boats(1)[0]},
    "many chunks": harbour(200, 2),
    "several documents": harbour(600, 10),
    "more than most budgets": harbour(1000),
    "beyond the window": harbour(2400, 3),
    "not ASCII": {
        "a.md": "灯台守は鳥を飼っていた。港には船が多い。" * 300 + f"\n\n🦜 {FACT}\n\n" + "e\u0301 🦜 港。" * 200
    },
    "prose": written("saltmarsh/*.md"),
    "long prose": written("*/README.md"),
    "a chronicle": written("saltmarsh/chronicle.md"),
}


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """By recipe and shape, how far the forecast of the tokens is from what was read, as a share of that."""
    found: dict[str, dict[str, float]] = {name: {} for name in NAMES}
    for place, (shape, texts) in enumerate(SHAPES.items()):
        folder = tmp_path_factory.mktemp(f"shape{place}")
        (folder / "docs").mkdir()
        for name, text in texts.items():
            (folder / "docs" / name).write_text(text, encoding="utf-8")
        settings = Settings(("docs",), index=folder / "index", dense="off", reader="off", log=False)
        model = Obliging(FACT)
        with chdir(folder), Session.open(settings, ignore, backend=model) as session:  # prompts hold paths as shown
            session.embedder = HashingEmbedder()
            session.sum_up()
            for name in NAMES:
                plan = session.plan(QUESTION, pipeline=name)
                read = 0.0
                for model.blind, share in enumerate(paths(session, name, plan)):
                    model.way, model.overlooked = model.blind, 0
                    answer = session.ask(QUESTION, pipeline=name)
                    assert "Brandt" in answer.text or model.blind, (name, shape)
                    assert answer.citations or model.blind, (name, shape)
                    read += share * answer.usage.input_tokens
                model.blind = 0
                found[name][shape] = plan.chosen.input_tokens / read - 1
    return found


def paths(session: Session, name: str, plan: Plan) -> list[float]:
    """How often the model fails to see the evidence 0, 1, 2, ... times, or chooses that way, by the estimate: a
    forecast is the mean."""
    if name in ("pre_route", "adaptive_rag"):
        widest = plan.estimate.kinds.get("list", 0) + plan.estimate.kinds.get("count", 0)
        joining = [plan.estimate.kinds.get("hops", 0)] if name == "adaptive_rag" else []
        return [1 - widest - sum(joining), *joining, widest]
    pipeline = named(name)
    assert not isinstance(pipeline, type)
    size = session.scale.size(session.corpus.size)
    work = pipeline.workload(plan.estimate, size, round(plan.profile.window / max(session.scale.marks.values())))
    steps = [work]
    while steps[-1].then is not None:
        steps.append(steps[-1].then)
    shares = [share for share, _ in reached(steps, plan.estimate, plan.profile)]
    return [now - later for now, later in pairwise([*shares, 0.0])]


@pytest.mark.parametrize("name", NAMES)
def test_recipe_reads_what_was_forecast(errors: dict[str, dict[str, float]], name: str) -> None:
    off = errors[name]
    assert median(map(abs, off.values())) <= 0.10, {shape: round(error, 2) for shape, error in off.items()}
