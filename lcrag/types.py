"""Every value that crosses a module, and the protocols between them.

Units, once for all: *tokens* are the counting backend's own; *offsets* are characters, half-open, into
``Document.text``; *seconds* are wall-clock; *probabilities* are in [0, 1]. Values are frozen: a step makes new ones.
This module imports the standard library only, so that everything may import it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Status = Literal["answered", "not_found", "not_retrieved", "contradictory", "refused_by_budget"]
Role = Literal["answer", "note", "synthesise", "summarise", "judge"]
Prefer = Literal["quality", "balanced", "speed"]
Surroundings = Literal["retrieved", "consecutive"]
Kind = Literal["fact", "paraphrase", "hops", "list", "count", "absent"]
Curve = tuple[tuple[int, float], ...]
Option = str | int | float | bool | None | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One ingested file. ``id`` is a hash of ``text``; two files with the same text share it.

    ``pages``: offsets where pages (PDF) or slides (PPTX) begin, ascending, ``()`` when the format has none.
    ``lines``: ``(offset, line of the file)`` pairs, ascending. A place at or after a pair, before the next, is on that
    pair's line plus the newlines between. Text kept as it stands in the file has ``((0, 1),)``; ``()`` when the file
    has no lines (PDF, DOCX). ``cells``: offsets where a notebook's cells begin. ``title`` is what the document calls
    itself, or "".
    """

    id: str
    source: str
    text: str
    pages: tuple[int, ...] = ()
    lines: tuple[tuple[int, int], ...] = ((0, 1),)
    title: str = ""
    cells: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: ``text == document.text[start:end]``, always. Chunks tile their document.

    ``id`` is the index's row number, ascending in reading order within a document.
    """

    id: int
    document_id: str
    source: str
    start: int
    end: int
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved chunk. Ranks count from 0; None where that ranking did not return the chunk.

    ``score`` is the fused one; ``lexical_score`` is BM25 (higher is better), ``dense_score`` a cosine.
    """

    chunk: Chunk
    score: float
    lexical_rank: int | None = None
    dense_rank: int | None = None
    lexical_score: float | None = None
    dense_score: float | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the question after stemming: in how many chunks it occurs, and its BM25 idf."""

    text: str
    chunks: int
    idf: float


@dataclass(frozen=True, slots=True)
class CorpusSize:
    """``longest_document``: tokens of the longest one, 0 when nobody has counted."""

    documents: int
    chunks: int
    tokens: int
    longest_document: int = 0


@dataclass(frozen=True, slots=True)
class Ranking:
    """What retrieval says of a question: hits best first, and what the estimator needs besides.

    ``dense`` tells whether vectors took part. ``hits`` is cut at a depth; what is not in it ranks below all of it, and
    ``rest`` says how far below: ``(score, chunks)`` pairs, falling, scores rounded. ``reader``: what can read the hits
    beside the question before a backend does, if anything can.
    """

    question: str
    hits: tuple[Hit, ...]
    terms: tuple[Term, ...]
    size: CorpusSize
    dense: bool
    rest: tuple[tuple[float, int], ...] = ()
    reader: Reader | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Diffusion D in [0, 1], scope in tokens of evidence, and P(all evidence within the first k tokens) by k.

    ``coverage`` holds ascending ``(k, p)`` points, p not falling; ``covered`` reads between them.
    ``answerable``: P(the corpus holds the answer at all). ``reader``: whether one is there to rank and prune.
    """

    diffusion: float
    scope_tokens: int
    coverage: tuple[tuple[int, float], ...]
    answerable: float
    features: Mapping[str, float] = field(default_factory=dict)
    reader: bool = False

    def covered(self, tokens: float) -> float:
        """P(all the evidence is within the first ``tokens`` tokens in rank order), linear between the points."""
        before_k, before_p = 0, 0.0
        for k, p in self.coverage:
            if tokens < k:
                return before_p + (p - before_p) * (tokens - before_k) / (k - before_k)
            before_k, before_p = k, p
        return before_p


