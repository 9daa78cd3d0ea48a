"""Trains the test bed's model to read generated worlds: ``python train.py OUT --seconds 500``.

Made for one GPU and a limit on wall-clock time: everything that changes during a run (the lengths of texts, the
learning rate) follows the share of the time that has passed, and OUT holds a model at any time. ``--resume FOLDER``
continues from such a model, on new data. OUT has the weights in bfloat16 and nothing else to continue from: a weight's
rounding is a fraction of what one step changes, and the optimizer's memory reaches back twenty steps, fewer than the
new run warms up for.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import queue
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from evaluate import ALL, NUMBER, Cell, Item, Result, cells, encoded, prepared, read_by, results, table, tokenizer
from model import Reranker, Shape, compare_with_transformers, load, new, rounded, save, write_json
from torch import Tensor
from worlds import TASKS, training_document

ROLE_WEIGHTS: Final = {"answer": 54, "note": 21, "compress": 8, "judge": 4, "synthesise": 8, "merge": 5}
"""Shares of the rows, and so of the tokens. Writing down all that helps is how lists are learnt as well."""
SHORT_ROLES: Final = ("synthesise", "merge")
"""Roles whose texts are as long as their notes: many fill a row, and one fills what another role left."""
SHORTEST: Final = 90
"""Tokens that are worth a text."""

Lengths = dict[int, int]
"""Lengths of rows in tokens, and their shares of the batches."""

CURRICULUM: Final[tuple[tuple[float, Lengths], ...]] = (
    (0.06, {256: 40, 512: 60}),
    (0.18, {256: 15, 512: 45, 1024: 40}),
    (0.35, {256: 8, 512: 22, 1024: 40, 2048: 30}),
    (1.0, {256: 4, 512: 12, 1024: 27, 2048: 29, 4096: 28}),
)
"""Until which share of the run which lengths are read. Looking things up is learnt on short texts, then stretched."""

WARM_UP: Final = 150
"""Steps until the full rate."""
STABLE: Final = 0.5
FIRST_ENDS_AT: Final = 0.25
"""A first run keeps the rate for this share, then lowers it to this part: good to measure, good to continue from."""
RESUMED_RATE: Final = 0.7
RESUMED_STABLE: Final = 0.15
"""A run that continues rises to this part of the rate, keeps it for this share, then lowers it to zero."""

RATES: Final = {"muon": 3e-3, "adamw": 2e-3}
DECAY: Final = 0.1
MOMENTUM: Final = 0.95
MUON_RMS: Final = 0.2
"""How large Muon's updates are on average, as AdamW's are: one rate serves both."""
CLIP: Final = 1.0
EVALUATION_SECONDS: Final = 50
"""Kept of the total for the last evaluation."""
AHEAD: Final = 48
"""Batches that wait for the GPU."""

STARTED: Final = time.monotonic()


@dataclass(frozen=True, slots=True)
class Settings:
    shape: Shape = field(default_factory=Shape)
    batch: int = 131_072
    longest: int = 4096
    workers: int = 13
    log_seconds: float = 10
    save_seconds: float = 60
    quick_seconds: float = 80
    quick_number: int = 48
    quick_lengths: tuple[int, ...] = (512, 1024)
    number: int = NUMBER
    lengths: tuple[int, ...] = (1024, 4096, 2048, 512, 8192, 16384)
    """Of the last evaluation, what matters most first."""


TINY: Final = Settings(Shape(64, 2, 128), 2048, 512, 1, 2, 4, 5, 2, (256,), 7, (256,))
"""To see on any processor that everything runs; nothing is learnt."""


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def lengths_at(progress: float, longest: int, resumed: bool) -> Lengths:
    shares = CURRICULUM[-1][1] if resumed else next(lengths for until, lengths in CURRICULUM if progress <= until)
    return {length: share for length, share in shares.items() if length <= longest}


def rate_at(progress: float, step: int, resumed: bool) -> float:
    """The part of the full learning rate."""
    warm = min(1.0, (step + 1) / WARM_UP)
    if resumed:
        return warm * RESUMED_RATE * min(1.0, (1 - progress) / (1 - RESUMED_STABLE))
    return warm * min(1.0, 1 - (1 - FIRST_ENDS_AT) * (progress - STABLE) / (1 - STABLE))


def rows(r: random.Random, length: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows full of training texts: tokens, and the weights of their loss in hundredths."""
    tokens, weights = np.zeros((number, length), np.int16), np.zeros((number, length), np.uint8)
    for row_tokens, row_weights in zip(tokens, weights, strict=True):
        role = r.choices(list(ROLE_WEIGHTS), list(ROLE_WEIGHTS.values()))[0]
        place = 0
        while length - place >= SHORTEST:
            segments = training_document(r, length - place, role)
            texts = tokenizer().encode_batch([text for text, _ in segments], add_special_tokens=False)
            for text, (_, weight) in zip(texts, segments, strict=True):
                end = min(length, place + len(text.ids))
                row_tokens[place:end] = text.ids[: end - place]
                row_weights[place:end] = round(100 * weight)
                place = end
            if role not in SHORT_ROLES:
                role = r.choice(SHORT_ROLES)
    return tokens, weights


