"""The writer's files, made once from the base weights and the adapter: what OpenVINO loads, and a folder for vLLM."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lcrag.errors import NotAvailable
from lcrag.paths import cache_folder, fingerprint, replacing
from lcrag.writer import graph, tokenizer, weights
from lcrag.writer.runtime import MODEL, openvino

if TYPE_CHECKING:
    import numpy.typing as npt

FORMAT: Final = "1"
"""Raise it when this package makes other files of the same weights."""
TOKENIZER: Final = "tokenizer.json"
SIZES: Final = "sizes.json"
"""Written last: the bytes of the other files. OpenVINO maps the weights, and a file cut short would end the process."""

_log = logging.getLogger("lcrag")


def key(base: Path, adapter: Path | None) -> str:
    """Eight hex digits that change with the weights and with ``FORMAT``."""
    return fingerprint(FORMAT, base, *([adapter] if adapter else []))


def prepared(base: Path, adapter: Path | None) -> Path:
    """The folder with the model and its tokenizer, made first if need be (about 5 s).

    Several processes may make it at once. Raises NotAvailable if it cannot be written.
    """
    return _made(f"writer-int8-{key(base, adapter)}", lambda folder: write_model(folder, base, adapter))


def checkpoint(adapter: Path | None = weights.ADAPTER) -> Path:
    """The same model as a Hugging Face folder for vLLM (270 MB), made first if need be; needs torch.

    Raises NotInstalled without the base weights, NotAvailable if it cannot be written.
    """
    name = f"SmolLM2-135M-bf16-{key(weights.base_file(), adapter)}"
    return _made(name, lambda folder: write_checkpoint(folder, adapter))


def _made(name: str, write: Callable[[Path], None]) -> Path:
    folder = cache_folder() / "models" / name
    if is_whole(folder):
        return folder
    _log.info("preparing the writer, once (about 5 s)")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        with replacing(folder) as temporary_folder:
            temporary_folder.mkdir()
            write(temporary_folder)
            sizes = {path.name: path.stat().st_size for path in temporary_folder.iterdir()}
            (temporary_folder / SIZES).write_text(json.dumps(sizes), encoding="utf-8")
    except OSError as error:
        if not is_whole(folder):  # another process has not written it either
            raise NotAvailable(
                f"the writer could not be written: {error}",
                hint="set LCRAG_CACHE_DIR to a folder that can be written",
            ) from error
    return folder


def is_whole(folder: Path) -> bool:
    """Whether every file of a prepared folder has the size that it was written with."""
    try:
        sizes = json.loads((folder / SIZES).read_bytes())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def write_model(folder: Path, base: Path, adapter: Path | None) -> None:
    """Write ``model.xml``, ``model.bin`` (int8, 135 MB) and ``tokenizer.json``."""
    from gguf import GGUFReader

    reader = GGUFReader(base)
    matrices: dict[str, graph.Quantised] = {}
    norms: dict[str, npt.NDArray[np.float32]] = {}
    for name, weight in weights.merged(reader, adapter):
        if weight.ndim == 1:
            norms[name] = weight
        else:
            matrices[name] = graph.quantise(weight)
    openvino().save_model(graph.network(matrices, norms), folder / MODEL, compress_to_fp16=False)
    (folder / TOKENIZER).write_text(tokenizer.tokenizer_json(reader), encoding="utf-8")


def write_checkpoint(folder: Path, adapter: Path | None = weights.ADAPTER) -> None:
    """Write the same model as a Hugging Face folder in bfloat16 (270 MB), as vLLM and transformers read it.

    Needs torch. Raises NotInstalled without the base weights, OSError.
    """
    import torch
    from gguf import GGUFReader
    from safetensors.torch import save_file

    reader = GGUFReader(weights.base_file())
    tensors = {name: torch.from_numpy(weight).to(torch.bfloat16) for name, weight in weights.merged(reader, adapter)}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    end = reader.fields["tokenizer.ggml.eos_token_id"].contents()
    files: dict[str, Any] = {
        "config.json": _config(end),
        "generation_config.json": {"eos_token_id": end, "pad_token_id": end, "do_sample": False},
        "tokenizer_config.json": tokenizer.SETTINGS,
        TOKENIZER: json.loads(tokenizer.tokenizer_json(reader)),
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(tokenizer.TEMPLATE, encoding="utf-8")


def _config(end: int) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "hidden_act": "silu",
        "hidden_size": weights.HIDDEN,
        "intermediate_size": weights.INNER,
        "num_hidden_layers": weights.LAYERS,
        "num_attention_heads": weights.HEADS,
        "num_key_value_heads": weights.KV_HEADS,
        "head_dim": weights.HEAD,
        "max_position_embeddings": weights.WINDOW,
        "rms_norm_eps": weights.NORM_EPSILON,
        "rope_theta": weights.ROPE_BASE,
        "rope_parameters": {"rope_type": "default", "rope_theta": weights.ROPE_BASE},
        "tie_word_embeddings": True,
        "vocab_size": weights.VOCABULARY,
        "bos_token_id": 1,
        "eos_token_id": end,
        "pad_token_id": end,
    }
