"""How fast does P(correct) learn from the route log? By simulation, and by replay of answers (``measure.py``).

    python examples/routing/learning.py simulate
    python examples/routing/learning.py replay FILE.jsonl... --backend server|embedded... [--model NAME] [--window N]
        [--by-source] [--plot PNG]

Simulated: models whose use differs from the built-in curve by a shift drawn from ``SPREAD``, and whose refusals and
citations differ from what is assumed as the measured models do. Each asks questions with the evidence and answerability
of Beta distributions. Error: |mean P(correct) - true P(correct)|, over all questions.

Replayed: the log is the router's own routes on questions in random order, which it takes by what the log says so far.
The error is that on the questions that are not in the log yet: |mean P(correct) - mean value|, and ECE in ten bins.
``noise``: the standard error of that mean value, below which no error can be seen.

"unknown" is a log without right answers: refusals and citations; "known" one of ``lcrag compare`` with right answers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from judge import Asked, ece

from lcrag.planning.learning import SPREAD, Outcome, learned, moved, shifted, use_of
from lcrag.planning.profile import builtin_profile
from lcrag.planning.router import choose
from lcrag.planning.use import at
from lcrag.types import Learned, Policy, Profile

ASKED = (0, 10, 25, 50, 100, 200)
REFUSING = 0.8
"""Standard deviation of the log-odds of refusals between sources and models, as of the answers replayed here."""
CITING = ((0.73, 0.68), (0.67, 0.49), (1.0, 1.0))
"""P(supported | right), P(supported | wrong) of the three that were measured: one is drawn for each model."""
READ = 2000
LEARNS_AFTER = 10
"""Questions of a session."""
MODELS, SEEDS = 200, 20


def simulated(profile: Profile) -> dict[int, tuple[float, float]]:
    """By questions asked: the mean error over MODELS with a log without, and one with, right answers."""
    errors: dict[int, list[tuple[float, float]]] = {asked: [] for asked in ASKED}
    for seed in range(MODELS):
        r = np.random.default_rng(seed)
        shift, (right_cited, wrong_cited) = r.normal(0, SPREAD), CITING[r.integers(len(CITING))]
        refuses = shifted(profile.kinds["absent"]["retrieved"][0][1], r.normal(0, REFUSING))
        makes_up = shifted(profile.false_found or 0.0, r.normal(0, REFUSING))
        use = at(profile.use["retrieved"], READ)
        answerable, evidence = r.beta(13, 2, max(ASKED)), r.beta(4, 1, max(ASKED))
        there = r.random(max(ASKED)) < answerable
        used = there & (r.random(max(ASKED)) < evidence * shifted(use, shift))
        refused = ~used & (r.random(max(ASKED)) < np.where(there, 1 - makes_up, refuses))
        cited = ~refused & (r.random(max(ASKED)) < np.where(used, right_cited, wrong_cited))
        correct = used | (refused & ~there)
        outcomes = [
            Outcome(use, float(e), float(a), bool(no), bool(yes))
            for e, a, no, yes in zip(evidence, answerable, refused, cited, strict=True)
        ]
        known = [replace(one, right=float(value)) for one, value in zip(outcomes, correct, strict=True)]
        a, e, said = answerable.mean(), (answerable * evidence).mean(), profile.kinds["absent"]["retrieved"][0][1]
        truth = e * shifted(use, shift) + (1 - a) * refuses
        for asked in ASKED:
            found = [learned(log[:asked], profile) for log in (outcomes, known)]
            promised = [e * shifted(use, one.log_odds if one else 0.0) + (1 - a) * said for one in found]
            errors[asked].append((abs(promised[0] - truth), abs(promised[1] - truth)))
    return {asked: tuple(np.mean(listed, axis=0)) for asked, listed in errors.items()}


@dataclass(frozen=True, eq=False)
class Replay:
    """Questions with the answers of all their routes, and the profile before any log."""

    listed: tuple[Asked, ...]
    profile: Profile

    @cache  # noqa: B019
    def routes(self, log_odds: float) -> list[tuple[float, Outcome]]:
        """P(correct) of the router's route for each question, with the curves moved so far, and what the log has of it,
        as with right answers."""
        profile, found = moved(self.profile, Learned(log_odds, 1, 0)), []
        for asked in self.listed:
            forecasts = asked.forecasts(profile)
            best = choose(forecasts, Policy(), profile.window)
            answer, answerable = asked.routes[forecasts.index(best)], asked.estimate.answerable
            use = use_of(best.quality, best.evidence, answerable, profile)
            supported = not answer["unsupported"] and all(answer["supported"])
            refused = answer["status"] != "answered"
            logged = Outcome(use, best.evidence, answerable, refused, supported, None, answer["value"])
            found.append((best.quality, logged))
        return found

    def run(self, seed: int, known: bool) -> Iterator[tuple[int, np.ndarray]]:
        """As the log grows: how long it is, and P(correct) and value of the questions that are not in it."""
        order, log_odds = np.random.default_rng(seed).permutation(len(self.listed)), 0.0
        log: list[Outcome] = []
        for asked in range(len(self.listed) // 2 + 1):
            if asked % LEARNS_AFTER == 0:
                found = learned(log, self.profile)
                log_odds = round(found.log_odds, 1) if found else 0.0
            if asked in ASKED:
                left = [self.routes(log_odds)[place] for place in order[asked:]]
                yield asked, np.array([(quality, one.right) for quality, one in left])
            if asked == max(ASKED):
                return
            logged = self.routes(log_odds)[order[asked]][1]
            log.append(logged if known else replace(logged, right=None))


def replayed(name: str, replay: Replay) -> None:
    print(f"{name}, {len(replay.listed)} questions, {SEEDS} orders")
    print(f"{'asked':>6}{'unknown':>9}{'ECE':>7}{'known':>9}{'ECE':>7}{'noise':>9}")
    cells: dict[int, list[list[float]]] = {}
    for seed in range(SEEDS):
        for (asked, unknown), (_, known) in zip(replay.run(seed, False), replay.run(seed, True), strict=True):
            row = [value for pairs in (unknown, known) for value in (off(pairs), ece(pairs.tolist()))]
            cells.setdefault(asked, []).append([*row, float(known[:, 1].std() / len(known) ** 0.5)])
    for asked, rows in cells.items():
        unknown, first, known, second, noise = np.mean(rows, axis=0)
        print(f"{asked:>6}{unknown:>9.3f}{first:>7.3f}{known:>9.3f}{second:>7.3f}{noise:>9.3f}")


def off(pairs: np.ndarray) -> float:
    """How far the mean forecast is from the mean value."""
    return float(abs(pairs[:, 0].mean() - pairs[:, 1].mean()))


def fifths(pairs: np.ndarray) -> np.ndarray:
    """Mean P(correct) and value of each fifth of the questions by P(correct)."""
    ordered = pairs[np.argsort(pairs[:, 0], kind="stable")]
    return np.array([group.mean(axis=0) for group in np.array_split(ordered, 5)])


def plot(panels: Sequence[tuple[str, Replay]], path: Path) -> None:
    """Reliability of each backend: with no log, and with one of 50 known answers, on the questions not in it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, row = pyplot.subplots(1, len(panels), figsize=(4.2 * len(panels), 4.2), layout="constrained", squeeze=False)
    for axes, (name, replay) in zip(row[0], panels, strict=True):
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for asked, label in ((0, "no log"), (50, "50 known answers")):
            points = np.mean([fifths(dict(replay.run(seed, True))[asked]) for seed in range(SEEDS)], axis=0)
            axes.plot(points[:, 0], points[:, 1], marker="o", label=label)
        axes.set(xlabel="P(correct), forecast", ylabel="mean value", xlim=(0, 0.7), ylim=(0, 0.7))
        axes.set_title(f"{name}, {len(replay.listed)} questions", fontsize=10)
        axes.legend(loc="upper left")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("simulate", "replay"))
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE.jsonl")
    parser.add_argument("--backend", nargs="*", default=[], help="of each file: embedded or server")
    parser.add_argument("--model", default="smollm2-135m", help="the name of the servers' model")
    parser.add_argument("--window", type=int, default=8192, help="of the servers' model")
    parser.add_argument("--by-source", action="store_true", help="a user with documents of one source")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="write a reliability plot of each file")
    options = parser.parse_args()
    if options.what == "simulate":
        for model in ("a-135m", "a-8b"):
            print(f"{model}, {MODELS} simulated models\n{'asked':>6}{'unknown':>9}{'known':>9}")
            for asked, (unknown, known) in simulated(builtin_profile("server", model, options.window)).items():
                print(f"{asked:>6}{unknown:>9.3f}{known:>9.3f}")
    panels = []
    for path, backend in zip(options.files, options.backend, strict=True):
        served = backend == "server"
        window = options.window if served else 4_000_000
        profile = builtin_profile(backend, options.model if served else "", window)
        listed = [Asked(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        panels.append((f"{path.stem} ({backend})", Replay(tuple(listed), profile)))
        if not options.by_source:
            replayed(*panels[-1])
            continue
        for source in sorted({asked.source for asked in listed}):
            replayed(source, Replay(tuple(asked for asked in listed if asked.source == source), profile))
    if options.plot:
        plot(panels, options.plot)


if __name__ == "__main__":
    main()
