"""Trains the reader's adapter: a few minutes on one GPU, or seconds on a processor to try it out.

    python examples/reader/train.py TRAINING.json.gz MODEL_FOLDER OUT.safetensors [--epochs 16]

TRAINING is what data.py makes, MODEL_FOLDER holds all-MiniLM-L6-v2. With ``--teachers``, so many models are first
trained with all of their weights free, and the adapter learns from the labels and from their mean at once. Written:
low-rank changes of every linear layer, changed norms, biases and segment embeddings, and the four outputs, as
export.py merges them.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import json
import queue
import random
import re
import string
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModel

QUESTION, LENGTH = 48, 320
"""Word pieces of a question, and of a question with its window."""
WIDTH = 64
"""Rows are padded to multiples of this: attention over an odd width is many times slower on a GPU."""
NEGATIVES = 3
JOINED = 0.2
"""Share of negatives that are joined with the chunk after them."""
THINNED = {"policy": 0.4}
"""Share of a source's questions that an epoch takes, where they repeat each other."""
HARD = 4.0
"""Weight of a row without an answer that was written, or made, to look as if it had one."""
NAME = re.compile(r"(?<=[a-z,'] )(?:[A-Z][a-zé]+(?: [A-Z][a-zé]+)*|[12]\d{3})\b")
CLS, SEP = 101, 102


@dataclass
class Window:
    """A stretch of a document: its pieces, and where each begins and ends in the document's text."""

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


@dataclass
class Row:
    """A question with a window; places of answer and evidence in the window's pieces, half-open, (0, 0) for none."""

    question: np.ndarray
    window: Window
    answer: tuple[int, int]
    evidence: tuple[int, int]
    weight: float = 1.0


def inside(window: Window, span: tuple[int, int] | None) -> tuple[int, int]:
    if span is None:
        return 0, 0
    first = int(np.searchsorted(window.ends, span[0], side="right"))
    last = int(np.searchsorted(window.starts, span[1], side="left"))
    return (first, last) if first < last else (0, 0)


def exchanged(question: str, passage: str, names: list[str]) -> str | None:
    """The question with a name or number of the passage exchanged for another one that is not in it, if it has one.

    Such a question has no answer there, and says so only to one who reads: what it asks for is all there.
    """
    own = [name for name in NAME.findall(question) if name in passage]
    for _ in range(8) if own else ():
        name, other = random.choice(own), random.choice(names)
        if other not in passage and other.isdigit() == name.isdigit() and other not in question:
            return question.replace(name, other)
    return None


