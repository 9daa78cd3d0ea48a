"""Is a small trained KV cache worth more than text of its size? "Cartridges" (Eyuboglu et al. 2025, arXiv 2506.06266).

    python examples/evaluation/cartridges.py prepare DATA.json.xz --worlds 4 --tokens 2000
    python examples/evaluation/cartridges.py train DATA.json.xz MODEL.gguf OUT --adapter FILE --tokenizer FILE \
        --seconds 75 --shares 2,4,8
    python examples/evaluation/cartridges.py score DATA.json.xz OUT/replies.jsonl

``prepare`` makes generated worlds and the prompts of their questions: with everything, nothing, and the best chunks
within a half, a quarter and an eighth of the world's tokens, as ``chunk_rag`` takes them by words alone. ``train``
answers them with SmolLM2-135M-Instruct and the writer's adapter, then trains a cartridge for each world and share, and
answers with it in place of the documents. It needs of lcrag only ``lcrag.writer.weights``. ``score`` prints a table.

A cartridge is the KV cache of the first tokens of the world's prompt, of which all but the first token's are trained by
Adam. It has as many places as the prompts with text of that share have before the question, on average. What follows
stands at the places right after it. The model studies alone: it makes up questions about a chunk or two neighbours, is
asked about names that stand there, and repeats what stands there; of the answers, written or repeated with the whole
world in the prompt, the cartridge learns the 64 likeliest tokens at each place, by KL divergence. Some questions are
those of other worlds. The test questions are never used.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import random
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lcrag.writer.weights import HEAD, HEADS, HIDDEN, KV_HEADS, LAYERS, NORM_EPSILON, ROPE_BASE, WINDOW, merged

SHARES = (2, 4, 8)
MOST_ASKED = {"single": 20, "para": 20, "list": 8, "absent": 15}
"""Questions of a world that are asked, at most, by kind."""
BYTES = 2 * LAYERS * KV_HEADS * HEAD * 2
"""Of keys and values of a token, in bfloat16."""

END = "<|im_end|>"
REPLY = 64
"""Tokens of a reply, at most."""
WARMTH = 0.8
"""At which questions are made up."""
SPARE = 1.5
"""Questions that are made up for each that is wanted: some are no questions, and some come twice."""
ASKED = 32
"""Tokens of a made-up question, at most."""
BEGUN = '{"question": "'
OPENINGS = ("What", "Which", "Who", "When", "Where", "How many", "In which", "To whom", "List")
"""Words that made-up questions begin with: without them the model, which has learned to answer, answers."""
NAMED = ("What is said of {name}?", "List everything that is known of {name}.")
REPEAT = "Copy from the passages, word for word, what follows these words: {words}"
PARTS = {"made up": 0.6, "named": 0.15, "repeated": 0.15, "of others": 0.1}
"""Conversations of each kind."""
NAME = re.compile(r"[A-Z]\w+(?:(?: & | )[A-Z]\w+)+")
LIKELIEST = 64

ROWS = 512
"""Prompts that are answered together, at most."""
PLACES = 1_500_000
"""Tokens whose keys and values are held at once while replies are written, at most: 35 GB."""
TOGETHER = 16
"""Conversations of each world in a step of training."""
RATE = 0.02
WARMING = 10
"""Steps in which the learning rate rises."""

Extend = Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]
"""From a layer's number and the keys and values of new tokens to all keys and values that these tokens may read."""


def prepare(out: Path, worlds: int, tokens: int) -> None:
    with tempfile.TemporaryDirectory() as folder, lzma.open(out, "wt", encoding="utf-8") as file:
        made = [world(Path(folder, str(number)), tokens, seed=7000 + number) for number in range(worlds)]
        json.dump({"seeds": seeds(), "worlds": made}, file, ensure_ascii=False)
    for number, one in enumerate(made):
        sizes = f"{len(one['questions'])} questions, {len(one['pieces'])} chunks and pairs"
        print(f"world {number}: {one['tokens']:,} tokens, {sizes}")


