"""Models of real shapes without weights: vLLM fills them with noise (--load-format dummy). Speeds are real, words not.

The tokenizer is cl100k_base as a Hugging Face one: 100,000 merges like those of the models that the shapes are from. It
is stored as transformers reads it, which gives Qwen's models Qwen's way of taking numbers apart.

    python examples/benchmarks/gpu/shapes.py 7b FOLDER
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from lcrag.text import tokens

VOCABULARY = 100_352
LONGEST = 262_144
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SHAPES: dict[str, dict[str, Any]] = {
    "7b": {  # Qwen2.5-7B
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "tie_word_embeddings": False,
    },
    "0.5b": {  # Qwen2.5-0.5B
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    },
    "tiny": {  # to try the scripts with
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "tie_word_embeddings": True,
    },
}


def parameters(shape: str) -> tuple[int, int]:
    """Weights that a token's forward pass multiplies by without the head, and those of the head."""
    s = SHAPES[shape]
    hidden, wide = s["hidden_size"], s["intermediate_size"]
    keys = hidden // s["num_attention_heads"] * s["num_key_value_heads"]
    layer = 2 * hidden * hidden + 2 * hidden * keys + 3 * hidden * wide
    return s["num_hidden_layers"] * layer, VOCABULARY * hidden


def prefill_flops(shape: str, n: int) -> float:
    """Multiplications and additions to read ``n`` tokens: two a weight, and causal attention's two products."""
    s = SHAPES[shape]
    body, head = parameters(shape)
    return 2.0 * body * n + 2.0 * head + 2.0 * s["num_hidden_layers"] * s["hidden_size"] * n * n


def decode_bytes(shape: str, n: int) -> float:
    """Bytes of memory read for one more token after ``n``: every weight and the KV cache, in 16 bits."""
    s = SHAPES[shape]
    body, head = parameters(shape)
    keys = s["hidden_size"] // s["num_attention_heads"] * s["num_key_value_heads"]
    return 2.0 * (body + head + 2 * s["num_hidden_layers"] * keys * n)


def make(shape: str, folder: Path) -> None:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import TikTokenConverter

    vocabulary = tokens.vocabulary_file()
    if vocabulary is None:
        raise SystemExit("no cl100k_base here: install llama-index-core, or set TIKTOKEN_CACHE_DIR")
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    made = TikTokenConverter(vocab_file=str(vocabulary), extra_special_tokens=special).converted()
    made.add_special_tokens([f"<|spare_{number}|>" for number in range(VOCABULARY - made.get_vocab_size())])
    fast = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", model_max_length=LONGEST)
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    config = SHAPES[shape] | {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": VOCABULARY,
        "max_position_embeddings": LONGEST,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        "dtype": "bfloat16",
        "torch_dtype": "bfloat16",
        "eos_token_id": fast.eos_token_id,
        "bos_token_id": None,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    AutoTokenizer.from_pretrained(folder).save_pretrained(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    make(given.shape, given.folder)
