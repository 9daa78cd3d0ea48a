"""What is asked of a backend, and what comes back: tasks, completions, answers with their citations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Final, Literal

from lcrag.types.documents import Passage
from lcrag.types.planning import Plan, Role

Status = Literal["answered", "not_found", "not_retrieved", "contradictory", "refused_by_budget"]

Shape = tuple[str, ...] | str | Mapping[str, object]
"""One of several texts, a regular expression, or a JSON schema."""

SURE: Final = 0.95
"""P(what answers was read) from which finding nothing means that nothing is there, as reading everything does. When
lcrag reported this, the evidence had been read in 99.2% of 778 cases (``examples/evaluation/certificate.py``); that a
backend may overlook what it reads is another matter, and the same for both."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing asked of a backend. ``notes`` are earlier completions' texts, with their markers.

    ``shape``: what the reply should keep to, where the backend can make it; the reply may have any other.
    ``odds``: of how many likeliest first tokens the probabilities are asked for, which are then all that counts.
    ``attend``: of how many words of the passages, those that the question attends to most, the places are asked for,
    which are then all that counts; for a backend that ``attends``.
    ``words``: about how many the reply should have; 0 says nothing of it.
    ``allows``: whether a text may begin the reply, or (True) be it, for a backend that ``holds`` to it; the likeliest
    replies are then all that counts.
    """

    role: Role
    question: str
    passages: tuple[Passage, ...] = ()
    notes: tuple[str, ...] = ()
    shape: Shape | None = None
    odds: int = 0
    attend: int = 0
    words: int = 0
    allows: Callable[[str, bool], bool] | None = None


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
    """A backend's reply. ``finish``: "stop", or "length" when it was cut at max_tokens. ``short``: the bare answer.

    ``odds``: the likeliest first tokens with their probabilities, likeliest first; () from a backend that has none. Of
    the embedded one "yes" and "no": whether what it read holds the answer; it then says nothing else. Where replies
    were held to what a task ``allows``: the likeliest of these, whole. ``attended``:
    the words that the question attends to most, that one first: the marker of the passage and a place in its text.
    """

    text: str
    usage: Usage
    finish: str = "stop"
    short: str | None = None
    odds: tuple[tuple[str, float], ...] = ()
    attended: tuple[tuple[int, int], ...] = ()


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
    """What a question was answered, with its evidence. ``str(answer)`` is the text with its markers.

    ``tokens_read``: document tokens that reached a model at least once, each token counted once, by the tokenizer of
    the index, so that they compare with ``CorpusSize.tokens`` whatever backend answers. ``dropped``: markers of the
    model that led to no support and were removed. ``coverage``: P(what answers the question, if anything in the
    indexed documents does, was read), None if not estimated. ``conflicts`` is not empty when the status is
    "contradictory". ``plan``: the plan of the question, where it was made. ``left_out``: ``(source, reason)`` of what
    was not read, or only in part. ``program``: the SELECT that a table was asked with, None where none was.
    """

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
    plan: Plan | None = None
    left_out: tuple[tuple[str, str], ...] = ()
    program: str | None = None

    def __str__(self) -> str:
        return self.text

    @property
    def is_unsupported(self) -> bool:
        """Nothing was found, or something was said that no passage supports."""
        return self.status in ("not_found", "not_retrieved") or (self.status == "answered" and not self.citations)

    def followed_by(self, then: Answer) -> Answer:
        """The second answer, with the usage and steps of both and the coverage of the one that read more."""
        coverage = [answer.coverage for answer in (self, then) if answer.coverage is not None]
        return replace(
            then,
            coverage=max(coverage, default=None),
            usage=self.usage + then.usage,
            tokens_read=max(self.tokens_read, then.tokens_read),
            steps=self.steps + then.steps,
        )

    def certified(self, coverage: float) -> Answer:
        """The answer with the coverage of what it read, unless everything was read.

        Finding nothing in nearly all that could answer means that nothing is there.
        """
        if self.coverage is not None:
            return self
        if self.status != "not_retrieved" or coverage < SURE or not self.tokens_read:
            return replace(self, coverage=coverage)
        *before, last = self.steps
        steps = (*before, replace(last, status="not_found"))
        return replace(self, status="not_found", coverage=coverage, steps=steps)

    def with_left_out(self, left_out: tuple[tuple[str, str], ...]) -> Answer:
        """The same answer where these files were left out: what was not found may be in them."""
        status = "not_retrieved" if left_out and self.status == "not_found" else self.status
        return replace(self, status=status, left_out=left_out)

    def _repr_html_(self) -> str:
        """For notebooks. Imported by name: this package imports nothing else of lcrag."""
        return str(import_module("lcrag.report.notebook").answer_html(self, self.plan))
