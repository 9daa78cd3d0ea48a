"""What a server says about itself: the models that it lists, and vLLM's page of metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lcrag.backends.connection import Refused, TransientError, parse_json
from lcrag.backends.http import HttpClient
from lcrag.backends.refusals import MAX_WINDOW
from lcrag.errors import NotAvailable

UNKNOWN_WINDOW: Final = 4096
"""The window assumed of a server that does not report it: Ollama's default, the smallest in use."""
WINDOWS: Final = (
    *("max_model_len", "loaded_context_length", "context_length", "context_window", "max_context_length", "n_ctx"),
)
"""What servers call a model's window: vLLM, LM Studio, OpenRouter and Together, Groq, LM Studio, llama.cpp."""

_CACHE_SIZE = re.compile(r'kv_cache_size_tokens="(\d{1,12})"')
_NO_CHAT = re.compile(
    r"embed|rerank|whisper|moderation|transcri|minilm|colbert|dall-?e|diffusion"
    r"|(?<![a-z0-9])(?:bge|e5|gte|tts|clip|stt|asr|image)(?![a-z])",
    re.IGNORECASE,
)
"""In the name or the type of a model that does not chat: servers that hold several list them in any order."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as ``/v1/models`` lists it.

    ``window``: tokens; ``folder``: where it is stored, if the server says so. ``tells_progress``: whether it can write
    how much of a prompt it has read: llama.cpp is silent otherwise until it has read all, which may take minutes.
    ``is_vllm``: whether it keeps replies to a shape as vLLM does.
    """

    name: str
    window: int
    folder: str | None = None
    tells_progress: bool = False
    is_vllm: bool = False


def served_model(http: HttpClient, wanted: str | None = None) -> ServedModel:
    """The model ``wanted``, or the first that the server lists and that can chat. Sets ``http.apis`` to what answers.

    A server without a list of models is taken at the user's word. Raises NotRunning when it does not answer,
    NotAvailable when it does not serve the model.
    """
    try:
        models = dict(_models(_listed(http)))
    except TransientError as error:
        raise http.not_running(error) from error
    except (Refused, ValueError) as error:
        if wanted is not None:
            return ServedModel(wanted, UNKNOWN_WINDOW)
        reason = http.address.masked(str(error)) if isinstance(error, Refused) else "what answers is no list"
        raise NotAvailable(
            f"the server at {http.root} does not list its models: {reason}",
            hint="--model NAME, if it is a model server",
        ) from error
    if wanted is not None and (wanted in models or not models):
        return _served(wanted, models.get(wanted, {}))
    names = " | ".join(map(http.address.masked, models))
    if wanted is not None:
        raise NotAvailable(f"the server at {http.root} does not serve {wanted!r}", hint=f"--model {names}")
    if not models:
        raise NotAvailable(f"the server at {http.root} serves no model", hint="lcrag up MODEL")
    for name, entry in models.items():
        if not any(_NO_CHAT.search(text) for text in (name, *_types(entry))):
            return _served(name, entry)
    raise NotAvailable(f"the server at {http.root} serves no model that can chat", hint=f"--model {names}")


def metrics(http: HttpClient) -> str:
    """vLLM's page of metrics; "" from a server without one, or one that shows it to nobody."""
    try:
        return http.ask("GET", "/metrics")
    except (TransientError, Refused, NotAvailable):
        return ""


def metric(page: str, name: str) -> float | None:
    """The sum of a metric over its labels in Prometheus' text format; None when it is not there."""
    lines = [line.rsplit(" ", 1)[1] for line in page.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
    values = [value for value in map(_float, lines) if value is not None]
    return sum(values) if values else None


def cache_tokens(page: str) -> int | None:
    """Tokens that vLLM's KV cache holds at most, from its page of metrics."""
    size = _CACHE_SIZE.search(page)
    return int(size[1]) if size else None


def _listed(http: HttpClient) -> Any:
    """The list of models, at the first address that has one. Raises Refused or ValueError where none has."""
    for api in http.apis:
        try:
            value = parse_json(http.ask("GET", f"{api}/models"))
        except (Refused, ValueError):
            if api == http.apis[-1]:
                raise
        else:
            http.apis = (api,)
            return value
    raise AssertionError("an address has an api")


def _models(listed: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and entry of each model, whatever shape the list has. Raises ValueError for what is no list of models."""
    if isinstance(listed, dict):
        if not listed.keys() & {"data", "models"}:
            raise ValueError("no list of models")
        listed = listed.get("data") or listed.get("models") or []
    for entry in [listed] if isinstance(listed, dict) else listed if isinstance(listed, list) else []:
        fields = {"id": entry} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}
        names = [fields[key] for key in ("id", "name", "model") if isinstance(fields.get(key), str)]
        if names and names[0] and names[0].isprintable():
            yield names[0], fields


def _served(name: str, entry: Mapping[str, Any]) -> ServedModel:
    meta = entry.get("meta")
    places = (entry, meta if isinstance(meta, dict) else {})
    windows = [window for place in places for key in WINDOWS if (window := _window(place.get(key)))]
    folder = entry.get("root")
    return ServedModel(
        name,
        windows[0] if windows else UNKNOWN_WINDOW,
        folder if isinstance(folder, str) else None,
        tells_progress=entry.get("owned_by") == "llamacpp",
        is_vllm=entry.get("owned_by") == "vllm",
    )


def _types(entry: Mapping[str, Any]) -> list[str]:
    return [entry[key] for key in ("type", "task", "mode", "kind") if isinstance(entry.get(key), str)]


def _window(value: Any) -> int | None:
    """A number of tokens, None for what is none."""
    number = _float(value)
    return int(number) if number is not None and 1 <= number <= MAX_WINDOW else None


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
