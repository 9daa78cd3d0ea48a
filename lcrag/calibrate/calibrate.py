"""Measures a backend: how well it uses what it reads, what is lost in notes and summaries, and what reading costs.

Use is measured in cells: a kind of question, its surroundings, a length. Each cell is asked probe after probe, with the
evidence at varying depths, until a confidence sequence (``lcrag.calibrate.outcomes``) shows on which side of the
effective window it is: above or below ``EFFECTIVE_SHARE`` of the best use of its kind. A verdict is wrong with
probability ``ERROR`` at most. Most cells are far from that border and need about eight probes; those near it end at
``MOST``. A kind that is lost at one length is not asked at longer ones.

Every outcome is written to a file as it comes, so that an interrupted run can be resumed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final, get_args

from lcrag.calibrate.cost import fit_cost, measure_cost
from lcrag.calibrate.curves import RETENTION_KINDS, profile_of
from lcrag.calibrate.outcomes import Cell, Outcomes, confidence_interval, fit_use
from lcrag.calibrate.probes import Probe, ProbeSource
from lcrag.planning.use import EFFECTIVE_SHARE
from lcrag.text.prompts import messages, says_nothing
from lcrag.types import Backend, Emit, Event, Kind, Profile, Role, Surroundings

if TYPE_CHECKING:
    from lcrag.index.corpus import Corpus

ERROR: Final = 0.05
"""Probability of a wrong verdict on a cell: the usual level."""
FIRST: Final = 8
"""Probes of a cell to begin with: about as many as decide a cell far from the border."""
STEP: Final = 4
"""Further probes before looking again; a server answers them together."""
MOST: Final = 32
MOST_QUICK: Final = 16
GOLDEN: Final = (math.sqrt(5) - 1) / 2
"""Steps of this size spread the depths evenly for any number of probes."""

SHORTEST: Final = 512
"""The shortest length in tokens: about the least that chunk_rag reads (500)."""
WORTHWHILE: Final = 1.2
"""The usable window is a length of its own if it is this many times the last doubling."""
ANSWER_TOKENS: Final = 256
"""Enough for every right reply; a model that does not stop is not waited for."""
INSTRUCTION_TOKENS: Final = 200
"""System line, task and question (119 tokens at most, measured with cl100k), and the chat template."""
PROMPT_RATIO: Final = 1.33
"""Tokens of a prompt for one token of text asked for. Passages are up to 1.19 times as long, as lengths are estimated
from characters, and fences add 9 to 12%: together at most 1.28 (cl100k) and 1.32 (WordPiece), measured on probes of 512
to 100,000 tokens."""
SPARE: Final = 1.02
"""Probes of a length differ by this much from each other: 1% in 40 of 5,800 tokens. Where a tokenizer takes digits one
by one it is up to 17% (SmolLM2's, 40 probes), so what does not fit is made again, shorter."""
LONGEST_EMBEDDED: Final = 150_000
"""The extracting backend's window is 4 million tokens, and its use falls slowly."""

CERTAIN: Final = 4
"""Tokens that a prompt has at most for one asked for: one for each character."""

RETENTION_LENGTHS: Final = (1000, 2000, 8000, 32000)
"""Tokens that a worker reads for a note or a summary, from short to long."""
LONGEST_NOTES: Final = 2000
"""Notes take at most a quarter of the window: so much of one of 8,000 tokens."""


class CorpusText:
    """The user's own documents as what evidence is inserted into: ``lcrag.calibrate.probes.Text``."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._texts = [chunk.text for chunk in corpus.chunks()]

    def consecutive(self, characters: int, seed: int) -> list[str]:
        """Chunks that follow each other from one that the seed chooses, and from the first after the last."""
        start = random.Random(seed).randrange(len(self._texts))
        return _take(characters, islice(cycle(self._texts), start, None))

    def retrieved(self, question: str, characters: int, seed: int) -> list[str]:
        """The chunks that rank highest for the question, by words, in reading order."""
        from lcrag.retrieve.rank import retrieve

        hits = retrieve(self._corpus, question, embedder=None, depth_tokens=characters).hits
        count = len(_take(characters, (hit.chunk.text for hit in hits)))
        return [hit.chunk.text for hit in sorted(hits[:count], key=lambda hit: hit.chunk.id)]


def _take(characters: int, texts: Iterable[str]) -> list[str]:
    """The first texts, until they have this many characters."""
    taken: list[str] = []
    length = 0
    for text in texts:
        if length >= characters:
            break
        taken.append(text)
        length += len(text)
    return taken


def usable(window: int) -> int:
    """The longest text, in tokens, whose probe surely fits a window of this many, with its instructions and reply."""
    return int((window - ANSWER_TOKENS - INSTRUCTION_TOKENS) / PROMPT_RATIO)


def longest_probe(backend: Backend, source: ProbeSource) -> int:
    """The longest text, in tokens, whose probes fit the window as the backend's tokenizer and template count them."""
    tokens = usable(backend.window)
    if backend.template_tokens is None:  # it has no prompts
        return min(tokens, usable(LONGEST_EMBEDDED))
    room = _room(backend, backend.template_tokens)
    probes = [
        probe
        for place in get_args(Surroundings)
        for probe in source.probes(source.kinds, tokens, place, 0, 0.5, "answer")
    ]
    return min(tokens, int(tokens * room / (SPARE * _longest_prompt(backend, probes))))


def _room(backend: Backend, template_tokens: int) -> int:
    """Tokens that a prompt may have, without the chat template."""
    return backend.window - ANSWER_TOKENS - template_tokens


def _longest_prompt(backend: Backend, probes: Sequence[Probe]) -> int:
    """Tokens of the longest, without the chat template."""
    prompts = ["\n".join(message["content"] for message in messages(probe.task)) for probe in probes]
    return max(backend.count_many(prompts))


def probes_that_fit(
    backend: Backend,
    source: ProbeSource,
    kinds: Sequence[Kind],
    tokens: int,
    surroundings: Surroundings,
    seed: int,
    depth: float,
    role: Role,
) -> list[Probe]:
    """The source's probes of about this many tokens; shorter ones where their prompts do not fit the window."""
    probes = source.probes(kinds, tokens, surroundings, seed, depth, role)
    if backend.template_tokens is None:
        return probes
    room = _room(backend, backend.template_tokens)
    while tokens > room / CERTAIN and (longest := _longest_prompt(backend, probes)) > room:
        tokens = int(tokens * room / (SPARE * longest))
        probes = source.probes(kinds, tokens, surroundings, seed, depth, role)
    return probes


def lengths(longest: int, *, quick: bool = False) -> tuple[int, ...]:
    """The lengths to measure, in tokens: from SHORTEST doubling (quick: times four) to ``longest``."""
    step = 4 if quick else 2
    chosen = [SHORTEST]
    while chosen[-1] * step <= longest:
        chosen.append(chosen[-1] * step)
    if longest > WORTHWHILE * chosen[-1]:
        chosen.append(longest)
    return tuple(chosen)


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
    """Ask probes of the lengths ``at`` until every cell is decided or has had ``most``; counts them in ``outcomes``.

    Its events count tokens of lengths, since a length takes about as long as it has tokens.
    """
    total, done = len(surroundings) * sum(at), 0
    for place in surroundings:
        remaining = list(kinds or source.kinds)
        for tokens in at:
            cells = [outcomes.cell("answer", kind, place, tokens) for kind in remaining]
            undecided = cells
            while undecided := [cell for cell in undecided if not is_decided(cell, outcomes, at, most)]:
                _ask(backend, source, outcomes, undecided, seed)
                passed = done + round(tokens * min(1.0, max(cell.asked for cell in undecided) / most))
                facts = {"part": "use", "surroundings": place, "tokens": tokens, "done": passed, "total": total}
                emit(Event("calibrate", facts))
            done += tokens
            remaining = [cell.kind for cell in cells if not _is_lost(cell, outcomes, at)]


def measure_retention(
    backend: Backend, source: ProbeSource, outcomes: Outcomes, emit: Emit, *, longest: int, most: int, seed: int = 0
) -> None:
    """Measure how much of the evidence a worker's note, quotes or summary retain, and how much an answer from notes
    uses."""
    cells = [
        outcomes.cell(role, kind, "consecutive", tokens)
        for role, kind in RETENTION_KINDS
        for tokens in _retention_lengths(role, longest)
    ]
    total, done = sum(cell.tokens for cell in cells), 0
    for cell in cells:
        while cell.asked < most:
            _ask(backend, source, outcomes, [cell], seed)
            passed = done + round(cell.tokens * min(1.0, cell.asked / most))
            emit(Event("calibrate", {"part": cell.role, "tokens": cell.tokens, "done": passed, "total": total}))
        done += cell.tokens


def _retention_lengths(role: Role, longest: int) -> Iterator[int]:
    """Those of RETENTION_LENGTHS that fit; the shortest one in any case, cut to what fits."""
    if role == "synthesise":
        longest = min(longest, LONGEST_NOTES)
    yield min(RETENTION_LENGTHS[0], longest)
    yield from (tokens for tokens in RETENTION_LENGTHS[1:] if tokens <= longest)


def _ask(backend: Backend, source: ProbeSource, outcomes: Outcomes, cells: Sequence[Cell], seed: int) -> None:
    """Ask a batch of probes of these cells, which have one role, surroundings and length."""
    first = cells[0]
    asked = max(cell.asked for cell in cells)
    probes = [
        probe
        for number in range(asked, asked + (FIRST if asked == 0 else STEP))
        for probe in probes_that_fit(
            backend,
            source,
            [cell.kind for cell in cells],
            first.tokens,
            first.surroundings,
            seed * 1_000_003 + number,  # a prime, so that no two runs share the seed of a probe
            (0.5 + number * GOLDEN) % 1.0,
            first.role,
        )
    ]
    by_kind = {cell.kind: cell for cell in cells}
    replies = backend.run([probe.task for probe in probes], max_tokens=ANSWER_TOKENS)
    for probe, reply in zip(probes, replies, strict=True):
        outcomes.add(
            by_kind[probe.kind],
            right=probe.right(reply.text),
            nothing=says_nothing(reply.text),
            scope=probe.scope,
            written=reply.usage.output_tokens,
        )


def is_decided(cell: Cell, outcomes: Outcomes, at: Sequence[int], most: int) -> bool:
    """Whether the cell is surely above or below the border. The shortest sets the border: it is asked half of ``most``.

    ``at``: the lengths that are measured, the shortest first.
    """
    if cell.asked == 0 or cell.asked >= most:
        return cell.asked > 0
    if cell.tokens == at[0]:
        return cell.asked >= most // 2
    low, high = confidence_interval(cell.right, cell.asked, ERROR)
    border = EFFECTIVE_SHARE * _best_use(cell, outcomes, at)
    return low > border or high < border


def _is_lost(cell: Cell, outcomes: Outcomes, at: Sequence[int]) -> bool:
    return confidence_interval(cell.right, cell.asked, ERROR)[1] < EFFECTIVE_SHARE * _best_use(cell, outcomes, at)


def _best_use(cell: Cell, outcomes: Outcomes, at: Sequence[int]) -> float:
    """Use at the shortest length, by the smooth curve through the cell's role, kind and surroundings."""
    return fit_use([outcomes.cell(cell.role, cell.kind, cell.surroundings, tokens) for tokens in at], at[:1])[0]


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
    """The backend's Profile, measured. Raises what the backend raises; the outcomes until then are in ``outcomes``."""
    longest = longest_probe(backend, source)
    at = lengths(longest, quick=quick)
    measurements = measure_cost(backend, source, emit, longest=at[-1], quick=quick, seed=seed)
    most = MOST_QUICK if quick else MOST
    measure_use(backend, source, outcomes, emit, at=at, most=most, seed=seed)
    measure_retention(backend, source, outcomes, emit, longest=longest, most=most // 2, seed=seed)
    return replace(
        profile_of(outcomes, backend),
        name=f"calibrated{' quickly' if quick else ''} ({backend.model})",
        cost=fit_cost(measurements),
        measured=True,
        kv_tokens=kv_tokens,
        dtype=dtype,
        device=device,
    )
