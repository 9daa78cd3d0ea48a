"""The index, the server and this machine, as a person reads them in a terminal: one fact a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lcrag.report.terminal import printable
from lcrag.types import Finding, Look

if TYPE_CHECKING:
    from lcrag.index.corpus import IndexStatus, Refreshed


def index_report(info: Mapping[str, int], refreshed: Refreshed) -> str:
    """What is in the index, and what its refresh changed."""
    counts = (
        ("added", refreshed.added),
        ("changed", refreshed.changed),
        ("renamed", refreshed.renamed),
        ("removed", refreshed.removed),
        ("unchanged", refreshed.unchanged),
        ("copies", refreshed.duplicates),
        ("skipped", info["skipped"]),
    )
    changes = ", ".join(f"{count:,} {name}" for name, count in counts if count)
    return f"{index_size(info)}: {changes or 'empty'}\n"


def index_size(info: Mapping[str, int]) -> str:
    return f"{info['documents']:,} documents, {info['chunks']:,} chunks, {info['tokens']:,} tokens"


def status_report(status: IndexStatus) -> str:
    """``lcrag index --status``: the size of the index, then a line for each file that was not read, or only in part."""
    from datetime import datetime

    updated = (
        "never"
        if status.updated is None
        else datetime.fromtimestamp(status.updated).astimezone().isoformat(sep=" ", timespec="seconds")
    )
    return _facts(
        ("documents", f"{status.documents:,}"),
        ("chunks", f"{status.chunks:,}"),
        ("tokens", f"{status.tokens:,} ({status.tokenizer})"),
        ("copies", f"{status.duplicates:,}"),
        *((f"vectors of {name}", f"{count:,} of {status.chunks:,}") for name, count in status.vectors.items()),
        *([("summaries", f"{status.summaries:,} sections")] if status.summaries else []),
        ("size", f"{status.bytes / 1e6:,.1f} MB"),
        ("format", status.form),
        ("updated", updated),
        *(("not read", f"{source}: {reason}") for source, reason in status.failed),
        *(("read in part", f"{source}: {reason}") for source, reason in status.partly_read),
    )


def server_report(looks: Sequence[Look]) -> str:
    """``lcrag status``: what each server reports, an empty line between."""
    return "\n".join(map(_server, looks))


def _server(look: Look) -> str:
    """A fact that the server does not report has no line."""
    hits = None
    if look.prefix_queries and look.prefix_hits is not None:
        hits = f"{look.prefix_hits / look.prefix_queries:.0%} of {look.prefix_queries:,.0f} tokens asked"
    used = "" if look.cache_used is None else f", {look.cache_used:.0%} in use"
    facts = [
        ("server", look.url),
        ("model", look.model),
        ("window", look.window and f"{look.window:,} tokens"),
        ("KV cache", look.cache_tokens and f"{look.cache_tokens:,} tokens{used}"),
        ("prefix cache hits", hits),
        ("running", look.running is not None and f"{look.running:.0f}, {look.waiting or 0:.0f} waiting"),
        ("log", look.log),
    ]
    return _facts(*((name, value) for name, value in facts if value))


def _facts(*facts: tuple[str, object]) -> str:
    return printable("".join(f"{name}: {value}\n" for name, value in facts))


def doctor_report(findings: Sequence[Finding], values: Sequence[tuple[str, object, str]]) -> str:
    """``lcrag doctor``: one line a part, below it the line to type if it is missing; then each option that is set."""
    lines = []
    for finding in findings:
        lines.append(f"{'ok' if finding.there else '--'}  {finding.name}: {finding.found}")
        if finding.hint:
            lines.append(f"      {finding.hint}")
    lines += [f"    {name} = {value}  ({origin})" for name, value, origin in values]
    return printable("".join(f"{line}\n" for line in lines))
