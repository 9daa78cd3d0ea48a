"""The answers side by side in a terminal: for few questions, or without gold answers, where statistics say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from lcrag.report import answers
from lcrag.report.figures import quantity
from lcrag.report.terminal import new_table, printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

MOST_CHARACTERS: Final = 400
MOST_LINES: Final = 6
"""How much of an answer a terminal shows."""
MOST_SOURCES: Final = 4
WIDE: Final = 100
"""Columns from which there is room for calls and tokens written."""
CUT: Final = " …"

Value = Mapping[str, Any]
"""``lcrag.compare/1``, or an item of it."""


def parts(value: Value, *, width: int) -> Iterator[RenderableType]:
    """Every question with its answers and their cost, then how often each route was right, as rich prints them."""
    from rich.text import Text

    note = answers.judge_note(value)
    if note:
        yield Text(f"{printable(note)}\n", style="dim")
    several = len(value["items"]) > 1
    for place, item in enumerate(value["items"], 1):
        asked = printable(" ".join(item["question"].split()))
        yield Text(f"{place}. {asked}" if several else asked, style="bold")
        if gold := answers.gold(item):
            yield Text(f"right answer: {printable(gold)}")
        yield Text("")
        for group in answers.groups(item):
            yield from _group(group, item)
        yield table("route", answers.costs(value, item, whole=width >= WIDE), wide=width >= WIDE)
        yield Text("")
    yield from map(Text, answers.legend(value))
    if any(shortened(answer["answer"]).endswith(CUT) for item in value["items"] for answer in item["routes"].values()):
        yield Text("… cut here: --html and --json have the whole answers")
    if several:
        yield Text("")
        shown = " with a right answer" if value["unscored"] else ""
        yield table(f"{quantity(value['questions'], 'question')}{shown}", answers.totals(value), wide=True)


def _group(group: answers.Group, item: Value) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    yield Text(printable(" ".join(group.title.split())), style="bold cyan")
    for names in group.said:
        answer = item["routes"][names[0]]
        yield Padding(Text(printable(answers.labels(item, names))), (0, 0, 0, 2))
        yield Padding(Text(shortened(answers.said_text(answer))), (0, 0, 0, 4))
        places = answers.places(answer)
        more = [f"and {len(places) - MOST_SOURCES:,} more"] if len(places) > MOST_SOURCES else []
        if places:
            yield Padding(Text("\n".join([*places[:MOST_SOURCES], *more]), style="dim"), (0, 0, 0, 4))
    yield Text("")


def shortened(text: str) -> str:
    """An answer as a terminal shows it: MOST_LINES and MOST_CHARACTERS, cut at a space."""
    lines = [line.rstrip() for line in printable(text).strip().split("\n")]
    kept = "\n".join(lines[:MOST_LINES])
    if len(kept) > MOST_CHARACTERS:
        kept = kept[:MOST_CHARACTERS].rsplit(None, 1)[0]
    return kept if kept == "\n".join(lines) else f"{kept.rstrip()}{CUT}"


def table(first: str, listed: answers.Table, *, wide: bool) -> Table:
    """The rows under their heads, the marked ones with a star. ``wide``: with room between the columns."""
    made = new_table()
    made.padding = made.padding if wide else 0
    made.add_column(f"  {first}", no_wrap=True)
    for head in listed.heads:
        made.add_column(head, justify="right", no_wrap=True)
    for name, marked, cells in listed.rows:
        made.add_row(f"{'*' if marked else ' '} {name}", *cells, style="bold green" if marked else "")
    return made
