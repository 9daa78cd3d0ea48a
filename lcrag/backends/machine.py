"""What a measured profile depends on besides the model: the device, and the numeric type of the weights.

No subprocess is started and no server asked.
"""

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
"""vLLM reports each start to its makers otherwise, and stores what it sent in the user's config folder."""
CPU_MEMORY: Final = 0.2
"""Share of the memory for vLLM's CPU build, which would otherwise take nearly all of it for its KV cache."""
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
    try:
        config = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(config.get("dtype") or config.get("torch_dtype") or "") if isinstance(config, dict) else ""
