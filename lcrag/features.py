"""What a question and its ranking look like, in numbers: all that the estimator sees. Milliseconds, no model.

Names are stable, because weights refer to them. Each feature is about 0 to 1, so that corpora of any size compare.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from lcrag.cues import CUES
from lcrag.types import Hit, Ranking

TOP: Final = 10
COVERING: Final = 5


def features(ranking: Ranking) -> dict[str, float]:
    """The features of a ranking; all zero, apart from what the question alone tells, when nothing was found."""
    hits = ranking.hits
    lexical = sorted((hit.lexical_score for hit in hits if hit.lexical_score is not None), reverse=True)
    found = {name: float(cue.search(ranking.question) is not None) for name, cue in CUES.items()}
    found |= {
        "corpus": math.log1p(ranking.size.tokens) / math.log(1e6),
        "words": math.log1p(len(ranking.terms)) / math.log(20),
        "rarest": _rarest(ranking),
        "idf_covered": _covered(ranking, hits[:COVERING]),
        "idf_covered_first": _covered(ranking, hits[:1]),
        "lexical_drop": _drop(lexical),
        "fused_drop": _drop([hit.score for hit in hits]),
        "entropy": _entropy([hit.score for hit in hits[: 2 * TOP]]),
        "agreement": _agreement(hits) if ranking.dense else 0.5,
        "cosine": max((hit.dense_score for hit in hits[:TOP] if hit.dense_score is not None), default=0.4),
        "spread": len({hit.chunk.document_id for hit in hits[:TOP]}) / TOP,
    }
    return found


def _rarest(ranking: Ranking) -> float:
    """The highest idf among terms that occur at all, as a share of the highest possible here."""
    highest = math.log1p(ranking.size.chunks + 1)
    return max((term.idf for term in ranking.terms if term.chunks), default=0.0) / highest


def _covered(ranking: Ranking, hits: Sequence[Hit]) -> float:
    """Share of the question's idf mass that these hits hold. A term is a stem, so it is looked for as a beginning."""
    text = "\n".join(hit.chunk.text for hit in hits).lower()
    total = sum(term.idf for term in ranking.terms)
    return sum(term.idf for term in ranking.terms if term.text in text) / total if total else 0.0


def _drop(scores: Sequence[float]) -> float:
    """How far the score falls from the first to the tenth, as a share of the first."""
    if not scores or scores[0] <= 0:
        return 0.0
    tenth = scores[TOP - 1] if len(scores) >= TOP else 0.0
    return max(0.0, min(1.0, 1 - tenth / scores[0]))


def _entropy(scores: Sequence[float]) -> float:
    """Of the scores as shares: 0 when one hit has all, 1 when all are alike."""
    positive = [score for score in scores if score > 0]
    if len(positive) < 2:
        return 0.0
    total = sum(positive)
    return -sum(score / total * math.log(score / total) for score in positive) / math.log(len(positive))


def _agreement(hits: Sequence[Hit]) -> float:
    """How many of the ten best by words are also among the ten best by meaning."""
    both = sum(
        hit.lexical_rank is not None and hit.lexical_rank < TOP and hit.dense_rank is not None and hit.dense_rank < TOP
        for hit in hits
    )
    return both / TOP
