"""OpenVINO, without its telemetry."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from lcrag.errors import NotInstalled

TO_RUN: Final = ("openvino", "gguf", "tokenizers", "safetensors")

MODEL: Final = "model.xml"


def missing_packages() -> list[str]:
    """Packages that the writer needs and that are not installed, besides its weights."""
    return [name for name in TO_RUN if find_spec(name) is None]


def require() -> None:
    """Raise NotInstalled, with the line to type, if one of them is missing."""
    if missing := missing_packages():
        raise NotInstalled(f"the writer needs {', '.join(missing)}", hint=f"pip install {' '.join(missing)}")


def openvino() -> Any:
    """The package ``openvino``. It reports its import to its makers unless ``openvino_telemetry`` cannot be imported.

    Once imported, it keeps the stub that it has instead.
    """
    name = "openvino_telemetry"
    if "openvino" in sys.modules or name in sys.modules:
        import openvino
    else:
        sys.modules[name] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[name]
    return openvino


def open_model(folder: Path) -> Any:
    """A request to the model in this folder, on all cores, compiled once for this processor into the same folder.

    Keys and values stay in bfloat16, so that a state that is read and set again is the same.
    """
    properties = {
        "PERFORMANCE_HINT": "LATENCY",
        "CACHE_DIR": str(folder),
        "CACHE_MODE": "OPTIMIZE_SIZE",
        "KV_CACHE_PRECISION": "bf16",
    }
    return openvino().Core().compile_model(str(folder / MODEL), "CPU", properties).create_infer_request()