@dataclass(frozen=True, slots=True)
class CostModel:
    """Seconds of a batch of k calls, each of n new tokens after m cached ones and ``out`` written:

        a + more*(k-1) + k*(b*n + c*n*(n+m)) + out*(d + crowd*(k-1) + context*k*(n+m))

    Reading is bound by arithmetic, so it adds up over a batch; writing is bound by memory, so a step serves all calls
    at once: ``d`` for the weights, ``context`` for each token of KV cache read, ``crowd`` for each further call.
    ``error``: the median of |predicted - measured| / measured over the measurements it was fitted to; None: not fitted.
    """

    a: float
    b: float
    c: float
    d: float
    more: float = 0.0
    context: float = 0.0
    crowd: float = 0.0
    error: float | None = None

    def seconds(self, new: float, cached: float = 0.0, out: float = 0.0, calls: float = 1.0) -> float:
        whole = new + cached
        reading = self.a + self.more * (calls - 1) + calls * (self.b * new + self.c * new * whole)
        return reading + out * (self.d + self.crowd * (calls - 1) + self.context * calls * whole)


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a backend: its window, how well it uses what it reads, what reading costs.

    A curve is ascending ``(tokens read, P)`` points. ``use[surroundings]``: P(correct | the evidence is among what is
    read), whatever is asked; ``kinds[kind][surroundings]`` by kind of question where it was measured ("absent":
    P(says so | nothing is there)). ``scopes[kind]``: tokens of evidence of the questions it was measured with.
    ``handed[role]``: P(the evidence is in a worker's note or summary of this many tokens; in the answer from notes).
    ``shift[surroundings]``: what is added to P(correct) for each feature of an estimate, learned from outcomes.
    ``false_found``: P(an answer is made up | nothing is there); ``false_refused``: P("not found" | the evidence was
    read). ``brevity``: tokens it writes for one that workloads reckon with. ``kv_tokens``: what the KV cache holds.
    ``measured`` is False for the cautious built-in ones.
    """

    name: str
    backend: str
    model: str
    window: int
    use: Mapping[str, Curve]
    cost: CostModel
    measured: bool = False
    kinds: Mapping[str, Mapping[str, Curve]] = field(default_factory=dict)
    scopes: Mapping[str, int] = field(default_factory=dict)
    handed: Mapping[str, Curve] = field(default_factory=dict)
    shift: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    false_found: float | None = None
    false_refused: float | None = None
    brevity: float = 1.0
    kv_tokens: int | None = None
    dtype: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a pipeline with its options will ask of a backend, told before it asks.

    ``rounds``: batches that wait for each other (calls in a round run together). ``longest_prompt``: tokens of the
    longest single prompt, which must fit the window. ``evidence``: P(all the evidence is in what is read first).
    ``read_tokens``: how much document text the call that answers, or each worker, reads at once: the argument of the
    curve of ``reads`` ("answer": use among ``surroundings``). ``handed``: the roles through which what was read then
    goes, with the tokens that each is given. ``lasting``: tokens of the input that are the same for every question on
    these documents, so that a server which has read them once may have them cached. ``written``: tokens of the input
    that the model wrote before (notes, summaries, the answers of parts).
    """

    input_tokens: int
    output_tokens: int
    calls: int
    rounds: int
    longest_prompt: int
    evidence: float
    read_tokens: int
    surroundings: Surroundings
    reads: Role = "answer"
    handed: tuple[tuple[Role, int], ...] = ()
    lasting: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class Forecast:
    """A pipeline with options, what it would cost, and P(correct) (``quality``).

    ``cached_tokens``: of the input tokens, those that the server has read before. ``kv_tokens``: the most that its KV
    cache holds at once for this route. ``evidence``: P(all the evidence is in what is read).
    """

    pipeline: str
    options: Mapping[str, Option]
    input_tokens: int
    output_tokens: int
    calls: int
    seconds: float
    quality: float
    fits: bool
    longest_prompt: int = 0
    cached_tokens: int = 0
    kv_tokens: int = 0
    evidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user wants: a preference, hard limits (None: no limit), or a pipeline by name."""

    prefer: Prefer = "balanced"
    max_tokens: int | None = None
    max_seconds: float | None = None
    min_quality: float | None = None
    pipeline: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    question: str
    pipeline: str
    options: Mapping[str, Option]
    reason: str
    counterfactuals: tuple[str, ...]
    estimate: Estimate
    forecasts: tuple[Forecast, ...]
    profile: Profile


@dataclass(frozen=True, slots=True)
class Passage:
    """Document text as a task sees it, under a marker that is unique within one answer.

    ``text == document.text[start:end]``, or for a compressed passage an extract of it (``parts`` then holds the
    offsets of the pieces, in order, whose texts joined by single newlines are ``text``).
    """

    marker: int
    document_id: str
    source: str
    start: int
    end: int
    text: str
    tokens: int
    parts: tuple[tuple[int, int], ...] = ()


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


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on the way: ``kind`` is the contract's event name, ``data`` is JSON-ready."""

    kind: str
    data: Mapping[str, Any]


Emit = Callable[[Event], None]


class Embedder(Protocol):
    """Text to unit vectors: float32, shape ``(len(texts), dimensions)``. ``name`` keys the cache of vectors."""

    @property
    def name(self) -> str: ...
    @property
    def dimensions(self) -> int: ...
    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What one text says to the question. Scores are logits, comparable between texts of one question.

    ``rank``: how well it answers; ``here``: whether it does at all. ``places``: characters, half-open, of each word
    piece in the text, int32, shape (pieces, 2); ``evidence``: P(the piece belongs to a sentence that answers), float32,
    (pieces,). ``answer``: characters of the best span, with ``answer_score`` above that of no answer; (0, 0) and
    -inf for an empty text. What is beyond the reader's window is not in ``places``.
    """

    rank: float
    here: float
    answer: tuple[int, int]
    answer_score: float
    places: npt.NDArray[np.int32]
    evidence: npt.NDArray[np.float32]

    def evidence_in(self, start: int, end: int) -> float:
        """The mean over the word pieces that begin in the text's characters ``start`` to ``end``; 0 for none."""
        inside = (self.places[:, 0] >= start) & (self.places[:, 0] < end)
        return float(self.evidence[inside].mean()) if inside.any() else 0.0


class Reader(Protocol):
    """Reads a question beside each of some texts: one Reading a text, in their order. ``name`` tells the weights."""

    @property
    def name(self) -> str: ...
    def read(self, question: str, texts: Sequence[str]) -> list[Reading]: ...


class Backend(Protocol):
    """Runs tasks. ``tokenizer`` names what ``count_tokens`` counts with; an estimate's name starts with "estimate"."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def window(self) -> int: ...
    @property
    def tokenizer(self) -> str: ...
    def count_tokens(self, text: str) -> int: ...
    def count_many(self, texts: Sequence[str]) -> list[int]: ...
    def run(self, tasks: Sequence[Task], *, max_tokens: int) -> list[Completion]: ...


class CorpusReader(Protocol):
    """What pipelines may ask of a corpus (``lcrag.index.corpus.Corpus`` is one)."""

    @property
    def size(self) -> CorpusSize: ...
    @property
    def tokenizer(self) -> str: ...
    def chunks(self) -> Iterator[Chunk]: ...
    def document(self, document_id: str) -> Document: ...


class Pipeline(Protocol):
    """One way to answer: a frozen dataclass whose fields are its options."""

    name: ClassVar[str]

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        """The option sets worth forecasting for this question."""
        ...

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload: ...

    def answer(self, question: str, corpus: CorpusReader, ranking: Ranking, backend: Backend, emit: Emit) -> Answer: ...
