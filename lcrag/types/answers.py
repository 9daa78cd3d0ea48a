"""What is asked of a backend, and what comes back: tasks, completions, answers with their citations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lcrag.types.documents import Passage
from lcrag.types.planning import Role

Status = Literal["answered", "not_found", "not_retrieved", "contradictory", "refused_by_budget"]


@dataclass(frozen=True, slots=True)
class Task:
    """One thing asked of a backend. ``notes`` are earlier completions' texts, with their markers."""

    role: Role
    question: str
    passages: tuple[Passage, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, calls and seconds; adds up."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0
    seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.calls + other.calls,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """A backend's reply. ``finish``: "stop", or "length" when it was cut at max_tokens. ``short``: the bare answer."""

    text: str
    usage: Usage
    finish: str = "stop"
    short: str | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """``quote == document.text[start:end]``; ``line`` of the file for text formats, ``page`` for paged ones, from 1.

    ``part``: what a reader looks for where neither says it: "row 7", "cell 3", "section Prices", or None.
    """

    marker: int
    document_id: str
    source: str
    start: int
    end: int
    quote: str
    line: int | None
    page: int | None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two citations that answer differently: ``values`` is what they differ in, ``dates`` when each was said, if known.

    Of a denial the values are "" and the word that denies.
    """

    markers: tuple[int, int]
    values: tuple[str, str]
    dates: tuple[str | None, str | None] = (None, None)


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of an answer, ``answer.text[start:end]``, its markers left out.

    ``supported``: whether the places that ``citations`` (markers) name support it, as far as words can tell.
    """

    start: int
    end: int
    supported: bool
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Traced:
    """A passage on which an answer depends (``needed``), or that is of the smallest set that gives it (``minimal``)."""

    source: str
    start: int
    end: int
    line: int | None
    page: int | None
    needed: bool
    minimal: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """Of ``read`` passages ``considered`` were tried; ``reproduced``: read together they give the same answer."""

    passages: tuple[Traced, ...]
    read: int
    considered: int
    reproduced: bool
    usage: Usage


@dataclass(frozen=True, slots=True)
class Step:
    """One pipeline that ran on the way to an answer."""

    pipeline: str
    status: Status
    usage: Usage


@dataclass(frozen=True, slots=True)
class Answer:
    """``tokens_read``: document tokens that reached a model at least once, each token counted once, by the index's
    tokenizer, so that they compare with ``CorpusSize.tokens`` whatever backend answers. ``dropped``: markers of the
    model that led to no support and are gone. ``coverage``: P(what answers the question, if anything does, was read),
    None where nobody has reckoned it. ``conflicts`` is not empty when the status is "contradictory"."""

    text: str
    status: Status
    citations: tuple[Citation, ...]
    usage: Usage
    tokens_read: int
    steps: tuple[Step, ...] = ()
    short: str | None = None
    statements: tuple[Statement, ...] = ()
    dropped: int = 0
    conflicts: tuple[Conflict, ...] = ()
    coverage: float | None = None
    trace: Trace | None = None
