"""The device, and the numeric type of a model's weights: a measured profile depends on them, and so does the type in
which a processor computes.

No subprocess is started and no server asked.
"""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

GPUS: Final = Path("/proc/driver/nvidia/gpus")
VLLM_ENVIRONMENT: Final = {"VLLM_NO_USAGE_STATS": "1"}
"""vLLM reports each start to its makers otherwise, and stores what it sent in the user's config folder."""
CPU_MEMORY: Final = 0.2
"""Share of the memory for vLLM's CPU build, which would otherwise take nearly all of it for its KV cache."""
CPU_INFO: Final = Path("/proc/cpuinfo")
_HAS_BFLOAT16: Final = re.compile(r"^(?:flags|Features)\s*:.*\b(?:avx512_bf16|amx_bf16|bf16)\b", re.MULTILINE)
LOCAL_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def device(url: str | None = None) -> str:
    """The GPUs of this machine, or its processor; the host's name if the server at ``url`` is on another machine."""
    host = urlsplit(url).hostname if url else None
    if host is not None and host not in LOCAL_HOSTS:
        return host
    models = [
        match[1].strip()
        for path in sorted(GPUS.glob("*/information"))
        if (match := re.search(r"^Model:\s*(.+)$", path.read_text(encoding="utf-8", errors="replace"), re.M))
    ]
    return " + ".join(models) or f"{os.cpu_count()} x {platform.machine()}"


def dtype(model: str) -> str:
    """The numeric type of the weights in a model's folder ("bfloat16"); "" if its ``config.json`` does not say."""
    return _dtype(config_of(model))


def config_of(model: str) -> dict[str, Any]:
    """The ``config.json`` of a model's folder; empty where there is none that can be read."""
    try:
        config = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _dtype(config: dict[str, Any]) -> str:
    return str(config.get("dtype") or config.get("torch_dtype") or "")


def weight_bytes(model: str) -> int:
    """Bytes of the weights in a model's folder; 0 where there are none."""
    files = list(Path(model).glob("*.safetensors")) or list(Path(model).glob("*.bin"))
    return sum(file.stat().st_size for file in files)


def better_in_float32(model: str, share: float) -> bool:
    """Whether a processor computes faster with the 16-bit weights of a model's folder as 32 bits.

    It does where it has no instructions for bfloat16 and converts each number instead: vLLM reads 2,000 tokens in 4.4 s
    instead of 15.4 (the small model, one core). ``share``: of the memory that may be used; the weights must take half
    of it at most then, since the KV cache doubles too. A processor that does not say what it has is left alone.
    """
    config = config_of(model)
    if _dtype(config) not in ("bfloat16", "float16") or config.get("quantization_config"):
        return False
    try:
        if _HAS_BFLOAT16.search(CPU_INFO.read_text(encoding="utf-8")):
            return False
    except OSError:
        return False
    import psutil

    return 0 < 4 * weight_bytes(model) <= share * psutil.virtual_memory().total