def seeds() -> dict[str, Any]:
    """What self-study sends to the model, as text."""
    from lcrag.text.prompts import SYSTEM, messages
    from lcrag.types import Task

    answer, make_up = (messages(Task(*task))[1]["content"] for task in (("answer", "{question}"), ("demonstrate", "")))
    own = {"openings": OPENINGS, "named": NAMED, "repeat": REPEAT}
    return {"system": SYSTEM, "answer": answer, "make up": make_up, **own}


def world(folder: Path, tokens: int, seed: int) -> dict[str, Any]:
    """A generated world: its chunks and pairs of neighbours, as prompts begin with them and as text, and its questions
    with their prompts, of which that with everything is as ``full_context`` sends it."""
    sys.path.append(str(Path(__file__).parents[1]))
    from worlds.corpus import write

    from lcrag.backends.embedded import EmbeddedBackend
    from lcrag.pipelines._run import Run
    from lcrag.session import Session
    from lcrag.text.passages import passages
    from lcrag.text.prompts import messages, prefix
    from lcrag.types import Settings, Task

    write(folder, tokens=tokens, number=140, seed=seed)
    room = dict(MOST_ASKED)
    asked = []
    settings = Settings(("docs",), index=folder / "index", dense="off", reader="off")
    with chdir(folder), Session.open(settings, backend=EmbeddedBackend(None)) as session:
        size, chunks = session.corpus.size.tokens, list(session.corpus.chunks())
        for record in map(json.loads, Path("questions.jsonl").read_text(encoding="utf-8").splitlines()):
            if not room.get(record["task_type"]):
                continue
            room[record["task_type"]] -= 1
            question = record["question"]
            run = Run(question, session.corpus, session.rank(question), session.backend)
            read = {"full": chunks, "nothing": []}
            read |= {f"text{share}": run.best_chunks(size // share) for share in SHARES}
            record["messages"] = {
                form: messages(Task("answer", question, tuple(passages(those)))) for form, those in read.items()
            }
            asked.append(record)
    pairs = [[one, other] for one, other in pairwise(chunks) if one.document_id == other.document_id]
    pieces = [*([chunk] for chunk in chunks), *pairs]
    shown = [(prefix(passages(piece)), "".join(chunk.text for chunk in piece)) for piece in pieces]
    return {"tokens": size, "pieces": shown, "questions": asked}


class Model:
    """SmolLM2-135M-Instruct with an adapter merged: bfloat16 on a GPU, float32 on a processor.

    Keys and values are given from outside, so that they can be learned.
    """

    def __init__(self, base: Path, adapter: Path, device: str) -> None:
        from gguf import GGUFReader

        self.device = device
        self.dtype = torch.bfloat16 if device == "cuda" else torch.float32
        named = {
            name.removeprefix("model.").removesuffix(".weight"): torch.from_numpy(weight).to(device, self.dtype)
            for name, weight in merged(GGUFReader(base), adapter)
        }
        self.embedding, self.norm = named["embed_tokens"], named["norm"]
        parts = [
            names.split()
            for names in (
                "input_layernorm",
                "self_attn.q_proj self_attn.k_proj self_attn.v_proj",
                "self_attn.o_proj",
                "post_attention_layernorm",
                "mlp.gate_proj mlp.up_proj",
                "mlp.down_proj",
            )
        ]
        self.layers = [
            [torch.cat([named[f"layers.{layer}.{name}"] for name in names]) for names in parts]
            for layer in range(LAYERS)
        ]
        speeds = ROPE_BASE ** (-torch.arange(0, HEAD, 2, device=device) / HEAD)
        angles = torch.outer(torch.arange(WINDOW, device=device), speeds).repeat(1, 2)
        self.cos, self.sin = angles.cos().to(self.dtype), angles.sin().to(self.dtype)
        self.nothing = torch.empty(LAYERS, 2, 1, KV_HEADS, 0, HEAD, device=device, dtype=self.dtype)

    def hidden(self, ids: Tensor, positions: Tensor, reads: Tensor, extend: Extend) -> Tensor:
        """The last hidden states. ``ids``, ``positions``: (rows, tokens). ``reads``: (rows or 1, tokens, keys), bool.

        The three query heads that share a head of keys are put one after the other, so that no key is copied.
        """
        rows, length = ids.shape
        shared = HEADS // KV_HEADS
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
        mask = torch.zeros_like(reads, dtype=self.dtype).masked_fill_(~reads, -math.inf)
        mask = mask[:, None].repeat(1, 1, shared, 1)
        x = self.embedding[ids]
        for number, (norm, qkv, out, norm_after, gate_up, down) in enumerate(self.layers):
            made = F.linear(F.rms_norm(x, (HIDDEN,), norm, NORM_EPSILON), qkv)
            made = made.view(rows, length, HEADS + 2 * KV_HEADS, HEAD).transpose(1, 2)
            turning, values = made[:, :-KV_HEADS], made[:, -KV_HEADS:]
            left, right = turning.chunk(2, dim=-1)
            turned = turning * cos + torch.cat([-right, left], dim=-1) * sin
            keys, values = extend(number, turned[:, HEADS:], values)
            query = turned[:, :HEADS].reshape(rows, KV_HEADS, shared * length, HEAD)
            found = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
            found = found.reshape(rows, HEADS, length, HEAD).transpose(1, 2).reshape(rows, length, HIDDEN)
            x = x + F.linear(found, out)
            gate, up = F.linear(F.rms_norm(x, (HIDDEN,), norm_after, NORM_EPSILON), gate_up).chunk(2, dim=-1)
            x = x + F.linear(F.silu(gate) * up, down)
        return F.rms_norm(x, (HIDDEN,), self.norm, NORM_EPSILON)

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embedding).float()


class Cache:
    """Keys and values of ``rows`` prompts after those of ``past``, with room for ``size`` more tokens.

    ``past`` and ``kept``: (layers, 2, rows or 1, heads, tokens, size of a head).
    """

    def __init__(self, past: Tensor, rows: int, size: int) -> None:
        self.length = past.shape[-2]
        self.kept = past.new_zeros(LAYERS, 2, rows, KV_HEADS, self.length + size, HEAD)
        self.kept[..., : self.length, :] = past

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        end = self.length + keys.shape[2]
        for place, new in enumerate((keys, values)):
            self.kept[layer, place, :, :, self.length : end] = new
        if layer == LAYERS - 1:
            self.length = end
        return self.kept[layer, 0, :, :, :end], self.kept[layer, 1, :, :, :end]


@torch.no_grad()
def cache_of(model: Model, ids: Sequence[int]) -> Tensor:
    """The keys and values of a text, read once."""
    cache = Cache(model.nothing, 1, len(ids))
    places = torch.arange(len(ids), device=model.device)
    row = torch.tensor([ids], device=model.device)
    model.hidden(row, places[None], (places <= places[:, None])[None], cache.extend)
    return cache.kept


@torch.no_grad()
def replies(
    model: Model, past: Tensor, prompts: Sequence[Sequence[int]], most: int, end: int, warmth: float = 0.0
) -> list[list[int]]:
    """What the model writes after ``past`` and each prompt, without the end; the likeliest where there is no warmth."""
    written: list[list[int]] = [[] for _ in prompts]
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    while order:
        size = past.shape[-2] + len(prompts[order[-1]]) + most
        group = order[-min(ROWS, PLACES // size) :]
        del order[-len(group) :]
        made = _replies(model, past, [prompts[place] for place in group], most, end, warmth)
        for place, row in zip(group, made, strict=True):
            written[place] = row[: row.index(end)] if end in row else row
    return written


def _replies(
    model: Model, past: Tensor, prompts: Sequence[Sequence[int]], most: int, end: int, warmth: float
) -> list[list[int]]:
    rows, length, before = len(prompts), max(map(len, prompts)), past.shape[-2]
    ids = torch.tensor([[end] * (length - len(prompt)) + list(prompt) for prompt in prompts], device=model.device)
    lengths = torch.tensor([[len(prompt)] for prompt in prompts], device=model.device)
    places = torch.arange(length, device=model.device)
    seen = places >= length - lengths
    own = (seen[:, None] & (places <= places[:, None])) | (places == places[:, None])
    reads = torch.cat([own.new_ones(rows, length, before), own], dim=2)
    seen = torch.cat([seen.new_ones(rows, before), seen], dim=1)
    cache = Cache(past, rows, length + most)
    positions = before + (places - (length - lengths)).clamp(min=0)
    hidden = model.hidden(ids, positions, reads, cache.extend)
    done = torch.zeros(rows, dtype=torch.bool, device=model.device)
    made: list[Tensor] = []
    while True:
        logits = model.logits(hidden[:, -1])
        token = torch.multinomial((logits / warmth).softmax(-1), 1)[:, 0] if warmth else logits.argmax(-1)
        token = token.masked_fill(done, end)
        made.append(token)
        done |= token == end
        if len(made) == most or bool(done.all()):
            written: list[list[int]] = torch.stack(made, dim=1).tolist()
            return written
        seen = torch.cat([seen, seen.new_ones(rows, 1)], dim=1)
        hidden = model.hidden(token[:, None], before + lengths + len(made) - 1, seen[:, None], cache.extend)


def chatml(messages: Sequence[dict[str, str]]) -> str:
    turns = "".join(f"<|im_start|>{message['role']}\n{message['content']}{END}\n" for message in messages)
    return f"{turns}<|im_start|>assistant\n"


def at_question(messages: Sequence[dict[str, str]]) -> tuple[str, str]:
    """A prompt up to its question, and the rest: between them the tokenizer always cuts."""
    text = chatml(messages)
    before = text[: text.rindex("<question>")].rstrip("\n")
    return before, text[len(before) :]


@dataclass
class Conversation:
    """What a cartridge learns of: tokens, where the reply begins, and the likeliest tokens at each place of the reply
    with the logarithms of their probabilities, (places, LIKELIEST)."""

    ids: list[int]
    begin: int
    likeliest: Tensor
    logs: Tensor


class Study:
    """The questions, replies and cartridges of some worlds."""

    def __init__(self, model: Model, tokenizer: Any, data: dict[str, Any], out: Path) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.seeds: dict[str, Any] = data["seeds"]
        self.worlds: list[dict[str, Any]] = data["worlds"]
        self.end: int = tokenizer.token_to_id(END)
        self.random = random.Random(1)
        self.begun = time.time()
        self.log = (out / "log.txt").open("w", encoding="utf-8")
        self.file = (out / "replies.jsonl").open("w", encoding="utf-8")
        heads = [self.encode(at_question(one["questions"][0]["messages"]["full"])[0]) for one in self.worlds]
        self.caches = [cache_of(model, head) for head in heads]
        """The keys and values of each whole world."""
        self.say(f"worlds of {', '.join(f'{len(head):,}' for head in heads)} tokens are read")

    def say(self, text: str) -> None:
        text = f"{time.time() - self.begun:5.0f} s  {text}"
        print(text, flush=True)
        print(text, file=self.log, flush=True)

    def encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def answer(self, form: str, caches: Sequence[Tensor] = ()) -> float:
        """Writes replies to the questions, with each world's cache in place of its documents if there are caches.

        Returns the mean number of places before the question.
        """
        places = []
        for number, world in enumerate(self.worlds):
            questions = world["questions"]
            parts = [at_question(one["messages"]["full" if caches else form]) for one in questions]
            prompts = [self.encode(tail) if caches else self.encode(head + tail) for head, tail in parts]
            past = caches[number] if caches else self.model.nothing
            made = replies(self.model, past, prompts, REPLY, self.end)
            for one, (head, _), row in zip(questions, parts, made, strict=True):
                places.append(past.shape[-2] if caches else len(self.encode(head)))
                reply = self.tokenizer.decode(row).strip()
                entry = {"world": number, "id": one["id"], "form": form, "places": places[-1], "reply": reply}
                self.file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self.file.flush()
        self.say(f"{form}: {len(places)} questions answered")
        return fmean(places)

    def conversations(self, wanted: int) -> list[list[Conversation]]:
        """About ``wanted`` for each world."""
        number_of = {kind: round(wanted * part) for kind, part in PARTS.items()}
        made_up = [self.made_up(world, number_of["made up"]) for world in self.worlds]
        self.say(f"{sum(map(len, made_up)):,} questions are made up, like: {self.random.sample(made_up[0], 5)}")
        found = []
        for number, (world, cache) in enumerate(zip(self.worlds, self.caches, strict=True)):
            texts = [text for _, text in world["pieces"]]
            names = sorted({name for text in texts for name in NAME.findall(text)})
            others = [question for other, own in enumerate(made_up) if other != number for question in own]
            asked = [*made_up[number], *self.random.sample(others, min(len(others), number_of["of others"]))]
            for _ in range(number_of["named"]):
                asked.append(self.random.choice(self.seeds["named"]).format(name=self.random.choice(names)))
            tails = [self.tail(self.seeds["answer"].replace("{question}", question)) for question in asked]
            rows = replies(self.model, cache, tails, REPLY - 1, self.end)
            for _ in range(number_of["repeated"]):
                words, rest = self.cut(self.random.choice(texts))
                tails.append(self.tail(self.seeds["repeat"].format(words=words)))
                rows.append(self.encode(rest)[: REPLY - 1])
            found.append(self.judged(cache, tails, rows))
            for one in self.random.sample(found[-1], 3):
                self.say(f"world {number} learns {self.tokenizer.decode(one.ids, skip_special_tokens=False)!r}")
        self.say(f"{sum(map(len, found)):,} conversations")
        return found

    def made_up(self, world: dict[str, Any], wanted: int) -> list[str]:
        """Different questions about its pieces, none of them a test question."""
        prompts, openings = [], []
        for _ in range(round(wanted * SPARE)):
            (piece, _), opening = self.random.choice(world["pieces"]), self.random.choice(self.seeds["openings"])
            system = {"role": "system", "content": self.seeds["system"]}
            user = {"role": "user", "content": piece + self.seeds["make up"]}
            prompts.append(self.encode(chatml([system, user]) + BEGUN + opening))
            openings.append(opening)
        made = replies(self.model, self.model.nothing, prompts, ASKED, self.end, WARMTH)
        tests = {one["question"] for one in world["questions"]}
        found: dict[str, None] = {}
        for opening, row in zip(openings, made, strict=True):
            question = re.split(r'["\n\[{}]|(?<=\?)', opening + self.tokenizer.decode(row))[0].strip()
            if len(question.split()) > 3 and question not in tests:
                found[question] = None
        return list(found)[:wanted]

    def tail(self, content: str) -> list[int]:
        """What follows the documents in a prompt."""
        return self.encode(f"\n\n{content}{END}\n<|im_start|>assistant\n")

    def cut(self, text: str) -> tuple[str, str]:
        """Six words at a random place, and what follows them."""
        places = [match.end() for match in re.finditer(r"(?:\S+\s+){6}", text)] or [len(text) // 2]
        place = self.random.choice(places)
        return " ".join(text[:place].split()[-6:]), text[place:]

    @torch.no_grad()
    def judged(self, cache: Tensor, tails: list[list[int]], rows: list[list[int]]) -> list[Conversation]:
        """With what the model, which has the whole world before it, holds likely at each place of the replies."""
        context = [(keys, values) for keys, values in cache.unbind(0)]
        begun = [(tail + row + [self.end], len(tail)) for tail, row in zip(tails, rows, strict=True)]
        begun.sort(key=lambda one: len(one[0]))
        found = []
        for place in range(0, len(begun), 128):
            group = begun[place : place + 128]
            logs, likeliest = self.logits(group, context, len(group)).log_softmax(-1).topk(LIKELIEST)
            sizes = [len(ids) - begin for ids, begin in group]
            pairs = zip(group, torch.split(likeliest, sizes), torch.split(logs, sizes), strict=True)
            found += [Conversation(ids, begin, *both) for (ids, begin), *both in pairs]
        return found

    def logits(
        self, begun: Sequence[tuple[list[int], int]], context: Sequence[tuple[Tensor, Tensor]], together: int
    ) -> Tensor:
        """The logits at each place of the replies.

        ``begun``: tokens, and where the reply begins. ``context``: for each layer the keys and values that come before,
        (worlds, heads, places, size of a head); ``together`` rows after each other are of one world.
        """
        device = self.model.device
        length, before = max(len(ids) for ids, _ in begun), context[0][0].shape[-2]
        padded = torch.tensor([ids + [self.end] * (length - len(ids)) for ids, _ in begun], device=device)
        places = torch.arange(length, device=device)
        reads = torch.cat([places.new_ones(length, before).bool(), places <= places[:, None]], dim=1)[None]

        def extend(layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
            before_keys, before_values = (
                past[:, None].expand(-1, together, -1, -1, -1).flatten(0, 1) for past in context[layer]
            )
            return torch.cat([before_keys, keys], dim=2), torch.cat([before_values, values], dim=2)

        hidden = self.model.hidden(padded, before + places[None], reads, extend)
        chosen = [
            row * length + place for row, (ids, begin) in enumerate(begun) for place in range(begin - 1, len(ids) - 1)
        ]
        return self.model.logits(hidden.flatten(0, 1)[torch.tensor(chosen, device=device)])

    def cartridges(self, size: int, seconds: float, found: Sequence[Sequence[Conversation]]) -> list[Tensor]:
        """A cartridge of ``size`` places for each world, trained together for so many seconds."""
        start = torch.cat([cache[..., :size, :] for cache in self.caches], dim=2).float()
        sink, learned = start[..., :1, :], nn.Parameter(start[..., 1:, :].clone())
        optimizer = torch.optim.Adam([learned], lr=RATE)
        together = min(TOGETHER, *map(len, found))
        losses: list[float] = []
        begun = time.time()
        while (done := (time.time() - begun) / seconds) < 1:
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1, (len(losses) + 1) / WARMING) * (1 - done)
            batch = [one for own in found for one in self.random.sample(own, together)]
            whole = torch.cat([sink, learned], dim=-2).to(self.model.dtype)
            context = [(keys, values) for keys, values in whole.unbind(0)]
            logits = self.logits([(one.ids, one.begin) for one in batch], context, together)
            likeliest, expected = torch.cat([one.likeliest for one in batch]), torch.cat([one.logs for one in batch])
            logs = logits.gather(1, likeliest) - logits.logsumexp(1, keepdim=True)
            loss = (expected.exp() * (expected - logs)).sum(1).mean()
            torch.autograd.backward(loss)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
            if len(losses) in (1, 10) or len(losses) % 50 == 0:
                self.say(f"  step {len(losses)}: loss {fmean(losses[-50:]):.4f}")
        self.say(
            f"  {size} places, {size * BYTES:,} bytes: {len(losses)} steps of {len(batch)} conversations, "
            f"loss {fmean(losses[:5]):.4f} at first, {fmean(losses[-20:]):.4f} at last"
        )
        whole = torch.cat([sink, learned.detach()], dim=-2).to(self.model.dtype)
        return list(torch.split(whole, 1, dim=2))


def train(options: argparse.Namespace) -> None:
    from tokenizers import Tokenizer

    torch.manual_seed(1)
    torch.backends.cuda.enable_cudnn_sdp(False)  # its backward pass fails on some lengths (torch 2.11)
    options.out.mkdir(parents=True, exist_ok=True)
    with lzma.open(options.data, "rt", encoding="utf-8") as file:
        data = json.load(file)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = Model(options.model, options.adapter, device)
    study = Study(model, Tokenizer.from_file(str(options.tokenizer)), data, options.out)
    shares = [int(share) for share in options.shares.split(",")]
    study.answer("full", study.caches)
    study.answer("nothing")
    sizes = {share: study.answer(f"text{share}") for share in shares}
    found = study.conversations(options.conversations)
    shortest = min(cache.shape[-2] for cache in study.caches)
    for share, places in sizes.items():
        size = min(round(places), shortest)
        study.answer(f"cartridge{share}", study.cartridges(size, options.seconds / len(shares), found))


def score(data: Path, replied: Path) -> None:
    """Prints how good the replies are, as ``lcrag compare`` scores them, and cartridges against text of their size."""
    import numpy as np

    from lcrag.comparison import scoring
    from lcrag.comparison.dataset import question_of
    from lcrag.comparison.significance import bootstrap
    from lcrag.text.loops import without_loop
    from lcrag.text.prompts import says_nothing

    with lzma.open(data, "rt", encoding="utf-8") as file:
        records = [record for world in json.load(file)["worlds"] for record in world["questions"]]
    asked = {record["id"]: question_of(record, Path(), record["id"]) for record in records}
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    places: dict[str, list[int]] = defaultdict(list)
    with replied.open(encoding="utf-8") as file:
        for entry in map(json.loads, file):
            question, reply = asked[entry["id"]], without_loop(entry["reply"])
            value = scoring.score(question, reply, None, "not_retrieved" if says_nothing(reply) else "answered")
            assert value is not None
            scores[entry["form"]][question.id] = value.value
            places[entry["form"]].append(entry["places"])
    print("| form | facts right | list items found | absent refused | mean | n | places | MB | against text |")
    print("|---|---|---|---|---|---|---|---|---|")
    for form, own in scores.items():
        cells = []
        for kinds in (("single", "para"), ("list",), ("absent",)):
            values = [value for name, value in own.items() if asked[name].task_type in kinds]
            cells.append(f"{fmean(values):.2f} ({len(values)})" if values else "–")
        mean = fmean(places[form])
        cells += [f"{fmean(own.values()):.2f}", str(len(own)), f"{mean:,.0f}", f"{mean * BYTES / 1e6:.1f}"]
        text = scores.get(form.replace("cartridge", "text"), {}) if form.startswith("cartridge") else {}
        differences = np.array([own[name] - text[name] for name in own if name in text])
        low, high = bootstrap(differences, seed=0)
        cells.append(f"{differences.mean():+.2f} ({low:+.2f} to {high:+.2f})" if len(differences) else "")
        print(f"| {form} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    preparing, training, scoring = (commands.add_parser(name) for name in ("prepare", "train", "score"))
    for own in (preparing, training, scoring):
        own.add_argument("data", type=Path, metavar="DATA.json.xz")
    preparing.add_argument("--worlds", type=int, default=4)
    preparing.add_argument("--tokens", type=int, default=2000, help="of a world")
    training.add_argument("model", type=Path, metavar="MODEL.gguf")
    training.add_argument("out", type=Path, metavar="OUT")
    training.add_argument("--adapter", type=Path, required=True)
    training.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json")
    training.add_argument("--seconds", type=float, required=True, help="of training, for all shares together")
    training.add_argument("--shares", default="2,4,8")
    training.add_argument("--conversations", type=int, default=1000, help="that each world's cartridges learn from")
    scoring.add_argument("replies", type=Path, metavar="REPLIES.jsonl")
    options = parser.parse_args()
    match options.command:
        case "prepare":
            prepare(options.data, options.worlds, options.tokens)
        case "train":
            train(options)
        case _:
            score(options.data, options.replies)


if __name__ == "__main__":
    main()
