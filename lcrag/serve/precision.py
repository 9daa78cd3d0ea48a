"""The numeric types in which vLLM runs a model: whether it and its window fit into the GPUs, what makes them fit, and
what a processor is fast in.

A KV cache in fp8 holds twice the tokens and is no slower; the small model's answers change by -.02 and +.02 (500 and
2,000 tokens read, n = 180 each; examples/benchmarks/README.md, "vLLM's levers"). So it is taken where the window does
not fit otherwise, and weights in fp8 where the model does not. What fits is left as it is.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from lcrag.backends.machine import better_in_float32, config_of, weight_bytes
from lcrag.serve.nvidia import nvidia_smi

TAKEN: Final = 2 * 2**30
"""Bytes of each GPU beside weights and KV cache: 1.7 GiB on an H200 with a model of 7B, by the tokens that it held."""
LEAST_WINDOW: Final = 4096
"""Tokens that must fit beside weights of 16 bits: below, weights are read in fp8. Assumed: one question's passages."""
FP8_CAPABILITY: Final = 8.9
"""NVIDIA's compute capability from which a GPU computes in fp8 (Ada, Hopper and later)."""
KV_IN_FP8: Final = ("--kv-cache-dtype", "fp8")
WEIGHTS_IN_FP8: Final = ("--quantization", "fp8")
IN_FLOAT32: Final = ("--dtype", "float32")


@dataclass(frozen=True, slots=True)
class Gpu:
    """``memory``: bytes. ``capability``: NVIDIA's compute capability."""

    memory: int
    capability: float


@dataclass(frozen=True, slots=True)
class Needs:
    """Of a model: bytes of its weights, bytes of the KV cache for a token in 16 bits, its longest window in tokens."""

    weights: int
    token: int
    window: int


def gpus() -> list[Gpu]:
    """The GPUs that nvidia-smi lists; none where there is no such tool or it does not answer."""
    try:
        rows = [line.split(",") for line in nvidia_smi("memory.total,compute_cap", "nounits")]
        return [Gpu(int(memory) * 2**20, float(capability)) for memory, capability in rows]
    except (OSError, subprocess.TimeoutExpired, ValueError):  # it may say "[N/A]"
        return []


def needs(model: str) -> Needs | None:
    """Of a model's folder with 16-bit weights; None for what is no such folder or says too little."""
    config = config_of(model)
    if config.get("quantization_config"):
        return None
    text = config.get("text_config", config)
    token = _token_bytes(text)
    window = text.get("max_position_embeddings")
    weights = weight_bytes(model)
    return Needs(weights, token, window) if token and weights and isinstance(window, int) else None


def fitting(
    needed: Needs, gpus: Sequence[Gpu], share: float, window: int | None, given: Sequence[str]
) -> list[tuple[tuple[str, ...], str]]:
    """Flags for one copy of a model on ``gpus`` of which ``share`` may be used, each with the reason in words.

    ``window``: tokens that the user asked for; the model's longest if None. ``given``: the user's flags, which stay.
    """
    if not gpus or min(gpu.capability for gpu in gpus) < FP8_CAPABILITY or _named(given):
        return []
    wanted = window or needed.window
    room = len(gpus) * (int(min(gpu.memory for gpu in gpus) * share) - TAKEN)
    weights = needed.weights
    chosen: list[tuple[tuple[str, ...], str]] = []
    if room - weights < LEAST_WINDOW * needed.token:
        why = f"weights in fp8: in 16 bits they take {_gigabytes(weights)} of {_gigabytes(max(0, room))}"
        chosen.append((WEIGHTS_IN_FP8, why))
        weights //= 2
    holds = max(0, room - weights) // needed.token
    if holds < wanted:
        why = f"KV cache in fp8: in 16 bits it holds {holds:,} tokens, and the window has {wanted:,}"
        chosen.append((KV_IN_FP8, why))
    return chosen


def for_gpus(
    model: str, count: int, share: float, window: int | None, given: Sequence[str]
) -> list[tuple[tuple[str, ...], str]]:
    """The same for a model's folder on the first ``count`` GPUs of this machine."""
    needed = needs(model)
    return fitting(needed, gpus()[:count], share, window, given) if needed else []


def on_processor(model: str, share: float, given: Sequence[str]) -> list[tuple[tuple[str, ...], str]]:
    """The same for vLLM's CPU build, which may use ``share`` of the memory."""
    if _named(given) or not better_in_float32(model, share):
        return []
    return [(IN_FLOAT32, "weights in 32 bits: this processor has no instructions for bfloat16, and is slow without")]


def _token_bytes(text: dict[str, Any]) -> int:
    """Bytes of keys and values of one token in 16 bits; 0 if the configuration does not say."""
    layers, heads = text.get("num_hidden_layers"), text.get("num_attention_heads")
    if not isinstance(layers, int) or not isinstance(heads, int) or not heads:
        return 0
    if isinstance(rank := text.get("kv_lora_rank"), int):  # DeepSeek's: one compressed vector for keys and values
        return 2 * layers * (rank + int(text.get("qk_rope_head_dim") or 0))
    head = text.get("head_dim") or int(text.get("hidden_size") or 0) // heads
    return 2 * 2 * layers * int(text.get("num_key_value_heads") or heads) * int(head)


def _named(given: Sequence[str]) -> bool:
    names = {flag.partition("=")[0].replace("_", "-") for flag in given}
    return bool(names & {KV_IN_FP8[0], WEIGHTS_IN_FP8[0], "-q", "--dtype", "--kv-cache-memory-bytes"})


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
