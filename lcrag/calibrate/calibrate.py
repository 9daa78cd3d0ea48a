"""Measures a backend: how well it uses what it reads, what it loses at a hand-over, and what reading costs.

Use is measured in cells: a kind of question, its surroundings, a length. Each cell is asked probe after probe, the
evidence at ever other depths, until a confidence sequence (``lcrag.calibrate.outcomes``) tells on which side of the
effective window it lies: above or below ``SHARE`` of the best of its kind. A wrong verdict has at most probability
``ERROR`` a cell. Cells far from that border, which are most, need eight probes or so; those on it end at ``MOST``. A
kind that is lost at one length is not asked at longer ones. The curve is the mean of each cell and of a smooth curve
through all of a kind, which counts as ``PRIOR`` probes, made falling (pool adjacent violators), as use falls with
length.

Every outcome is written to a file as it comes, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final, get_args

from lcrag.calibrate.cost import fit_cost, measure_cost
from lcrag.calibrate.outcomes import Cell, Outcomes, falling, fitted, interval
from lcrag.calibrate.probes import ProbeSource
from lcrag.planning.profile import builtin_profile
from lcrag.planning.use import at as value_at
from lcrag.text.prompts import answer_tokens, says_nothing
from lcrag.types import Backend, Curve, Emit, Event, Kind, Profile, Role, Surroundings

if TYPE_CHECKING:
    from lcrag.index.corpus import Corpus

SHARE: Final = 0.85
"""A length is within the effective window while use is at least this share of its best (RULER's own yardstick)."""
ERROR: Final = 0.05
FIRST, STEP, MOST, MOST_QUICK = 8, 4, 32, 16
HANDED: Final[tuple[Role, ...]] = ("note", "summarise", "synthesise")
HANDED_TOKENS: Final = (1000, 2000, 8000, 32000)
HANDED_KIND: Final[Kind] = "fact"
ANSWER_TOKENS: Final = 256
"""Enough for every right reply; a model that does not stop is not waited for."""
LONGEST_EMBEDDED: Final = 150_000
"""The extracting backend's window is 4 million tokens, and its use falls slowly."""
PRIOR: Final = 32.0
GOLDEN: Final = (math.sqrt(5) - 1) / 2


class CorpusText:
    """The user's own documents as what probes are laid into: ``lcrag.calibrate.probes.Text``."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._texts = [chunk.text for chunk in corpus.chunks()]

    def consecutive(self, characters: int, seed: int) -> list[str]:
        """Chunks that follow each other, from a place that the seed chooses, round the end."""
        start = random.Random(seed).randrange(len(self._texts))
        return _until(characters, islice(cycle(self._texts), start, None))

    def retrieved(self, question: str, characters: int, seed: int) -> list[str]:
        """The chunks that rank highest for the question, by words, in reading order."""
        from lcrag.retrieve.rank import retrieve

        hits = retrieve(self._corpus, question, embedder=None, depth_tokens=characters).hits
        taken = _until(characters, (hit.chunk.text for hit in hits))
        return [hit.chunk.text for hit in sorted(hits[: len(taken)], key=lambda hit: hit.chunk.id)]


def _until(characters: int, texts: Iterable[str]) -> list[str]:
    taken: list[str] = []
    length = 0
    for text in texts:
        if length >= characters:
            break
        taken.append(text)
        length += len(text)
    return taken


def lengths(window: int, *, quick: bool = False) -> tuple[int, ...]:
    """From 512 doubling (quick: times four) to what the window leaves beside instruction and answer."""
    most = int(0.9 * window) - ANSWER_TOKENS - 200
    step = 4 if quick else 2
    found = [512]
    while found[-1] * step <= most:
        found.append(found[-1] * step)
    if most > 1.2 * found[-1]:
        found.append(most)
    return tuple(found)


def measure_use(
    backend: Backend,
    source: ProbeSource,
    outcomes: Outcomes,
    emit: Emit,
    *,
    at: Sequence[int],
    kinds: Sequence[Kind] | None = None,
    surroundings: Sequence[Surroundings] = get_args(Surroundings),
    most: int = MOST,
    seed: int = 0,
) -> None:
    """Ask probes until every cell is decided or has had ``most``; the cells are in ``outcomes``."""
    done = 0
    for place in surroundings:
        alive = list(kinds or source.kinds)
        for tokens in at:
            cells = [outcomes.cell("answer", kind, place, tokens) for kind in alive]
            while cells := [cell for cell in cells if not decided(cell, outcomes, at, most)]:
                _ask(backend, source, outcomes, cells, seed)
                done += 1
                emit(Event("calibrate", {"part": "use", "surroundings": place, "tokens": tokens, "done": done}))
            alive = [kind for kind in alive if not _lost(outcomes.cell("answer", kind, place, tokens), outcomes, at)]


def measure_handed(
    backend: Backend, source: ProbeSource, outcomes: Outcomes, emit: Emit, *, most: int, seed: int = 0
) -> None:
    """How much of the evidence a worker's note or summary keeps, and an answer from notes uses."""
    room = int(0.9 * backend.window) - ANSWER_TOKENS - 200
    for role in HANDED:
        for tokens in (min(tokens, room) for tokens in HANDED_TOKENS if tokens <= room or tokens == HANDED_TOKENS[0]):
            if role == "synthesise" and tokens > 2000:
                continue  # notes are short
            cell = outcomes.cell(role, HANDED_KIND, "consecutive", tokens)
            while cell.asked < most:
                _ask(backend, source, outcomes, [cell], seed)
                emit(Event("calibrate", {"part": role, "tokens": tokens, "done": cell.asked}))


def _ask(backend: Backend, source: ProbeSource, outcomes: Outcomes, cells: Sequence[Cell], seed: int) -> None:
    """A batch of probes for cells of one role, surroundings and length."""
    first = cells[0]
    asked = max(cell.asked for cell in cells)
    probes = [
        probe
        for number in range(asked, asked + (FIRST if asked == 0 else STEP))
        for probe in source.probes(
            [cell.kind for cell in cells],
            first.tokens,
            first.surroundings,
            seed * 1_000_003 + number,
            (0.5 + number * GOLDEN) % 1.0,
            first.role,
        )
    ]
    by_kind = {cell.kind: cell for cell in cells}
    replies = backend.run([probe.task for probe in probes], max_tokens=ANSWER_TOKENS)
    for probe, reply in zip(probes, replies, strict=True):
        nothing = says_nothing(reply.text)
        outcomes.add(
            by_kind[probe.kind],
            right=probe.right(reply.text),
            nothing=nothing,
            scope=probe.scope,
            written=reply.usage.output_tokens,
        )


def decided(cell: Cell, outcomes: Outcomes, at: Sequence[int], most: int) -> bool:
    """Whether the cell lies surely above or below the border. The shortest sets it: asked half of ``most``."""
    if cell.asked == 0 or cell.asked >= most:
        return cell.asked > 0
    if cell.tokens == at[0]:
        return cell.asked >= most // 2
    low, high = interval(cell.right, cell.asked, ERROR)
    border = SHARE * _best(cell, outcomes, at)
    return low > border or high < border


def _lost(cell: Cell, outcomes: Outcomes, at: Sequence[int]) -> bool:
    return interval(cell.right, cell.asked, ERROR)[1] < SHARE * _best(cell, outcomes, at)


def _best(cell: Cell, outcomes: Outcomes, at: Sequence[int]) -> float:
    return fitted([outcomes.cell(cell.role, cell.kind, cell.surroundings, tokens) for tokens in at], at[:1])[0]


def curve(outcomes: Outcomes, role: Role, kind: Kind, surroundings: Surroundings, window: int) -> Curve:
    """The falling curve through the cells that were asked, and beyond them by the smooth one; () where none was."""
    cells = [
        cell
        for cell in outcomes.cells.values()
        if (cell.role, cell.kind, cell.surroundings) == (role, kind, surroundings) and cell.asked
    ]
    if not cells:
        return ()
    where = sorted(cell.tokens for cell in cells)
    while where[-1] * 2 <= window:
        where.append(where[-1] * 2)
    asked = {cell.tokens: cell for cell in cells}
    points = []
    for tokens, smooth in zip(where, fitted(cells, where), strict=True):
        cell = asked.get(tokens) or Cell(role, kind, surroundings, tokens)
        points.append((tokens, (cell.right + PRIOR * smooth) / (cell.asked + PRIOR), cell.asked + PRIOR))
    return falling(points)


def calibrate(
    backend: Backend,
    source: ProbeSource,
    emit: Emit,
    *,
    outcomes: Outcomes,
    quick: bool = False,
    seed: int = 0,
    dtype: str = "",
    device: str = "",
    kv_tokens: int | None = None,
) -> Profile:
    """The backend's Profile, measured. Raises what the backend raises; what was asked till then is in ``outcomes``."""
    at = lengths(min(backend.window, LONGEST_EMBEDDED if backend.name == "embedded" else backend.window), quick=quick)
    measured = measure_cost(backend, source, emit, longest=at[-1], quick=quick, seed=seed)
    most = MOST_QUICK if quick else MOST
    measure_use(backend, source, outcomes, emit, at=at, most=most, seed=seed)
    measure_handed(backend, source, outcomes, emit, most=most // 2, seed=seed)
    return replace(
        profile_of(outcomes, backend),
        name=f"calibrated{' quickly' if quick else ''} ({backend.model})",
        cost=fit_cost(measured),
        measured=True,
        kv_tokens=kv_tokens,
        dtype=dtype,
        device=device,
    )


def profile_of(outcomes: Outcomes, backend: Backend) -> Profile:
    """The curves that these outcomes make; the built-in ones where nothing was asked. Its cost is the built-in one."""
    base = builtin_profile(backend.name, backend.model, backend.window)
    kinds: dict[str, dict[str, Curve]] = {}
    use: dict[str, Curve] = {}
    for place in get_args(Surroundings):
        for kind in get_args(Kind):
            found = curve(outcomes, "answer", kind, place, backend.window)
            if found:
                kinds.setdefault(kind, {})[place] = found
        use[place] = _mean([curves[place] for kind, curves in kinds.items() if kind != "absent" and place in curves])
    retention: dict[str, Curve] = {}
    for role in HANDED:
        found = curve(outcomes, role, HANDED_KIND, "consecutive", backend.window)
        if found:
            retention[role] = found
    answered = [cell for cell in outcomes.cells.values() if cell.role == "answer"]
    here = [cell for cell in answered if cell.kind != "absent"]
    absent = [cell for cell in answered if cell.kind == "absent"]
    return replace(
        base,
        use={place: use[place] or base.use[place] for place in use},
        kinds=kinds,
        scopes={kind: _scope(here, kind) for kind in ("list", "count") if kind in kinds},
        retention={**base.retention, **retention},
        false_found=1 - _share(absent) if absent else None,
        false_refused=_share(here) if here else None,
        output_ratio=_output_ratio(here) if here else base.output_ratio,
    )


def _mean(curves: Sequence[Curve]) -> Curve:
    """The mean of curves, at every length that one of them has."""
    where = sorted({tokens for one in curves for tokens, _ in one})
    return tuple((tokens, sum(value_at(one, tokens) for one in curves) / len(curves)) for tokens in where)


def _share(cells: Iterable[Cell]) -> float:
    """Of all probes, those answered NOT FOUND."""
    listed = list(cells)
    return sum(cell.said_nothing for cell in listed) / max(1, sum(cell.asked for cell in listed))


def _output_ratio(cells: Sequence[Cell]) -> float:
    """Tokens that were written for one that workloads reckon with."""
    reckoned = sum(cell.asked * answer_tokens(cell.scope / cell.asked) for cell in cells if cell.asked)
    return sum(cell.written for cell in cells) / reckoned


def _scope(cells: Iterable[Cell], kind: Kind) -> int:
    of_kind = [cell for cell in cells if cell.kind == kind]
    return round(sum(cell.scope for cell in of_kind) / max(1, sum(cell.asked for cell in of_kind)))
