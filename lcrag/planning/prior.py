"""What a model that nobody has measured is likely to be worth, by its size: a prior, never shown as measured.

A model's name usually says its size ("Qwen2.5-7B-Instruct", "smollm2-135m"); one that does not is taken for 8B. How
well models of a size use what they read, and how often they make something up, is taken from answers to real questions:

    3B to 70B   the published answers of seven open models to LaRA's questions (Li et al. 2025, ``lara_replay.jsonl``):
                full context at 32k and 128k, and refusals of questions without an answer
    135M        659 questions of six sources, SmolLM2-135M with lcrag's adapter (``examples/routing/README.md``)

Between them it is linear in the logarithm of the size; between lengths a power of the length.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from lcrag.types import CostModel, Curve, Profile

TYPICAL: Final = 8.0
"""Billions of parameters of a model whose name does not say."""
LENGTHS: Final = (500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000, 1_024_000)
HIGHEST: Final = 0.9
"""P(use) at most: gold answers of real questions are not all what a right answer would say."""
DISTRACTED: Final = 0.95
"""Passages that rank high are the worst distractors, so the same number of tokens is used less well. Assumed; .6 of
SmolLM2-135M at 4,000 tokens."""
HANDED: Final = 0.85
"""Of what a model would use, the share that it writes into a note or a summary for another. Assumed; .88 of
SmolLM2-135M for notes."""
_BILLIONS: Final = re.compile(r"(?<![\w.])(?:(\d+)x)?(\d+(?:\.\d+)?)(b|m)(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Size:
    """Models of ``billions`` of parameters. ``use``: P(the evidence is used) at 32,000 tokens of consecutive text;
    ``fall``: it goes with the length to this power. ``low``, ``high``: the models that were measured, at 32,000 tokens.
    ``refuses``: P(says so | nothing is there). ``merged``: P(an answer survives being merged with those of parts).
    """

    billions: float
    use: float
    fall: float
    low: float
    high: float
    refuses: float
    merged: float


SIZES: Final = (
    Size(0.135, 0.12, 0.25, 0.08, 0.21, 0.08, 0.46),
    Size(3.0, 0.54, 0.15, 0.44, 0.60, 0.81, HANDED),
    Size(8.0, 0.61, 0.11, 0.42, 0.69, 0.80, HANDED),
    Size(70.0, 0.70, 0.07, 0.67, 0.76, 0.80, HANDED),
)


def billions(model: str) -> float | None:
    """Billions of parameters as a model's name says them: 0.135 of "SmolLM2-135M", 56 of "8x7B"; None without."""
    found = _BILLIONS.search(model.replace("_", "-"))
    if found is None:
        return None
    times, number, unit = found.groups()
    return int(times or 1) * float(number) / (1000 if unit.lower() == "m" else 1)


def of_size(size: float) -> Size:
    """What is likely of a model of this many billions of parameters."""
    logs = [math.log(one.billions) for one in SIZES]
    at = min(max(math.log(max(size, 1e-3)), logs[0]), logs[-1])
    place = next(number for number in range(1, len(SIZES)) if at <= logs[number])
    low, high = SIZES[place - 1], SIZES[place]
    share = (at - logs[place - 1]) / (logs[place] - logs[place - 1])

    def between(name: str) -> float:
        return float(getattr(low, name) + share * (getattr(high, name) - getattr(low, name)))

    names = ("use", "fall", "low", "high", "refuses", "merged")
    return Size(size, **{name: between(name) for name in names})


def prior(backend: str, model: str, window: int, cost: CostModel) -> Profile:
    """The Profile of a served model that was not measured. ``window``: its context in tokens."""
    named = billions(model.rsplit("/", 1)[-1])
    size = of_size(TYPICAL if named is None else named)
    consecutive = _curve(size, window, 1.0)
    use = {"consecutive": consecutive, "retrieved": _curve(size, window, DISTRACTED)}
    kept = tuple((k, round(p * HANDED, 4)) for k, p in consecutive)
    says_so = ((1, round(size.refuses, 3)),)
    about = f"{size.billions:g}B" if size.billions >= 1 else f"{1000 * size.billions:.0f}M"
    taken = "" if named is not None else ", as its name does not say"
    return Profile(
        f"built-in (a model of {about}{taken}: {size.low:.2f} to {size.high:.2f} used at 32k)",
        backend,
        model,
        window,
        use,
        cost,
        kinds={"absent": {"retrieved": says_so, "consecutive": says_so}},
        retention={"note": kept, "summarise": kept, "synthesise": ((1, round(size.merged, 3)),)},
        false_found=1 - size.refuses,
    )


def _curve(size: Size, window: int, times: float) -> Curve:
    lengths = sorted({*(length for length in LENGTHS if length < window), max(1, window)})
    return tuple((k, round(times * min(HIGHEST, size.use * (32_000 / k) ** size.fall), 4)) for k in lengths)
