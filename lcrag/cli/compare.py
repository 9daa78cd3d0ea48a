"""``lcrag compare``: every route on the same questions, as text, JSON, a page for a browser, a spreadsheet."""

from __future__ import annotations

import glob
import hashlib
import os
import sys
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lcrag.cli import inputs
from lcrag.cli import options as opt
from lcrag.cli.ask import describe
from lcrag.cli.call import Call, with_options
from lcrag.cli.output import Output, width
from lcrag.cli.progress import Progress
from lcrag.errors import BackendFailed, InputError
from lcrag.paths import cache_folder
from lcrag.types import Event

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


@with_options(
    opt.Batch,
    opt.Ray,
    opt.Compare,
    opt.Json,
    opt.Budget,
    opt.Sampling,
    opt.Retrieval,
    opt.Backend,
    opt.Server,
    opt.Chosen,
)
def compare(call: Call, words: Words = None) -> int:
    """Ask every route the same questions, and compare the answers, their cost and, with gold answers, the accuracy.

    Example: lcrag compare docs/ "Who signed the contract?" --html report.html

    The answers are shown with their sources, what each read and took, and which routes agree. With right answers to
    ten questions or more (--questions FILE, --dataset DIR) the statistics are printed instead: which route to use, and
    how sure that is. --html has both.

    Answers are stored as they arrive: after a kill or Ctrl-C, --resume continues without asking anything twice.
    """
    output, batch, options = call.output, call[opt.Batch], call[opt.Compare]
    seed = call[opt.Sampling].seed
    paths, asked = _asked(words or [], batch.questions, options.dataset)
    inputs.check_outputs(html=options.html, csv=options.csv)

    from lcrag.cluster import files_there
    from lcrag.comparison.results import Results
    from lcrag.comparison.run import ComparisonRun, Setup, drawn
    from lcrag.session import split_names

    asked = drawn(asked, options.limit, seed)
    settings = call.settings(paths, stdin_text=inputs.document_text(paths))
    setup = Setup(settings, call.policy, split_names(options.pipelines or ""), batch.workers)
    with Progress(output) as progress:
        with (
            files_there(call[opt.Ray].ray) as there,
            ComparisonRun(asked, setup, lambda event: _show(event, progress), there=there) as comparison,
        ):
            describe(comparison.first, output, progress)
            file = batch.resume or _file(asked, paths)
            with Results(file, comparison.header) as results:
                progress.clear()
                output.note(f"answers are kept in {file}")
                try:
                    comparison.run(results, lambda done, total: progress.show("answers", done, total))
                except BaseException:
                    progress.clear()
                    output.note(f"{len(results.rows):,} answers are kept; repeat the command with --resume {file}")
                    raise
        progress.show("statistics", 0, 1)
        value = _analysed(asked, results, comparison.routes, seed)
        progress.clear()
        return _write(value, output, options.html, options.csv)


def _show(event: Event, progress: Progress) -> None:
    """Show the events of indexing, and messages; those of single answers would be too many."""
    if event.kind == "index" and "documents" not in event.data:
        progress(event)


def _analysed(asked: list[Question], results: Any, routes: tuple[str, ...], seed: int) -> dict[str, Any]:
    from lcrag.comparison.analysis import analyse

    value = analyse(asked, results.rows, routes, seed=seed, header=results.header)
    if not value["items"]:
        errors = [row["error"] for row in results.rows.values() if row["error"]]
        raise BackendFailed(f"no question has an answer by every route: {errors[0]['message']}", hint="lcrag doctor")
    return value


def _write(value: dict[str, Any], output: Output, html: Path | None, csv: Path | None) -> int:
    from lcrag.report import comparison
    from lcrag.report.tables import table

    if html is not None:
        from lcrag.report.page import page

        html.write_text(page(value), encoding="utf-8")
    if csv is not None:
        csv.write_text(table(value), encoding="utf-8", newline="")
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


def _asked(words: list[str], questions: Path | None, dataset: Path | None) -> tuple[tuple[str, ...], list[Question]]:
    """The paths to read (none: each question names its own documents), and the questions."""
    from lcrag.comparison import formats
    from lcrag.comparison.dataset import Question

    written = cache_folder() / "datasets"
    if dataset is not None:
        if words or questions is not None:
            raise InputError("--dataset brings its own documents", hint=f"lcrag compare --dataset {dataset}")
        asked = formats.read(dataset, written)
        if not all(question.docs for question in asked):
            raise InputError(f"{dataset} names no documents", hint=f"lcrag compare docs/ --questions {dataset}")
        return (), asked
    if questions is not None:
        if not words:
            raise InputError("say what to read", hint=f"lcrag compare docs/ --questions {questions}")
        return tuple(words), formats.read(questions, written)
    paths, texts = _split(words)
    return paths, [
        Question(str(number), "asked", text, (), (), None, unanswerable=False) for number, text in enumerate(texts, 1)
    ]


def _split(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """``PATH... QUESTION...``: the leading words that name something readable are the paths."""
    paths = list(takewhile(lambda word: word == inputs.STDIN or os.path.exists(word) or glob.glob(word), words))
    if not paths:
        raise InputError(
            f"no such file or folder: {words[0]}" if words else "say what to read and what to ask",
            hint='lcrag compare docs/ "your question" "another one"',
        )
    questions = [inputs.as_text(word) for word in words[len(paths) :] if word.strip()]
    if not questions:
        raise InputError("the question is missing", hint='lcrag compare docs/ "your question" "another one"')
    return tuple(paths), questions


def _file(asked: list[Question], paths: tuple[str, ...]) -> Path:
    """A new file for the answers, in the cache."""
    name = "\0".join((*paths, *(question.id + question.question for question in asked)))
    key = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    begun = datetime.now().strftime("%Y-%m-%dT%H%M%S")
    return cache_folder() / "compare" / f"{begun}-{os.getpid()}-{key}.ndjson"
