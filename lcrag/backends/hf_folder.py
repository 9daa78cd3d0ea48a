"""A Hugging Face model's parts, loaded from its folder or the local cache; what is wrong with them said in a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

from lcrag.backends.machine import better_in_float32
from lcrag.errors import BackendFailed, InputError, NotInstalled

MEMORY: Final = 0.5
"""Share of the memory that weights and KV cache may take on a processor, if they are to be in 32 bits."""


def load_config(model: str) -> Any:
    folder = Path(model)
    if (model.startswith((".", "/", "~")) or folder.exists()) and not (folder / "config.json").is_file():
        what = "holds no model (no config.json)" if folder.exists() else "is not there"
        raise InputError(f"the model folder {model} {what}", hint="--model FOLDER, one that holds a config.json")
    try:
        config = transformers.AutoConfig.from_pretrained(model, local_files_only=True)
    except OSError as error:
        if folder.exists():
            raise BackendFailed(f"{model} cannot be read: {first_line(error)}", hint="--model FOLDER") from error
        raise NotInstalled(
            f"there is no model {model!r} on this machine",
            hint=f"hf download {model}   (lcrag itself downloads nothing)",
        ) from error
    except ValueError as error:
        raise BackendFailed(f"transformers does not know the model {model}: {first_line(error)}") from error
    if CAUSAL.get(config.model_type) not in (config.architectures or ()):
        kind = ", ".join(config.architectures or ()) or config.model_type
        raise BackendFailed(f"{model} is no language model that writes text: {kind}", hint="a model ...ForCausalLM")
    return config


def load_tokenizer(model: str) -> Any:
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model, local_files_only=True)
    except (OSError, ValueError, ImportError, AttributeError, TypeError) as error:
        raise BackendFailed(f"{model} has no tokenizer that can be read: {first_line(error)}") from error
    if not tokenizer.is_fast or not tokenizer.encode("a b", add_special_tokens=False):
        raise BackendFailed(f"{model} has no tokenizer: its tokenizer.json is missing", hint="a folder that has one")
    return tokenizer


def load_language_model(model: str, config: Any) -> Any:
    from safetensors import SafetensorError
    from transformers.utils import logging as chatter

    chatter.disable_progress_bar()  # type: ignore[no-untyped-call]
    has_gpu = torch.cuda.is_available()
    dtype = "auto" if has_gpu or not better_in_float32(model, MEMORY) else torch.float32
    try:
        loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
            model, config=config, dtype=dtype, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise BackendFailed(f"{model} cannot be loaded: {first_line(error)}", hint="--model FOLDER") from error
    lm, found = loaded
    if missing := found["missing_keys"]:
        raise BackendFailed(f"{model} lacks weights: {min(missing)}, {len(missing)} in all", hint="--model FOLDER")
    return lm.to("cuda" if has_gpu else "cpu").eval()


def window_of(model: str, config: Any) -> int:
    window = getattr(config.get_text_config(), "max_position_embeddings", None)
    if not window:
        raise BackendFailed(f"{model} does not say how long its window is (max_position_embeddings)")
    return int(window)


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
