"""A comparison as a person reads it in a terminal: the routes with accuracies and conclusions, or the answers alone.

Accuracies are shown where ``enough_questions`` says that they are worth it. A judge's verdicts never are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from lcrag.report import answers, side_by_side
from lcrag.report.conclusions import conclusions, remarks
from lcrag.report.figures import fixed, interval, number, percent, quantity
from lcrag.report.terminal import new_table, printable, render

if TYPE_CHECKING:
    from rich.table import Table

BAR: Final = 16
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"

Value = Mapping[str, Any]
"""``lcrag.compare/1``."""


def report(value: Value, *, width: int, colour: bool) -> str:
    """The table of routes and the conclusions; without enough questions the answers side by side.

    ``width``: in columns.
    """
    from rich.text import Text

    body: Iterable[object]
    if value["enough_questions"]:
        body = [
            _table(value, bars=width >= 110),
            "* no other route reads fewer tokens and scores at least as high\n",
            *map(printable, conclusions(value)),
            "The answers side by side: --html FILE",
        ]
    else:
        body = [*side_by_side.parts(value, width=width), *(f"\n{printable(remark)}" for remark in remarks(value))]
    if (points := answers.points(value)) is not None:
        first = f"points of {quantity(value['points']['questions'], 'question')}"
        body = [*body, "", side_by_side.table(first, points, wide=True), answers.POINTS]
    head = Text(printable(headline(value)), style="bold")
    return render(head, f"{scored_by(value)}\n", *body, width=width, colour=colour)


def headline(value: Value) -> str:
    """How much was compared, and on which backend."""
    setup = value["made_with"]
    asked, compared = quantity(len(value["items"]), "question"), quantity(len(value["routes"]), "route")
    return f"{asked}, {compared} and the router, on {setup['backend']} ({setup['model']})"


def scored_by(value: Value) -> str:
    """Which metrics were used, and on how many questions; without enough of them, why there are no statistics."""
    if value["scoring"]["judged"]:
        return "no gold answers, so nobody knows which route is right: their answers side by side"
    if not value["enough_questions"]:
        known = quantity(value["questions"], "question")
        return f"gold answers to {known}, too few for statistics: all answers side by side"
    return "scored by " + ", ".join(f"{metric['metric']} {metric['n']:,}" for metric in value["scoring"]["metrics"])


def rows(value: Value) -> list[tuple[str, Mapping[str, Any]]]:
    """The rows of the table of routes with their kind: constant, router, reference."""
    constants = sorted(value["routes"], key=lambda row: (-row["accuracy"], row["input_tokens"]))
    references = [("reference", value["random"]), ("reference", value["oracle"])]
    return [("router", value["router"]), *(("constant", row) for row in constants), *references]


def _table(value: Value, *, bars: bool) -> Table:
    table = new_table()
    table.add_column("  route", no_wrap=True)
    if bars:
        table.add_column("", no_wrap=True)
    for name in ("accuracy", "95%", "tokens", "seconds", "not found", "tokens / correct"):
        table.add_column(name, justify="right", no_wrap=True)
    listed = rows(value)
    kinds = [kind for kind, _ in listed]
    for place, (kind, row) in enumerate(listed):
        table.add_row(
            f"{'*' if row.get('pareto') else ' '} {row['pipeline']}",
            *([bar(row["accuracy"])] if bars else []),
            fixed(row["accuracy"], 3),
            interval(row["ci95"]),
            number(row["input_tokens"]),
            fixed(row["seconds"]),
            percent(row["not_found"]),
            number(row["tokens_per_correct"]),
            style={"router": "bold green", "reference": "dim"}.get(kind, ""),
            end_section=place + 1 < len(kinds) and kinds[place + 1] != kind,
        )
    return table


def bar(share: float) -> str:
    """A bar BAR columns wide, filled to the nearest eighth of a column."""
    full, eighths = divmod(round(share * BAR * 8), 8)
    return ("█" * full + (_EIGHTHS[eighths] if eighths else "")).ljust(BAR, "·")
