"""A running server as it describes itself: its model, its window, its cache."""

from __future__ import annotations

from pathlib import Path

from lcrag.backends.local_server import remembered
from lcrag.types import Look


def look(url: str | None = None, ca_file: Path | None = None) -> Look:
    """The server at ``url``, or else the one that ``up`` started, or else one on vLLM's usual port.

    Raises NotRunning when it does not answer, NotAvailable when what answers serves no model, InputError for an address
    or a key that makes no sense.
    """
    from lcrag.backends.http import HttpClient
    from lcrag.backends.openai_server import DEFAULT_URL
    from lcrag.backends.served import cache_tokens, metric, metrics, served_model

    ours = remembered()
    http = HttpClient(url or (ours.url if ours else DEFAULT_URL), send_key=url is not None, ca_file=ca_file)
    served = served_model(http)
    page = metrics(http)
    return Look(
        url=http.root,
        model=served.name,
        window=served.window,
        cache_tokens=cache_tokens(page),
        cache_used=metric(page, "vllm:kv_cache_usage_perc"),
        prefix_queries=metric(page, "vllm:prefix_cache_queries_total"),
        prefix_hits=metric(page, "vllm:prefix_cache_hits_total"),
        running=metric(page, "vllm:num_requests_running"),
        waiting=metric(page, "vllm:num_requests_waiting"),
        log=ours.log if ours and ours.url == http.root else None,
    )