class Examples:
    """The questions with the windows that hold their answers and the negatives; ``epoch`` deals them out."""

    def __init__(self, data: dict[str, Any], tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.answered: list[tuple[str, np.ndarray, list[Row], list[Row]]] = []
        self.unanswered: list[Row] = []
        for source, made in data["train"].items():
            self._add(source, made)

    def _add(self, source: str, made: dict[str, Any]) -> None:
        documents, chunks = made["documents"], [tuple(chunk) for chunk in made["chunks"]]
        wanted: dict[tuple[int, int, int], None] = {}
        planned = []
        by_document: dict[int, list[tuple[int, int, int]]] = collections.defaultdict(list)
        for chunk in chunks:
            by_document[chunk[0]].append(chunk)
        for question in made["questions"]:
            whole = (question["document"], *question["passage"])
            if "answer" not in question:
                if source != "nq":  # there: a random passage, which is too easy
                    planned.append((question, [whole], []))
                    wanted[whole] = None
                continue
            positive, negative = [whole], []
            start, end = question["answer"]
            listed = by_document[question["document"]]
            own = [n for n, chunk in enumerate(listed) if chunk[1] < end and start < chunk[2]]
            for before, after in ((0, 0), (1, 0), (0, 1), (1, 1)):
                first, last = listed[max(0, own[0] - before)], listed[min(len(listed) - 1, own[-1] + after)]
                positive.append((question["document"], first[1], last[2]))
            for number in question["negatives"]:
                chunk = chunks[number]
                after = chunks[number + 1] if number + 1 < len(chunks) else chunk
                alone = after[0] != chunk[0] or random.random() > JOINED
                holds = chunk[0] == question["document"] and after[1] < end and start < after[2]
                negative.append(chunk if alone or holds else (chunk[0], chunk[1], after[2]))
            planned.append((question, list(dict.fromkeys(positive)), negative))
            wanted |= dict.fromkeys([*positive, *negative])
        texts = [documents[document][start:end] for document, start, end in wanted]
        windows = {}
        for key, encoding in zip(wanted, self.tokenizer.encode_batch(texts, add_special_tokens=False), strict=True):
            places = np.array(encoding.offsets, np.int32).reshape(-1, 2)[: LENGTH - QUESTION - 3] + key[1]
            ids = np.array(encoding.ids, np.int32)[: LENGTH - QUESTION - 3]
            windows[key] = Window(ids, places[:, 0], places[:, 1])
        names = sorted({name for question in made["questions"] for name in NAME.findall(question["q"])})
        for question, positive, negative in planned:
            asked = pieces(self.tokenizer, question["q"])
            answer, evidence = question.get("answer"), question.get("evidence")
            rows = [Row(asked, w, inside(w, answer), inside(w, evidence)) for w in (windows[key] for key in positive)]
            if answer is None:
                self.unanswered += [replace(row, weight=HARD) for row in rows]
            elif rows := [row for row in rows if row.answer[1]]:
                others = [Row(asked, windows[key], (0, 0), (0, 0)) for key in negative]
                self.answered.append((source, asked, rows, others))
                if other := exchanged(
                    question["q"], documents[question["document"]][slice(*question["passage"])], names
                ):
                    asked = pieces(self.tokenizer, other)
                    self.unanswered.append(Row(asked, windows[positive[0]], (0, 0), (0, 0), HARD))

    def epoch(self, draw: random.Random, questions: int) -> Iterator[tuple[list[Row], list[list[int]]]]:
        """Batches of rows, and of each question the rows that compete: one with the answer, then negatives."""
        taken = [one for one in self.answered if draw.random() < THINNED.get(one[0], 1)]
        draw.shuffle(taken)
        apart = self.unanswered[:]
        draw.shuffle(apart)
        steps = max(1, len(taken) // questions)
        share = -(-len(apart) // steps)
        for step in range(steps):
            rows: list[Row] = []
            groups: list[list[int]] = []
            for _, _, positive, negative in taken[step * questions : (step + 1) * questions]:
                chosen = [positive[0], draw.choice(positive[1:] or positive)]
                others = draw.sample(negative, min(NEGATIVES, len(negative)))
                at = len(rows)
                rows += [*chosen, *others]
                if others:
                    places = list(range(at + 2, at + 2 + len(others)))
                    groups += [[at, *places], [at + 1, *places]]
            rows += apart[step * share : (step + 1) * share]
            rows += draw.sample(apart, min(len(apart), -len(rows) % 32))
            yield rows, groups


def pieces(tokenizer: Tokenizer, text: str) -> np.ndarray:
    return np.array(tokenizer.encode(text, add_special_tokens=False).ids[:QUESTION], np.int32)


def laid_out(rows: list[Row]) -> dict[str, torch.Tensor]:
    """Rows as tensors: [CLS] question [SEP] window [SEP]; places moved along, answers inclusive, 0 for none."""
    longest = max(len(row.question) + len(row.window.ids) + 3 for row in rows)
    longest += -longest % WIDTH
    ids = np.zeros((len(rows), longest), np.int64)
    segments, text, evidence = np.zeros_like(ids), np.zeros(ids.shape, bool), np.zeros(ids.shape, bool)
    span = np.zeros((len(rows), 2), np.int64)
    weight = np.array([row.weight for row in rows], np.float32)
    for at, row in enumerate(rows):
        q, w = len(row.question), len(row.window.ids)
        ids[at, 0], ids[at, 1 : q + 1], ids[at, q + 1] = CLS, row.question, SEP
        ids[at, q + 2 : q + 2 + w], ids[at, q + 2 + w] = row.window.ids, SEP
        segments[at, q + 2 : q + 3 + w] = 1
        text[at, q + 2 : q + 2 + w] = True
        if row.answer[1]:
            span[at] = q + 2 + row.answer[0], q + 1 + row.answer[1]
        evidence[at, q + 2 + row.evidence[0] : q + 2 + row.evidence[1]] = True
    names = {"ids": ids, "segments": segments, "text": text, "evidence": evidence, "span": span, "weight": weight}
    return {name: torch.from_numpy(value) for name, value in names.items()}


class LowRank(nn.Module):
    """A linear layer that is frozen, plus a product of two thin matrices."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Parameter(torch.randn(rank, linear.in_features) / linear.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) + (x @ self.down.T) @ self.up.T


class Reranker(nn.Module):
    """The encoder with its outputs: (start, end, evidence) of each token, (here, rank) of the first.

    ``rank`` of the adapter; 0: all weights are free.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="sdpa", add_pooling_layer=False
        )
        self.token = nn.Linear(384, 3)
        self.first = nn.Linear(384, 2)
        if rank:
            for name, parameter in self.encoder.named_parameters():
                parameter.requires_grad = small(name)
            for module in list(self.encoder.modules()):
                for name, child in list(module.named_children()):
                    if isinstance(child, nn.Linear):
                        setattr(module, name, LowRank(child, rank))

    def forward(self, ids: torch.Tensor, segments: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states = self.encoder(input_ids=ids, attention_mask=(ids > 0).long(), token_type_ids=segments).last_hidden_state
        return self.token(states).float(), self.first(states[:, 0]).float()


def small(name: str) -> bool:
    return name.endswith("bias") or "LayerNorm" in name or "token_type" in name


def loss_of(
    tokens: torch.Tensor, first: torch.Tensor, batch: dict[str, torch.Tensor], groups: list[list[int]]
) -> torch.Tensor:
    """Of spans, evidence, here and rank together. Rows with and without the answer weigh the same in each."""
    here = batch["span"][:, 1] > 0
    weight = batch["weight"] * torch.where(here, 1.0, 0.5)
    weight = weight / torch.where(here, (batch["weight"] * here).sum(), (batch["weight"] * ~here).sum()).clamp(min=1)
    span = sum(
        (nn.functional.cross_entropy(scores, batch["span"][:, side], reduction="none") * weight).sum()
        for side, scores in enumerate(spans_of(tokens, batch))
    )
    per_token = nn.functional.binary_cross_entropy_with_logits(
        tokens[..., 2], batch["evidence"].float(), reduction="none"
    )
    text = batch["text"]
    evidence = ((per_token * text).sum(1) / text.sum(1).clamp(min=1) * weight).sum()
    present = (
        nn.functional.binary_cross_entropy_with_logits(first[:, 0], here.float(), reduction="none") * weight
    ).sum()
    total = span + 2 * evidence + 0.5 * present
    if groups:
        total = total + nn.functional.cross_entropy(*ranked(first, groups))
    return total


def spans_of(tokens: torch.Tensor, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of start and end over the text and the first token, which means "not here"."""
    allowed = batch["text"].clone()
    allowed[:, 0] = True
    return tuple(tokens[..., side].masked_fill(~allowed, -1e4) for side in (0, 1))  # type: ignore[return-value]


def ranked(first: torch.Tensor, groups: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, groups))
    places = torch.tensor([group + [-1] * (longest - len(group)) for group in groups], device=first.device)
    return first[:, 1][places].masked_fill(places < 0, -1e4), torch.zeros(
        len(groups), dtype=torch.long, device=first.device
    )


def distance(
    mine: tuple[torch.Tensor, torch.Tensor],
    taught: tuple[torch.Tensor, torch.Tensor],
    batch: dict[str, torch.Tensor],
    groups: list[list[int]],
) -> torch.Tensor:
    """How far the outputs are from the teachers'."""

    def divergence(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.kl_div(
            scores.log_softmax(1), target.log_softmax(1), log_target=True, reduction="batchmean"
        )

    span = sum(divergence(a, b) for a, b in zip(spans_of(mine[0], batch), spans_of(taught[0], batch), strict=True))
    text = batch["text"]
    each = nn.functional.binary_cross_entropy_with_logits(
        mine[0][..., 2], taught[0][..., 2].sigmoid(), reduction="none"
    )
    evidence = ((each * text).sum(1) / text.sum(1).clamp(min=1)).mean()
    here = nn.functional.binary_cross_entropy_with_logits(mine[1][:, 0], taught[1][:, 0].sigmoid())
    total = 2 * span + 3 * evidence + here
    if groups:
        total = total + divergence(ranked(mine[1], groups)[0], ranked(taught[1], groups)[0])
    return total


def fitted(
    model: Reranker,
    examples: Examples,
    teachers: list[Reranker],
    *,
    epochs: int,
    rate: float,
    questions: int,
    device: str,
    seed: int,
    seconds: float,
) -> Reranker:
    """The model trained. It takes fewer epochs where the first steps show that ``seconds`` will not do."""
    model.to(device).train()
    free = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(free, lr=rate, weight_decay=0.01, fused=device == "cuda")
    draw = random.Random(seed)
    steps = epochs * max(1, sum(THINNED.get(one[0], 1) for one in examples.answered) // questions)
    batches: queue.Queue[tuple[dict[str, torch.Tensor], list[list[int]]]] = queue.Queue(16)
    stopped = threading.Event()

    def deal() -> None:
        while not stopped.is_set():
            for rows, groups in examples.epoch(draw, questions):
                batches.put((laid_out(rows), groups))
                if stopped.is_set():
                    return

    dealer = threading.Thread(target=deal, daemon=True)
    dealer.start()
    begun, step, shown = time.perf_counter(), 0, 0.0
    while step < steps:
        batch, groups = batches.get()
        batch = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
        done = step / steps
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, done / 0.06 + 0.01, (1 - done) / 0.94)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            found = model(batch["ids"], batch["segments"])
        loss = loss_of(*found, batch, groups)
        if teachers:
            with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                said = [teacher(batch["ids"], batch["segments"]) for teacher in teachers]
            taught = (torch.stack([one[0] for one in said]).mean(0), torch.stack([one[1] for one in said]).mean(0))
            loss = 0.5 * loss + 0.5 * distance(found, taught, batch, groups)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(free, 1.0)
        optimiser.step()
        step += 1
        if step == 60:
            if device == "cuda":
                torch.cuda.synchronize()
            pace = (time.perf_counter() - begun) / 60
            steps = min(steps, max(120, int(seconds / pace)))
            print(f"  {pace * 1000:.0f} ms a step of {len(batch['ids'])} rows, {steps} steps", flush=True)
        if time.perf_counter() - shown > 15:
            shown = time.perf_counter()
            print(f"  step {step} loss {loss.item():.3f} {shown - begun:.0f} s", flush=True)
    stopped.set()
    while dealer.is_alive():
        while not batches.empty():
            batches.get()
        dealer.join(0.05)
    return model.eval()


def normal(text: str) -> str:
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def overlap(said: str, gold: str) -> float:
    mine, theirs = normal(said).split(), normal(gold).split()
    same = sum((collections.Counter(mine) & collections.Counter(theirs)).values())
    return 2 * same / (len(mine) + len(theirs)) if same else 0.0


def judged(
    model: Reranker, held_out: list[dict[str, Any]], tokenizer: Tokenizer, device: str
) -> dict[str, dict[str, float]]:
    """On the questions kept apart: EM, F1, whether the top token is in the answer's sentence, AUROC of here."""
    found = collections.defaultdict(list)
    for at in range(0, len(held_out), 128):
        rows, texts = [], []
        for example in held_out[at : at + 128]:
            encoding = tokenizer.encode(example["c"], add_special_tokens=False)
            places = np.array(encoding.offsets, np.int32)[: LENGTH - QUESTION - 3]
            window = Window(np.array(encoding.ids, np.int32)[: len(places)], places[:, 0], places[:, 1])
            span = (example["a"][0][0], example["a"][0][0] + len(example["a"][0][1])) if example["a"] else None
            sentence = None
            if span:
                before = max((m.end() for m in re.finditer(r"(?<=[.!?])\s+|\n+", example["c"][: span[0]])), default=0)
                after = re.search(r"[.!?](\s|$)|\n", example["c"][span[1] :])
                sentence = (before, span[1] + after.start() + 1 if after else len(example["c"]))
            rows.append(Row(pieces(tokenizer, example["q"]), window, inside(window, span), inside(window, sentence)))
            texts.append(example["c"])
        batch = {name: value.to(device) for name, value in laid_out(rows).items()}
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            tokens, first = model(batch["ids"], batch["segments"])
        only = batch["text"]
        start, end = (tokens[..., side].masked_fill(~only, -1e4) for side in (0, 1))
        wide = start.shape[1]
        band = torch.ones(wide, wide, device=device).triu().tril(30).bool()
        best = (start[:, :, None] + end[:, None, :]).masked_fill(~band, -1e5).flatten(1).argmax(1).tolist()
        top = tokens[..., 2].masked_fill(~only, -1e4).argmax(1).tolist()
        for number, (example, row) in enumerate(zip(held_out[at : at + 128], rows, strict=True)):
            lead = len(row.question) + 2
            said = texts[number][
                row.window.starts[best[number] // wide - lead] : row.window.ends[best[number] % wide - lead]
            ]
            entry = (bool(example["a"]), first[number, 0].item())
            golds = example["gold"] or [""]
            found[example["src"]].append(
                (
                    *entry,
                    max(normal(said) == normal(gold) for gold in golds),
                    max(overlap(said, gold) for gold in golds),
                    row.evidence[0] <= top[number] - lead < row.evidence[1],
                )
            )
    return {source: summed(entries) for source, entries in found.items()}


def summed(entries: list[tuple[bool, float, bool, float, bool]]) -> dict[str, float]:
    yes = [entry for entry in entries if entry[0]]
    no = [entry for entry in entries if not entry[0]]
    figures = {
        "questions": len(entries),
        "exact": sum(entry[2] for entry in yes) / len(yes),
        "f1": sum(entry[3] for entry in yes) / len(yes),
        "evidence": sum(entry[4] for entry in yes) / len(yes),
    }
    if no:
        won = sum((a[1] > b[1]) + 0.5 * (a[1] == b[1]) for a in yes for b in no)
        figures["auroc"] = won / (len(yes) * len(no))
    return {name: round(value, 3) for name, value in figures.items()}


def stored(model: Reranker) -> dict[str, torch.Tensor]:
    """What is kept of the model: ``X.down`` and ``X.up`` for linear layers, ``X`` for what is replaced, the outputs."""
    return {
        name.removeprefix("encoder.").replace(".linear.", "."): parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("training", type=Path, metavar="TRAINING.json.gz")
    parser.add_argument("model", type=Path, metavar="MODEL_FOLDER")
    parser.add_argument("out", type=Path, metavar="OUT.safetensors")
    parser.add_argument("--teachers", type=int, default=0)
    parser.add_argument("--teacher-epochs", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--start", type=Path, help="an adapter to start from")
    parser.add_argument("--questions", type=int, default=32, help="of a batch")
    parser.add_argument("--seconds", type=float, default=1e9, help="at most, for all of the training")
    options = parser.parse_args()
    begun = time.perf_counter()
    random.seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("high")
    with gzip.open(options.training, "rt", encoding="utf-8") as file:
        data = json.load(file)
    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    examples = Examples(data, tokenizer)
    print(
        f"{len(examples.answered)} questions with an answer, {len(examples.unanswered)} without",
        f"{time.perf_counter() - begun:.0f} s",
        flush=True,
    )
    left = options.seconds - (time.perf_counter() - begun) - 15
    common: dict[str, Any] = {"questions": options.questions, "device": device}
    teachers = []
    for seed in range(options.teachers):
        torch.manual_seed(seed)
        teacher = fitted(
            Reranker(options.model, 0),
            examples,
            [],
            epochs=options.teacher_epochs,
            rate=1.5e-4,
            seed=seed,
            seconds=0.5 * left / options.teachers,
            **common,
        )
        teachers.append(teacher.requires_grad_(False))
        print(
            f"teacher {seed}",
            json.dumps(judged(teacher, data["held_out"], tokenizer, device)),
            f"{time.perf_counter() - begun:.0f} s",
            flush=True,
        )
    torch.manual_seed(100)
    left = options.seconds - (time.perf_counter() - begun) - 8
    fresh = Reranker(options.model, options.rank)
    if options.start:
        with torch.no_grad():
            for name, value in load_file(options.start).items():
                stored(fresh)[name].copy_(value)
    model = fitted(
        fresh, examples, teachers, epochs=options.epochs, rate=options.rate, seed=100, seconds=left, **common
    )
    kept = {name: value.detach().half().cpu().contiguous() for name, value in stored(model).items()}
    save_file(kept, options.out, {"rank": str(options.rank)})
    print(
        "adapter",
        json.dumps(judged(model, data["held_out"], tokenizer, device)),
        f"{time.perf_counter() - begun:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
