"""Answers as a person reads them in a terminal, safe to print whatever the documents hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from lcrag.report.terminal import printable
from lcrag.text.places import line_of, page_of, part_of
from lcrag.types import Answer, Citation, Trace

if TYPE_CHECKING:
    from lcrag.report.show import Shown

QUOTE_CHARACTERS: Final = 160
"""How much of a quote the list of sources shows; the JSON has all of it."""

MOST_NAMED: Final = 5
"""How many of the files that were left out are named; the rest are counted."""

UNSUPPORTED: Final = "[unsupported]"
"""Follows a sentence that nothing in the documents supports."""


def stated(answer: Answer) -> str:
    """The answer's text, each unsupported sentence marked. Not yet printable."""
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
        f"[{citation.marker}] {_linked(citation) if links else place_text(citation)}  “{shortened(citation.quote)}”\n"
        for citation in answer.citations
    )


def place_text(citation: Citation) -> str:
    """Where a quote is, on one printable line: ``docs/a.md:7``, ``report.pdf p. 3``, ``prices.csv (row 2)``."""
    source = "standard input" if citation.source == "-" else printable(citation.source).replace("\n", " ")
    part = "" if citation.part is None else f" ({printable(citation.part)})"
    if citation.page is not None:
        return f"{source} p. {citation.page}{part}"
    return f"{source}{part}" if citation.line is None else f"{source}:{citation.line}{part}"


def _linked(citation: Citation) -> str:
    if citation.source == "-":
        return place_text(citation)
    page = "" if citation.page is None else f"#page={citation.page}"
    return f"\x1b]8;;{Path(citation.source).absolute().as_uri()}{page}\x1b\\{place_text(citation)}\x1b]8;;\x1b\\"


def shortened(quote: str) -> str:
    """A quote on one printable line, QUOTE_CHARACTERS long at most."""
    line = printable(" ".join(quote.split()))
    return line if len(line) <= QUOTE_CHARACTERS else line[: QUOTE_CHARACTERS - 1].rstrip() + "…"


def trace_report(trace: Trace) -> str:
    """The passages that an answer depends on, one a line; those of the smallest sufficient set have a star."""
    if not trace.reproduced:
        return f"trace: the {trace.considered:,} passages together do not give this answer again\n"
    lines = [f"trace: {trace.read:,} passages were read; without these the answer changes, * alone suffice"]
    for passage in trace.passages:
        place = f" p. {passage.page}" if passage.page is not None else f":{passage.line}" if passage.line else ""
        source = printable(passage.source).replace("\n", " ")
        star = "*" if passage.minimal else " "
        lines.append(f"{star} {source}{place}, characters {passage.start:,} to {passage.end:,}")
    return "\n".join([*lines, f"  {trace.usage.calls:,} calls, {trace.usage.input_tokens:,} tokens"]) + "\n"


def passage(shown: Shown, *, colour: bool) -> str:
    """The lines around a quote, numbered as in the file, the quote in reverse or between » and «."""
    document, text = shown.document, shown.document.text
    on, off = ("\x1b[7m", "\x1b[27m") if colour else ("»", "«")
    citation = Citation(
        marker=0,
        document_id=document.id,
        source=document.source,
        start=shown.start,
        end=shown.end,
        quote=shown.quote,
        line=line_of(document, shown.start),
        page=page_of(document, shown.start),
        part=part_of(document, shown.start),
    )
    out = [f"{place_text(citation)}\n"]
    position = shown.first
    for line in text[shown.first : shown.last].rstrip("\n").split("\n"):
        end = position + len(line)
        start, stop = max(position, shown.start), min(end, shown.end)
        marked = printable(line)
        if start < stop:
            before, quote, after = text[position:start], text[start:stop], text[stop:end]
            marked = f"{printable(before)}{on}{printable(quote)}{off}{printable(after)}"
        number = line_of(document, position)
        out.append(f"{'' if number is None else number:>6}  {marked}".rstrip() + "\n" if line.strip() else "\n")
        position = end + 1
    return "".join(out)


def nothing_found(answer: Answer, tokens: int, *, all_sources: bool = False) -> str:
    """The message for an answer that was not found, with the files that may hold it.

    ``tokens``: the size of the documents.
    """
    sure = "" if answer.coverage is None else f", which would hold it with probability {answer.coverage:.2f}"
    everything = answer.tokens_read >= tokens
    read = f"{tokens:,} tokens" if everything else f"{answer.tokens_read:,} of {tokens:,} tokens"
    if answer.status == "not_found":
        if everything or answer.coverage in (None, 1.0):
            return f"Not in these documents: all {tokens:,} tokens were read."
        return f"Not in these documents: {read} were read{sure}."
    lines = [f"Not in the {read} that were read{'' if answer.left_out else sure}."]
    if not everything:
        lines.append("  --pipeline full_context reads everything")
    if answer.left_out:
        number = len(answer.left_out)
        named = answer.left_out if all_sources else answer.left_out[:MOST_NAMED]
        files = "1 file was" if number == 1 else f"{number:,} files were"
        lines.append(f"{files} not read, or only in part, and may hold it:")
        lines += [f"  {source}: {reason}" for source, reason in named]
        if number > len(named):
            lines.append(f"  and {number - len(named):,} more (--all-sources names them)")
    return "\n".join(lines)


def contradictions(answer: Answer) -> str:
    """One line for each pair of sources that disagree: what each says and when, as far as known."""
    citations = {citation.marker: citation for citation in answer.citations}

    def side(marker: int, value: str, date: str | None) -> str:
        claim = printable(value) or "the opposite"
        dated = f" ({printable(date)})" if date and date not in place_text(citations[marker]) else ""
        return f"[{marker}] {claim}{dated}"

    lines = [
        f"The documents contradict each other: {side(conflict.markers[0], conflict.values[0], conflict.dates[0])}; "
        f"{side(conflict.markers[1], conflict.values[1], conflict.dates[1])}."
        for conflict in answer.conflicts
    ]
    return "\n".join(lines) or "The documents contradict each other."
