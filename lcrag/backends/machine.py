"""What a profile holds for: the device that a model runs on, and the numbers it reckons in. No subprocess, no wait."""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

GPUS: Final = Path("/proc/driver/nvidia/gpus")
VLLM_ENVIRONMENT: Final = {"VLLM_NO_USAGE_STATS": "1"}
"""vLLM reports each start to its makers otherwise, and keeps what it sent in the user's config folder."""
CPU_MEMORY: Final = 0.2
"""Share of the memory for vLLM's CPU build, which would otherwise take nearly all of it for its KV cache."""
HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def device(url: str | None = None) -> str:
    """The GPUs of this machine, or its processor; the host's name where the server at ``url`` is another machine."""
    host = urlsplit(url).hostname if url else None
    if host is not None and host not in HERE:
        return host
    models = [
        found[1].strip()
        for path in sorted(GPUS.glob("*/information"))
        if (found := re.search(r"^Model:\s*(.+)$", path.read_text(encoding="utf-8", errors="replace"), re.M))
    ]
    return " + ".join(models) or f"{os.cpu_count()} x {platform.machine()}"


def dtype(model: str) -> str:
    """The numbers of the weights in a model's folder ("bfloat16"); "" where it is no folder or does not tell."""
    try:
        told = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(told.get("dtype") or told.get("torch_dtype") or "") if isinstance(told, dict) else ""
