"""Answers and plans as a person reads them in a terminal, safe to print whatever the documents hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lcrag.report.objects import chosen
from lcrag.text.places import line_of, page_of, part_of
from lcrag.types import Answer, Citation, Option, Plan, Trace, Usage

if TYPE_CHECKING:
    from lcrag.index.corpus import IndexStatus, Refreshed
    from lcrag.planning.history import Record
    from lcrag.report.show import Shown
    from lcrag.serve.doctor import Finding
    from lcrag.serve.look import Look

QUOTE_CHARACTERS: Final = 160
"""How much of a quote the list of sources shows; the JSON has all of it."""

UNSUPPORTED: Final = "[unsupported]"
"""What stands after a sentence that no place in the documents supports."""

# Escape sequences, cursor movements, and marks that make text read in another order than it is stored.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def printable(text: str) -> str:
    """The text without what steers a terminal. Bytes of a file name that are not UTF-8 become U+FFFD."""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _CONTROL.sub("", text))


def stated(answer: Answer) -> str:
    """The answer's text, each sentence that has no support in the documents marked so. Not yet printable."""
    text, position = "", 0
    for statement in answer.statements:
        if not statement.supported:
            text += f"{answer.text[position : statement.end]} {UNSUPPORTED}"
            position = statement.end
    return text + answer.text[position:]


def sources(answer: Answer, *, links: bool = False) -> str:
    """One line a citation: ``[1] docs/a.md:7  “quote”``; "" when there are none.

    ``links``: as hyperlinks that a terminal opens (OSC 8).
    """
    return "".join(
        f"[{citation.marker}] {_linked(citation) if links else _place(citation)}  “{_shortened(citation.quote)}”\n"
        for citation in answer.citations
    )


def _place(citation: Citation) -> str:
    source = "standard input" if citation.source == "-" else printable(citation.source).replace("\n", " ")
    part = "" if citation.part is None else f" ({printable(citation.part)})"
    if citation.page is not None:
        return f"{source} p. {citation.page}{part}"
    return f"{source}{part}" if citation.line is None else f"{source}:{citation.line}{part}"


def _linked(citation: Citation) -> str:
    if citation.source == "-":
        return _place(citation)
    page = "" if citation.page is None else f"#page={citation.page}"
    return f"\x1b]8;;{Path(citation.source).absolute().as_uri()}{page}\x1b\\{_place(citation)}\x1b]8;;\x1b\\"


def trace_report(trace: Trace) -> str:
    """What an answer depends on: a line a passage, those of the smallest sufficient set with a star."""
    if not trace.reproduced:
        return f"trace: the {trace.considered:,} passages together do not give this answer again\n"
    lines = [f"trace: {trace.read:,} passages were read; without these the answer changes, * alone suffice"]
    for one in trace.passages:
        at = f" p. {one.page}" if one.page is not None else "" if one.line is None else f":{one.line}"
        star = "*" if one.minimal else " "
        source = printable(one.source).replace("\n", " ")
        lines.append(f"{star} {source}{at}, characters {one.start:,} to {one.end:,}")
    return "\n".join([*lines, f"  {trace.usage.calls:,} calls, {trace.usage.input_tokens:,} tokens"]) + "\n"


def passage(shown: Shown, *, colour: bool) -> str:
    """Where a quote stands, its lines numbered as in the file, the quote in reverse or between » and «."""
    document, text = shown.document, shown.document.text
    on, off = ("\x1b[7m", "\x1b[27m") if colour else ("»", "«")
    place = Citation(
        0,
        document.id,
        document.source,
        shown.start,
        shown.end,
        shown.quote,
        line_of(document, shown.start),
        page_of(document, shown.start),
        part_of(document, shown.start),
    )
    out = [f"{_place(place)}\n"]
    position = shown.first
    for line in text[shown.first : shown.last].rstrip("\n").split("\n"):
        end = position + len(line)
        start, stop = max(position, shown.start), min(end, shown.end)
        if start < stop:
            said = f"{printable(text[position:start])}{on}{printable(text[start:stop])}{off}{printable(text[stop:end])}"
        else:
            said = printable(line)
        number = line_of(document, position)
        out.append(f"{'' if number is None else number:>6}  {said}".rstrip() + "\n" if line.strip() else "\n")
        position = end + 1
    return "".join(out)


