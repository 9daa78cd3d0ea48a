"""What reading and writing cost on the machine at hand: seconds of batches of known size, fitted by least squares.

The model is ``CostModel``'s: linear in its seven numbers, so one fit takes all measurements at once. Each counts by its
relative error, since a forecast of 0.1 s and one of 60 s should both be right to a few per cent. Numbers that would
come out negative are left out and the rest fitted again.
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
SIDE_BY_SIDE: Final = (4, 16)
LONGEST_SIDE_BY_SIDE: Final = 4096
REPEATS: Final = 3
WRITTEN: Final = 64


@dataclass(frozen=True, slots=True)
class Measured:
    """A batch: its calls, tokens read anew, cached and written (each a call, on average), and its seconds."""

    calls: int
    new: float
    cached: float
    out: float
    seconds: float


def fit_cost(measured: Sequence[Measured]) -> CostModel:
    """The cost model of these measurements; ``error`` tells how well it fits them. Raises BackendFailed without any."""
    import numpy as np

    rows = [one for one in measured if one.seconds > 0]
    if not rows:
        raise BackendFailed("no call took any time: nothing to fit a cost model to")
    names = ("per_batch", "per_call", "per_token", "per_pair", "per_step", "per_step_call", "per_step_token")
    design = np.array(
        [
            (
                1.0,
                one.calls - 1,
                one.calls * one.new,
                one.calls * one.new * (one.new + one.cached),
                one.out,
                one.out * (one.calls - 1),
                one.out * one.calls * (one.new + one.cached),
            )
            for one in rows
        ]
    )
    weighted = design / np.array([[one.seconds] for one in rows])
    left = [place for place in range(len(names)) if weighted[:, place].any()]
    while True:
        scale = np.abs(weighted[:, left]).max(axis=0)
        found = np.linalg.lstsq(weighted[:, left] / scale, np.ones(len(rows)), rcond=None)[0] / scale
        if (found >= 0).all():
            break
        worst = int(np.argmin(found * scale))
        left = [place for number, place in enumerate(left) if number != worst]
    fitted = {names[place]: float(value) for place, value in zip(left, found, strict=True)}
    cost = CostModel(**dict.fromkeys(("per_batch", "per_token", "per_pair", "per_step"), 0.0) | fitted)
    errors = [abs(cost.seconds(one.new, one.cached, one.out, one.calls) - one.seconds) / one.seconds for one in rows]
    return replace(cost, error=statistics.median(errors))


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
    """Batches of growing length, cold and again with the prefix warm, writing little and more, alone and together.

    A server that does not tell its cached tokens leaves the warm ones out: nobody knows what they read.
    """
    batches = list(_batches(longest, quick))
    found: list[Measured] = []
    tells = True
    backend.run([source.filler(min(128, longest), seed)], max_tokens=1)  # what is loaded at the first call
    for number, (calls, tokens, written) in enumerate(batches):
        emit(Event("calibrate", {"part": "cost", "done": number, "total": len(batches)}))
        tasks = [source.filler(tokens, seed + 1 + 100 * number + call) for call in range(calls)]
        for warm in (False, True) if tells else (False,):
            begun = clock()
            done = backend.run(tasks, max_tokens=written)
            seconds = clock() - begun
            read = sum(one.usage.input_tokens for one in done) / calls
            cached = sum(one.usage.cached_tokens for one in done) / calls
            tells = not warm or cached > 0
            if tells:
                out = sum(one.usage.output_tokens for one in done) / calls
                found.append(Measured(calls, read - cached, cached, out, seconds))
    return found


def _batches(longest: int, quick: bool) -> Iterator[tuple[int, int, int]]:
    """(calls, tokens of text, tokens written at most)."""
    lengths = [tokens for tokens in LENGTHS if tokens <= longest] or [longest]
    for tokens in lengths[:: 2 if quick and len(lengths) > 3 else 1]:
        for _ in range(1 if quick or tokens > LONGEST_SIDE_BY_SIDE * 4 else REPEATS):
            yield 1, tokens, 1
            yield 1, tokens, WRITTEN
    for calls in SIDE_BY_SIDE[: 1 if quick else None]:
        for tokens in (length for length in lengths if length <= LONGEST_SIDE_BY_SIDE):
            yield calls, tokens, 1
            yield calls, tokens, WRITTEN
