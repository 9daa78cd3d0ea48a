"""What a question says about the evidence that it needs, by its words alone: cues for ranking and for the estimate.

Rules of English, not a fit; a question in another language has no cues.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

CUES: Final[Mapping[str, re.Pattern[str]]] = {
    "cue_list": re.compile(r"\b(?:list|all|every|each|name the|which \w+s\b|what are|who are|enumerate)\b", re.I),
    "cue_count": re.compile(r"\b(?:how many|how often|number of|count|total|altogether)\b", re.I),
    "cue_global": re.compile(
        r"\b(?:summar\w+|overview|outline|overall|main (?:point|idea|theme|topic|argument)s?|chapters|about(?=\?*$)"
        r"|discuss\w*|in general|whole|entire)\b",
        re.I,
    ),
    "cue_compare": re.compile(
        r"\b(?:compare\w*|difference|differ|versus|vs|both|same|older|younger|larger|longer|more than|less than"
        r"|most|least|largest|smallest|first|last|before|after)\b",
        re.I,
    ),
    "cue_reason": re.compile(
        r"\b(?:why|how (?:do|does|did|is|are|was|were)|explain|describe|what did .* think)\b", re.I
    ),
}

_BROAD: Final = re.compile(
    r"\b(?:summar\w+|overview|outline|overall|discuss\w*|talk(?:ed|ing)?|opinions?|attitudes?|thinks?|thought|debat\w+"
    r"|said|say|(?:dis)?agree\w*|conclu\w+|main (?:points?|ideas?|themes?|topics?))\b",
    re.I,
)


def is_broad(question: str) -> bool:
    """Whether it asks for a discussion, an opinion or the whole: evidence is a stretch of text, not a sentence."""
    return _BROAD.search(question) is not None
