"""What a user says of themselves ("My budget is 400 pounds") as opposed to what they ask."""

from __future__ import annotations

import re
from typing import Final

from lcrag.text.sentences import sentences
from lcrag.text.words import stems

_FIRST_PERSON: Final = re.compile(r"\b(?:I|I['’]\w+|my|mine|we|we['’]\w+|our|ours)\b(?!\.)", re.I)
_ASKS: Final = re.compile(
    r"(?:please\s+)?(?:who|whom|whose|what|when|where|why|which|how|is|are|was|were|am|do|does|did|can|could|shall|should"
    r"|will|would|may|might|has|have|had|tell|list|show|give|name|explain|describe|summari[sz]e|compare|find|help|say"
    r"|write|count|quote|look|let|(?:I|we) (?:want|need|wish|would like|['’]d like) (?:to know|you)|I wonder)\b",
    re.I,
)
_OPENING: Final = re.compile(
    r"\A(?:(?:actually|now|sorry|no|correction|by the way|remember|note|please note|and|but|so|that)\b[,:]?\s*)+", re.I
)
_COPULA: Final = re.compile(r"\s+(?:now\s+)?(?:is|are|was|were|has been|have been|will be)\b", re.I)


def split_statements(text: str) -> tuple[list[str], str]:
    """What the user states, a sentence each, and the rest, which is what they ask; "" where nothing is asked."""
    stated: list[str] = []
    rest: list[str] = []
    for start, end in sentences(text):
        sentence = text[start:end].strip()
        (stated if is_statement(sentence) else rest).append(sentence)
    return stated, " ".join(rest)


def is_statement(sentence: str) -> bool:
    """Whether a sentence is in the first person, and is neither a question nor asks for something."""
    return _FIRST_PERSON.search(_OPENING.sub("", sentence.strip())) is not None and not asks(sentence)


def asks(sentence: str) -> bool:
    """Whether a sentence is a question, or asks for something."""
    plain = _OPENING.sub("", sentence.strip())
    return plain.endswith("?") or _ASKS.match(plain) is not None


def subject_of(statement: str) -> str | None:
    """What a statement is about, for another with the same subject to take its place: "My budget" of "My budget is …".

    None for a statement without a form of "be": what it says may be true next to any other.
    """
    plain = _OPENING.sub("", statement.strip())
    found = _COPULA.search(plain)
    if found is None:
        return None
    return " ".join(stems(plain[: found.start()])) or None
