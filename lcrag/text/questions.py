"""What the words of a question say about the evidence that it needs.

These are rules of English, not a fit; a question in another language has no cues. Several sets ask nearly the same and
differ on purpose: weights were fitted to ``CUES``, so they may not change; the extractive backend must notice "which
mills" and "name every" or it quotes one sentence of a list; the search for contradictions must not take a question for
numeric that is not, or it compares years that nobody asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from lcrag.text.words import stems

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
"""Features of the estimate (``lcrag.planning.features``), by name."""

_BROAD: Final = re.compile(
    r"\b(?:summar\w+|overview|outline|overall|discuss\w*|talk(?:ed|ing)?|opinions?|attitudes?|thinks?|thought|debat\w+"
    r"|said|say|(?:dis)?agree\w*|conclu\w+|main (?:points?|ideas?|themes?|topics?))\b",
    re.I,
)
_SUMMARY: Final = re.compile(
    r"\b(?:summari[sz]e|summary|overview|outline|main (?:points?|ideas?|themes?)|what (?:is|are) (?:it|this|these|they)"
    r" about|what (?:is|was) (?:this|the) \w+ about"
    r"|what (?:is|are|was|were) (?:\S+ ){1,6}(?:mainly|mostly|all) about)\b",
    re.I,
)
_WHOLE: Final = re.compile(
    r"\b(?:whole|entire|all|give|write|me|meeting|discussion|document|text|book|article|chapter|story|paper|dialogue"
    r"|conversation|transcript|content|contents|passages?|everything|please)\b",
    re.I,
)
_REPORT: Final = re.compile(
    r"\b(?:write|draft|compose|prepare|produce|make|give (?:me|us))\s+(?:(?:me|us)\s+)?"
    r"(?:(?!(?:of|on|about|from|for|in|what|how|to)\b)[\w,-]+\s+){0,5}(?:report|essay|survey)\b"
    r"(?:\s+(?:of|on|about)\b)?",
    re.I,
)
"""A verb and what is to be written: "Write a short report on". Not "summarise the report"."""
_WORDS: Final = re.compile(r"(?<![\d.,])(\d{1,2},\d{3}|\d{1,5})[ -](words?|sentences?)\b", re.I)
SUMMARY_WORDS, SENTENCE_WORDS = 150, 20
"""Words of a summary whose question does not say how many, and of a sentence of one. The gold summaries of qmsum have
30 to 150, those of leval 60 to 290."""
_LIST: Final = re.compile(
    r"\b(?:list|all|every|each|which \w+s|name (?:the|all|every|\w+s)"
    r"|what are|who are|were there|summari[sz]e)\b",
    re.I,
)
_NUMBER: Final = re.compile(
    r"\bhow (?:many|much|long|old|far|tall|big|large|high|often|deep|wide)\b|\bwhen\b"
    r"|\b(?:year|date|day|month|time|number|amount|percentage|price|cost|age|height|length|size|population)\b",
    re.I,
)
_NAME: Final = re.compile(r"\b(?:who|whom|whose|where|which|what)\b", re.I)

_A_NUMBER: Final = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|hundred|dozen)\b"
)
_A_DATE: Final = re.compile(
    r"\b(?:1\d{3}|20\d{2}|\d{1,2}:\d\d|jan\w*|feb\w*|march|april|may|june|july|aug\w*|sept\w*|oct\w*|nov\w*|dec\w*|\w+day"
    r"|yesterday|tomorrow|(?:last|next) (?:week|month|year)|spring|summer|autumn|winter|century)\b",
    re.I,
)
_A_NAME: Final = re.compile(r"(?<=[\w,;'’\"] )[A-Z][\w'’-]+|^[A-Z]\w+ [A-Z]\w+")
_EXPECTED: Final = (
    (
        re.compile(
            r"\bhow (?:many|much|old|long|far|tall|big|large|high|often|deep|wide)\b|\bwhat (?:number|percentage)\b"
        ),
        _A_NUMBER,
    ),
    (re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|time|century)\b"), _A_DATE),
    (re.compile(r"\bwho(?:se|m)?\b|\bwhere\b"), _A_NAME),
)
"""Pairs of a cue in the lower-case question and what a sentence that answers it contains; the first cue counts."""


def is_broad(question: str) -> bool:
    """Whether it asks for a discussion, an opinion or the whole: its evidence is a stretch of text, not a sentence.

    Wider than ``asks_for_summary``: what somebody thinks is retrieved broadly and then quoted, not summarised.
    """
    return _BROAD.search(question) is not None


def asks_for_summary(question: str) -> bool:
    """Whether the answer is a summary of what is read, so that it cannot be missing there."""
    return _SUMMARY.search(question) is not None


def asks_for_report(question: str) -> bool:
    """Whether it asks for a text to be written that is longer than an answer: a report, an essay, a survey."""
    return _REPORT.search(question) is not None


def words_asked(question: str, usual: int = SUMMARY_WORDS) -> int:
    """How many words a text should have: "in 100 words", "in 3 sentences", or else the usual."""
    asked = _WORDS.search(question)
    number = int(asked[1].replace(",", "")) if asked else 0
    if asked is None or not number:
        return usual
    return number * (SENTENCE_WORDS if asked[2].lower().startswith("sentence") else 1)


def without_cue(question: str) -> str:
    """What a summary or a report is asked of: the question without the words that ask for it, and for all of a text."""
    return _WHOLE.sub(" ", _SUMMARY.sub(" ", _REPORT.sub(" ", _WORDS.sub(" ", question))))


def asks_for_list(question: str) -> bool:
    """Whether the answer has several items, so that many sentences may each hold one."""
    return _LIST.search(question) is not None


def asks_for_number(question: str) -> bool:
    """Whether sources that differ in a number, dates included, answer it differently.

    Wider than the first cues of ``expected_answer``: "the cost" may be asked for in any words.
    """
    return _NUMBER.search(question) is not None


def asks_for_name(question: str) -> bool:
    """Whether sources that differ in a name, and not in a number, answer it differently."""
    return _NAME.search(question) is not None and not asks_for_number(question)


def expected_answer(question: str) -> re.Pattern[str] | None:
    """A pattern found in sentences that may answer: a number for "how many", a date, a name; None without a cue."""
    lowered = question.lower()
    return next((answer for cue, answer in _EXPECTED if cue.search(lowered)), None)


def named_in(question: str) -> list[str]:
    """Stems of the question's names and numbers: what a wrong premise is most often wrong about."""
    words = [
        word
        for before, word in pairwise(["", *question.split()])
        if before and (word[:1].isupper() or any(map(str.isdigit, word)))
    ]
    return list(dict.fromkeys(stem for word in words for stem in stems(word)))
