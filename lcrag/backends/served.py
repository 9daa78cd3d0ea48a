"""What a server says about itself: the models that it lists, and vLLM's page of metrics."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from lcrag.backends.connection import TransientError
from lcrag.backends.http import HttpClient
from lcrag.errors import NotAvailable

UNKNOWN_WINDOW: Final = 4096
"""The window assumed of a server that does not report it: Ollama's default, the smallest in use."""

_CACHE_SIZE = re.compile(r'kv_cache_size_tokens="(\d+)"')


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as ``/v1/models`` lists it. ``window``: tokens; ``folder``: where it is stored, if the server says so."""

    name: str
    window: int
    folder: str | None


def served_model(http: HttpClient, wanted: str | None = None) -> ServedModel:
    """The model ``wanted``, or the first that the server lists.

    Raises NotRunning when it does not answer, NotAvailable when it does not serve the model.
    """
    try:
        listed = json.loads(http.ask("GET", "/v1/models"))["data"] or []
        models = {str(entry["id"]): entry for entry in listed}
    except TransientError as error:
        raise http.not_running(error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise http.not_running(TransientError("what answers is no model server")) from error
    if not models:
        raise NotAvailable(f"the server at {http.root} serves no model", hint="lcrag up MODEL")
    if wanted is not None and wanted not in models:
        raise NotAvailable(f"the server at {http.root} does not serve {wanted!r}", hint=f"--model {' | '.join(models)}")
    name = wanted or next(iter(models))
    entry = models[name]
    meta = entry.get("meta") or {}
    window = entry.get("max_model_len") or entry.get("context_length") or meta.get("n_ctx") or UNKNOWN_WINDOW
    return ServedModel(name, int(window), entry.get("root"))


def metric(page: str, name: str) -> float | None:
    """The sum of a metric over its labels in Prometheus' text format; None when it is not there."""
    values = [float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
    return sum(values) if values else None


def cache_tokens(page: str) -> int | None:
    """Tokens that vLLM's KV cache holds at most, from its page of metrics."""
    size = _CACHE_SIZE.search(page)
    return int(size[1]) if size else None
