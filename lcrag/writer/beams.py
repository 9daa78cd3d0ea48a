"""Several replies at once, of which each beginning must be allowed: beam search."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Logits = npt.NDArray[np.float32]

LEAST: Final = math.log(0.01)
"""Unsure questions end early so."""
TRIED: Final = 12
"""Of the most probable next tokens of a beginning; the others are not looked at."""


@dataclass(frozen=True, slots=True)
class Beam:
    """Tokens and the logarithm of their probability among all replies, allowed or not."""

    tokens: tuple[int, ...]
    log: float


def search(
    first: Logits,
    step: Callable[[Sequence[int], Sequence[int]], Logits],
    allows: Callable[[Sequence[int]], bool],
    end: int,
    width: int,
    most_tokens: int,
) -> list[Beam]:
    """The most probable replies, at most ``width``, best first; each ended with the token ``end``. What has become less
    probable than LEAST is not followed further.

    ``first``: logits of the first token (1 x vocabulary). ``step``: the next logits (rows x vocabulary) after one token
    for each row, with the row of the call before that it continues. ``allows``: whether tokens may begin a reply, or,
    with ``end`` as the last, be one.
    """
    ended: list[Beam] = []
    open_beams, logits = [Beam((), 0.0)], first
    for _ in range(most_tokens):
        logs = log_shares(logits)
        found = []
        for row, beam in enumerate(open_beams):
            likely = np.argpartition(-logs[row], TRIED)[:TRIED]
            for token in likely[np.argsort(-logs[row][likely])].tolist():
                longer = Beam((*beam.tokens, token), beam.log + float(logs[row][token]))
                if allows(longer.tokens):
                    found.append((row, longer))
        found.sort(key=lambda one: -one[1].log)
        ended += [beam for _, beam in found[:width] if beam.tokens[-1] == end]
        kept = [(row, beam) for row, beam in found if beam.tokens[-1] != end and beam.log >= LEAST][:width]
        ended.sort(key=lambda beam: -beam.log)
        if not kept or (len(ended) >= width and ended[width - 1].log >= kept[0][1].log):
            break
        open_beams = [beam for _, beam in kept]
        logits = step([beam.tokens[-1] for beam in open_beams], [row for row, _ in kept])
    return ended[:width]


def log_shares(logits: Logits) -> npt.NDArray[np.float64]:
    """The logarithms of the probabilities of each row (rows x vocabulary)."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    shares: npt.NDArray[np.float64] = wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))
    return shares
