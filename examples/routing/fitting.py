"""A profile from answers to real questions: what P(correct) = evidence × use says, solved for use.

The value of an answer is P(answerable) × evidence × use(tokens, surroundings, kinds) + P(nothing there) × refused.
Evidence and P(answerable) are what was estimated before; use is a curve for each of both surroundings, linear between
KNOTS, and for each kind of question; so every answer is a linear equation in the points of the curves. They are solved
by least squares within 0 and 1, each point drawn to its neighbours and the kinds to all of them (``SMOOTH``), sources
weighing the same. ``false_found``: of the wrong answers of one call, the share that does not say "not found".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
from scipy.optimize import lsq_linear

from lcrag.comparison.scoring import ABSTAINED
from lcrag.pipelines import every_pipeline
from lcrag.planning.forecast import quality
from lcrag.types import CorpusSize, Curve, Kind, Profile, Surroundings

if TYPE_CHECKING:
    from judge import Asked

KNOTS: Final = (500, 1000, 2000, 4000, 8000, 32_000, 128_000)
HALF: Final = 0.5
"""A value from which an answer counts as right where it must be one or the other."""
STEPS: Final = 20
SMOOTH: Final = 0.05
"""Weight of a point's neighbour and of the mean of all kinds, in questions of a source of one hundred."""


def fit(base: Profile, listed: Sequence[Asked]) -> Profile:
    """``base`` with use, kinds, refusals and retention fitted on these answers. One fit for each surroundings."""
    use: dict[str, Curve] = {}
    kinds: dict[str, dict[str, Curve]] = {}
    for place in get_args(Surroundings):
        use[place], own, absent = _curves(base, listed, place)
        for kind, curve in own.items():
            kinds.setdefault(kind, {})[place] = curve
        kinds.setdefault("absent", {})[place] = absent
    wrong = [
        route["status"] not in ABSTAINED
        for asked in listed
        for route in asked.routes
        if route["value"] < HALF and route["pipeline"] == "chunk_rag"
    ]
    found = replace(
        base,
        use=use,
        kinds=kinds,
        scopes={},
        shift={},
        false_found=float(np.mean(wrong)),
        measured=True,
    )
    return replace(found, retention=_retention(found, listed))


def _curves(base: Profile, listed: Sequence[Asked], place: Surroundings) -> tuple[Curve, dict[Kind, Curve], Curve]:
    names: tuple[Kind, ...] = get_args(Kind)
    width = len(KNOTS) * (1 + len(names)) + 1  # the curve of all, those of the kinds as differences, P(refused)
    rows: list[Any] = []
    values: list[float] = []
    sources = {source: sum(asked.source == source for asked in listed) for source in {a.source for a in listed}}
    for asked in listed:
        weight = np.sqrt(100 / sources[asked.source])
        for route, work in _works(base, asked):
            if work.reads != "answer" or work.handovers or work.surroundings != place or work.calls != 1:
                continue
            row = np.zeros(width)
            share = asked.estimate.answerable * work.evidence
            for knot, part in _parts(work.read_tokens):
                row[knot] += share * part
                for number, kind in enumerate(names, 1):
                    row[number * len(KNOTS) + knot] += share * part * asked.estimate.kinds.get(kind, 0.0)
            row[-1] = 1 - asked.estimate.answerable
            rows.append(weight * row)
            values.append(weight * route["value"])
    for block in range(1 + len(names)):
        for knot in range(len(KNOTS)):
            at = block * len(KNOTS) + knot
            if knot + 1 < len(KNOTS):
                tie = np.zeros(width)
                tie[at], tie[at + 1] = 1, -1
                rows.append(np.sqrt(100 * SMOOTH) * tie)
                values.append(0.0)
            if block:
                tie = np.zeros(width)
                tie[at] = 1
                rows.append(np.sqrt(100 * SMOOTH) * tie)
                values.append(0.0)
    low = np.concatenate([np.zeros(len(KNOTS)), -np.ones(len(KNOTS) * len(names)), [0.0]])
    solved = lsq_linear(np.array(rows), np.array(values), (low, np.ones(width))).x
    whole = solved[: len(KNOTS)]
    own = {
        kind: _curve(whole + solved[number * len(KNOTS) : (number + 1) * len(KNOTS)])
        for number, kind in enumerate(names, 1)
    }
    return _curve(whole), own, ((1, float(np.clip(solved[-1], 0, 1))),)


def _works(profile: Profile, asked: Asked) -> list[tuple[Mapping[str, Any], Any]]:
    kinds, size = every_pipeline(), CorpusSize(**asked.line["size"])
    room = int(profile.window / max(asked.line["marks"].values()))
    return [
        (route, kinds[route["pipeline"]](**route["options"]).workload(asked.estimate, size, room))
        for route in asked.routes
    ]


def _parts(tokens: float) -> list[tuple[int, float]]:
    """The knots that a length lies between, with their shares."""
    place = int(np.searchsorted(KNOTS, tokens))
    if place == 0:
        return [(0, 1.0)]
    if place == len(KNOTS):
        return [(len(KNOTS) - 1, 1.0)]
    share = (tokens - KNOTS[place - 1]) / (KNOTS[place] - KNOTS[place - 1])
    return [(place - 1, 1 - share), (place, share)]


def _curve(points: Any) -> Curve:
    return tuple((knot, round(float(np.clip(p, 0, 1)), 3)) for knot, p in zip(KNOTS, points, strict=True))


def _retention(profile: Profile, listed: Sequence[Asked]) -> dict[str, Curve]:
    """What survives notes, summaries and an answer from the answers of parts: one number each, for which the mean
    forecast of the routes that hand on is their mean value.
    """
    retention = dict(profile.retention)
    works = [(asked, route["value"], work) for asked in listed for route, work in _works(profile, asked)]
    for role, own in (
        ("synthesise", [one for one in works if one[2].reads == "answer" and one[2].handovers and not one[2].then]),
        ("note", [one for one in works if one[2].reads == "note"]),
        ("summarise", [one for one in works if one[2].reads == "summarise"]),
    ):
        if not own:
            continue
        low, high, value = 0.0, 1.0, np.mean([value for _, value, _ in own])
        for _ in range(STEPS):  # bisection: the mean forecast rises with what survives
            middle = (low + high) / 2
            tried = replace(profile, retention={**retention, role: ((1, middle),)})
            mean = np.mean([quality(work, asked.estimate, tried) for asked, _, work in own])
            low, high = (middle, high) if mean < value else (low, middle)
        retention[role] = ((1, round((low + high) / 2, 3)),)
    return retention
