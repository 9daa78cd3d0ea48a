"""What an answer is worth, by the measure that its gold offers. Pure: texts and spans in, numbers out.

A question's gold decides how its answers are scored, the same way for every route:

    abstention   unanswerable            1 when the route said so
    choice       options                 1 when the option meant is the right one
    number       the answer is a number  1 when one in the answer is equal at the gold's precision
    rouge_l      a summary               ROUGE-L (Lin 2004), F of the longest common subsequence of words
    contains     a short answer          the share of its items that stand in the answer, word for word (RULER, HELMET)
    f1           any other               F of the words in common (SQuAD; Rajpurkar et al. 2016)

Exact match, F1 and ROUGE-L are told besides. Of several gold answers the best one counts. ``contains`` and ``number``
look at the bare answer where the backend gives one, else at the whole text, so that a sentence which holds the answer
is right: a route that says much has it easier, which is why the length of its answers is told too.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from lcrag.comparison.dataset import Question
from lcrag.text.words import spaced
from lcrag.types import Status

Metric = Literal["abstention", "choice", "number", "rouge_l", "contains", "f1"]

ABSTAINED: Final[frozenset[Status]] = frozenset({"not_found", "not_retrieved"})
SHORT_WORDS: Final = 10
"""A longer gold answer is seldom repeated word for word."""
SUMMARY_WORDS: Final = 60
"""A longer gold answer is a summary, whatever its task is called."""
SUMMARY: Final = re.compile(r"summar|overview|aggregation", re.IGNORECASE)
ITEMS: Final = re.compile(r"[,;]\s+(?:and\s+)?|\n+|\s+and\s+")

_NUMBER: Final = re.compile(r"(?<![\w.,])[-−]?\s?(?:\d{1,3}(?:[,\u202f\u00a0]\d{3})+|\d+)(?:\.\d+)?")
_SCALES: Final = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12, "m": 6, "mn": 6, "bn": 9, "k": 3}
_SCALE: Final = re.compile(r"\s?(thousand|million|billion|trillion|mn|bn|m|k)\b", re.IGNORECASE)
_MONEY: Final = re.compile(r"[$€£¥]\s?$")
_MARKERS: Final = re.compile(r"\s*\[\d{1,6}(?:\s*[,;]\s*\d{1,6})*\]")
_LABEL: Final = re.compile(r"\(?([A-Z])\)?[.):]\s+")
_LETTERS: Final = re.compile(r"\W*([A-Z](?:\s*(?:,|and|&)?\s*[A-Z])*)\W*", re.DOTALL)
_CHOSEN: Final = re.compile(r"(?i:answers?|options?|choices?)\s+(?i:(?:is|are)\s+)?:?\s*\(?([A-Z])\b(?![\w'’])")
_ARTICLES: Final = frozenset({"a", "an", "the"})
_MOST_OPTIONS: Final = 26


@dataclass(frozen=True, slots=True)
class Score:
    """``value`` in [0, 1] by ``metric``. ``exact``, ``f1`` and ``rouge_l`` are None where there is no gold text."""

    metric: Metric
    value: float
    exact: float | None = None
    f1: float | None = None
    rouge_l: float | None = None


@dataclass(frozen=True, slots=True)
class EvidenceScore:
    """Against gold evidence, each in [0, 1]. ``read``: the share of its characters that reached a model.

    ``recall``: the share of its spans that some citation overlaps; ``precision``: the share of citations that overlap
    some span; None without a citation. (L-CiteEval and LongBench-Cite ask a model whether a citation entails the
    statement; here gold spans decide.)
    """

    read: float
    recall: float
    precision: float | None


Place = tuple[str, int, int]
"""A document's id, and characters of it."""


def metric_of(question: Question) -> Metric | None:
    """How this question's answers are scored; None when it has no gold."""
    if question.unanswerable:
        return "abstention"
    if not question.answers:
        return None
    if 2 <= len(question.options) <= _MOST_OPTIONS:
        return "choice"
    if all(_gold_number(answer) is not None for answer in question.answers):
        return "number"
    shortest = min(len(words(answer)) for answer in question.answers)
    if shortest > SUMMARY_WORDS or (question.task_type and SUMMARY.search(question.task_type)):
        return "rouge_l"
    return "contains" if shortest <= SHORT_WORDS or _all_lists(question.answers) else "f1"


