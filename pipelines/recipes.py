"""Systems of the literature as a pipeline with options: by name wherever a pipeline's name is taken.

The router does not offer them: what is not measured better here is there to be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Recipe:
    """``route``: a pipeline with its options, as ``--pipeline`` takes it. ``about``: what it does, in a line."""

    route: str
    paper: str
    about: str


RECIPES: Final[dict[str, Recipe]] = {
    "self_route": Recipe(
        "escalate:tokens=2000,steps=1",
        "Self-Route (Li et al. 2024, arXiv 2407.16833)",
        "the best chunks, then everything where the model says that they do not hold the answer",
    ),
}
