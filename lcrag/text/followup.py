"""Questions that mean something only after the last one ("And in 1958?", "Who built it?"), made to stand alone.

Rules of English for the backend without a language model, and for telling which questions a model is asked about at
all: most questions stand alone, and asking costs a call.
"""

from __future__ import annotations

import re
from typing import Final

from lcrag.text.words import MONTHS, STOP_WORDS

LONGEST_REWRITE: Final = 400
"""Characters of a question that was made to stand alone; assumed. A longer one is an answer, or a loop."""

MEANT: Final = 3
"""Things that a pronoun may mean, at most; assumed."""

_PERSON: Final = re.compile(r"\b(?:he|she|him|her|his|hers|they|them|their|theirs)\b", re.I)
_THING: Final = re.compile(
    r"\b(?:it|its)\b|\b(?:this|that|these|those)\b(?=\s*(?:[?.,!]|$|(?:is|was|are|were|did|does|do|happen\w*|ones?)\b))"
    r"|\bthere\b(?=\s*(?:[?.,!]|$))",
    re.I,
)
_EMPTY_IT: Final = re.compile(r"\bit\b(?=(?:\s+[\w'’-]+){1,4}\s+(?:to|that)\b)", re.I)
"""The "it" of "How much did it cost to build the mill?", which means nothing before it."""
_JOINED: Final = re.compile(r"\s*(?:and|but|so|or|also)\b,?\s*", re.I)
_FULL: Final = re.compile(r"(?:who|whom|whose|what|when|where|why|which|how)\s+(?!about\b)(?:\S+\s+){2}", re.I)
_ELLIPSIS: Final = re.compile(
    r"\s*(?:(?:and|but|so|or|also|else)\b|(?:what|how) about\b|why(?: not)?\s*\?*\s*$"
    r"|(?:in|at|on|for|of|by|with|during|after|before|from|to)\b(?:\s+\S+){1,3}\s*$)|.*\b(?:else|then)\s*\??\s*$",
    re.I | re.S,
)
_LEAD: Final = re.compile(
    r"\s*(?:and|but|so|or|also|what about|how about|in|for|of|at|by|on|with|during|the)\b\s*", re.I
)
_BARE: Final = frozenset("when where who why how what which much many often long far old big exactly".split())
_NAME: Final = re.compile(r"[A-Z][\w'’-]*(?:\s(?:(?:of|the|de|la|von|van|der|and) )?[A-Z][\w'’-]*)*")
_NUMBER: Final = re.compile(r"\b\d[\d,.:/-]*\d\b|\b\d+\b")
_PHRASE: Final = re.compile(
    r"(?:\b(?P<verb>did|does|do|has|have|had|will|would|can|could|should)|\b(?P<be>is|was|are|were))?\s*"
    r"\b(?:the|an?|this|our|my)\s+(?P<what>(?:[\w'’-]+\s+){0,3}?[\w'’-]+)(?=\s*(?:[?.,;!]|$|\s(?:STOP)\b))".replace(
        "STOP", "|".join(sorted(STOP_WORDS))
    ),
    re.I,
)
_PARTICIPLE: Final = re.compile(
    r"\w+(?:ed|en)|built|sold|made|kept|found|held|bought|cut|put|set|lost|told|paid|sent|born|known|drawn|won|burnt"
)
_USER: Final = re.compile(r"\b(?:I|me|my|mine|myself|we|us|our|ours)\b(?!\.)", re.I)
_MARKER: Final = re.compile(r"\s*\[\d+\]|\s*\[unsupported\]")


def depends_on_the_last(question: str) -> bool:
    """Whether it looks like a follow-up: an ellipsis, or a pronoun with nothing before it that it may mean."""
    question = _without_joint(question)
    if _ELLIPSIS.match(question) or _is_bare(question):
        return True
    found = _pronoun(question)
    if found is None:
        return False
    before, after = question[: found.start()], question[found.end() :]
    named = bool(names(before)) or _PHRASE.search(before + "?") is not None
    return not named or not after.strip(" ?.!")


