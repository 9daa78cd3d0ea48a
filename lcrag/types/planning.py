"""What is decided before a model is called: the estimate, the backend's profile, forecasts, the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Literal, TypedDict

Role = Literal[
    "answer",
    "note",
    "synthesise",
    "summarise",
    "merge",
    "refine",
    "compare",
    "vote",
    "judge",
    "pick",
    "quote",
    "point",
    "repeat",
    "demonstrate",
    "choose",
    "rewrite",
    "probe",
    "program",
    "outline",
    "write",
]
Prefer = Literal["quality", "balanced", "speed"]
Surroundings = Literal["retrieved", "consecutive"]
Kind = Literal["fact", "paraphrase", "hops", "list", "count", "whole", "absent"]
Curve = tuple[tuple[int, float], ...]
Option = str | int | float | bool | None | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Diffusion D in [0, 1], scope in tokens of evidence, and P(all evidence within the first k tokens) by k.

    ``coverage`` holds ascending ``(k, p)`` points, p not falling; ``covered`` reads between them.
    ``answerable``: P(the corpus holds the answer at all). ``kinds``: what kind of question it is, as weights that add
    up to 1. ``reranker``: whether there is one, which reads the hits before the backend does.
    """

    diffusion: float
    scope_tokens: int
    coverage: tuple[tuple[int, float], ...]
    answerable: float
    features: Mapping[str, float] = field(default_factory=dict)
    kinds: Mapping[Kind, float] = field(default_factory=lambda: {"fact": 1.0})
    reranker: bool = False

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

        per_batch + per_call*(k-1) + k*(per_token*n + per_pair*n*(n+m))
        + out*(per_step + per_step_call*(k-1) + per_step_token*k*(n+m))

    Prefill is bound by arithmetic, so it adds up over a batch; decode is bound by memory bandwidth, so a step serves
    all calls at once: ``per_step`` for the weights, ``per_step_token`` for each token of KV cache that is read,
    ``per_step_call`` for each further call. ``error``: the median of |predicted - measured| / measured over the
    measurements it was fitted to; None if it was not fitted.
    """

    per_batch: float
    per_token: float
    per_pair: float
    per_step: float
    per_call: float = 0.0
    per_step_token: float = 0.0
    per_step_call: float = 0.0
    error: float | None = None

    def seconds(self, new: float, cached: float = 0.0, out: float = 0.0, calls: float = 1.0) -> float:
        read = new + cached
        prefill = self.per_batch + self.per_call * (calls - 1)
        prefill += calls * (self.per_token * new + self.per_pair * new * read)
        return prefill + out * (self.per_step + self.per_step_call * (calls - 1) + self.per_step_token * calls * read)


@dataclass(frozen=True, slots=True)
class BackendIdentity:
    """What a profile holds for: another window, number type or device is another profile."""

    backend: str
    model: str
    window: int
    dtype: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Learned:
    """What the route log says of a backend's profile: ``log_odds`` are added to those of P(the evidence is used), from
    ``questions`` that were asked, of which ``known`` had a right answer to compare with."""

    log_odds: float
    questions: int
    known: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a backend: its window, how well it uses what it reads, what reading costs.

    A curve is ascending ``(tokens read, P)`` points. ``use[surroundings]``: P(correct | the evidence is among what is
    read), whatever is asked; ``kinds[kind][surroundings]`` by kind of question where it was measured ("absent": P(says
    so | nothing is there); "whole": the share of what is to be said that a summary says). ``scopes[kind]``: tokens of
    evidence of the questions it was measured with.
    ``retention[role]``: P(the evidence is in a worker's note or summary of this many tokens; in the answer from notes).
    ``shift[surroundings]``: what is added to P(correct) for each feature of an estimate, learned from outcomes.
    ``false_found``: P(an answer is made up | the right one is not found); ``false_refused``: P("not found" | the
    evidence was read). ``output_ratio``: tokens that it writes for one that workloads forecast. ``kv_tokens``: what the
    KV cache holds. ``measured`` is False for the built-in ones. ``learned``: how the route log has moved the curves; a
    stored profile has none.
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
    retention: Mapping[str, Curve] = field(default_factory=dict)
    shift: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    false_found: float | None = None
    false_refused: float | None = None
    output_ratio: float = 1.0
    kv_tokens: int | None = None
    dtype: str = ""
    device: str = ""
    learned: Learned | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """The predicted cost of running a pipeline with its options.

    ``rounds``: batches that wait for each other (calls in a round run together). ``longest_prompt``: tokens of the
    longest single prompt, which must fit the window. ``evidence``: P(all the evidence is in what is read first).
    ``read_tokens``: how much document text the call that answers, or each worker, reads at once: the argument of the
    curve of ``reads`` ("answer": use among ``surroundings``). ``handovers``: the roles through which what was read then
    goes, with the tokens that each is given. ``reusable_tokens``: tokens of the input that are the same for every
    question on these documents, so that a server which has read them once may have them cached. ``written``: tokens of
    the input that the model wrote before (notes, summaries, the answers of parts). ``pieces``: in how many texts that
    are read apart from each other the evidence may lie. ``then``: what is run if this finds nothing, a workload of its
    own. ``right``: P(right | the evidence is there) of a route that no model's reading decides: it counts in place of a
    profile's curves. ``seconds``: what it takes besides what a profile's costs say of its tokens.
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
    handovers: tuple[tuple[Role, int], ...] = ()
    reusable_tokens: int = 0
    written: int = 0
    pieces: int = 1
    then: Workload | None = None
    right: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """A pipeline with options, what it would cost, and P(correct) (``quality``).

    Of a pipeline with several steps, tokens, ``calls`` and seconds are means: each step weighed by P(it is reached);
    ``every_step`` is the input of all of them.

    ``cached_tokens``: of the input tokens, those that the server has read before. ``kv_tokens``: the most that its KV
    cache holds at once for this route. ``evidence``: P(all the evidence is in what is read).
    """

    pipeline: str
    options: Mapping[str, Option]
    input_tokens: int
    output_tokens: int
    calls: float
    seconds: float
    quality: float
    fits: bool
    longest_prompt: int = 0
    cached_tokens: int = 0
    kv_tokens: int = 0
    evidence: float = 1.0
    every_step: int = 0

    @property
    def most_tokens(self) -> int:
        """Input tokens if every step is reached: what a budget must hold."""
        return max(self.input_tokens, self.every_step)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user wants: a preference, hard limits (None: no limit), or a pipeline by name."""

    prefer: Prefer = "balanced"
    max_tokens: int | None = None
    max_seconds: float | None = None
    min_quality: float | None = None
    pipeline: str | None = None


class PolicyOptions(TypedDict, total=False):
    """The fields of a Policy, for calls that take them by name."""

    prefer: Prefer
    max_tokens: int | None
    max_seconds: float | None
    min_quality: float | None
    pipeline: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The route that was chosen among ``forecasts``, and why.

    Tokens in ``estimate`` and in ``forecasts`` are counted by ``tokenizer``, which is the backend's.
    ``counterfactuals``: what would have changed the choice, a line each.
    """

    question: str
    pipeline: str
    options: Mapping[str, Option]
    reason: str
    counterfactuals: tuple[str, ...]
    estimate: Estimate
    forecasts: tuple[Forecast, ...]
    profile: Profile
    tokenizer: str = ""

    @property
    def chosen(self) -> Forecast:
        """The forecast of the route that was chosen."""
        return next(
            forecast
            for forecast in self.forecasts
            if forecast.pipeline == self.pipeline and dict(forecast.options) == dict(self.options)
        )

    def _repr_html_(self) -> str:
        """For notebooks. Imported by name: this package imports nothing else of lcrag."""
        return str(import_module("lcrag.report.notebook").plan_html(self))
