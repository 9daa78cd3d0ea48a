"""What each route would cost and how likely it is right: evidence × use, before anything is spent.

    P(correct) = P(the evidence is in what the model reads) × P(the model uses it | how much it reads, among what)

The first factor comes from the pipeline's workload, the second from the backend's profile, by kind of question where
that was measured. Where evidence is handed on (chain of agents: note, then answer from notes; summaries) it must
survive each hand-over: P(in a worker's note | the piece it read), once for each part of the evidence that may lie in
another piece (``Workload.pieces``), since one note that misses its part spoils the answer; then P(answered from notes).
``lcrag calibrate`` measures these terms apart from each other, because a model that answers well from short notes may
take poor ones.

A question whose answer is not there at all is right when the model says so: where a profile has the curve for that,
P(correct) is the mean of both cases, weighed by the estimate's P(answerable).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Final

from lcrag.planning.scale import PLAIN
from lcrag.planning.use import at, retained, shifted, used
from lcrag.types import CorpusSize, Estimate, Forecast, Kind, Option, Profile, Route, Surroundings, Workload

PARTS: Final[Mapping[Kind, int]] = {"fact": 1, "paraphrase": 1, "hops": 2, "list": 3, "count": 3}
"""Assumed number of places that the evidence is spread over, by kind of question. Not measured."""


def forecast(
    pipelines: Iterable[Route],
    estimate: Estimate,
    size: CorpusSize,
    profile: Profile,
    marks: Mapping[Surroundings, float] = PLAIN,
    warm: Mapping[str, int] | None = None,
) -> tuple[Forecast, ...]:
    """One Forecast for each pipeline with its options, in the same order.

    ``marks``: tokens of a prompt for one token of text, for the marks around each passage, which are fewer where
    neighbours are joined. ``warm``: by route key, how many tokens of its input the server has cached, as far as anyone
    knows.
    """
    return tuple(_forecast(pipeline, estimate, size, profile, marks, warm or {}) for pipeline in pipelines)


def route_key(pipeline: str, options: Mapping[str, Option]) -> str:
    """A route with its options as one word: what is known of its cached tokens is kept under it."""
    return " ".join([pipeline, *(f"{name}={options[name]}" for name in sorted(options))])


def _forecast(
    pipeline: Route,
    estimate: Estimate,
    size: CorpusSize,
    profile: Profile,
    marks: Mapping[Surroundings, float],
    warm: Mapping[str, int],
) -> Forecast:
    work = pipeline.workload(estimate, size, int(profile.window / max(marks.values())))
    mark = marks[work.surroundings]
    work = replace(
        work,
        input_tokens=round((work.input_tokens - work.written) * mark + work.written * profile.output_ratio),
        output_tokens=round(work.output_tokens * profile.output_ratio),
        longest_prompt=round(work.longest_prompt * mark),
        reusable_tokens=round(work.reusable_tokens * mark),
    )
    options: dict[str, Option] = {
        field.name: getattr(pipeline, field.name)
        for field in fields(pipeline)  # type: ignore[arg-type]
        if not field.kw_only or getattr(pipeline, field.name) != field.default
    }
    cached = min(warm.get(route_key(pipeline.name, options), 0), work.reusable_tokens, work.input_tokens)
    return Forecast(
        pipeline=pipeline.name,
        options=options,
        input_tokens=work.input_tokens,
        output_tokens=work.output_tokens,
        calls=work.calls,
        seconds=seconds(work, profile, cached),
        quality=quality(work, estimate, profile),
        fits=work.longest_prompt <= profile.window,
        longest_prompt=work.longest_prompt,
        cached_tokens=cached,
        kv_tokens=_held(work),
        evidence=work.evidence,
    )


def quality(work: Workload, estimate: Estimate, profile: Profile) -> float:
    """P(correct) of a route with this workload."""
    kinds = estimate.kinds
    if work.reads == "answer":
        survives = used(profile, work.surroundings, work.read_tokens, kinds, estimate.scope_tokens)
    else:
        once = retained(profile, work.reads, work.read_tokens)
        survives = sum(weight * once ** min(PARTS[kind], work.pieces) for kind, weight in kinds.items())
    for role, tokens in work.handovers:
        survives *= retained(profile, role, tokens)
    p = work.evidence * survives
    absent = profile.kinds.get("absent", {}).get(work.surroundings)
    if absent is not None:
        p = estimate.answerable * p + (1 - estimate.answerable) * at(absent, work.read_tokens)
    return min(1.0, max(0.0, p + shifted(profile, work.surroundings, estimate)))


def seconds(work: Workload, profile: Profile, cached: int = 0) -> float:
    """Wall-clock seconds: rounds one after another, the calls of a round together, as many as the KV cache holds."""
    if work.calls == 0:
        return 0.0
    at_once = work.calls / work.rounds
    waves = math.ceil(_held(work) / profile.kv_tokens) if profile.kv_tokens else 1
    waves = max(1, min(waves, math.ceil(at_once)))
    one = profile.cost.seconds(
        (work.input_tokens - cached) / work.calls,
        cached / work.calls,
        work.output_tokens / work.calls,
        max(1.0, at_once / waves),
    )
    return work.rounds * waves * one


def _held(work: Workload) -> int:
    """Tokens of KV cache that the calls of a round need at once."""
    return round((work.input_tokens + work.output_tokens) / work.rounds) if work.calls else 0
