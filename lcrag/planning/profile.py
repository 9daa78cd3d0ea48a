"""What is known of a backend: a Profile that ``lcrag calibrate`` measured, or cautious numbers that say so.

A measured one is a JSON file (``lcrag.profile/2``) in the user's config folder, found by what it was measured on:
backend, model, window, dtype and device. Another window or another device is another profile.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, get_args

from lcrag.errors import BadConfig
from lcrag.paths import config_folder, write_whole
from lcrag.planning.prior import HANDED, prior
from lcrag.planning.use import at
from lcrag.schemas import PROFILE as SCHEMA
from lcrag.types import BackendIdentity, CostModel, Curve, Profile, Surroundings

_FIRST_SCHEMA: Final = "lcrag.profile/1"
_FIRST_NAMES: Final = {"handed": "retention", "brevity": "output_ratio"}
_FIRST_COSTS: Final = {
    "a": "per_batch",
    "b": "per_token",
    "c": "per_pair",
    "d": "per_step",
    "more": "per_call",
    "context": "per_step_token",
    "crowd": "per_step_call",
}
"""Fields of the first schema and their names now: measuring a model takes minutes, so old profiles are still read."""

_SERVER_COST: Final = CostModel(
    per_batch=0.05, per_token=1.5e-5, per_pair=3.6e-10, per_step=1 / 105, per_step_call=1.8e-3
)
"""One H100 with a model of 7B: 4k tokens in 0.11 s, 128k in 8.2 s, 105 tokens/s out, 32 prompts of 4k in 4.8 s."""

_EMBEDDED_USE: Final[dict[str, Curve]] = {
    "retrieved": ((500, 0.22), (8000, 0.21), (4_000_000, 0.15)),
    "consecutive": ((2000, 0.22), (8000, 0.19), (32_000, 0.18), (128_000, 0.17), (4_000_000, 0.06)),
}
"""Measured on 2026-11-30. The level: the mean value of answers whose evidence was read, six sources weighing the same
(nq_pool .5 to .6, hotpot_pool .2 to .3, locomo .1 to .2, the others up to .2; 112 to 171 answers a budget, 209 of whole
corpora). That it hardly falls: 144 questions of five sources, eleven routes each (``examples/routing/judge.py --fit``:
.39, .34, .35, .33 at 500 to 4,000 tokens). Beyond 8,000 retrieved tokens it is assumed."""
_EMBEDDED_ABSENT: Final = 0.56
"""P(it says so | nothing is there), at any length: 1.00 on nq_pool, .56 on locomo, .11 on lara, the mean (README of
examples/evaluation)."""
_EMBEDDED_MADE_UP: Final = 0.82
"""Of wrong answers from the best chunks, the share that does not say that nothing was found: the same 144 questions."""
_EMBEDDED_COST: Final = CostModel(per_batch=0.1, per_token=1.5e-5, per_pair=0.0, per_step=0.0, per_call=0.1)


def builtin_profile(backend: str, model: str, window: int) -> Profile:
    """The Profile of a backend that nobody has calibrated."""
    if backend != "embedded":
        return prior(backend, model, window, _SERVER_COST)
    says_so = ((1, _EMBEDDED_ABSENT),)
    kept = tuple((k, p * HANDED) for k, p in _EMBEDDED_USE["consecutive"])
    return Profile(
        "built-in (embedded)",
        backend,
        model,
        window,
        _EMBEDDED_USE,
        _EMBEDDED_COST,
        kinds={"absent": {"retrieved": says_so, "consecutive": says_so}},
        retention={"note": kept, "summarise": kept, "synthesise": _EMBEDDED_USE["consecutive"]},
        false_found=_EMBEDDED_MADE_UP,
    )


def on_real_questions(profile: Profile) -> Profile:
    """A measured profile, no better than models of its size are on real questions.

    ``lcrag calibrate`` asks invented questions with one right word; real ones are harder, for a model that has learned
    to find such words most of all: SmolLM2-135M with lcrag's adapter has .99 there and .2 to .3 on real questions, and
    with the higher number the router took the worst route (``examples/routing/README.md``).
    """
    if not profile.measured:
        return profile
    base = builtin_profile(profile.backend, profile.model, profile.window)
    bounds = {kind: base.kinds.get(kind, base.use) for kind in profile.kinds}
    return replace(
        profile,
        use={place: _lower(curve, base.use[place]) for place, curve in profile.use.items()},
        kinds={
            kind: {place: _lower(curve, bounds[kind][place]) for place, curve in curves.items()}
            for kind, curves in profile.kinds.items()
        },
        retention={role: _lower(curve, base.retention.get(role, curve)) for role, curve in profile.retention.items()},
        false_found=max(profile.false_found or 0.0, base.false_found or 0.0),
    )


def _lower(curve: Curve, bound: Curve) -> Curve:
    """The lower of both at each point of either."""
    lengths = sorted({tokens for tokens, _ in (*curve, *bound)})
    return tuple((tokens, min(at(curve, tokens), at(bound, tokens))) for tokens in lengths)


def profile_path(identity: BackendIdentity) -> Path:
    """Where the Profile of this backend is stored, or would be."""
    key = hashlib.sha256(json.dumps(list(astuple(identity))).encode()).hexdigest()[:12]
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", Path(identity.model).name).strip("-")[:40] or "model"
    return config_folder() / "profiles" / f"{identity.backend}-{slug}-{key}.json"


def load_profile(identity: BackendIdentity) -> Profile:
    """The Profile that was measured for this backend; the built-in one where none was.

    Raises BadConfig for a file that is no profile.
    """
    path = profile_path(identity)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return builtin_profile(identity.backend, identity.model, identity.window)
    try:
        return from_object(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise BadConfig(f"{path} is no profile: {error}", hint="lcrag calibrate") from error


def save_profile(profile: Profile) -> Path:
    """Write the Profile to its place, whole or not at all. Raises OSError."""
    path = profile_path(BackendIdentity(profile.backend, profile.model, profile.window, profile.dtype, profile.device))
    write_whole(path, json.dumps(to_object(profile), indent=1, ensure_ascii=False) + "\n")
    return path


def to_object(profile: Profile) -> dict[str, Any]:
    """``lcrag.profile/2``, without what the route log says."""
    return {"schema": SCHEMA, **{name: value for name, value in asdict(profile).items() if name != "learned"}}


def from_object(value: Mapping[str, Any]) -> Profile:
    """The inverse of ``to_object``. Raises ValueError, KeyError or TypeError for what is no profile."""
    fields = dict(value)
    schema = fields.pop("schema")
    if schema == _FIRST_SCHEMA:
        fields = {_FIRST_NAMES.get(name, name): field for name, field in fields.items()}
        fields["cost"] = {_FIRST_COSTS.get(name, name): number for name, number in fields["cost"].items()}
    elif schema != SCHEMA:
        raise ValueError(f"the schema is not {SCHEMA}")
    cost = CostModel(**fields.pop("cost"))
    use = {name: _curve(points) for name, points in fields.pop("use").items()}
    if missing := set(get_args(Surroundings)) - use.keys():
        raise ValueError(f"no use curve for {', '.join(sorted(missing))}")
    kinds = {
        kind: {name: _curve(points) for name, points in curves.items()} for kind, curves in fields.pop("kinds").items()
    }
    retention = {role: _curve(points) for role, points in fields.pop("retention").items()}
    return Profile(use=use, cost=cost, kinds=kinds, retention=retention, **fields)


def _curve(points: Sequence[Sequence[float]]) -> Curve:
    curve = tuple((int(tokens), float(p)) for tokens, p in points)
    if not curve or any(later <= earlier for (earlier, _), (later, _) in pairwise(curve)):
        raise ValueError("a curve needs ascending points")
    if not all(math.isfinite(p) and 0 <= p <= 1 for _, p in curve):
        raise ValueError("a curve's values are probabilities")
    return curve