def score(question: Question, text: str, short: str | None, status: Status) -> Score | None:
    """The score of an answer; None when the question has no gold.

    Of an answerable question, one that was refused or not found scores 0.
    """
    metric = metric_of(question)
    if metric is None:
        return None
    if metric == "abstention":
        return Score(metric, float(status in ABSTAINED))
    whole = _MARKERS.sub("", text).strip()
    bare = _MARKERS.sub("", short).strip() if short else whole
    if status in ABSTAINED or not whole:
        return Score(metric, 0.0, 0.0, 0.0, 0.0)
    golds = question.answers
    exact = max(float(words(gold) == words(bare)) for gold in golds)
    f1 = max(token_f1(bare, gold) for gold in golds)
    rouge = max(rouge_l(whole, gold) for gold in golds)
    match metric:
        case "choice":
            value = float(chosen(question.options, bare) in _right(question.options, golds))
        case "number":
            value = float(any(same_number(bare, gold) for gold in golds))
        case "contains":
            value = max(contained(bare, gold) for gold in golds)
        case "rouge_l":
            value = rouge
        case _:
            value = f1
    return Score(metric, value, exact, f1, rouge)


def asked(question: Question) -> str:
    """The question as a route is asked it: with its options under their letters, where it has any."""
    if not 2 <= len(question.options) <= _MOST_OPTIONS:
        return question.question
    lines = (
        f"{letter}. {option}" for letter, option in zip(string.ascii_uppercase, _bare(question.options), strict=False)
    )
    return "\n".join((question.question, *lines))


def words(text: str) -> list[str]:
    """Words as SQuAD compares them: lower case, without punctuation and articles; Chinese and Japanese by characters.

    SQuAD's script removes ASCII's punctuation; this one all of Unicode's, and symbols.
    """
    lowered = spaced(text.lower())
    kept = "".join(character for character in lowered if unicodedata.category(character)[0] not in "PS")
    return [word for word in kept.split() if word not in _ARTICLES]


def token_f1(text: str, gold: str) -> float:
    """F of the words in common, counted as often as they stand in both; 1 for two empty texts."""
    ours, theirs = words(text), words(gold)
    if not ours or not theirs:
        return float(ours == theirs)
    common = (Counter(ours) & Counter(theirs)).total()
    return 2 * common / (len(ours) + len(theirs))


def rouge_l(text: str, gold: str) -> float:
    """F of the longest common subsequence of lower-case words (Lin 2004), one to one with recall and precision."""
    from rapidfuzz.distance import LCSseq

    ours, theirs = (re.findall(r"[^\W_]+", spaced(side.lower())) for side in (text, gold))
    if not ours or not theirs:
        return 0.0
    return 2 * int(LCSseq.similarity(ours, theirs)) / (len(ours) + len(theirs))


def contained(text: str, gold: str) -> float:
    """The share of the gold's items, or 1 for all of it in one piece, that stand in the text word for word."""
    ours = words(text)
    if _holds(ours, words(gold)):
        return 1.0
    listed = _items(gold)
    return sum(_holds(ours, item) for item in listed) / len(listed) if listed else 0.0


