"""The test bed's model: Qwen2's parameters, so that any server can load them, and a forward pass made for training.

transformers holds the parameters and writes the configuration; the arithmetic is written out here because a model this
small spends its time on memory traffic and kernel launches. What is done token by token is compiled once, for one
number of tokens, so that batches of few long rows and of many short ones share the same kernels; only attention sees
the rows.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save as serialised
from torch import Tensor
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM
from transformers.utils import logging
from worlds import END, END_OF_TEXT, HERE, SPECIAL_TOKENS

VOCABULARY: Final = 4096
WINDOW: Final = 32768
"""Tokens that a server lets in: far more than the model is trained to read, which is what the test bed is for."""
HEAD: Final = 64
THETA: Final = 5e5
"""Enough slow rotations that a third of each head compares words, wherever they stand within the trained length."""
EPSILON: Final = 1e-6
END_ID: Final = SPECIAL_TOKENS.index(END)
REPLY: Final = 0.5
"""Tokens of more weight belong to replies."""
SHARD_BYTES: Final = 14_000_000
PREFILL_TOKENS: Final = 262_144
CACHE_TOKENS: Final = {"cuda": 1_000_000, "cpu": 40_000}
"""Tokens that are read at once, and that are kept in the cache at once."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Widths and depth; the whole must stay below 12.5 million parameters, 25 MB in bfloat16."""

    hidden: int = 384
    layers: int = 8
    intermediate: int = 640

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(*map(int, text.split("x")))


def new(shape: Shape, seed: int) -> Qwen2ForCausalLM:
    """A model with random weights; what adds to the stream begins smaller the deeper the model is."""
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=VOCABULARY,
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.hidden // HEAD,
            num_key_value_heads=shape.hidden // HEAD,
            intermediate_size=shape.intermediate,
            max_position_embeddings=WINDOW,
            rope_parameters={"rope_type": "default", "rope_theta": THETA},
            rms_norm_eps=EPSILON,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=END_ID,
            pad_token_id=SPECIAL_TOKENS.index(END_OF_TEXT),
        )
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter.mul_((2 * shape.layers) ** -0.5)
    return model


def load(folder: Path, device: str, dtype: torch.dtype) -> Qwen2ForCausalLM:
    logging.disable_progress_bar()
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device)


def rounded(model: Qwen2ForCausalLM) -> Qwen2ForCausalLM:
    """A copy with the weights as they are saved; in float32 on a processor, which is slow in bfloat16."""
    made = copy.deepcopy(model).to(torch.bfloat16).eval()
    return made if made.device.type == "cuda" else made.float()


def save(model: Qwen2ForCausalLM, folder: Path) -> None:
    """The weights in bfloat16, the configuration and the tokenizer, as transformers and vLLM read them.

    Each file takes its name when it is whole, so that a run that is cut leaves a model behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: parameter.detach().to("cpu", torch.bfloat16) for name, parameter in model.named_parameters()}
    shards = list(_shards(weights))
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        (folder / f"{name}.part").write_bytes(serialised(shard, metadata={"format": "pt"}))
        places |= dict.fromkeys(shard, name)
    for name in dict.fromkeys(places.values()):
        os.replace(folder / f"{name}.part", folder / name)
    size = sum(tensor.nbytes for tensor in weights.values())
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": places})
    config = json.loads(model.config.to_json_string())
    config |= {"architectures": ["Qwen2ForCausalLM"], "dtype": "bfloat16"}
    config["rope_theta"] = config["rope_parameters"]["rope_theta"]  # where older readers look
    write_json(folder / "config.json", config)
    for file in (HERE / "tokenizer").iterdir():
        shutil.copyfile(file, folder / file.name)


def write_json(path: Path, value: object) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)


def _shards(weights: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in weights.items():
        if size + tensor.nbytes > SHARD_BYTES:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor
        size += tensor.nbytes
    yield shard


def compare_with_transformers(folder: Path, tokens: Sequence[int], number: int) -> tuple[float, bool]:
    """The saved model as transformers runs it and as this file does: the logits' largest difference relative to the
    largest logit, and whether ``number`` tokens written greedily are the same."""
    theirs = load(folder, "cpu", torch.float32).eval()
    ours = Reranker(theirs)
    prompt = torch.tensor([list(tokens)])
    with torch.no_grad():
        expected = theirs(prompt).logits[0]
        difference = (ours.logits(ours.hidden(prompt)) - expected).abs().max() / expected.abs().max()
    written = theirs.generate(prompt, max_new_tokens=number, do_sample=False)[0, len(tokens) :].tolist()
    return float(difference), _ended(written) == ours.generate([np.array(tokens)], number)[0]


def normalised(x: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    x = x.float()
    return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON) * weight.float()).to(dtype)


def rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = x.float().chunk(2, -1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), -1).to(x.dtype)


def before_attention(
    x: Tensor,
    cosine: Tensor,
    sine: Tensor,
    norm: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of tokens [N, hidden], each [N, heads, HEAD]."""
    joined = F.linear(normalised(x, norm, dtype), torch.cat(weights).to(dtype), torch.cat(biases).to(dtype))
    query, key, value = joined.view(x.shape[0], 3, -1, HEAD).unbind(1)
    return rotated(query, cosine, sine), rotated(key, cosine, sine), value.contiguous()


