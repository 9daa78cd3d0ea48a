"""What each route would cost and how likely it is right: evidence × use, before anything is spent.

    P(correct) = P(the evidence is in what the model reads) × P(the model uses it | how much it reads, among what)

The first factor comes from the pipeline's workload, the second from the backend's profile. Where evidence is handed on
(chain of agents: worker, then manager) the second factor counts once a hand-over; the manager reads notes, which are
short, so it counts at the profile's best point there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from lcrag.profile import used
from lcrag.types import CorpusSize, CostModel, Estimate, Forecast, Pipeline, Profile, Workload


def forecast(
    pipelines: Iterable[Pipeline], estimate: Estimate, size: CorpusSize, profile: Profile, fences: float = 1.0
) -> tuple[Forecast, ...]:
    """One Forecast for each pipeline with its options, in the same order.

    ``fences``: tokens of a prompt for one token of text, for the marks around each passage.
    """
    return tuple(_forecast(pipeline, estimate, size, profile, fences) for pipeline in pipelines)


def _forecast(pipeline: Pipeline, estimate: Estimate, size: CorpusSize, profile: Profile, fences: float) -> Forecast:
    window = int(profile.window / fences)
    work = pipeline.workload(estimate, size, window)
    work = replace(
        work, input_tokens=round(work.input_tokens * fences), longest_prompt=round(work.longest_prompt * fences)
    )
    notes = max(p for _, p in profile.use[work.surroundings])
    quality = work.evidence * used(profile, work.surroundings, work.read_tokens) * notes ** (work.links - 1)
    return Forecast(
        pipeline=pipeline.name,
        options={field.name: getattr(pipeline, field.name) for field in fields(pipeline)},  # type: ignore[arg-type]
        input_tokens=work.input_tokens,
        output_tokens=work.output_tokens,
        calls=work.calls,
        seconds=seconds(work, profile.cost),
        quality=min(1.0, max(0.0, quality)),
        fits=work.longest_prompt <= profile.window,
        longest_prompt=work.longest_prompt,
    )


def seconds(work: Workload, cost: CostModel) -> float:
    """Wall-clock seconds: rounds one after another, the calls of a round side by side as far as the backend can."""
    if work.calls == 0:
        return 0.0
    one = cost.seconds(work.input_tokens / work.calls, 0.0, work.output_tokens / work.calls)
    at_once = work.calls / work.rounds
    return work.rounds * one * max(1.0, at_once / cost.parallel)
