"""What reading and writing cost on this machine: seconds of batches of known size, fitted by least squares.

The model is ``CostModel``'s: linear in its seven numbers, so that one fit takes all measurements. Each counts by its
relative error, since a forecast of 0.1 s and one of 60 s should both be right to a few per cent. No number is
negative: non-negative least squares (Lawson and Hanson 1974).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lcrag.calibrate.probes import ProbeSource
from lcrag.errors import BackendFailed
from lcrag.types import Backend, CostModel, Emit, Event

LENGTHS: Final = (128, 512, 2048, 8192, 32768, 131072)
"""Tokens of text, in steps of a factor of four: enough to tell the linear from the quadratic part."""
CONCURRENT: Final = (4, 16)
"""Calls of the batches that are run together."""
LONGEST_CONCURRENT: Final = 4096
"""Tokens of each of their texts, at most: a batch then has 65,536 at most."""
LONGEST_REPEATED: Final = 16_384
"""Longer texts are measured once, to save time."""
REPEATS: Final = 3
WRITTEN: Final = 64
"""Tokens that the longer replies may have: as many steps of decoding."""
WARM_UP: Final = 128
"""Tokens of the first call, which loads what is loaded only once and is not measured."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A batch: its calls; new tokens read, cached and written (the mean over its calls); and its seconds."""

    calls: int
    new: float
    cached: float
    out: float
    seconds: float


def fit_cost(measurements: Sequence[Measured]) -> CostModel:
    """The cost model of these measurements; ``error`` says how well it fits them.

    Raises BackendFailed if no measurement took any time.
    """
    import numpy as np
    from scipy.optimize import nnls

    batches = [batch for batch in measurements if batch.seconds > 0]
    if not batches:
        raise BackendFailed("no call took any time: nothing to fit a cost model to")
    terms = [_terms(batch) for batch in batches]
    design = np.array([list(row.values()) for row in terms]) / np.array([[batch.seconds] for batch in batches])
    scale = design.max(axis=0)
    scale[scale == 0] = 1.0  # a term that no batch has
    numbers, _ = nnls(design / scale, np.ones(len(batches)))
    cost = CostModel(**dict(zip(terms[0], map(float, numbers / scale), strict=True)))
    errors = [
        abs(cost.seconds(batch.new, batch.cached, batch.out, batch.calls) / batch.seconds - 1) for batch in batches
    ]
    return replace(cost, error=statistics.median(errors))


def _terms(batch: Measured) -> dict[str, float]:
    """What each number of ``CostModel`` is multiplied with in ``CostModel.seconds``."""
    read = batch.new + batch.cached
    return {
        "per_batch": 1.0,
        "per_call": batch.calls - 1,
        "per_token": batch.calls * batch.new,
        "per_pair": batch.calls * batch.new * read,
        "per_step": batch.out,
        "per_step_call": batch.out * (batch.calls - 1),
        "per_step_token": batch.out * batch.calls * read,
    }


def measure_cost(
    backend: Backend,
    source: ProbeSource,
    emit: Emit,
    *,
    longest: int,
    quick: bool = False,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Measured]:
    """Measure batches of growing length: cold and with the prefix cached, short and longer replies, alone and together.

    If the backend does not report cached tokens, the second runs are left out: what they read is unknown.
    """
    batches = list(_batches(longest, quick))
    measurements: list[Measured] = []
    reports_cached = True
    backend.run([source.filler(min(WARM_UP, longest), seed)], max_tokens=1)
    for number, (calls, tokens, written) in enumerate(batches):
        emit(Event("calibrate", {"part": "cost", "done": number, "total": len(batches)}))
        tasks = [source.filler(tokens, seed + 1 + 100 * number + call) for call in range(calls)]
        for again in (False, True) if reports_cached else (False,):
            start = clock()
            usages = [completion.usage for completion in backend.run(tasks, max_tokens=written)]
            seconds = clock() - start
            read = sum(usage.input_tokens for usage in usages) / calls
            cached = sum(usage.cached_tokens for usage in usages) / calls
            out = sum(usage.output_tokens for usage in usages) / calls
            if again and not cached:
                reports_cached = False
            else:
                measurements.append(Measured(calls, read - cached, cached, out, seconds))
    return measurements


def _batches(longest: int, quick: bool) -> Iterator[tuple[int, int, int]]:
    """(calls, tokens of text, tokens written at most)."""
    lengths = [tokens for tokens in LENGTHS if tokens <= longest] or [longest]
    for tokens in lengths[:: 2 if quick and len(lengths) > 3 else 1]:
        for _ in range(1 if quick or tokens > LONGEST_REPEATED else REPEATS):
            yield 1, tokens, 1
            yield 1, tokens, WRITTEN
    for calls in CONCURRENT[: 1 if quick else None]:
        for tokens in (length for length in lengths if length <= LONGEST_CONCURRENT):
            yield calls, tokens, 1
            yield calls, tokens, WRITTEN
