"""Which route is better on these documents? ``compare`` asks all of them, and ``Comparison`` holds what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Unpack

from lcrag.comparison.dataset import Question
from lcrag.comparison.results import Results
from lcrag.comparison.run import ComparisonRun, Setup
from lcrag.session import path_strings
from lcrag.types import (
    Backend,
    Emit,
    Policy,
    PolicyOptions,
    Settings,
    ignore,
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found. ``value`` is ``lcrag.compare/1``; ``str`` is what ``lcrag compare`` prints."""

    value: Mapping[str, Any]

    def __str__(self) -> str:
        from lcrag.report.comparison import report

        return report(dict(self.value), width=100, colour=False)

    def _repr_html_(self) -> str:
        from lcrag.report.notebook import comparison_html

        return comparison_html(dict(self.value))


def compare(
    paths: str | Path | Iterable[str | Path],
    questions: Sequence[str] | Mapping[str, str | Sequence[str]],
    *,
    pipelines: Sequence[str] | None = None,
    workers: int | None = None,
    emit: Emit = ignore,
    backend: Backend | None = None,
    settings: Settings | None = None,
    **options: Unpack[PolicyOptions],
) -> Comparison:
    """Ask every route the same questions, and the router.

    ``questions``: texts, or a mapping of each text to its right answer or answers; without any right answer the backend
    judges its own. ``pipelines``: names, all unless given. ``settings``: everything else, its ``paths`` replaced.
    Raises InputError for an unknown pipeline, OverBudget when no route is possible, BackendFailed when the backend
    does.

    >>> lcrag.compare("docs/", {"Who kept the light?": "Anna Holm"}, pipelines=["chunk_rag"])  # doctest: +SKIP
    """
    from lcrag.comparison.analysis import analyse

    gold = questions if isinstance(questions, Mapping) else dict.fromkeys(questions, ())
    listed = [
        Question(
            str(number), "asked", text, (answers,) if isinstance(answers, str) else tuple(answers), (), None, False
        )
        for number, (text, answers) in enumerate(gold.items(), 1)
    ]
    settings = replace(settings or Settings(()), paths=path_strings(paths))
    setup = Setup(settings, Policy(**options), tuple(pipelines or ()), workers)
    with TemporaryDirectory(prefix="lcrag-") as folder, ComparisonRun(listed, setup, emit, backend=backend) as run:
        with Results(Path(folder, "results.ndjson"), run.header) as results:
            run.run(results, lambda done, total: None)
        value = analyse(listed, results.rows, run.routes, seed=settings.seed, header=results.header)
    return Comparison(value)