def _shortened(quote: str) -> str:
    line = printable(" ".join(quote.split()))
    return line if len(line) <= QUOTE_CHARACTERS else line[: QUOTE_CHARACTERS - 1].rstrip() + "…"


def nothing_found(answer: Answer, tokens: int) -> str:
    """What to say when the answer was not found, ``tokens`` being the size of the documents."""
    read = f"{answer.tokens_read:,} of {tokens:,} tokens"
    sure = "" if answer.coverage is None else f", which would hold it with probability {answer.coverage:.2f}"
    if answer.status == "not_found":
        if answer.tokens_read >= tokens or answer.coverage in (None, 1.0):
            return f"Not in these documents: all {tokens:,} tokens were read."
        return f"Not in these documents: {read} were read{sure}."
    return f"Not in the {read} that were read{sure}.\n  --pipeline full_context reads everything"


def contradictions(answer: Answer) -> str:
    """A line for each pair of sources that disagree, with what each says and when, where that is known."""
    sources = {citation.marker: citation for citation in answer.citations}

    def side(marker: int, value: str, date: str | None) -> str:
        said = printable(value) or "the opposite"
        return f"[{marker}] {said}" + (f" ({printable(date)})" if date and date not in _place(sources[marker]) else "")

    lines = [
        f"The documents contradict each other: {side(one.markers[0], one.values[0], one.dates[0])}; "
        f"{side(one.markers[1], one.values[1], one.dates[1])}."
        for one in answer.conflicts
    ]
    return "\n".join(lines) or "The documents contradict each other."


def plan_report(plan: Plan, *, width: int, colour: bool) -> str:
    """The table of all routes, why one was taken, and what would have changed that. ``width`` in columns."""
    from rich.text import Text

    return _rendered(
        Text(printable(" ".join(plan.question.split())), style="bold"),
        f"evidence: about {plan.estimate.scope_tokens:,} tokens, diffusion {plan.estimate.diffusion:.2f}",
        f"profile: {plan.profile.name}, {'' if plan.profile.measured else 'not '}measured\n",
        _table(plan),
        f"\n* {printable(plan.reason)}",
        *(f"  {printable(other)}" for other in plan.counterfactuals),
        width=width,
        colour=colour,
    )


def _rendered(*parts: object, width: int, colour: bool) -> str:
    """The parts one under another, without spaces at the ends of lines."""
    from io import StringIO

    from rich.console import Console

    buffer = StringIO()
    console = Console(
        file=buffer, width=width, force_terminal=colour, no_color=not colour, highlight=False, markup=False, emoji=False
    )
    for part in parts:
        console.print(part)
    return "".join(line.rstrip() + "\n" for line in buffer.getvalue().splitlines())


