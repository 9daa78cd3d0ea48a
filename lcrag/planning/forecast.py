"""What each route would cost and how likely it is right: evidence × use, before anything is spent.

    P(correct) = P(the evidence is in what the model reads) × P(the model uses it | how much it reads, among what)

The first factor comes from the pipeline's workload, the second from the backend's profile, by kind of question where
that was measured. Where evidence is handed on (chain of agents: note, then answer from notes; summaries) it must
survive each hand-over: P(in a worker's note | the piece it read), once for each part of the evidence that may lie in
another piece (``Workload.pieces``), since one note that misses its part spoils the answer; then P(answered from notes).
``lcrag calibrate`` measures these terms apart from each other, because a model that answers well from short notes may
take poor ones.

A summary of a broad question is as good as the share of planted statements that summaries state, where that was
measured ("whole"): once for the pieces, and once for each level of summaries of summaries.

A question whose answer is not there at all is right when the model says so: where a profile has the curve for that,
P(correct) is the mean of both cases, weighed by the estimate's P(answerable).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Final

from lcrag.planning.scale import INSTRUCTION_TOKENS, PLAIN
from lcrag.planning.use import at, retained, shifted, used
from lcrag.types import CorpusSize, Estimate, Forecast, Kind, Option, Profile, Route, Surroundings, Workload

MADE_UP: Final = 0.2
"""P(a model that lacks the evidence makes an answer up instead of saying so), until it is measured: the mean of twelve
models on LaRA's questions without an answer, by its retrieval (``lara_replay.jsonl``: .15 to .37). SmolLM2-135M: .91 to
1.00."""
AGAIN: Final = 0.5
"""P(a route uses evidence | one before it read it in vain), in parts of P(it uses evidence): .35 where that one said
that nothing is there (109 pairs of answers), .63 where its answer had no support (452; ``examples/routing``)."""
PARTS: Final[Mapping[Kind, int]] = {"fact": 1, "paraphrase": 1, "hops": 2, "list": 3, "count": 3}
"""Assumed number of places that the evidence is spread over, by kind of question. Not measured."""


def forecast(
    pipelines: Iterable[Route],
    estimate: Estimate,
    size: CorpusSize,
    profile: Profile,
    marks: Mapping[Surroundings, float] = PLAIN,
    warm: Mapping[str, int] | None = None,
    frame: int = INSTRUCTION_TOKENS,
) -> tuple[Forecast, ...]:
    """One Forecast for each pipeline with its options, in the same order.

    ``marks``: tokens of a prompt for one token of text, for the marks around each passage, which are fewer where
    neighbours are joined. ``warm``: by route key, how many tokens of its input the server has cached, as far as anyone
    knows. ``frame``: tokens of a prompt without its text, for which workloads put INSTRUCTION_TOKENS.
    """
    return tuple(_forecast(pipeline, estimate, size, profile, marks, warm or {}, frame) for pipeline in pipelines)


def route_key(pipeline: str, options: Mapping[str, Option]) -> str:
    """A route with its options as one word: what is known of its cached tokens is kept under it."""
    return " ".join([pipeline, *(f"{name}={options[name]}" for name in sorted(options))])


def options_of(pipeline: Route) -> dict[str, Option]:
    """Its options as a plan shows them: those that are only given by name where they are not as usual."""
    return {
        field.name: getattr(pipeline, field.name)
        for field in fields(pipeline)  # type: ignore[arg-type]
        if not field.kw_only or getattr(pipeline, field.name) != field.default
    }


def _forecast(
    pipeline: Route,
    estimate: Estimate,
    size: CorpusSize,
    profile: Profile,
    marks: Mapping[Surroundings, float],
    warm: Mapping[str, int],
    frame: int,
) -> Forecast:
    work = pipeline.workload(estimate, size, int(profile.window / max(marks.values())))
    steps = list(_steps(work, profile, marks, frame))
    options = options_of(pipeline)
    cached = min(warm.get(route_key(pipeline.name, options), 0), steps[-1].reusable_tokens, steps[-1].input_tokens)
    shares = list(reached(steps, estimate, profile))
    longest = max(step.longest_prompt for step in steps)

    def mean(values: Iterable[float]) -> float:
        return sum(share * value for (share, _), value in zip(shares, values, strict=True))

    return Forecast(
        pipeline=pipeline.name,
        options=options,
        input_tokens=round(mean(step.input_tokens for step in steps)),
        output_tokens=round(mean(step.output_tokens for step in steps)),
        calls=round(mean(step.calls for step in steps), 1),
        seconds=mean(seconds(step, profile, cached if step is steps[-1] else 0) for step in steps),
        quality=min(1.0, mean(right for _, right in shares)),
        fits=longest <= profile.window,
        longest_prompt=longest,
        cached_tokens=cached,
        kv_tokens=max(map(_held, steps)),
        evidence=min(1.0, mean(_new_evidence(steps))),
        every_step=sum(step.input_tokens for step in steps),
    )


def _steps(
    work: Workload | None, profile: Profile, marks: Mapping[Surroundings, float], frame: int
) -> Iterator[Workload]:
    """The workload and those that follow it, in the backend's tokens with the marks of a prompt."""
    while work is not None:
        mark = marks[work.surroundings]
        frames = min(work.calls * INSTRUCTION_TOKENS, work.input_tokens - work.written)
        text = work.input_tokens - work.written - frames
        yield replace(
            work,
            input_tokens=round(text * mark + work.written * profile.output_ratio + frames * frame / INSTRUCTION_TOKENS),
            output_tokens=round(work.output_tokens * profile.output_ratio),
            longest_prompt=round(work.longest_prompt * mark),
            reusable_tokens=round(work.reusable_tokens * mark),
        )
        work = work.then