class Feed:
    """Batches from worker processes, which must be started before CUDA is."""

    def __init__(self, settings: Settings, run: int) -> None:
        context = multiprocessing.get_context("fork")
        self.progress = context.Value("d", 0.0)
        self.waited = 0.0
        self._queue = context.Queue(AHEAD)
        self.workers = [
            context.Process(target=self._work, args=(settings, run, number, os.getpid()), daemon=True)
            for number in range(settings.workers)
        ]
        for worker in self.workers:
            worker.start()

    def _work(self, settings: Settings, run: int, number: int, parent: int) -> None:
        """Makes batches from the seed of this run and worker for as long as the parent lives."""
        r = random.Random(f"training {run} {number}")
        while True:
            lengths = lengths_at(self.progress.value, settings.longest, run > 1)
            length = r.choices(list(lengths), list(lengths.values()))[0]
            batch = rows(r, length, settings.batch // length)
            while True:
                if os.getppid() != parent:
                    return
                try:
                    self._queue.put(batch, timeout=5)
                    break
                except queue.Full:
                    continue

    def take(self, device: str) -> tuple[Tensor, Tensor]:
        """Tokens and weights, on the device."""
        asked = time.monotonic()
        tokens, weights = (torch.from_numpy(part) for part in self._queue.get(timeout=120))
        self.waited += time.monotonic() - asked
        if device == "cuda":
            tokens, weights = (part.pin_memory().to(device, non_blocking=True) for part in (tokens, weights))
        return tokens.long(), weights.float() / 100

    @property
    def depth(self) -> int:
        return self._queue.qsize()

    def stop(self) -> None:
        for worker in self.workers:
            worker.terminate()


class Muon:
    """Momentum made orthogonal by Newton-Schulz (Jordan et al. 2024), for matrices of one shape together."""

    def __init__(self, matrices: Sequence[Tensor]) -> None:
        self.groups: dict[tuple[int, ...], list[Tensor]] = {}
        for matrix in matrices:
            self.groups.setdefault(tuple(matrix.shape), []).append(matrix)
        self.forget()

    def forget(self) -> None:
        self.momentum = {
            shape: torch.zeros((len(group), *shape), device=group[0].device) for shape, group in self.groups.items()
        }

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for shape, group in self.groups.items():
            gradient = torch.stack([matrix.grad for matrix in group])
            momentum = self.momentum[shape].lerp_(gradient, 1 - MOMENTUM)
            update = orthogonal(gradient.lerp(momentum, MOMENTUM)) * (MUON_RMS * max(shape) ** 0.5)
            torch._foreach_mul_(group, 1 - rate * DECAY)
            torch._foreach_add_(group, list(update.unbind()), alpha=-rate)


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest matrices whose singular values are all about one."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return (x.mT if tall else x).float()


class Optimizer:
    """Muon for the layers' matrices and AdamW for the rest, or AdamW for all."""

    def __init__(self, model: torch.nn.Module, kind: str) -> None:
        self.parameters = list(model.parameters())
        matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
        there = {id(matrix) for matrix in matrices}
        groups: list[dict[str, Any]] = [{"params": [p for p in self.parameters if id(p) not in there]}]
        self.muon = Muon(matrices) if kind == "muon" else None
        if self.muon is None:
            groups.append({"params": matrices, "weight_decay": DECAY})
        fused = self.parameters[0].is_cuda
        self.adam = torch.optim.AdamW(groups, betas=(0.9, 0.95), weight_decay=0.0, fused=fused)

    def step(self, rate: float) -> None:
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.step()
        if self.muon:
            self.muon.step(rate)
        for parameter in self.parameters:
            parameter.grad = None

    def forget(self) -> None:
        self.adam.state.clear()
        if self.muon:
            self.muon.forget()


@dataclass(slots=True)
class Record:
    """How the model came to be; kept with it in training.json."""

    run: int = 0
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    optimizer: str = ""
    evaluation: list[dict[str, object]] = field(default_factory=list)


class Trainer:
    def __init__(self, settings: Settings, given: argparse.Namespace, record: Record, feed: Feed) -> None:
        self.settings, self.record, self.feed = settings, record, feed
        self.out: Path = given.out
        self.rate = given.rate or RATES[given.optimizer]
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        if given.resume:
            self.model = load(given.resume, self.device, torch.float32)
        else:
            self.model = new(settings.shape, seed=record.run).to(self.device)
        self.reader = Reranker(self.model, compiled=self.device == "cuda")
        self.optimizer = Optimizer(self.model, given.optimizer)
        self.good = self._weights()
        self.losses: list[Tensor] = []
        self.reply_losses: dict[int, list[Tensor]] = {}

    @property
    def resumed(self) -> bool:
        return self.record.run > 1

    def warm_up(self) -> None:
        """Compiles before the clock starts."""
        self._gradients()
        for parameter in self.model.parameters():
            parameter.grad = None
        self.losses, self.reply_losses, self.feed.waited = [], {}, 0.0

    def train(self, seconds: float, quick: list[list[Item]]) -> None:
        began = logged = saved = tested = time.monotonic()
        steps, tokens, before = 0, 0, asdict(self.record)
        while (progress := (time.monotonic() - began) / seconds) < 1:
            self.feed.progress.value = progress
            rate = self.rate * rate_at(progress, steps, self.resumed)
            tokens += self._gradients()
            self.optimizer.step(rate)
            steps += 1
            now = time.monotonic()
            self.record.steps, self.record.tokens = before["steps"] + steps, before["tokens"] + tokens
            self.record.seconds = before["seconds"] + now - began
            if now - logged > self.settings.log_seconds:
                speed = tokens / (now - began) / 1e3
                say(f"{progress:.0%} step {steps} {tokens / 1e6:.1f}M {speed:.0f}k/s rate {rate:.1e} {self._report()}")
                logged = time.monotonic()
            if now - saved > self.settings.save_seconds:
                self.save()
                saved = time.monotonic()
            if now - tested > self.settings.quick_seconds:
                self._test(quick)
                tested = time.monotonic()

    def _gradients(self) -> int:
        """Of one batch; how many tokens it has."""
        tokens, weights = self.feed.take(self.device)
        loss, reply_loss = self.reader.loss(tokens, weights)
        loss.backward()
        self.losses.append(loss.detach())
        self.reply_losses.setdefault(tokens.shape[1], []).append(reply_loss)
        return tokens.numel()

    def _report(self) -> str:
        """The means since the last report. A loss that is no number brings the last good weights back."""
        loss = float(torch.stack(self.losses).mean())
        replies = {length: float(torch.stack(some).mean()) for length, some in sorted(self.reply_losses.items())}
        line = f"loss {loss:.3f} replies " + " ".join(f"{length}:{mean:.3f}" for length, mean in replies.items())
        line += f", waited {self.feed.waited:.1f} s, {self.feed.depth} ahead"
        self.losses, self.reply_losses, self.feed.waited = [], {}, 0.0
        if math.isfinite(loss):
            self.good = self._weights()
            return line
        self.model.load_state_dict(self.good)
        self.optimizer.forget()
        self.rate /= 2
        return f"{line}: back to the last good weights, at half the rate"

    def _weights(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def _test(self, quick: Sequence[Sequence[Item]]) -> None:
        began = time.monotonic()
        items = [item for some in quick for item in some]
        measured = results(items, read_by(Reranker(rounded(self.model)), items))
        wanted = {item.cell for item in items}
        figures: dict[str, list[str]] = {}
        for one in measured:
            if Cell(one.role, one.task, one.length) in wanted:
                figures.setdefault(f"{one.role} {one.length or 'notes'}", []).append(
                    f"{one.task} {one.exact / one.number:.2f}"
                )
        listed = "; ".join(f"{where}: {', '.join(some)}" for where, some in figures.items())
        say(f"quick evaluation in {time.monotonic() - began:.1f} s: {listed}")

    def save(self) -> None:
        save(self.model, self.out)
        write_json(self.out / "training.json", asdict(self.record))

    def evaluate(self, final: Iterable[list[Item]], deadline: float) -> None:
        """Cell by cell until the time is over; what has been measured is kept in training.json."""
        reader = Reranker(rounded(self.model))
        measured: list[Result] = []
        try:
            for items in final:
                measured += results(items, read_by(reader, items, deadline))
                self.record.evaluation = [one.row() for one in measured]
                write_json(self.out / "training.json", asdict(self.record))
        except multiprocessing.TimeoutError:
            say("out of time: the last evaluation is not complete")
        print(table(measured), flush=True)


def quick_cells(lengths: Sequence[int]) -> list[Cell]:
    answers = [Cell("answer", task, length) for length in lengths for task in TASKS]
    others = [Cell(role, ALL, lengths[-1]) for role in ("note", "compress", "judge")]
    return answers + others + [Cell(role, ALL, 0) for role in ("synthesise", "merge")]


def started_from(folder: Path | None) -> Record:
    if folder is None:
        return Record()
    return Record(**json.loads((folder / "training.json").read_text(encoding="utf-8")))


def run(given: argparse.Namespace, settings: Settings, pool: Pool, feed: Feed, record: Record) -> None:
    deadline = STARTED + given.total
    quick = prepared(pool, quick_cells(settings.quick_lengths), settings.quick_number, "quick")
    final = prepared(pool, cells(settings.lengths), settings.number, "final", deadline)
    trainer = Trainer(settings, given, record, feed)
    size = sum(parameter.numel() for parameter in trainer.model.parameters())
    say(f"run {record.run}: {size / 1e6:.2f}M parameters on {trainer.device}, torch {torch.__version__}")
    items = list(quick)
    trainer.warm_up()
    say(f"ready, {feed.depth} batches ahead")
    trainer.train(max(1.0, min(given.seconds, deadline - EVALUATION_SECONDS - time.monotonic())), items)
    feed.stop()
    trainer.save()
    say(
        f"saved after {record.tokens / 1e6:.0f}M tokens: {', '.join(sorted(path.name for path in given.out.iterdir()))}"
    )
    difference, same = compare_with_transformers(given.out, encoded(items[0][0].example.prompt), 24)
    greedy = "the same" if same else "NOT THE SAME"
    say(f"transformers: logits differ by {difference:.1e} of the largest, greedy replies are {greedy}")
    trainer.evaluate(final, deadline)
    if trainer.device == "cuda":
        say(f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=500, help="time to train for")
    parser.add_argument("--total", type=float, default=585, help="time for everything, evaluation included")
    parser.add_argument("--resume", type=Path, metavar="FOLDER", help="continue from this model")
    parser.add_argument("--optimizer", choices=tuple(RATES), default="muon")
    parser.add_argument("--rate", type=float, help="learning rate")
    parser.add_argument("--tiny", action="store_true", help="sizes for a processor, to see that everything runs")
    given = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    settings = TINY if given.tiny else Settings()
    record = started_from(given.resume)
    record.run += 1
    record.optimizer, record.evaluation = given.optimizer, []
    feed = Feed(settings, record.run)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        run(given, settings, pool, feed, record)


if __name__ == "__main__":
    main()
