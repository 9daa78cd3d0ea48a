"""Does the check of a statement against its source separate true from nearly true? Pairs made from gold evidence.

    python examples/evaluation/support.py DIR... [--pairs 500] [--json]

Each DIR is a dataset as lcrag.comparison.dataset reads it. Half of the pairs hold: the question turned into a statement
by its answer, or a gold sentence shortened or with its parts in another order, against the gold sentence. Half do not:
such a statement with another number of the document, another name of it, or a denial, against the same sentence; or
unchanged, against the sentence of the document that shares most words and lacks the answer. Thresholds are chosen on
one half of the questions (by a hash of their ids) and tried on the other. Nothing here was judged by a model, so a pair
may be wrong: the rates are bounds. Last, how often the two texts of a pair, were they of two documents, would be called
contradictory: "other number", "other name" and "denied" made of a gold sentence should be, all others should not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

from lcrag.comparison.dataset import Question, load
from lcrag.evidence import support
from lcrag.evidence.contradiction import disagree
from lcrag.retrieve.embedder import load_embedder
from lcrag.text.sentences import sentences
from lcrag.text.words import stems

AROUND = 600
"""Characters on both sides of the sentence in which names may stand, as in the passage that a model is shown."""
FALSE_SUPPORT = 0.05
"""The share of near misses that may pass at the chosen threshold."""


@dataclass(frozen=True)
class Pair:
    kind: str
    holds: bool
    fitted: bool
    statement: str
    text: str
    near: str
    question: str
    quoted: bool
    """Whether the statement was made of the gold sentence, not of the question."""


def pairs(questions: list[Question], draw: random.Random) -> Iterator[Pair]:
    texts: dict[Path, str] = {}
    for question in questions:
        if not question.evidence or question.unanswerable:
            continue
        span = question.evidence[0]
        whole = texts.setdefault(span.doc, span.doc.read_text(encoding="utf-8"))
        found = [
            whole[span.start + start : span.start + end].strip()
            for start, end in sentences(whole[span.start : span.end])
        ]
        answer = next((one for one in question.answers for text in found if one.lower() in text.lower()), None)
        gold = next((text for text in found if answer and answer.lower() in text.lower()), None)
        if gold is None or answer is None or not 5 <= len(stems(gold)) <= 60:
            continue
        fitted = hashlib.sha256(question.id.encode()).digest()[0] % 2 == 0
        near = f"{span.doc.stem} {whole[max(0, span.start - AROUND) : span.end + AROUND]}"
        statements = [
            ("answered", _declared(question.question, answer)),
            ("shortened", _shortened(gold)),
            ("reordered", _reordered(gold)),
        ]
        for kind, statement in statements:
            if statement is None or len(stems(statement)) < 3:
                continue
            asked = question.question, kind != "answered"
            yield Pair(kind, True, fitted, statement, gold, near, *asked)
            wrong = [
                ("other number", _other_number(statement, whole, draw)),
                ("other name", _other_name(statement, gold, near, whole, draw)),
                ("denied", _denied(statement)),
            ]
            for name, changed in wrong:
                if changed is not None:
                    yield Pair(name, False, fitted, changed, gold, near, *asked)
            other = _nearest(statement, answer, whole, span.start, span.end)
            if other is not None:
                place, text = other
                yield Pair(
                    "other sentence",
                    False,
                    fitted,
                    statement,
                    text,
                    f"{span.doc.stem} {whole[max(0, place - AROUND) : place + len(text) + AROUND]}",
                    *asked,
                )


def _declared(question: str, answer: str) -> str | None:
    """ "Who built the mill?" and "Fenn" as "Fenn built the mill."; None where the question is of another form."""
    words = question.strip().rstrip("?").split()
    first = words[0].lower() if words else ""
    if first in ("who", "what") and len(words) > 2:
        return f"{answer} {' '.join(words[1:])}."
    if first == "which" and len(words) > 3:
        return f"{answer} is the {' '.join(words[1:])}."
    if (
        first in ("when", "where")
        and len(words) > 3
        and words[1].lower() in ("is", "was", "are", "were", "did", "does")
    ):
        return f"{' '.join(words[2:])} {answer}."
    if first == "how" and len(words) > 3 and words[1].lower() in ("many", "much"):
        return f"{answer} {' '.join(words[2:])}."
    return None


def _shortened(text: str) -> str | None:
    """Without the text in brackets or between two commas."""
    made = re.sub(r"\s*\([^)]*\)", "", text)
    made = re.sub(r",\s[^,.;]{8,80},(?=\s)", "", made, count=1)
    return made if made != text and len(stems(made)) >= 4 else None


def _reordered(text: str) -> str | None:
    """The part before the first comma put last."""
    first, comma, rest = text.rstrip(". ").partition(", ")
    return f"{rest[:1].upper()}{rest[1:]}, {first}." if comma and 8 < len(first) < len(rest) else None


def _other_number(statement: str, whole: str, draw: random.Random) -> str | None:
    mine = re.findall(r"\d+", statement)
    others = sorted({number for number in re.findall(r"\b\d+\b", whole) if number not in mine})
    if not mine or not others:
        return None
    likest = [number for number in others if len(number) == len(mine[-1])] or others
    return re.sub(rf"(?<!\d){mine[-1]}(?!\d)", draw.choice(likest), statement)


def _other_name(statement: str, gold: str, near: str, whole: str, draw: random.Random) -> str | None:
    mine = re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}", statement)
    lower = set(re.findall(r"\b[a-z]+\b", whole))
    others = sorted(
        name
        for name in set(re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}", whole)) - set(re.findall(r"\w+", f"{gold} {near}"))
        if name.lower() not in lower
    )
    made = re.sub(rf"\b{mine[-1]}\b", draw.choice(others), statement) if mine and others else statement
    return made if made != statement else None


def _denied(statement: str) -> str | None:
    made = re.sub(r"\b(is|was|are|were|has|had|can|could|will|would|did)\b(?! not)", r"\1 not", statement, count=1)
    return made if made != statement else None


def _nearest(statement: str, answer: str, whole: str, start: int, end: int) -> tuple[int, str] | None:
    """The sentence that shares most stems, but for those with the answer and those near the evidence."""
    wanted = set(stems(statement))
    best: tuple[float, int, str] | None = None
    for first, last in sentences(whole):
        text = whole[first:last].strip()
        if (first < end and start < last) or answer.lower() in text.lower() or len(text) > 600:
            continue
        shared = len(wanted & set(stems(text))) / len(wanted)
        if best is None or shared > best[0]:
            best = shared, first, text
    return None if best is None or best[0] < 0.2 else best[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    r = random.Random(0)
    every = [pair for folder in options.folders for pair in pairs(load(folder), r)]
    half = options.pairs // 2
    drawn = [
        *_even([pair for pair in every if pair.holds], half, r),
        *_even([pair for pair in every if not pair.holds], half, r),
    ]
    report = evaluate(drawn)
    report["contradictory"] = contradictory(every)
    if options.json:
        print(json.dumps(report, indent=2))
        return
    print(f"{report['pairs']} pairs; AUROC on the half not used for thresholds:")
    for name, row in report["scores"].items():
        print(
            f"  {name:28} {row['auroc']:.3f}   at {row['threshold']:.2f}: false support {row['false_support']:.3f}, "
            f"false drop {row['false_drop']:.3f}"
        )
    print(f"as shipped (threshold {support.LEAST}), all pairs:")
    for kind, row in report["shipped"].items():
        print(f"  {kind:16} n {row['n']:>4}  supported {row['supported']:.3f}")
    print("called contradictory, all pairs made of gold sentences:")
    for kind, row in report["contradictory"].items():
        print(f"  {kind:16} n {row['n']:>4}  {row['share']:.3f}")
    print("ROC of the shipped score (false support, true support, threshold):")
    for x, y, t in report["roc"]:
        print(f"  {x:.3f} {y:.3f} {t:.2f}")


def contradictory(drawn: list[Pair]) -> dict[str, dict[str, float]]:
    """By kind, the share of pairs of two different texts that are called contradictory."""
    report = {}
    for kind in dict.fromkeys(pair.kind for pair in drawn if pair.quoted):
        contradicts = [
            disagree(pair.question, pair.text, pair.statement) is not None
            for pair in drawn
            if pair.quoted and pair.kind == kind
        ]
        report[kind] = {"n": len(contradicts), "share": float(np.mean(contradicts))}
    return report


def _even(pairs: list[Pair], count: int, draw: random.Random) -> list[Pair]:
    """As many of each kind as there are, up to ``count`` in all."""
    by_kind: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_kind.setdefault(pair.kind, []).append(pair)
    for group in by_kind.values():
        draw.shuffle(group)
    taken: list[Pair] = []
    while len(taken) < count and any(by_kind.values()):
        for group in by_kind.values():
            if group and len(taken) < count:
                taken.append(group.pop())
    return taken


def evaluate(drawn: list[Pair]) -> dict:
    embedder = load_embedder()
    vectors = embedder.embed([text for pair in drawn for text in (pair.statement, pair.text)])
    cosines = (vectors[0::2] * vectors[1::2]).sum(axis=1)
    labels = np.array([pair.holds for pair in drawn])
    fit = np.array([pair.fitted for pair in drawn])
    judgements = [support.judge(pair.statement, pair.text, pair.near) for pair in drawn]
    # The best windows of the text are what lcrag looks at; here the text is one sentence.
    share = np.array([judgement.score for judgement in judgements])
    agrees = np.array([not judgement.missing and not judgement.denies for judgement in judgements])
    scores = {
        "words shared": share,
        "cosine": cosines,
        "words and facts": share * agrees,
        "cosine and facts": cosines * agrees,
        "words, cosine and facts": (share + cosines) / 2 * agrees,
    }
    rows = {}
    for name, score in scores.items():
        false, true, thresholds = roc_curve(labels[fit], score[fit], drop_intermediate=False)
        allowed = [(t, y) for x, y, t in zip(false, true, thresholds, strict=True) if x <= FALSE_SUPPORT]
        threshold = min((t for t, y in allowed if y == max(y for _, y in allowed)), default=1.0)
        threshold = min(float(threshold), 1.0)
        rest, passed = labels[~fit], score[~fit] >= threshold
        rows[name] = {
            "auroc": float(roc_auc_score(rest, score[~fit])),
            "threshold": threshold,
            "false_support": float(passed[~rest].mean()),
            "false_drop": float((~passed[rest]).mean()),
        }
    shipped = {}
    for kind in Counter(pair.kind for pair in drawn):
        mine = [judgement.holds for judgement, pair in zip(judgements, drawn, strict=True) if pair.kind == kind]
        shipped[kind] = {"n": len(mine), "supported": float(np.mean(mine))}
    for holds, name in ((True, "all that hold"), (False, "all that do not")):
        mine = [judgement.holds for judgement, pair in zip(judgements, drawn, strict=True) if pair.holds == holds]
        shipped[name] = {"n": len(mine), "supported": float(np.mean(mine))}
    false, true, thresholds = roc_curve(labels, scores["words and facts"])
    step = max(1, len(false) // 15)
    roc = [
        (float(x), float(y), float(min(t, 1.0))) for x, y, t in list(zip(false, true, thresholds, strict=True))[::step]
    ]
    return {"pairs": len(drawn), "scores": rows, "shipped": shipped, "roc": roc}


if __name__ == "__main__":
    main()