def after_attention(
    x: Tensor,
    attended: Tensor,
    output: Tensor,
    norm: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
    dtype: torch.dtype,
) -> Tensor:
    x = x + F.linear(attended, output.to(dtype)).to(x.dtype)
    gated, raised = F.linear(normalised(x, norm, dtype), torch.cat((gate, up)).to(dtype)).chunk(2, -1)
    return x + F.linear(F.silu(gated) * raised, down.to(dtype)).to(x.dtype)


def weighted_loss(
    x: Tensor, norm: Tensor, embedding: Tensor, targets: Tensor, weights: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The loss to train on, and that of the replies' tokens alone."""
    scores = F.linear(normalised(x, norm, dtype), embedding.to(dtype)).float()
    each = F.cross_entropy(scores, targets, reduction="none")
    replies = (weights > REPLY).float()
    return (each * weights).sum() / weights.sum(), ((each * replies).sum() / replies.sum().clamp(min=1)).detach()


class Reranker:
    """The arithmetic over a model's parameters; the stream between layers has the parameters' type."""

    def __init__(self, model: Qwen2ForCausalLM, *, compiled: bool = False) -> None:
        self.embedding = model.model.embed_tokens.weight
        self.norm = model.model.norm.weight
        self.layers = [_parameters(layer) for layer in model.model.layers]
        self.device = self.embedding.device
        self.dtype = torch.bfloat16 if self.device.type == "cuda" else self.embedding.dtype
        exponents = torch.arange(0, HEAD, 2, device=self.device).float() / HEAD
        self.speeds = model.config.rope_parameters["rope_theta"] ** -exponents
        self._before, self._after, self._loss = before_attention, after_attention, weighted_loss
        if compiled:
            self._before, self._after, self._loss = (
                torch.compile(function, dynamic=False)
                for function in (before_attention, after_attention, weighted_loss)
            )

    def loss(self, tokens: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Of rows [B, L] and the weights of their tokens: ``weighted_loss`` of predicting each token from those
        before."""
        targets = F.pad(tokens[:, 1:], (0, 1)).reshape(-1)
        weighted = F.pad(weights[:, 1:], (0, 1)).reshape(-1)
        return self._loss(self.hidden(tokens), self.norm, self.embedding, targets, weighted, self.dtype)

    def hidden(self, tokens: Tensor, cache: Sequence[tuple[Tensor, Tensor]] | None = None) -> Tensor:
        """The stream after the last layer, [B * L, hidden]. ``cache``: a layer's keys and values [B, heads, S, HEAD]
        to fill."""
        rows, length = tokens.shape
        x = F.embedding(tokens.reshape(-1), self.embedding)
        cosine, sine = self._turns(torch.arange(length, device=self.device).repeat(rows))
        for place, (before, after) in enumerate(self.layers):
            query, key, value = (
                part.view(rows, length, -1, HEAD).transpose(1, 2)
                for part in self._before(x, cosine, sine, *before, self.dtype)
            )
            if cache is not None:
                cache[place][0][:, :, :length] = key
                cache[place][1][:, :, :length] = value
            attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
            x = self._after(x, attended.transpose(1, 2).reshape(rows * length, -1), *after, self.dtype)
        return x

    def logits(self, x: Tensor) -> Tensor:
        return F.linear(normalised(x, self.norm, self.dtype), self.embedding.to(self.dtype)).float()

    def generate(
        self, prompts: Sequence[np.ndarray], most: int, deadline: float = float("inf")
    ) -> list[list[int] | None]:
        """What follows each prompt, greedily, up to END or ``most`` tokens; None where time.monotonic() passed
        ``deadline`` before."""
        written: list[list[int] | None] = [None] * len(prompts)
        left = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
        while left and time.monotonic() < deadline:
            room = -(-(len(prompts[left[-1]]) + most) // 64) * 64
            together = max(1, CACHE_TOKENS[self.device.type] // room)
            batch, left = left[-together:], left[:-together]
            with torch.no_grad():
                made = self._generate([prompts[place] for place in batch], most, room, deadline)
            if made is not None:
                for place, tokens in zip(batch, made, strict=True):
                    written[place] = tokens
        return written

    def _generate(self, prompts: Sequence[np.ndarray], most: int, room: int, deadline: float) -> list[list[int]] | None:
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        shape = (len(prompts), self.embedding.shape[1] // HEAD, room, HEAD)
        cache = [
            (
                torch.zeros(shape, dtype=self.dtype, device=self.device),
                torch.zeros(shape, dtype=self.dtype, device=self.device),
            )
            for _ in self.layers
        ]
        token = self.logits(self._prefilled(prompts, lengths, cache)).argmax(-1)
        written, ended = [token], token == END_ID
        for step in range(most - 1):
            if step % 8 == 7:
                if bool(ended.all()):
                    break
                if time.monotonic() > deadline:
                    return None
            token = self.logits(self._decoded(token, lengths + step, cache)).argmax(-1)
            written.append(token)
            ended |= token == END_ID
        return [_ended(tokens) for tokens in torch.stack(written, 1).tolist()]

    def _prefilled(
        self, prompts: Sequence[np.ndarray], lengths: Tensor, cache: Sequence[tuple[Tensor, Tensor]]
    ) -> Tensor:
        """The stream at each prompt's last token; the cache is filled."""
        longest = max(map(len, prompts))
        padded = np.zeros((len(prompts), longest), np.int64)
        for row, prompt in zip(padded, prompts, strict=True):
            row[: len(prompt)] = prompt
        tokens = torch.from_numpy(padded).to(self.device)
        together = max(1, PREFILL_TOKENS // longest)
        last = []
        for start in range(0, len(prompts), together):
            part = slice(start, start + together)
            x = self.hidden(tokens[part], [(keys[part], values[part]) for keys, values in cache])
            rows = torch.arange(len(tokens[part]), device=self.device)
            last.append(x.view(len(rows), longest, -1)[rows, lengths[part] - 1])
        return torch.cat(last)

    def _decoded(self, token: Tensor, places: Tensor, cache: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """The stream at one more token of every row, which is at ``places``."""
        rows = torch.arange(len(token), device=self.device)
        seen = torch.arange(cache[0][0].shape[2], device=self.device) <= places[:, None]
        cosine, sine = self._turns(places)
        x = F.embedding(token, self.embedding)
        for (keys, values), (before, after) in zip(cache, self.layers, strict=True):
            query, keys[rows, :, places], values[rows, :, places] = before_attention(
                x, cosine, sine, *before, self.dtype
            )
            attended = F.scaled_dot_product_attention(query[:, :, None], keys, values, attn_mask=seen[:, None, None])
            x = after_attention(x, attended.reshape(len(token), -1), *after, self.dtype)
        return x

    def _turns(self, places: Tensor) -> tuple[Tensor, Tensor]:
        angles = places[:, None, None].float() * self.speeds
        return angles.cos(), angles.sin()


def _parameters(layer: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """A layer's parameters as ``before_attention`` and ``after_attention`` take them."""
    attention, mlp = layer.self_attn, layer.mlp
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    before = (
        layer.input_layernorm.weight,
        [projection.weight for projection in projections],
        [projection.bias for projection in projections],
    )
    after = (
        attention.o_proj.weight,
        layer.post_attention_layernorm.weight,
        mlp.gate_proj.weight,
        mlp.up_proj.weight,
        mlp.down_proj.weight,
    )
    return before, after


def _ended(tokens: list[int]) -> list[int]:
    return tokens[: tokens.index(END_ID)] if END_ID in tokens else tokens