def reached(steps: Sequence[Workload], estimate: Estimate, profile: Profile) -> Iterator[tuple[float, float]]:
    """Of each step P(it is reached), so that those before it were not right and said so, and P(right | reached)."""
    made_up = MADE_UP if profile.false_found is None else profile.false_found
    share, before = 1.0, None
    for step in steps:
        now = quality(step, estimate, profile)
        right = now if before is None else remaining(before, (now, step.evidence), estimate.answerable)
        yield share, right
        share *= (1 - right) * (1 - made_up)
        before = now, step.evidence


def _new_evidence(steps: Sequence[Workload]) -> Iterator[float]:
    """P(a step has the evidence and none before it had)."""
    seen = 0.0
    for step in steps:
        yield max(0.0, step.evidence - seen)
        seen = max(seen, step.evidence)


def remaining(before: tuple[float, float], now: tuple[float, float], answerable: float) -> float:
    """P(a route is right | one before it was not), from P(correct) and P(all evidence is read) of each: Bayes' rule.

    Evidence is nested, since both read down the same ranking. The later route may have what the earlier missed; what
    that one read and did not use, it uses AGAIN times as often as others would. The failure also makes it likelier that
    the documents hold no answer at all.
    """
    (tried, read), (quality, evidence) = before, now
    used, use = min(1.0, tried / max(1e-9, read)), min(1.0, quality / max(1e-9, evidence))
    fresh = max(0.0, evidence - read)
    in_vain = min(read, evidence) * (1 - used)
    return min(1.0, answerable * use * (fresh + AGAIN * in_vain) / failed(tried, answerable))


def failed(quality: float, answerable: float) -> float:
    """P(a route with this P(correct) finds nothing that is right), above 0."""
    return max(1e-9, answerable * (1 - quality) + 1 - answerable)


def quality(work: Workload, estimate: Estimate, profile: Profile) -> float:
    """P(correct) of a route with this workload."""
    if work.right is not None:
        return work.evidence * work.right
    kinds = estimate.kinds
    whole = profile.kinds.get("whole", {}).get("consecutive")
    if whole and work.reads == "summarise" and estimate.features.get("broad"):
        levels = [work.read_tokens, *(tokens for _, tokens in work.handovers)]
        return work.evidence * math.prod(at(whole, tokens) for tokens in levels)
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
        return work.seconds
    at_once = work.calls / work.rounds
    waves = math.ceil(_held(work) / profile.kv_tokens) if profile.kv_tokens else 1
    waves = max(1, min(waves, math.ceil(at_once)))
    one = profile.cost.seconds(
        (work.input_tokens - cached) / work.calls,
        cached / work.calls,
        work.output_tokens / work.calls,
        max(1.0, at_once / waves),
    )
    return work.rounds * waves * one + work.seconds


def _held(work: Workload) -> int:
    """Tokens of KV cache that the calls of a round need at once."""
    return round((work.input_tokens + work.output_tokens) / work.rounds) if work.calls else 0
