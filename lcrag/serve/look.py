"""A running server as it describes itself: its model, its window, its cache."""

from __future__ import annotations

from dataclasses import dataclass

from lcrag.backends.local_server import remembered


@dataclass(frozen=True, slots=True)
class Look:
    """What a server reports; None for what it does not. ``cache_tokens``: what its KV cache holds at most."""

    url: str
    model: str
    window: int
    cache_tokens: int | None
    cache_used: float | None
    prefix_queries: float | None
    prefix_hits: float | None
    running: float | None
    waiting: float | None
    log: str | None


def look(url: str | None = None) -> Look:
    """The server at ``url``, or else the one that ``up`` started, or else one on vLLM's usual port.

    Raises NotRunning when it does not answer, NotAvailable or BackendFailed when what answers serves no model.
    """
    from lcrag.backends.http import HttpClient, TransientError
    from lcrag.backends.openai_server import DEFAULT_URL, cache_tokens, metric, served_model
    from lcrag.errors import BackendFailed

    ours = remembered()
    http = HttpClient(url or (ours.url if ours else DEFAULT_URL))
    served = served_model(http)
    try:
        page = http.ask("GET", "/metrics")
    except TransientError as error:
        raise http.not_running(error) from error
    except BackendFailed:
        page = ""  # a server without metrics
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
