"""``lcrag compare``: every route on the same questions, as a table, JSON, a page for a browser, a spreadsheet."""

from __future__ import annotations

import glob
import hashlib
import os
import sys
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lcrag.cli import inputs
from lcrag.cli import options as opt
from lcrag.cli.ask import describe
from lcrag.cli.output import Output, width
from lcrag.cli.progress import Progress
from lcrag.errors import BackendFailed, InputError
from lcrag.paths import cache_folder
from lcrag.types import Event, Policy

if TYPE_CHECKING:
    from lcrag.comparison.dataset import Question

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files, folders or globs to read, then questions. - stands for standard input.",
        metavar="PATH... QUESTION...",
        show_default=False,
    ),
]


def compare(
    ctx: typer.Context,
    words: Words = None,
    questions: opt.Questions = None,
    dataset: opt.Dataset = None,
    pipelines: opt.Pipelines = None,
    limit: opt.Limit = None,
    workers: opt.Workers = None,
    resume: opt.Resume = None,
    html: opt.Html = None,
    csv: opt.Csv = None,
    json: opt.Json = False,
    prefer: opt.Prefer = "balanced",
    max_tokens: opt.MaxTokens = None,
    max_seconds: opt.MaxSeconds = None,
    temperature: opt.Temperature = 0.0,
    seed: opt.Seed = 0,
    dense: opt.Dense = "auto",
    embedder: opt.Embedder = None,
    reader: opt.Reader = "auto",
    backend: opt.Backend = "auto",
    base_url: opt.BaseUrl = None,
    model: opt.Model = None,
    index: opt.Index = None,
    config: opt.Config = None,
    preset: opt.Preset = None,
    verbose: opt.Verbose = 0,
    quiet: opt.Quiet = False,
    no_color: opt.NoColor = False,
) -> int:
    """Ask every route the same questions, and say which is better, by how much, and how sure that is.

    Example: lcrag compare docs/ --questions questions.csv --html report.html

    Answers are kept as they come: after a kill or Ctrl-C, --resume goes on without asking anything twice.
    """
    output: Output = ctx.obj
    output.configure("json" if json else "text", verbose=verbose, quiet=quiet, no_color=no_color)
    opt.announce(ctx, output)
    paths, asked = _asked(words or [], questions, dataset)
    for file in (html, csv):
        if file is not None and not file.absolute().parent.is_dir():
            raise InputError(f"there is no folder {file.parent}", hint=f"mkdir -p {file.parent}")

    from lcrag.comparison.results import Results
    from lcrag.comparison.run import ComparisonRun, Setup, drawn
    from lcrag.types import Settings

    asked = drawn(asked, limit, seed)
    settings = Settings(
        paths=paths,
        index=index,
        backend=backend,
        base_url=base_url,
        model=model,
        dense=dense,
        embedder=embedder,
        reader=reader,
        stdin_text=inputs.document_text(paths),
        temperature=temperature,
        seed=seed,
    )
    routes = tuple(dict.fromkeys(pipelines.replace(" ", "").split(","))) if pipelines else ()
    setup = Setup(settings, Policy(prefer, max_tokens, max_seconds), routes, workers)
    with Progress(output) as progress:
        with ComparisonRun(asked, setup, _Quietly(progress)) as comparison:
            describe(comparison.first, backend, output, progress)
            file = resume or _file(asked, paths)
            with Results(file, comparison.header) as results:
                progress.clear()
                output.note(f"answers are kept in {file}")
                try:
                    comparison.run(results, lambda done, total: progress.show("answers", done, total))
                except BaseException:
                    progress.clear()
                    output.note(f"{len(results.rows):,} answers are kept; the same line with --resume {file} goes on")
                    raise
        progress.show("statistics", 0, 1)
        value = _analysed(asked, results, comparison.routes, seed)
        progress.clear()
        return _told(value, output, html, csv)


def _analysed(asked: list[Question], results: Any, routes: tuple[str, ...], seed: int) -> dict[str, Any]:
    from lcrag.comparison.analysis import analyse

    value = analyse(asked, results.rows, routes, seed=seed, header=results.header)
    if not value["items"]:
        errors = [row["error"] for row in results.rows.values() if row["error"]]
        raise BackendFailed(f"no question has an answer by every route: {errors[0]['message']}", hint="lcrag doctor")
    return value


def _told(value: dict[str, Any], output: Output, html: Path | None, csv: Path | None) -> int:
    from lcrag.report import comparison
    from lcrag.report import tables as csv_table

    if html is not None:
        from lcrag.report.page import page

        html.write_text(page(value), encoding="utf-8")
    if csv is not None:
        csv.write_text(csv_table.table(value), encoding="utf-8", newline="")
    if output.form == "json":
        output.line(value)
    else:
        output.write(comparison.report(value, width=width(), colour=output.colour(sys.stdout)))
    for file in (html, csv):
        if file is not None:
            output.note(f"written: {file}")
    if value["failed"]:
        output.warn(f"{len(value['failed']):,} questions are left out: the backend failed", "--resume asks them again")
    return BackendFailed.exit_code if value["failed"] else 0


class _Quietly:
    """Events of several sessions: of those of single answers, only messages are told."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = Lock()

    def __call__(self, event: Event) -> None:
        if event.kind == "index" and "documents" not in event.data:
            with self._lock:
                self._progress(event)


def _asked(words: list[str], questions: Path | None, dataset: Path | None) -> tuple[tuple[str, ...], list[Question]]:
    """The paths to read (none: each question names its own documents), and the questions."""
    from lcrag.comparison import formats as dataset_formats
    from lcrag.comparison.dataset import Question

    written = cache_folder() / "datasets"
    if dataset is not None:
        if words or questions is not None:
            raise InputError("--dataset brings its own documents", hint=f"lcrag compare --dataset {dataset}")
        found = dataset_formats.read(dataset, written)
        if not all(question.docs for question in found):
            raise InputError(f"{dataset} names no documents", hint=f"lcrag compare docs/ --questions {dataset}")
        return (), found
    if questions is not None:
        if not words:
            raise InputError("say what to read", hint=f"lcrag compare docs/ --questions {questions}")
        return tuple(words), dataset_formats.read(questions, written)
    paths, rest = _split(words)
    return paths, [
        Question(str(number), "asked", text, (), (), None, unanswerable=False) for number, text in enumerate(rest, 1)
    ]


def _split(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """``PATH... QUESTION...``: the paths are the first words that are there to be read."""
    at = 0
    while at < len(words) and (words[at] == inputs.STDIN or os.path.exists(words[at]) or glob.glob(words[at])):
        at += 1
    if at == 0:
        raise InputError(
            f"no such file or folder: {words[0]}" if words else "say what to read and what to ask",
            hint='lcrag compare docs/ "your question" "another one"',
        )
    rest = [word for word in words[at:] if word.strip()]
    if not rest:
        raise InputError("the question is missing", hint='lcrag compare docs/ "your question" "another one"')
    return tuple(words[:at]), rest


def _file(asked: list[Question], paths: tuple[str, ...]) -> Path:
    """A new file for the answers, in the cache."""
    name = "\0".join((*paths, *(question.id + question.question for question in asked)))
    key = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    begun = datetime.now().strftime("%Y-%m-%dT%H%M%S")
    return cache_folder() / "compare" / f"{begun}-{os.getpid()}-{key}.ndjson"