def _holds(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    size = len(theirs)
    return size > 0 and any(ours[at : at + size] == theirs for at in range(len(ours) - size + 1))


def _items(gold: str) -> list[list[str]]:
    """The words of each item when the gold is a list of short ones, else []."""
    listed = [found for part in ITEMS.split(gold) if (found := words(part))]
    return listed if len(listed) > 1 and all(len(item) <= SHORT_WORDS // 2 for item in listed) else []


def _all_lists(golds: Iterable[str]) -> bool:
    return all(_items(gold) for gold in golds)


def same_number(text: str, gold: str) -> bool:
    """Whether some number in the text, rounded as the gold is, equals it: 2.13 is 2.1, and 1742 is not 1743."""
    wanted = _gold_number(gold)
    if wanted is None:
        return False
    value, unit = wanted
    return any(abs(found - value) * 2 <= unit if found != value else True for found, _ in _numbers(text))


def _gold_number(gold: str) -> tuple[Decimal, Decimal] | None:
    """The number and the unit of its last place, of a gold answer that is one number with at most two words besides."""
    found = _numbers(gold)
    if len(found) != 1:
        return None
    beside = re.findall(r"[^\W\d_]+", gold)
    return found[0] if len([word for word in beside if word.lower() not in _SCALES]) <= 2 else None


def _numbers(text: str) -> list[tuple[Decimal, Decimal]]:
    """Each number in the text and the unit of its last place, "3.2 million" as 3,200,000 by 100,000."""
    found = []
    for match in _NUMBER.finditer(text):
        digits = re.sub(r"[,\u202f\u00a0\s]", "", match[0]).replace("−", "-")
        try:
            value = Decimal(digits)
        except InvalidOperation:
            continue
        unit = Decimal(1).scaleb(int(value.as_tuple().exponent))
        scale = _SCALE.match(text, match.end())
        if scale and (len(scale[1]) > 2 or _MONEY.search(text, 0, match.start())):  # "5 m" is five metres, "£5m" is not
            power = _SCALES[scale[1].lower()]
            value, unit = value.scaleb(power), unit.scaleb(power)
        found.append((value, unit))
    return found


def chosen(options: Sequence[str], text: str) -> frozenset[int]:
    """The places of the options that the text means: by letter, by their words in it, else by the likest words."""
    letters = string.ascii_uppercase[: len(options)]
    for found in (_LETTERS.fullmatch(text), _LABEL.match(text), _CHOSEN.search(text)):
        if found:
            named = [letter for letter in re.findall(r"[A-Z]", found[1]) if letter in letters]
            if named:
                return frozenset(letters.index(letter) for letter in named)
    said = words(text)
    texts = [words(option) for option in _bare(options)]
    held = [place for place, option in enumerate(texts) if _holds(said, option)]
    held = [place for place in held if not any(len(texts[place]) < len(texts[other]) for other in held)]
    if held:
        return frozenset(held)
    shares = [token_f1(text, option) for option in _bare(options)]
    best = max(shares)
    likest = [place for place, share in enumerate(shares) if share == best]
    return frozenset(likest) if best > 0 and len(likest) == 1 else frozenset()


def _right(options: Sequence[str], golds: Sequence[str]) -> list[frozenset[int]]:
    """The places of right options, one set a gold answer: it is letters, or an option's text."""
    texts = [words(option) for option in _bare(options)]
    right = []
    for gold in golds:
        same = [place for place, option in enumerate(texts) if option == words(gold)]
        right.append(frozenset(same) if same else chosen(options, gold))
    return [places for places in right if places]


def _bare(options: Sequence[str]) -> list[str]:
    """The options without letters of their own, where all have them."""
    if all(_LABEL.match(option) for option in options):
        return [option[found.end() :] for option in options if (found := _LABEL.match(option))]
    return list(options)


def evidence_score(gold: Sequence[Place], read: Iterable[Place], cited: Sequence[Place]) -> EvidenceScore:
    """How much of the gold evidence was read, and how well the citations meet it. ``gold`` is not empty."""
    by_document: dict[str, list[tuple[int, int]]] = {}
    for document, start, end in read:
        by_document.setdefault(document, []).append((start, end))
    merged = {document: _merged(spans) for document, spans in by_document.items()}
    size = sum(end - start for _, start, end in gold)
    seen = sum(
        max(0, min(end, stop) - max(start, begin))
        for document, start, end in gold
        for begin, stop in merged.get(document, ())
    )
    met = [any(_overlap(span, place) for place in cited) for span in gold]
    right = [any(_overlap(span, place) for span in gold) for place in cited]
    return EvidenceScore(seen / size, sum(met) / len(met), sum(right) / len(right) if right else None)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same characters in spans that do not overlap."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def _overlap(one: Place, other: Place) -> bool:
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


METRICS: Final[Mapping[Metric, str]] = {
    "abstention": "says that there is no answer (unanswerable questions)",
    "choice": "picks the right option",
    "number": "holds the number, at the gold's precision",
    "rouge_l": "ROUGE-L against the gold summary",
    "contains": "holds the gold answer word for word (of a list: the share of its items)",
    "f1": "token F1 against the gold answer (SQuAD)",
}
"""Each measure in words, for reports."""