def standing_alone(question: str, last_question: str, last_answer: str) -> str:
    """The question with what it takes from the last question and answer; itself if it takes nothing.

    Rules: the one number or name of an ellipsis replaces that of the last question; any other ellipsis follows the
    last question; a pronoun is followed by what it may mean, in parentheses.
    """
    if not depends_on_the_last(question):
        return question
    question = _without_joint(question)
    found = None if _ELLIPSIS.match(question) else _pronoun(question)
    meant = [] if found is None else _meant(last_question, last_answer, person=_PERSON.fullmatch(found[0]) is not None)
    if found is None or not meant:
        return _replaced(question, last_question) or f"{_first_question(last_question)} {question}"
    return f"{question[: found.end()]} ({', '.join(meant)}){question[found.end() :]}"


def is_about_the_user(question: str) -> bool:
    """Whether it is asked in the first person: what the user said before may belong to it."""
    return _USER.search(question) is not None


def names(text: str) -> list[str]:
    """The names in a text, in order, each once: words in capitals, without the one that only begins a sentence."""
    found = []
    for match in _NAME.finditer(text):
        name, begins = match[0], re.search(r"(?:^|[.?!:]\s+|[“\"]\s*)$", text[: match.start()]) is not None
        while begins and name and (" " not in name or name.split()[0].lower() in STOP_WORDS):
            name, begins = name.partition(" ")[2], " " in name and name.split()[0].lower() in STOP_WORDS
        if name:
            found.append(name)
    return list(dict.fromkeys(found))


def without_markers(answer: str) -> str:
    """An answer without the markers of its sources."""
    return _MARKER.sub("", answer)


def _pronoun(question: str) -> re.Match[str] | None:
    without = _EMPTY_IT.sub(lambda match: "_" * len(match[0]), question)
    matches = [match for pattern in (_PERSON, _THING) if (match := pattern.search(without))]
    return min(matches, key=lambda match: match.start(), default=None)


def _is_bare(question: str) -> bool:
    """ "When exactly?": words that ask, and nothing that is asked about."""
    words = re.findall(r"[\w'’]+", question.lower())
    return 0 < len(words) <= 3 and all(word in _BARE or word in STOP_WORDS for word in words)


def _replaced(question: str, last: str) -> str | None:
    """The last question about another number or name, where both have exactly one."""
    rest = question
    while match := _LEAD.match(rest):
        rest = rest[match.end() :]
    rest = rest.strip(" ?.!")
    if _is_bare(rest):
        return None
    for pattern, kind in ((_NUMBER, _NUMBER.findall), (None, names)):
        new, old = kind(f"about {rest}"), kind(last)
        if len(new) == len(old) == 1 and (new[0] == rest if pattern is None else pattern.fullmatch(rest)):
            return last.replace(old[0], new[0], 1)
    return None


def _meant(question: str, answer: str, *, person: bool) -> list[str]:
    """What a pronoun may mean: of a person the names of the last answer, else what the last question is about."""
    answer = without_markers(answer).strip(" .")
    named = [name for name in names(question) if name.lower() not in MONTHS]
    phrases = [] if person and named else _phrases(question)
    asked = phrases + [name for name in named if not any(name in phrase for phrase in phrases)]
    if _NAME.fullmatch(answer):
        return [answer, *asked][:MEANT]
    answered = sorted((name for name in names(answer) if name not in question), key=lambda name: " " not in name)
    return [*answered[:1], *asked][:MEANT] if person else asked[:MEANT]


def _phrases(question: str) -> list[str]:
    """What a question is about without a name: "the tide mill" of "When was the tide mill built?"."""
    found = []
    for match in _PHRASE.finditer(question):
        *words, last = match["what"].split()
        is_verb = match["verb"] is not None or (match["be"] is not None and _PARTICIPLE.fullmatch(last) is not None)
        found.append(" ".join(["the", *words] if words and is_verb else ["the", *words, last]))
    return found


def _without_joint(question: str) -> str:
    """ "And who built it?" without its first word: a question of its own, not an ellipsis."""
    rest = _JOINED.sub("", question, count=1) if _JOINED.match(question) else question
    return f"{rest[0].upper()}{rest[1:]}" if rest != question and _FULL.match(rest) else question


def _first_question(text: str) -> str:
    """The first question of a text that may hold several, so that a row of ellipses does not grow."""
    return text if (end := text.find("? ")) < 0 else text[: end + 1]