def _table(plan: Plan) -> object:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("  route", overflow="fold")
    for name in ("tokens", "calls", "seconds", "P(correct)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("fits")
    for forecast in plan.forecasts:
        taken = chosen(forecast, plan)
        table.add_row(
            f"{'*' if taken else ' '} {forecast.pipeline} {_options(forecast.options)}",
            f"{forecast.input_tokens:,}",
            f"{forecast.calls:,}",
            f"{forecast.seconds:,.1f}",
            f"{forecast.quality:.2f}",
            "yes" if forecast.fits else "no",
            style="bold green" if taken else "" if forecast.fits else "dim",
        )
    return table


def outcome_report(plan: Plan, answer: Answer, *, width: int, colour: bool) -> str:
    """What was forecast of the chosen route beside what came of it; then each further step, and the sum."""
    from rich import box
    from rich.table import Table

    forecast = next(one for one in plan.forecasts if chosen(one, plan))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")
    for name in ("tokens", "cached", "written", "calls", "seconds", "P(correct)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(
        f"forecast {forecast.pipeline}",
        f"{forecast.input_tokens:,}",
        f"{forecast.cached_tokens:,}",
        f"{forecast.output_tokens:,}",
        f"{forecast.calls:,}",
        f"{forecast.seconds:,.2f}",
        f"{forecast.quality:.2f}",
    )
    said = answer.status.replace("_", " ")
    for step in answer.steps:
        table.add_row(*_actual(f"actual {step.pipeline}", step.usage), step.status.replace("_", " "))
    if len(answer.steps) > 1:
        table.add_row(*_actual("all of it", answer.usage), said)
    return _rendered(table, width=width, colour=colour)


def _actual(name: str, usage: Usage) -> tuple[str, ...]:
    return (
        name,
        f"{usage.input_tokens:,}",
        f"{usage.cached_tokens:,}",
        f"{usage.output_tokens:,}",
        f"{usage.calls:,}",
        f"{usage.seconds:,.2f}",
    )


def history_report(record: Record) -> str:
    """A line a route, then what the second routes told."""
    lines = [f"{'route':18}{'asked':>7}{'off by, tokens':>16}{'seconds':>9}{'P(correct)':>12}{'answered':>10}"]
    lines += [
        f"{one.pipeline:18}{one.asked:>7,}{one.tokens_error:>16.0%}{one.seconds_error:>9.0%}{one.quality:>12.2f}"
        f"{one.answered:>10.0%}"
        for one in record.routes
    ]
    if record.shadowed:
        ratio = "" if record.tokens_ratio is None else f", for {record.tokens_ratio:.1f} times the tokens"
        lines.append(
            f"a second route on {record.shadowed:,} questions: it alone answered {record.missed:,}, both said the same "
            f"on {record.agreed:,}{ratio}"
        )
    return "\n".join(lines) + "\n"


def _options(options: Mapping[str, Option]) -> str:
    return " ".join(
        f"{name}={','.join(value) if isinstance(value, tuple) else value}" for name, value in options.items()
    )


def index_report(info: Mapping[str, int], refreshed: Refreshed) -> str:
    """What is in the index, and what its refresh changed."""
    found = (
        ("added", refreshed.added),
        ("changed", refreshed.changed),
        ("renamed", refreshed.renamed),
        ("removed", refreshed.removed),
        ("unchanged", refreshed.unchanged),
        ("copies", refreshed.duplicates),
        ("skipped", info["skipped"]),
    )
    return f"{index_size(info)}: {', '.join(f'{count:,} {name}' for name, count in found if count) or 'empty'}\n"


def index_size(info: Mapping[str, int]) -> str:
    return f"{info['documents']:,} documents, {info['chunks']:,} chunks, {info['tokens']:,} tokens"


def server_report(look: Look) -> str:
    """``lcrag status``: one fact a line, what the server does not tell left out."""
    rate = None
    if look.prefix_queries and look.prefix_hits is not None:
        rate = f"{look.prefix_hits / look.prefix_queries:.0%} of {look.prefix_queries:,.0f} tokens asked"
    used = None if look.cache_used is None else f", {look.cache_used:.0%} in use"
    facts = [
        ("server", look.url),
        ("model", look.model),
        ("window", look.window and f"{look.window:,} tokens"),
        ("KV cache", look.cache_tokens and f"{look.cache_tokens:,} tokens{used or ''}"),
        ("prefix cache hits", rate),
        ("running", look.running is not None and f"{look.running:.0f}, {look.waiting or 0:.0f} waiting"),
        ("log", look.log),
    ]
    return printable("".join(f"{name}: {value}\n" for name, value in facts if value))


def doctor_report(findings: Sequence[Finding], values: Sequence[tuple[str, object, str]]) -> str:
    """``lcrag doctor``: a line a part, under it the line to type where it is missing; then each option that is set."""
    lines = []
    for finding in findings:
        lines.append(f"{'ok' if finding.there else '--'}  {finding.name}: {finding.found}")
        if finding.hint:
            lines.append(f"      {finding.hint}")
    lines += [f"    {name} = {value}  ({origin})" for name, value, origin in values]
    return printable("".join(f"{line}\n" for line in lines))


def status_report(status: IndexStatus) -> str:
    """``lcrag index --status``: one fact a line, then one line for each file that could not be read."""
    from datetime import datetime

    updated = (
        "never"
        if status.updated is None
        else datetime.fromtimestamp(status.updated).astimezone().isoformat(sep=" ", timespec="seconds")
    )
    facts = [
        ("documents", f"{status.documents:,}"),
        ("chunks", f"{status.chunks:,}"),
        ("tokens", f"{status.tokens:,} ({status.tokenizer})"),
        ("copies", f"{status.duplicates:,}"),
        *((f"vectors of {name}", f"{count:,} of {status.chunks:,}") for name, count in status.vectors.items()),
        ("size", f"{status.bytes / 1e6:,.1f} MB"),
        ("format", status.form),
        ("updated", updated),
        *(("not read", f"{source}: {reason}") for source, reason in status.failed),
    ]
    return printable("".join(f"{name}: {value}\n" for name, value in facts))
